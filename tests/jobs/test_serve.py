"""The endpoint with three models: its answers equal those of the batch job, page by page."""

from __future__ import annotations

import base64
import io
import json
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobs.extract import Options as BatchOptions
from jobs.extract import main as run_batch_job
from jobs.serve import Options, main, served_model
from pipelines.extract import ExtractOptions, infer_steps, merge_options, read_steps
from pipelines.schema import Row, Task, page_schema
from pipelines.serving.response_models import ExtractResponse, ModelsResponse
from pipelines.serving.upload_files import IDLE_SECONDS
from pipelines.stages.base import rows_to_table
from pipelines.stages.merge import Merge
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.jobs.endpoint import REPOSITORY, Endpoint, start_endpoint
from tests.jobs.replica_death import check_death

pytestmark = pytest.mark.xdist_group("serve")

QUESTIONS = ("What is the total?", "Who is the supplier?")
VARYING = ("document_id", "uri", "seconds", "etag", "pages_selected")


EXAMPLES = 15
"""Requests of a kind; `tests/pipelines/serving/test_fuzz.py` sends many to the same gateway in this process."""

PAGES_PER_DOCUMENT = {"in process": 1, "on ray": 3}


@pytest.fixture(scope="module", params=["in process", pytest.param("on ray", marks=pytest.mark.slow)])
def batch(
    request: pytest.FixtureRequest, samples_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Row], list[Row]]:
    """Documents and their first pages as the batch job writes them, in this process and on a Ray of its own."""
    output = tmp_path_factory.mktemp("batch")
    options = ["--input", str(samples_directory), "--output", str(output), "--report-pages", "0"]
    options += ["--max-pages-per-document", str(PAGES_PER_DOCUMENT[request.param])]
    if request.param == "in process":
        assert run_batch_job(options) == 0
    else:
        command = [sys.executable, "-m", "jobs.extract", *options, "--address", "local"]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=240)
    return pq.read_table(output / "documents").to_pylist(), pq.read_table(output / "pages").to_pylist()


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[httpx.Client]:
    with endpoint.client() as client:
        yield client


def extract(client: httpx.Client, content: bytes | Path, **fields: Any) -> httpx.Response:
    """Send a document."""
    name = content.name if isinstance(content, Path) else "document"
    payload = content.read_bytes() if isinstance(content, Path) else content
    return client.post("/v1/extract", files={"file": (name, payload)}, data=fields)


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two rows differ, apart from what varies between runs. Scores depend slightly on the batch: 4 decimals."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            return [f"{path}: {list(ours)} and {list(theirs)}"]
        names = [name for name in ours if name not in VARYING]
        return [line for name in names for line in differences(ours[name], theirs[name], f"{path}.{name}")]
    if isinstance(ours, list) and isinstance(theirs, (list, tuple)):
        if len(ours) != len(theirs):
            return [f"{path}: {len(ours)} and {len(theirs)}"]
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{path}[{index}]")]
    if isinstance(ours, float) and isinstance(theirs, float):
        return [] if abs(ours - theirs) < 1e-4 else [f"{path}: {ours} and {theirs}"]
    return [] if ours == theirs else [f"{path}: {ours!r} and {theirs!r}"]


def text_pages(count: int) -> bytes:
    """A PDF with a text layer, unlike any other."""
    lines = [show(f"Page number {index + 1} of the deed {secrets.token_hex(8)}", 20, 200) for index in range(count)]
    more = show("between the parties named below", 20, 150)
    return draw_pdf(*(DrawnPage(line + more) for line in lines))


def test_every_sample_is_answered_as_by_the_batch_job(
    client: httpx.Client, samples_directory: Path, batch: tuple[list[Row], list[Row]]
) -> None:
    documents, pages = batch
    assert {row["status"] for row in documents} == {"ok", "failed"} and len(documents) == 10
    for document in documents:
        path = samples_directory / Path(document["uri"]).name
        response = extract(client, path, pages=f"1-{max(1, document['pages_selected'])}")
        if document["status"] == "failed":
            assert response.status_code == 422
            assert response.json() == {"error_kind": document["error_kind"], "error": document["error"]}
            continue
        assert response.status_code == 200, response.text
        answer = response.json()
        assert differences(answer["document"], document) == []
        expected = sorted((row for row in pages if row["uri"] == document["uri"]), key=lambda row: row["page_index"])
        assert differences(answer["pages"], expected) == []
        assert answer["document"]["uri"] == path.name


