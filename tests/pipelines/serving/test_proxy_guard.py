from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from pipelines.serving.proxy_guard import IMPORT_PATH, middlewares


def get(path: str, headers: dict[str, str] | None = None) -> tuple[httpx.Response, list[Scope]]:
    """A response through the guard, and what came through to the proxy behind it."""
    seen: list[Scope] = []

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from the proxy"})

    [guard] = middlewares()
    app: Any = guard.cls(proxy, *guard.args, **guard.kwargs)

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://endpoint") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(call()), seen


@pytest.mark.parametrize("path", ["/-/routes", "/-/routes/", "/-/anything", "/-/"])
def test_the_routes_of_serve_itself_answer_nobody(path: str) -> None:
    response, seen = get(path)
    assert response.status_code == 404 and response.json()["error_kind"] == "not_found" and not seen


@pytest.mark.parametrize("path", ["/-/healthz", "/healthz", "/v1/models", "/"])
def test_other_routes_and_the_health_of_the_proxy_pass(path: str) -> None:
    response, _ = get(path)
    assert response.text == "from the proxy"


@pytest.mark.parametrize(
    "name", ["X-Request-Timeout-Seconds", "x-request-disconnect-disabled", "serve-multiplexed-model-id", "X-Session-Id"]
)
def test_a_client_gives_serve_no_orders(name: str) -> None:
    _, [scope] = get("/v1/models", {name: "0", "Authorization": "Bearer key"})
    names = {header.decode() for header, _ in scope["headers"]}
    assert name.lower() not in names and "authorization" in names


def test_serve_finds_the_guard_by_its_import_path() -> None:
    from ray._common.utils import import_attr

    assert import_attr(IMPORT_PATH) is middlewares
