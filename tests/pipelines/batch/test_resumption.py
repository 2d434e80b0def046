"""Runs on outputs of earlier runs: they do what is missing, new or changed, and refuse what does not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.ocr.options import OcrOptions
from pipelines.batch import page_writer
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.errors import ProcessingError
from pipelines.extract import ExtractOptions
from pipelines.runtime.output_record import OutputConflictError
from pipelines.stages.rasterize import RasterizeOptions
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.pipelines.batch.output_rows import rows_of, without_clock

pytestmark = pytest.mark.usefixtures("execution")

TOKENS = ExtractOptions(model="untrained", ocr=OcrOptions(engine="tesserocr"))
"""With the engine that starts in no time."""
LAYER = replace(TOKENS, rasterize=RasterizeOptions(text="layer"))
"""Without OCR."""


QUICK_DAMAGES = {("pages", "cut short"), ("documents", "empty"), ("manifests", "cut short"), ("run.json", "zeros")}
"""Each kind of file, and each kind of damage; the slow tests have the other pairs."""


def options(inputs: Sequence[Path], output: Path, extract: ExtractOptions = TOKENS, **others: Any) -> RunOptions:
    return RunOptions(tuple(map(str, inputs)), str(output), extract, report_pages=0, read_workers=1, **others)


@pytest.fixture(scope="module")
def finished(execution: str, few_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run over the samples; tests work on copies of it."""
    output = tmp_path_factory.mktemp("output")
    run(options([few_samples], output))
    return output