@pytest.mark.parametrize("task", ["question-answering", "sequence-classification"])
def test_the_other_tasks_answer_as_their_stages_do(
    client: httpx.Client, samples_directory: Path, models: dict[Task, Path], task: Task
) -> None:
    questions = QUESTIONS if task == "question-answering" else ()
    options = ExtractOptions(model=str(models[task]), task=task, questions=questions)
    form = samples_directory / "supplier-form.pdf"
    rows: Any = [
        {"document_id": "d", "uri": str(form), "media_type": "application/pdf", "page_index": index, "page_count": 3}
        for index in range(3)
    ]
    for make in (*read_steps(options), *infer_steps(options), partial(Merge, merge_options(options))):
        rows = make()(rows)
    expected = rows_to_table(rows, page_schema(task)).to_pylist()
    for row in expected:
        if task == "sequence-classification":
            row["label_scores"] = dict(row["label_scores"])
    name = "ask" if task == "question-answering" else "kinds"
    answer = extract(client, form, model=name, questions=list(questions)).json()
    assert ExtractResponse.model_validate(answer, strict=True)
    assert differences(answer["pages"], expected) == []
    if questions:
        assert [[found["question"] for found in page["answers"]] for page in answer["pages"]] == [list(questions)] * 3


def test_models_and_limits_are_listed(client: httpx.Client) -> None:
    about = client.get("/v1/models").json()
    assert ModelsResponse.model_validate(about, strict=True).model_dump() == about
    assert [(model["name"], model["task"], model["default"]) for model in about["models"]] == [
        ("layoutlmv2-forms-small", "token-classification", True),
        ("ask", "question-answering", False),
        ("kinds", "sequence-classification", False),
    ]
    assert about["models"][2]["labels"] == ["form", "receipt", "contract", "letter"]
    assert about["limits"] == {"upload_megabytes": 2.0, "pages": 100, "questions": 2}
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "kind", "reason"),
    [
        ({"model": "nobody"}, 400, "invalid_request", "there are layoutlmv2-forms-small, ask"),
        ({"questions": "Why?"}, 400, "invalid_request", "answers no questions"),
        ({"model": "ask"}, 400, "invalid_request", "at least one in the field questions"),
        ({"model": "ask", "questions": "why " * 400}, 400, "invalid_request", "too little of a window"),
        ({"pages": "2-1"}, 400, "invalid_request", "a range goes upwards"),
        ({"pages": "4"}, 400, "invalid_request", "the document has 3 pages"),
        ({"previews": "maybe"}, 400, "invalid_request", "true or false"),
        ({"words": '["a"]', "boxes": "[[0, 0, 1, 1]]"}, 400, "invalid_request", "3 pages are requested"),
        ({"words": '["a"]'}, 400, "invalid_request", "come together"),
        ({"page": "1"}, 400, "invalid_request", "no field is named 'page'"),
    ],
)
def test_requests_that_make_no_sense_are_refused_in_words(
    client: httpx.Client, samples_directory: Path, fields: dict[str, str], status: int, kind: str, reason: str
) -> None:
    response = extract(client, samples_directory / "supplier-form.pdf", **fields)
    assert response.status_code == status
    assert response.json()["error_kind"] == kind and reason in response.json()["error"]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 422, "empty"),
        (b"PK\x03\x04 word/document.xml", 415, "unsupported"),
        (b"%PDF-1.7 and nothing else", 422, "unreadable"),
    ],
)
def test_documents_that_cannot_be_opened_are_refused_with_their_kind(
    client: httpx.Client, content: bytes, status: int, kind: str
) -> None:
    response = extract(client, content)
    assert (response.status_code, response.json()["error_kind"]) == (status, kind)


