"""A folder of hostile files, odd names and good documents, through the whole job."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.ocr.options import OcrOptions
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.schema import Row
from pipelines.stages.sandbox_protocol import PageLimits
from tests.hostile.all_files import hostile_files
from tests.hostile.hostile_file import HostileFile, find_document_differences, find_page_differences
from tests.hostile.odd_names import OddFolder, allow_all, make_odd_folder
from tests.pipelines.batch.output_rows import rows_of

pytestmark = pytest.mark.usefixtures("execution")

OPTIONS = ExtractOptions("untrained", ocr=OcrOptions(engine="tesserocr"), limits=PageLimits(seconds=20, megabytes=1500))
"""With the engine that starts in no time."""


@pytest.fixture
def odd_folder(tmp_path: Path) -> Iterator[tuple[Path, OddFolder]]:
    folder = tmp_path / "odd"
    folder.mkdir()
    made = make_odd_folder(folder)
    yield folder, made
    allow_all(folder)


def by_uri(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.get("page_index", 0)):
        found[row["uri"]].append(row)
    return found


def uri_of(path: bytes) -> str:
    """The URI in the tables: bytes that are not UTF-8 are escaped."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", os.fsdecode(path))


def assert_every_page_is_there_once(output: Path, record: dict[str, object]) -> None:
    documents, pages = rows_of(output, "documents"), rows_of(output, "pages")
    expected = Counter((row["document_id"], index) for row in documents for index in range(row["pages_selected"]))
    assert Counter((row["document_id"], row["page_index"]) for row in pages) == expected
    assert record["status"] == "done"


def find_differences(files: list[HostileFile], folder: Path, output: Path) -> list[str]:
    documents, pages = by_uri(rows_of(output, "documents")), by_uri(rows_of(output, "pages"))
    found = []
    for file in files:
        [document] = documents[str(folder / file.name)]
        wrong = find_document_differences(file, document["error_kind"], document["page_count"])
        for row in pages[document["uri"]]:
            words = row["words"] if row["text_source"] == "layer" else None  # OCR may misread a strange font
            wrong += find_page_differences(file, row["page_index"], row["error_kind"], words)
        found += [f"{file.name}: {difference}" for difference in wrong]
    return found


def run_over(files: list[HostileFile], folder: Path, good: Path, output: Path) -> None:
    folder.mkdir()
    for file in files:
        (folder / file.name).write_bytes(file.make())
    record = run(RunOptions((str(folder), str(good)), str(output), OPTIONS, report_pages=0))
    assert_every_page_is_there_once(output, record)
    assert not find_differences(files, folder, output)
    assert all(row["status"] == "ok" for row in by_uri(rows_of(output, "pages"))[str(good)])


def test_a_corpus_of_hostile_files_costs_their_pages_alone(samples_directory: Path, tmp_path: Path) -> None:
    light = [file for file in hostile_files() if not file.needs_limits and (file.pages or 0) <= 20]
    run_over(light[::32], tmp_path / "hostile", samples_directory / "supplier-form.pdf", tmp_path / "output")


@pytest.mark.slow
def test_a_corpus_of_all_hostile_files_costs_their_pages_alone(samples_directory: Path, tmp_path: Path) -> None:
    every = [file for file in hostile_files() if (file.pages or 0) <= 1000]
    run_over(every, tmp_path / "hostile", samples_directory / "supplier-form.pdf", tmp_path / "output")


def test_documents_under_every_name_are_read_and_listed_once(
    odd_folder: tuple[Path, OddFolder], tmp_path: Path
) -> None:
    folder, odd = odd_folder
    record = run(RunOptions((str(folder),), str(tmp_path / "output"), OPTIONS, report_pages=0))
    assert_every_page_is_there_once(tmp_path / "output", record)
    documents = by_uri(rows_of(tmp_path / "output", "documents"))
    pages = by_uri(rows_of(tmp_path / "output", "pages"))
    for path, word in odd.words.items():
        assert [row["words"] for row in pages[uri_of(path)]] == [[word]], path
    for path, kinds in odd.failing.items():
        [row] = documents[uri_of(path)]
        assert row["error_kind"] in kinds or (os.geteuid() == 0 and kinds == {"access_denied"}), path
    assert not {uri_of(path) for path in odd.never} & set(documents)
    assert len(documents) == len(odd.words) + len(odd.failing)
