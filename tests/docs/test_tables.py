"""The tables of the documents say what the code says: options and their defaults, columns, error kinds, data sets."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute

import model
from pipelines.batch import telemetry
from pipelines.batch.audit import OutputAudit
from pipelines.datasets.registry import DATASETS
from pipelines.errors import ERROR_KINDS
from pipelines.fields.field_spec import FieldSpec
from pipelines.fields.value_types import VALUE_TYPES, Conventions
from pipelines.options import ExtractOptions
from pipelines.schema import ANSWERS, DOCUMENTS, TASK_COLUMNS, TASKS, page_schema
from pipelines.schema import FIELDS as FIELDS_TABLE
from pipelines.serving.options import ServeOptions
from pipelines.serving.routes import build_routes
from pipelines.serving.upload import FIELDS
from tests.docs.documents import REPOSITORY, codes, inline_code, read, table_rows

DOCS = REPOSITORY / "docs"

EXTRACT_SECTIONS = ("What is extracted", "How pages are read", "Limits", "The model", "The run")

TASK_WORDS = {
    "entities": "token-classification",
    "classes": "sequence-classification",
    "questions": "question-answering",
}


def options_of(job: str) -> dict[str, Any]:
    """The options of a job and their defaults."""
    return {
        f"--{field.name.replace('_', '-')}": None if field.default is MISSING else field.default
        for field in fields(import_module(f"jobs.{job}").Options)
    }


def documented_options(document: Path, *headings: str) -> dict[str, str]:
    """The options of tables, and what stands in their second column."""
    rows = [row for heading in headings for row in table_rows(document, heading)]
    return {codes(option)[0].split(" ")[0]: default for option, default, *_ in rows if option.startswith("`--")}


def options_of_the_batch_job(document: Path) -> set[str]:
    """Those that a document only names, in a sentence that says that they are those of the batch job."""
    (sentence,) = re.findall(
        r"((?:`--[a-z-]+`(?:,| and)?\s+)+)are\s+those\s+of\s+\[the\s+batch\s+job\]", read(document)
    )
    return set(codes(sentence))


def check_defaults(documented: dict[str, str], actual: dict[str, Any]) -> None:
    """A default that is a number or a word is written as it is; others are explained in words, or left out."""
    for option, written in documented.items():
        default = actual[option]
        if isinstance(default, tuple) and len(default) == 1:
            (default,) = default
        if default is None or isinstance(default, bool | tuple):
            assert not re.fullmatch(r"\d+|`.*`", written), f"{option} has no default {written}"
        else:
            expected = default if isinstance(default, str) else f"{default:g}"
            assert written.strip("`").split(",")[0] == expected, f"{option} is {expected} by default, not {written}"


def test_every_option_of_the_job_is_explained_with_its_default() -> None:
    documented, actual = documented_options(DOCS / "options.md", *EXTRACT_SECTIONS), options_of("extract")
    assert set(documented) == set(actual)
    check_defaults(documented, actual)


@pytest.mark.parametrize(
    ("document", "heading", "job"), [("serving.md", "Options", "serve"), ("one-document.md", "One document", "read")]
)
def test_options_that_jobs_share_are_explained_once(document: str, heading: str, job: str) -> None:
    documented, actual = documented_options(DOCS / document, heading), options_of(job)
    shared = options_of_the_batch_job(DOCS / document)
    assert {*documented, *shared} == {*actual} - {"--files"}
    assert shared <= set(options_of("extract"))
    check_defaults(documented, actual)


def test_every_option_of_exporting_is_explained_with_its_default() -> None:
    documented, actual = documented_options(DOCS / "export.md", "Options"), options_of("export")
    assert set(documented) == set(actual)
    check_defaults(documented, actual)


def test_every_option_of_calibration_is_explained_or_that_of_evaluation() -> None:
    document = DOCS / "calibration.md"
    documented, actual = documented_options(document, "Options"), options_of("calibrate")
    (sentence,) = re.findall(r"((?:`--[a-z-]+`(?:,| and)?\s+)+)are\s+those\s+of\s+`jobs.evaluate`", read(document))
    assert {*documented, *codes(sentence)} == set(actual)
    assert set(codes(sentence)) <= set(options_of("evaluate"))
    check_defaults(documented, actual)


def test_every_column_of_the_output_is_named() -> None:
    rows = {codes(path)[0]: codes(columns) for path, _, columns in table_rows(DOCS / "output.md", "Output")}
    assert rows["documents/*.parquet"] == DOCUMENTS.names
    assert rows["answers/*.parquet"] == ANSWERS.names
    assert rows["fields/*.parquet"] == FIELDS_TABLE.names
    assert [name for row in table_rows(DOCS / "fields.md", "Fields") for name in codes(row[0])] == FIELDS_TABLE.names
    of_tasks = {task: [field.name for field in TASK_COLUMNS[task]] for task in TASKS}
    for task in TASKS:
        with_pictures = page_schema(task, keep_pictures=True)
        assert rows["pages/*.parquet"] == [name for name in with_pictures.names if name not in of_tasks[task]]
    explained = {name for row in table_rows(DOCS / "output.md", "Columns") for name in codes(row[0])}
    assert explained == {*rows["documents/*.parquet"], *rows["pages/*.parquet"]}
    tasks = {codes(task)[0]: codes(columns) for task, columns in table_rows(DOCS / "output.md", "Columns of a task")}
    assert set(tasks) == set(TASKS)
    for task in TASKS:
        columns = [field for field in TASK_COLUMNS[task] if field.name in ("entities", "pairs", "answers")]
        inner = [name for field in columns for name in (part.name for part in field.type.value_type)]
        assert tasks[task] == of_tasks[task] + inner


def test_every_type_of_a_value_and_every_option_of_a_field_is_explained() -> None:
    types = [codes(name)[0] for name, *_ in table_rows(DOCS / "fields.md", "Types of values")]
    assert types == list(VALUE_TYPES)
    rows = table_rows(DOCS / "fields.md", "The fields that you want")
    of_field = [field.name for field in fields(FieldSpec)]
    of_all = [field.name for field in fields(Conventions)]
    assert [codes(name)[0] for name, *_ in rows] == [*of_field, *of_all]
    sample = REPOSITORY / "samples" / "supplier-form-fields.yaml"
    assert f"```yaml\n{sample.read_text()}```" in read(DOCS / "fields.md")


def test_every_error_kind_is_explained() -> None:
    assert [codes(kind)[0] for kind, _ in table_rows(DOCS / "output.md", "Error kinds")] == list(ERROR_KINDS)


def test_every_total_of_the_record_is_explained() -> None:
    totals = {name for table in OutputAudit().as_json().values() for name in table}
    assert totals <= set(inline_code(DOCS / "output.md"))


def test_every_metric_is_named() -> None:
    rows = {codes(name)[0]: codes(labels) for name, labels in table_rows(DOCS / "reliability.md", "Metrics")}
    source = inspect.getsource(telemetry)
    counters = {f"ray_{name}_total" for name in re.findall(r'Counter\(\s*"(\w+)"', source)}
    assert set(rows) == counters | {f"ray_{name}" for name in re.findall(r'Gauge\(\s*"(\w+)"', source)}
    assert all(f'"{label}"' in source for labels in rows.values() for label in labels)


def test_every_data_set_is_described() -> None:
    rows = table_rows(DOCS / "training.md", "Data sets")
    assert [codes(name)[0] for name, *_ in rows] == list(DATASETS)
    for name, tasks, splits, _ in rows:
        dataset = DATASETS[codes(name)[0]]
        told = TASKS if tasks == "all" else tuple(TASK_WORDS[word] for word in tasks.split(", "))
        assert set(told) == set(dataset.tasks), name
        assert splits.split(", ") == list(dataset.splits), name


def test_every_class_of_the_model_is_named() -> None:
    rows = table_rows(DOCS / "in-your-program.md", "The model alone")
    assert {name for row in rows for name in codes(row[0])} == set(model.__all__)


def test_every_field_of_a_request_is_explained() -> None:
    rows = [row for row in table_rows(DOCS / "serving.md", "Requests") if "/" not in codes(row[0])[0]]
    assert {name for row in rows for name in codes(row[0])} == {"file", *FIELDS}


def test_every_route_is_named() -> None:
    endpoint = ServeOptions(models=(), extract=ExtractOptions(model="a model"))
    app = build_routes(cast(Any, SimpleNamespace(options=endpoint)))
    routes = {(method, route.path) for route in app.routes if isinstance(route, APIRoute) for method in route.methods}
    rows = [row for row in table_rows(DOCS / "serving.md", "Requests") if "/" in codes(row[0])[0]]
    named = {tuple(code.split(" ")) for row in rows for code in codes(row[0])}
    assert named == routes | {("GET", app.openapi_url)}
