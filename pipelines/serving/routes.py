"""Routes: the HTTP interface as a FastAPI application.

With keys, `/v1/...`, `/docs` and `/openapi.json` require `Authorization: Bearer KEY`. `/healthz` does not, and neither
do `/` and `/web/...`: a browser cannot send a key for the page itself, which holds no data and asks its user for one.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.serving.admission import Admission, Slot
from pipelines.serving.bodies import Bodies
from pipelines.serving.docs_page import render_docs
from pipelines.serving.errors import BAD_REQUEST, UNAUTHORISED, RequestError, unavailable
from pipelines.serving.keys import ApiKeys
from pipelines.serving.open_document import OpenDocument
from pipelines.serving.openapi import extract_body, extract_responses, health_responses, models_responses, restore_nulls
from pipelines.serving.options import ServeOptions
from pipelines.serving.upload import Upload, read_upload

WEB_FOLDER = Path(__file__).parent / "web"

TITLE = "LayoutLMv2 over Ray"

DESCRIPTION = (
    "Words, boxes, entities, classes and answers of single documents, as the batch job gives them. Errors are "
    "{error_kind, error}. Where keys are set, send one as Authorization: Bearer KEY."
)

EXTRACT_DESCRIPTION = (
    "Answers JSON {document, pages, fields}, page by page; with Accept: application/x-ndjson a line for the document "
    "and then one for each page as it gets ready, the last of which has the fields too. A page that fails is a row "
    "with its status, error_kind and error."
)

NDJSON = "application/x-ndjson"

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)

SAFE_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

WITHOUT_KEY = ("/", "/healthz", "/favicon.ico")


class Service(Protocol):
    """What the routes need of a gateway."""

    options: ServeOptions
    admission: Admission
    bodies: Bodies
    is_ready: bool

    async def open(self, upload: Upload, deadline: float) -> OpenDocument: ...

    def about(self) -> dict[str, Any]: ...


def build_routes(service: Service) -> FastAPI:
    """The application of one gateway."""
    app = FastAPI(title=TITLE, version="1", description=DESCRIPTION, docs_url=None, redoc_url=None)
    keys, limits = service.options.keys, service.options.limits

    app.add_middleware(AuthMiddleware, keys=keys)

    @app.exception_handler(RequestError)
    async def refuse(_: Request, error: RequestError) -> Response:
        return _refusal(error)

    @app.exception_handler(HTTPException)
    async def refuse_route(_: Request, error: HTTPException) -> Response:
        kind = "not_found" if error.status_code == 404 else BAD_REQUEST
        return _refusal(RequestError(error.status_code, kind, str(error.detail)))

    @app.exception_handler(Exception)
    async def apologise(_: Request, __: Exception) -> Response:
        return _refusal(RequestError(500, "internal", "a defect of this package; the server's log says where"))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(render_docs(app.openapi()))

    @app.get("/healthz", summary="Whether pages are answered", responses=health_responses())
    async def health() -> Response:
        if not service.is_ready:
            return _refusal(unavailable("the model has not answered yet"))
        return JSONResponse({"status": "ok"})

    @app.get(
        "/v1/models", summary="The models that are served, and the limits of a request", responses=models_responses()
    )
    async def models() -> Response:
        return JSONResponse(service.about())

    @app.post(
        "/v1/extract",
        summary="Words, boxes and what the model says of them",
        description=EXTRACT_DESCRIPTION,
        responses=extract_responses(),
        openapi_extra={"requestBody": extract_body(limits)},
    )
    async def extract(request: Request) -> Response:
        deadline = time.monotonic() + limits.seconds
        service.admission.check()
        upload = await read_upload(request, limits, service.bodies)
        slot = service.admission.acquire()
        try:
            document = await service.open(upload, deadline)
            if NDJSON in request.headers.get("accept", ""):
                return PageStream(_lines(document), document, slot, NDJSON)
            if document.only_answer is None:
                return PageStream(_object(document), document, slot, "application/json")
            try:
                body = b"".join([part async for part in _object(document)])
            finally:
                document.close()
            slot.release()
            return Response(body, media_type="application/json")
        except BaseException:
            slot.release()
            raise

    if (WEB_FOLDER / "index.html").exists():

        @app.get("/", include_in_schema=False)
        async def page() -> Response:
            return FileResponse(WEB_FOLDER / "index.html")

        app.mount("/web", StaticFiles(directory=WEB_FOLDER))
    restore_nulls(app.openapi())
    return app


class AuthMiddleware:
    """Refuses requests without a key if keys are set, and sends headers that keep browsers from loading other hosts."""

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SAFE_HEADERS]
            await send(message)

        path = scope["path"]
        is_open = path in WITHOUT_KEY or path.startswith("/web/")
        if is_open or self._keys.admit(Headers(scope=scope).get("authorization")):
            await self._app(scope, receive, send_with_headers)
            return
        error = RequestError(401, UNAUTHORISED, "send an API key of this server, as Authorization: Bearer KEY")
        await _refusal(error)(scope, receive, send_with_headers)


class PageStream(StreamingResponse):
    """A response page by page. When it ends, or its client has gone, the request's slot is released."""

    def __init__(
        self, content: AsyncGenerator[bytes, None], document: OpenDocument, slot: Slot, media_type: str
    ) -> None:
        super().__init__(content, media_type=media_type)
        self._content, self._document, self._slot = content, document, slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._content.aclose()
            self._document.close()
            self._slot.release()


async def _lines(document: OpenDocument) -> AsyncGenerator[bytes, None]:
    yield b'{"document":' + document.row_json() + b"}\n"
    answers = document.answers_and_fields()
    try:
        async for answer, fields in answers:
            yield b'{"page":' + answer + (b"" if fields is None else b',"fields":' + fields) + b"}\n"
    finally:
        await answers.aclose()


async def _object(document: OpenDocument) -> AsyncGenerator[bytes, None]:
    head = b'{"document":' + document.row_json() + b',"pages":['
    tail = b"]}"
    answers = document.answers_and_fields()
    try:
        async for answer, fields in answers:
            yield head + answer
            head = b","
            if fields is not None:
                tail = b'],"fields":' + fields + b"}"
    finally:
        await answers.aclose()
    yield tail


def _refusal(error: RequestError) -> Response:
    return JSONResponse(error.body(), error.status, error.headers())