def test_a_name_that_looks_like_a_path_or_an_address_is_only_a_name(client: httpx.Client) -> None:
    for name in ("../../etc/passwd", "s3://bucket/key.pdf", "C:\\secret\\a.pdf", "file:///etc/hostname"):
        answer = client.post("/v1/extract", files={"file": (name, text_pages(1))}).json()
        assert answer["document"]["uri"] in ("passwd", "key.pdf", "a.pdf", "hostname")
        assert "deed" in answer["pages"][0]["words"]


def test_page_ranges_choose_pages_and_keep_their_numbers(client: httpx.Client) -> None:
    answer = extract(client, text_pages(9), pages="8-,2,1-2").json()
    assert [page["page_index"] for page in answer["pages"]] == [0, 1, 7, 8]
    assert [page["words"][2] for page in answer["pages"]] == ["1", "2", "8", "9"]
    assert (answer["document"]["page_count"], answer["document"]["pages_selected"]) == (9, 4)


def test_many_pages_stream_as_lines_in_order(client: httpx.Client) -> None:
    files = {"file": ("deed.pdf", text_pages(30))}
    with client.stream("POST", "/v1/extract", files=files, headers={"Accept": "application/x-ndjson"}) as response:
        assert response.headers["content-type"].startswith("application/x-ndjson")
        lines = [json.loads(line) for line in response.iter_lines()]
    assert list(lines[0]) == ["document"] and lines[0]["document"]["pages_selected"] == 30
    assert [line["page"]["page_index"] for line in lines[1:]] == list(range(30))
    assert {line["page"]["status"] for line in lines[1:]} == {"ok"}


def test_a_document_is_on_disk_only_during_its_request(client: httpx.Client) -> None:
    content = text_pages(12)

    def copies() -> list[Path]:
        files = Path(tempfile.gettempdir()).glob("layoutlmv2-uploads-*/[!.]*")
        return [file for file in files if file.exists() and file.read_bytes() == content]

    headers = {"Accept": "application/x-ndjson"}
    with client.stream("POST", "/v1/extract", files={"file": ("deed.pdf", content)}, headers=headers) as response:
        lines = response.iter_lines()
        assert [json.loads(next(lines)).keys() for _ in range(2)] == [{"document"}, {"page"}]
        assert copies()
        assert len(list(lines)) == 11
    until = time.monotonic() + IDLE_SECONDS / 2
    while copies() and time.monotonic() < until:
        time.sleep(0.1)
    assert not copies(), "removed at the end of the request, long before it would be for want of use"


def test_words_that_are_given_are_used_and_nothing_is_read(client: httpx.Client, samples_directory: Path) -> None:
    invoice = samples_directory / "invoice.png"
    [read] = extract(client, invoice).json()["pages"]
    given = {"words": json.dumps(read["words"]), "boxes": json.dumps(read["boxes"])}
    [answer] = extract(client, invoice, **given).json()["pages"]
    by_reading = ("text_source", "word_confidences", "word_sources", "ocr_engine", "rotation", "skew", "read_quality")
    by_reading += ("ocr_language", "missing_language", "needs_review", "width", "height")
    assert answer["text_source"] == "given" and answer["word_confidences"] == [None] * len(read["words"])
    assert differences(*({k: v for k, v in row.items() if k not in by_reading} for row in (answer, read))) == []
    assert answer["seconds"]["ocr"] == 0 and answer["entities"]
    [third] = extract(client, samples_directory / "supplier-form.pdf", pages="3", **given).json()["pages"]
    assert (third["page_index"], third["words"]) == (2, read["words"])


def test_previews_are_pictures_of_the_pages(client: httpx.Client, samples_directory: Path) -> None:
    answer = extract(client, samples_directory / "delivery-schedule-rotated.pdf", previews="true").json()
    for page in answer["pages"]:
        with Image.open(io.BytesIO(base64.b64decode(page["preview"]))) as image:
            assert image.format == "JPEG" and max(image.size) == 1100
            assert (image.width > image.height) == (page["width"] > page["height"])


def test_a_reader_that_dies_costs_its_requests_only_time_and_health_reports_it(
    endpoint: Endpoint, client: httpx.Client, samples_directory: Path
) -> None:
    check_death(endpoint, client, samples_directory, "Reader")


