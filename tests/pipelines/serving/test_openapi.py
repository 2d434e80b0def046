"""The description of the interface, as the routes serve it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from pipelines.errors import ERROR_KINDS
from pipelines.serving.keys import ApiKeys
from pipelines.serving.openapi import EXTRACT_EXAMPLE
from pipelines.serving.options import RequestLimits
from pipelines.serving.routes import Service, build_routes


def fetch(path: str) -> httpx.Response:
    options = SimpleNamespace(keys=ApiKeys(), limits=RequestLimits(upload_bytes=7_000_000, questions=3))
    app = build_routes(cast(Service, SimpleNamespace(options=options)))

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://endpoint") as client:
            return await client.get(path)

    return asyncio.run(get())


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return fetch("/openapi.json").json()


def test_each_status_has_its_model(description: dict[str, Any]) -> None:
    models = {
        (path, status): response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path, methods in description["paths"].items()
        for route in methods.values()
        for status, response in route["responses"].items()
    }
    assert models.pop(("/healthz", "200")) == "HealthResponse"
    assert models.pop(("/v1/models", "200")) == "ModelsResponse"
    assert models.pop(("/v1/extract", "200")) == "ExtractResponse"
    assert set(models.values()) == {"ErrorResponse"}
    assert {status for path, status in models if path == "/v1/extract"} == {
        *("400", "401", "408", "413", "415", "422", "429", "503")
    }
    kinds = description["components"]["schemas"]["ErrorResponse"]["properties"]["error_kind"]["enum"]
    assert set(kinds) == {*ERROR_KINDS, "invalid_request", "unauthorized", "overloaded"}


def test_the_example_keeps_its_nulls(description: dict[str, Any]) -> None:
    ok = description["paths"]["/v1/extract"]["post"]["responses"]["200"]["content"]
    assert ok["application/json"]["example"] == EXTRACT_EXAMPLE
    assert '"error_kind": null' in ok["application/x-ndjson"]["example"]


def test_the_form_states_the_limits(description: dict[str, Any]) -> None:
    form = description["paths"]["/v1/extract"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert list(form["properties"]) == ["file", "questions", "pages", "model", "previews", "words", "boxes"]
    assert form["required"] == ["file"] and form["additionalProperties"] is False
    assert "up to 7 MB" in form["properties"]["file"]["description"]
    assert form["properties"]["questions"]["maxItems"] == 3


def test_the_page_for_people_shows_routes_fields_and_examples() -> None:
    page = fetch("/docs").text
    for text in ("GET /healthz", "POST /v1/extract", "<code>previews</code>", "Total due (USD)", "unauthorized"):
        assert text in page
