"""When fields and records are still those of the pages of an output, and when they are made again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.batch import field_state
from pipelines.batch.field_state import FINGERPRINT, field_fingerprint, unchanged_figures
from pipelines.batch.fields import write_fields
from pipelines.fields.acceptance import Acceptance
from pipelines.fields.field_spec import FieldSpec, RecordSpec
from pipelines.fields.records import RecordOptions
from pipelines.storage.files import Storage
from tests.pipelines.batch.output_rows import document_row, page_row, write_rows

RUN = "00000002-abcdef"
RECORDS = RecordOptions(RecordSpec((FieldSpec("total", ("Total",)),)))
ACCEPTANCE = Acceptance(0.9, 0.5, 100, 95, 0.01, 0.1)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output with fields and records."""
    (tmp_path / "run.json").write_text(json.dumps({"run_id": RUN}))
    write_rows(tmp_path, "documents", 1, [document_row("a", 1)])
    write_rows(tmp_path, "pages", 1, [page_row("a", 0)])
    write_fields(Storage(), str(tmp_path), RECORDS, RUN, ACCEPTANCE)
    return tmp_path


def state(output: Path, records: RecordOptions | None = RECORDS, acceptance: Acceptance | None = ACCEPTANCE) -> str:
    return field_fingerprint(Storage(), str(output), records, acceptance)


def test_an_output_that_has_not_changed_has_the_same_fingerprint(output: Path) -> None:
    assert state(output) == state(output)


def test_other_records_another_precision_and_another_version_have_another(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {
        state(output),
        state(output, None),
        state(output, replace(RECORDS, min_score=0.25)),
        state(output, RecordOptions(RecordSpec((FieldSpec("total", ("Sum",)),)))),
        state(output, acceptance=None),
        state(output, acceptance=replace(ACCEPTANCE, min_score=0.75)),
    }
    monkeypatch.setattr(field_state, "VERSION", 0)
    assert len({*states, state(output)}) == 7


@pytest.mark.parametrize(
    "change",
    [
        lambda output: write_rows(output, "pages", 2, [page_row("a", 0)]),
        lambda output: write_rows(output, "documents", 2, [document_row("b", 0)]),
        lambda output: next((output / "pages").iterdir()).unlink(),
        lambda output: next((output / "fields").iterdir()).unlink(),
        lambda output: next((output / "records").iterdir()).write_bytes(b""),
        lambda output: (output / "records.csv").unlink(),
    ],
    ids=["page written", "document written", "page gone", "fields gone", "records damaged", "no csv"],
)
def test_files_that_have_changed_have_another(output: Path, change: Callable[[Path], object]) -> None:
    before = state(output)
    change(output)
    assert state(output) != before


def test_figures_are_those_of_the_run_that_made_the_same() -> None:
    figures = {"fields": {"rows": 3}, "records": None, "fields_accepted": 2, FINGERPRINT: "x"}
    assert unchanged_figures({**figures, "pages": {}}, "x") == figures
    assert unchanged_figures(figures, "y") is None
    assert unchanged_figures({"fields": {"rows": 3}}, "x") is None
    assert unchanged_figures(None, "x") is None
