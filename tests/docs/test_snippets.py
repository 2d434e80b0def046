"""Every Python snippet of the documents runs as it is written, and prints what the document says that it prints.

`RUNNERS` says how: by a phrase that one kind of snippet contains. A snippet that fits none of them, or two, fails.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from jobs.extract import summary
from model.checkpoint_source import BUNDLED_FORMS
from pipelines.batch.listing import document_id
from pipelines.extract import count_steps
from pipelines.in_process import extract_blocks
from pipelines.options import ExtractOptions
from pipelines.schema import DOCUMENTS, LISTED, PAGE_TO_DO
from pipelines.stages.base import StageRunner, rows_to_table
from pipelines.stages.count_pages import ListingOptions
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import write_table
from tests.docs.documents import REPOSITORY, Block, blocks, without_measures
from tests.model.small_model import small_model

SNIPPETS = blocks("python")

RUNNERS = {
    "from pipelines.read import": "in this process",
    "from model import": "in this process",
    'dataset("demo-output': "on what the batch job writes for some samples",
    "extract_pages(": "on a shared Ray",
    "requests.post(": "against a running endpoint, in tests/jobs/test_serve.py",
}


def snippets(*phrases: str) -> list[pytest.param]:  # type: ignore[valid-type]
    found = [block for block in SNIPPETS if any(phrase in block.text for phrase in phrases)]
    return [pytest.param(block, id=block.where) for block in found]


def run_snippet(block: Block) -> str:
    """What a snippet prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})
    return printed.getvalue()


@pytest.fixture(scope="module")
def demo_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with demo-output/ in it: an invoice and the two broken samples, as the batch job writes them."""
    folder, options, storage = tmp_path_factory.mktemp("snippets"), ExtractOptions(model=BUNDLED_FORMS), Storage()
    names = ("agreement-cut-short.pdf", "form-with-password.pdf", "invoice.png")
    uris = [str(REPOSITORY / "samples" / "documents" / name) for name in names]
    listed = [{"document_id": document_id(uri), "uri": uri, "size_bytes": 1, "etag": ""} for uri in uris]
    count = StageRunner(count_steps(ListingOptions(), options.limits), DOCUMENTS)
    documents = count(rows_to_table(listed, LISTED))
    opened = [{**row, "page_index": 0} for row in documents.to_pylist() if row["status"] == "ok"]
    (pages,) = extract_blocks([rows_to_table(opened, PAGE_TO_DO)], options, readers=1)
    for name, table in (("documents", documents), ("pages", pages)):
        write_table(storage, join_uri(str(folder), "demo-output", name, "part-0.parquet"), table)
    return folder


def test_every_snippet_has_one_way_to_be_run() -> None:
    for block in SNIPPETS:
        assert sum(phrase in block.text for phrase in RUNNERS) == 1, f"{block.where}: how is it run?"
    assert all(any(phrase in block.text for block in SNIPPETS) for phrase in RUNNERS)


@pytest.mark.parametrize("block", snippets("from pipelines.read import"))
def test_a_document_is_read_in_a_program(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    printed = run_snippet(block)
    assert printed.strip()
    assert block.output is None or without_measures(printed) == without_measures(block.output)


@pytest.mark.parametrize("block", snippets("from model import"))
def test_the_model_answers_alone(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = REPOSITORY
    if "torch.export.export(" in block.text:  # takes as long as a model has layers: here the name is a smaller one's
        folder = tmp_path
        small_model().save_pretrained(folder / BUNDLED_FORMS)
    monkeypatch.chdir(folder)
    assert run_snippet(block) == block.output


@pytest.mark.parametrize("block", snippets('dataset("demo-output'))
def test_what_the_job_wrote_is_read(block: Block, demo_output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_output)
    assert block.output is not None
    assert sorted(without_measures(run_snippet(block)).splitlines()) == sorted(
        without_measures(block.output).splitlines()
    )


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("block", snippets("extract_pages("))
def test_the_pipeline_runs_in_a_program_of_ones_own(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    lines = run_snippet(block).splitlines()
    assert sorted(line.split(" ")[:2] for line in lines) == [["0", "layer"], ["1", "layer"], ["2", "layer"]]


def test_the_end_of_the_demo_is_what_the_job_prints() -> None:
    (shown,) = [block.text for block in blocks("text") if "demo-output/report.html" in block.text]
    documents = {"listed": 10, "ok": 8, "failed": 2, "by_error_kind": {"unreadable": 1, "encrypted": 1}}
    pages = {"promised": 46, "expected": 46, "ok": 46, "failed": 0, "missing": 0, "by_error_kind": {}}
    record = {
        "documents": documents,
        "pages": pages,
        "pages_this_run": 46,
        "pages_per_second": 2.474,
        "fields": {"rows": 976},
        "records": {"rows": 10, "needs_review": 8},
        "model": "a model",
    }
    assert summary(record, "/home/me/layoutlmv2-ray/demo-output") + "\n" == shown
    assert len(list((REPOSITORY / "samples" / "documents").iterdir())) == documents["listed"]