@pytest.fixture(scope="module")
def finished_form(execution: str, few_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run over one document without OCR; tests work on copies of it."""
    output = tmp_path_factory.mktemp("form")
    run(options([few_samples / "supplier-form.pdf"], output, LAYER))
    return output


def test_pages_that_are_missing_are_completed_and_only_they(few_samples: Path, finished: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    lost = sorted((output / "pages").iterdir())[0]
    count = pq.read_metadata(lost).num_rows
    lost.unlink()
    again = run(options([few_samples], output))
    assert again["pages_this_run"] == count
    assert without_clock(rows_of(output, "pages")) == without_clock(rows_of(finished, "pages"))


def test_the_number_of_pending_pages_falls_to_zero(
    few_samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending: list[int] = []
    monkeypatch.setattr(page_writer, "set_pending_pages", pending.append)
    run(options([few_samples / "supplier-form.pdf"], tmp_path, LAYER))
    assert pending == [3, 2, 1, 0]


def test_rounds_give_the_same_rows_and_one_that_fails_leaves_the_earlier_ones(
    few_samples: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_by_round: list[int] = []
    write_round = page_writer.write_round

    def write_or_fail(blocks: list[pa.Table], *arguments: Any) -> Iterator[dict[str, Any]]:
        pages_by_round.append(sum(block.num_rows for block in blocks))
        if len(pages_by_round) == 2:
            raise ConnectionError("the second round does not begin")
        return write_round(blocks, *arguments)

    monkeypatch.setattr(page_writer, "write_round", write_or_fail)
    three_a_round = options([few_samples], tmp_path, pages_per_round=3)
    with pytest.raises(ConnectionError):
        run(three_a_round)
    after_one_round = rows_of(tmp_path, "pages")
    assert len(after_one_round) == 3
    record = run(replace(three_a_round, pages_per_round=2))
    assert pages_by_round == [3, 3, 2, 1]
    assert record["status"] == "done" and record["pages_this_run"] == 3
    rows = rows_of(tmp_path, "pages")
    assert without_clock(rows) == without_clock(rows_of(finished, "pages"))
    assert all(row in rows for row in after_one_round), "what a round wrote is not written again"


def test_new_documents_are_added_and_changed_ones_done_anew(tmp_path: Path) -> None:
    inputs, output = tmp_path / "in", tmp_path / "out"

    def write(name: str, *texts: str) -> None:
        (inputs / name).write_bytes(draw_pdf(*[DrawnPage(show(text, 20, 200)) for text in texts]))

    inputs.mkdir()
    write("a.pdf", "first")
    write("b.pdf", "second")
    run(options([inputs], output, LAYER))
    write("b.pdf", "other", "longer")
    write("c.pdf", "third")
    assert run(options([inputs], output, LAYER))["pages_this_run"] == 3
    pages = {(Path(row["uri"]).name, row["page_index"]): row["words"] for row in rows_of(output, "pages")}
    assert pages == {
        ("a.pdf", 0): ["first"],
        ("b.pdf", 0): ["other"],
        ("b.pdf", 1): ["longer"],
        ("c.pdf", 0): ["third"],
    }


def test_other_options_on_an_old_output_are_refused_by_name_unless_it_is_overwritten(
    few_samples: Path, finished: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    other = options([few_samples / "supplier-form.pdf"], output, replace(TOKENS, stride=64))
    with pytest.raises(OutputConflictError, match=r"extract.stride was 128 and is 64.*--overwrite"):
        run(other)
    assert rows_of(output, "pages") == rows_of(finished, "pages")
    record = run(replace(other, overwrite=True))
    assert (record["documents"]["listed"], record["pages"]["ok"]) == (1, 3)


def test_limits_hold_over_several_runs_and_the_page_counts_stay_true(few_samples: Path, tmp_path: Path) -> None:
    inputs = [few_samples / "supplier-form.pdf", few_samples / "fax-two-pages.tiff"]
    four_pages = options(inputs, tmp_path, LAYER, limit=4)
    run(four_pages)
    for _ in range(2):
        record = run(four_pages)
        assert [(row["page_count"], row["pages_selected"]) for row in rows_of(tmp_path, "documents")] == [
            (3, 3),
            (2, 1),
        ]
        assert len(rows_of(tmp_path, "pages")) == record["pages"]["expected"] == 4


def test_what_a_run_wrote_is_never_an_input_and_inputs_are_never_overwritten(few_samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "documents" / "fax.tiff"  # a folder of the name that the output gives its own table
    source.parent.mkdir()
    shutil.copy(few_samples / "fax-two-pages.tiff", source)
    for overwrite in (False, False, True):
        record = run(options([tmp_path], tmp_path, LAYER, overwrite=overwrite))
        assert (record["status"], record["documents"]["listed"], record["pages"]["ok"]) == ("done", 1, 2)
        assert source.is_file()


def test_a_run_that_fails_says_so_in_its_record(few_samples: Path, tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match="typo"):
        run(options([few_samples, tmp_path / "typo"], tmp_path / "out"))
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "failed" and "typo" in record["error"]


def test_nothing_to_read_is_an_error_that_names_the_input(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(ProcessingError, match=name) as caught:
            run(options([tmp_path / name], tmp_path / "out"))
        assert caught.value.kind == "not_found"


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        pytest.param(
            table,
            damage,
            marks=[] if (table, damage) in QUICK_DAMAGES else [pytest.mark.slow],
        )
        for table in ("pages", "documents", "manifests", "run.json")
        for damage in ("cut short", "zeros", "empty")
    ],
)
def test_a_file_that_is_damaged_is_named_and_set_aside_and_its_pages_are_done_again(
    table: str, damage: str, few_samples: Path, finished_form: Path, tmp_path: Path, execution: str
) -> None:
    if execution == "on ray" and damage != "zeros":
        pytest.skip("the place makes no difference to the kind of damage")
    inputs, output = [few_samples / "supplier-form.pdf"], tmp_path / "output"
    shutil.copytree(finished_form, output)
    before = without_clock(rows_of(output, "pages"))
    path = output / table if table == "run.json" else next((output / table).glob("part-*"))
    content = path.read_bytes()
    path.write_bytes({"cut short": content[: len(content) // 2], "zeros": bytes(len(content)), "empty": b""}[damage])
    record = run(options(inputs, output, LAYER))
    name = str(path.relative_to(output))
    assert record["status"] == "done" and record["damaged"] == [name]
    assert (output / "damaged" / name).exists()
    assert record["pages_this_run"] == (3 if table in ("pages", "documents") else 0)
    assert without_clock(rows_of(output, "pages")) == before
    again = run(options(inputs, output, LAYER))
    assert (again["damaged"], again["pages_this_run"]) == ([name], 0)


def test_damage_inside_a_file_that_only_compaction_or_a_repair_reads_is_mended_in_the_same_run(
    few_samples: Path, tmp_path: Path, execution: str
) -> None:
    if execution == "on ray":
        pytest.skip("the place makes no difference")
    inputs = [few_samples / "supplier-form.pdf"]
    run(options(inputs, tmp_path, LAYER))
    before = without_clock(rows_of(tmp_path, "pages"))
    [compacted] = (tmp_path / "pages").iterdir()
    table, [manifest] = pq.read_table(compacted), (tmp_path / "manifests").iterdir()
    manifest.unlink()
    block = compacted.with_name(f"{compacted.name[:20]}-{table['document_id'][0]}-000000.parquet")
    pq.write_table(table, block, compression="zstd")
    compacted.unlink()
    words = pq.read_metadata(block).row_group(0).column(pq.read_schema(block).get_field_index("words"))
    with block.open("r+b") as file:
        file.seek(words.data_page_offset + 30)
        file.write(b"\xff" * 200)
    record = run(options(inputs, tmp_path, LAYER))
    assert record["damaged"] == [f"pages/{block.name}"] and record["status"] == "done"
    assert record["pages_this_run"] == 3
    assert without_clock(rows_of(tmp_path, "pages")) == before


def test_rows_of_documents_whose_table_was_damaged_are_never_deleted(
    few_samples: Path, tmp_path: Path, execution: str
) -> None:
    if execution == "on ray":
        pytest.skip("the place makes no difference")
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.pdf", "b.pdf"):
        shutil.copy(few_samples / "supplier-form.pdf", source / name)
    output = tmp_path / "out"
    run(options([source], output, LAYER))
    [documents] = (output / "documents").iterdir()
    documents.write_bytes(b"")
    (source / "b.pdf").unlink()
    with pytest.raises(OutputConflictError, match="without --retry-failed"):
        run(options([source], output, LAYER, retry_failed=True))
    assert len(rows_of(output, "pages")) == 6
    for _ in range(2):
        record = run(options([source], output, LAYER))
        assert (record["status"], record["pages"]["ok"], record["pages"]["unexpected"]) == ("incomplete", 3, 3)
        assert len(rows_of(output, "pages")) == 6
