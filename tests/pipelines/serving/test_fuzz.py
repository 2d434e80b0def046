"""Requests that nobody foresaw: whatever is in their fields, the answer is one of those that are described."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobs.serve import Options
from pipelines.errors import ERROR_KINDS
from pipelines.schema import EMPTY_RESULT, Row
from pipelines.serving.keys import ApiKeys
from pipelines.serving.reader import Reader
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.pipelines.serving.gateway_server import serve_gateway
from tests.pipelines.serving.test_gateway import FakePredictor

KEY = secrets.token_hex(8)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

REFUSALS = {400, 413, 415, 422}

many_or_few = pytest.mark.parametrize("examples", [20, pytest.param(1500, marks=pytest.mark.slow)])


@dataclass(frozen=True)
class Served:
    """A gateway, and the headers that it admits."""

    url: str
    headers: Mapping[str, str]
    has_key: bool


class AnyModel(FakePredictor):
    """Finds nothing on any page."""

    async def answer(self, row: Row) -> tuple[bytes, int]:
        return await super().answer({**EMPTY_RESULT, **row})


@pytest.fixture(scope="module", params=[(), (KEY,)], ids=["open", "with a key"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    options = replace(Options().serve_options(cpus=1, gpus=0), keys=ApiKeys.of(request.param))
    headers = {"Authorization": f"Bearer {KEY}"} if request.param else {}
    with serve_gateway(options, Reader(options), AnyModel()) as url:
        until = time.monotonic() + 60
        while httpx.get(f"{url}/healthz", trust_env=False).status_code != 200:
            assert time.monotonic() < until, "it does not get ready"
            time.sleep(0.05)
        yield Served(url, MappingProxyType(headers), bool(request.param))


@pytest.fixture(scope="module")
def deed() -> bytes:
    return draw_pdf(*[DrawnPage(show("A deed between the parties named below", 20, 200))] * 3)


def quick(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@many_or_few
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_requests_derived_from_the_description_get_described_answers(
    served: Served, mode: schemathesis.GenerationMode, examples: int
) -> None:
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json", headers=dict(served.headers))
    statuses: list[int] = []
    for operation in schema.get_all_operations():
        if mode is schemathesis.GenerationMode.NEGATIVE and "/extract" not in operation.ok().path:
            continue  # the others take nothing that could be wrong

        @given(case=operation.ok().as_strategy(generation_mode=mode))
        @quick(examples)
        def send(case: Any) -> None:
            response = case.call(headers=dict(served.headers))
            statuses.append(response.status_code)
            case.validate_response(response, checks=CHECKS)
            if served.has_key and "/healthz" not in case.path:
                assert case.call().status_code == 401, "without the key"

        send()
    assert len(statuses) >= 3 and set(statuses) <= {200, *REFUSALS}


def hostile_text() -> st.SearchStrategy[str]:
    """Text that is nearly what a field takes."""
    ranges = st.text(alphabet="0123456789,- \t\u0661\u00b2", max_size=200)
    numbers = st.integers(-(10**30), 10**30).map(str)
    lists = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner)
    ).map(json.dumps)
    nested = st.integers(1, 100_000).map(lambda depth: "[" * depth)
    return st.one_of(st.text(max_size=500), ranges, numbers, lists, nested)


@many_or_few
def test_fields_with_anything_in_them_are_answered_or_refused(served: Served, deed: bytes, examples: int) -> None:
    names = st.sampled_from(("questions", "pages", "model", "previews", "words", "boxes"))
    documents = st.one_of(st.just(deed), st.binary(max_size=300), st.binary(max_size=50).map(lambda tail: deed + tail))
    with httpx.Client(base_url=served.url, headers=served.headers, timeout=120, trust_env=False) as client:

        @given(
            fields=st.dictionaries(names, st.one_of(hostile_text(), st.lists(hostile_text(), max_size=3)), max_size=4),
            document=documents,
            name=st.text(min_size=1, max_size=300),
        )
        @quick(examples)
        def send(fields: dict[str, Any], document: bytes, name: str) -> None:
            response = client.post("/v1/extract", files={"file": (name, document)}, data=fields)
            assert response.status_code in {200, *REFUSALS}, (response.status_code, response.text)
            if response.status_code != 200:
                body = response.json()
                assert set(body) == {"error_kind", "error"} and len(body["error"]) < 1000
                assert body["error_kind"] in {*ERROR_KINDS, "invalid_request"} - {"internal"}
                assert str(Path(__file__).parents[3]) not in body["error"], "no path of the server"

        send()


@many_or_few
def test_bodies_with_anything_in_them_are_refused(served: Served, deed: bytes, examples: int) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + deed + b"\r\n--b--\r\n"
    pieces = st.sampled_from((b"--b\r\n", b"--b--\r\n", b"\r\n\r\n", b'name="file"', b"Content-Disposition: ", part))
    bodies = st.lists(st.one_of(pieces, st.binary(max_size=40)), max_size=6).map(b"".join)
    boundaries = st.one_of(st.just("b"), st.text(alphabet="ab\"'; =", max_size=80))
    with httpx.Client(base_url=served.url, headers=served.headers, timeout=120, trust_env=False) as client:

        @given(body=bodies, boundary=boundaries)
        @quick(examples)
        def send(body: bytes, boundary: str) -> None:
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}".strip()}
            response = client.post("/v1/extract", content=body, headers=headers)
            assert response.status_code in {200, *REFUSALS}, (response.status_code, response.text)

        send()