@pytest.mark.slow
@pytest.mark.parametrize("deployment", ["Reader", "Predictor"])
def test_the_same_holds_where_the_model_is_apart(tmp_path: Path, samples_directory: Path, deployment: str) -> None:
    with start_endpoint(tmp_path / "log", "--placement", "apart") as endpoint, endpoint.client() as client:
        check_death(endpoint, client, samples_directory, deployment)


def test_models_are_named_by_their_last_part_or_explicitly(models: dict[Task, Path]) -> None:
    folder = models["question-answering"]
    assert served_model(str(folder), None).name == "question-answering"
    assert served_model(f"a={folder}", None).task == "question-answering"
    with pytest.raises(ValueError, match="give --task"):
        served_model("untrained", None)
    assert served_model("untrained", "sequence-classification").labels == ("form", "receipt", "contract", "letter")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "70000"], "--port is 70000"),
        (["--max-pages", "0"], "--max-pages is 0"),
        (["--request-time-limit-seconds", "nan"], "--request-time-limit-seconds"),
        (["--min-text-replicas", "3", "--max-text-replicas", "2"], "--min-text-replicas is 3"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err


def test_reading_options_are_those_of_the_batch_job() -> None:
    ours, theirs = Options(), BatchOptions(input=("x",), output="y")
    different = {"model", "page_time_limit_seconds", "task"}
    shared = set(Options.__dataclass_fields__) & set(BatchOptions.__dataclass_fields__) - different
    assert len(shared) > 10
    assert {name: getattr(ours, name) for name in shared} == {name: getattr(theirs, name) for name in shared}


def test_the_description_has_examples_with_the_fields_of_real_answers(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert set(description["paths"]) == {"/healthz", "/v1/models", "/v1/extract"}
    answers = description["paths"]["/v1/extract"]["post"]["responses"]
    assert {"200", "400", "401", "413", "415", "422", "429", "503"} <= set(answers)
    schemas = description["components"]["schemas"]
    for status, answer in answers.items():
        content = answer["content"]["application/json"]
        schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
        assert set(schema["required"]) <= set(content["example"]), status
    example = answers["200"]["content"]["application/json"]["example"]
    assert set(schemas["DocumentRow"]["required"]) <= set(example["document"])
    assert set(schemas["PageRow"]["required"]) <= set(example["pages"][0])
    real = client.post("/v1/extract", files={"file": ("deed.pdf", text_pages(1))}).json()
    assert list(real["document"]) == list(example["document"])
    assert list(real["pages"][0]) == list(example["pages"][0])
    page = client.get("/docs").text
    assert "POST /v1/extract" in page and "http" not in page.replace("https://www.w3.org", "")


def test_the_commands_of_the_documents_work(endpoint: Endpoint) -> None:
    document = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(bash|python)\n(.*?)```", document, re.DOTALL)
    shown = [(language, block) for language, block in blocks if "/v1/extract" in block]
    assert {language for language, _ in shown} == {"bash", "python"}
    for language, block in shown:
        command = {"bash": ["bash", "-ec"], "python": [sys.executable, "-c"]}[language]
        with endpoint.without_key() as url:
            code = block.replace("http://127.0.0.1:8000", url)
            done = subprocess.run([*command, code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert 'error_kind":"' not in done.stdout and "ANSWER" in done.stdout


def test_no_request_derived_from_the_description_makes_the_server_fail(endpoint: Endpoint) -> None:
    schema = schemathesis.openapi.from_url(f"{endpoint.url}/openapi.json", headers=endpoint.headers())
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    statuses: list[int] = []
    for operation in schema.get_all_operations():
        modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
        for mode in modes if "/extract" in operation.ok().path else modes[:1]:

            @given(case=operation.ok().as_strategy(generation_mode=mode))
            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def send(case: Any) -> None:
                response = case.call(headers=endpoint.headers())
                statuses.append(response.status_code)
                case.validate_response(response, checks=checks)

            send()
    assert len(statuses) > EXAMPLES and {200, 400} <= set(statuses)
