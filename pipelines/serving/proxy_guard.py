"""Proxy guard: what Serve's HTTP proxy answers itself, and which headers of a client it heeds.

The proxy is not behind the API keys: it lists its routes to anybody, and takes orders in headers that are meant for a
load balancer of its own. Serve calls `middlewares` in the proxy's process where the environment of the node says
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=pipelines.serving.proxy_guard:middlewares`.
"""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.serving.errors import RequestError

IMPORT_PATH = f"{__name__}:middlewares"

INTERNAL = "/-/"
"""Begins the paths of Serve's own routes."""

OPEN_INTERNAL = ("/-/healthz",)
"""Asked by KubeRay and load balancers; says whether the proxy is ready, and nothing else."""

ORDERS = frozenset(
    (b"x_request_timeout_seconds", b"x_request_disconnect_disabled", b"serve_multiplexed_model_id", b"x_session_id")
)
"""Headers that change how Serve treats a request: its time limit, whether it ends with its client, its replica. Serve
takes a hyphen for an underscore."""


class ProxyGuard:
    """Answers 404 for Serve's own routes, and removes headers that only Serve heeds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if scope["type"] == "http" and path.startswith(INTERNAL) and path not in OPEN_INTERNAL:
            error = RequestError(404, "not_found", "Not Found")
            await JSONResponse(error.body(), error.status, error.headers())(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if not _is_order(name)]
        await self._app({**scope, "headers": headers}, receive, send)


def middlewares() -> list[Middleware]:
    """Called by Serve's proxy when it starts."""
    return [Middleware(ProxyGuard)]


def _is_order(name: bytes) -> bool:
    return name.lower().replace(b"-", b"_") in ORDERS
