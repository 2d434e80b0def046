"""A document that is open: its row, and the answers to its pages in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import ray
from ray import ObjectRef
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from pipelines.schema import DOCUMENTS, Task
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.errors import RequestError, bad_request, refused_document, unavailable
from pipelines.serving.options import RequestLimits, ServedModel, ServeOptions
from pipelines.serving.replica_client import ReplicaClient, ReplicaLostError
from pipelines.serving.row_json import row_json
from pipelines.serving.upload import Upload

INLINE_BYTES = 80_000
"""Smaller documents go with the calls themselves, which is faster than Ray's object store."""


@dataclass(frozen=True)
class OpenDocument:
    """A document whose pages are answered.

    Attributes:
        content: its bytes.
        opened: its row and pages.
        deadline: time of `time.monotonic` after which pages have failed.
        only: the answer to its only page, where it is there already.
    """

    calls: ReplicaClient
    asked: ReadRequest
    content: bytes | ObjectRef
    task: Task
    limits: RequestLimits
    opened: OpenResult
    deadline: float
    only: bytes | None = None

    def row_json(self) -> bytes:
        """The document's row as JSON."""
        return row_json(self.opened.row, DOCUMENTS)

    async def answers(self) -> AsyncGenerator[bytes, None]:
        """The pages' JSON in order, as they get ready; `pages_in_flight` are worked on at a time."""
        if self.only is not None:
            yield self.only
            return
        running: deque[asyncio.Task[bytes]] = deque()
        waiting = iter(self.opened.pages)
        try:
            while True:
                while len(running) < self.limits.pages_in_flight and (page := next(waiting, None)) is not None:
                    asking = self.calls.page(self.asked, page, self.content, self.task, self.deadline)
                    running.append(asyncio.ensure_future(asking))
                if not running:
                    return
                answer = await asyncio.shield(running[0])
                running.popleft()
                yield answer
        finally:
            for task in running:
                task.cancel()

    def close(self) -> None:
        """The document is not needed any more."""
        if self.only is None:
            self.calls.forget(self.asked.upload_id)


async def open_document(calls: ReplicaClient, options: ServeOptions, upload: Upload, deadline: float) -> OpenDocument:
    """Open an uploaded document.

    Raises:
        RequestError: it cannot be opened, or what is asked of it makes no sense.
    """
    model = _model_of(options, upload)
    digest = upload.digest
    listed = {"document_id": digest[:16], "uri": upload.name, "size_bytes": len(upload.content), "etag": digest}
    asked = ReadRequest(
        upload.upload_id, listed, model.name, upload.questions, upload.pages, upload.previews, upload.words
    )
    content: bytes | ObjectRef = upload.content
    if len(upload.content) > INLINE_BYTES:
        content = ray.put(upload.content)
    only = None
    try:
        if upload.asks_one_page:
            opened, only = await calls.only_page(asked, content, deadline)
        else:
            opened = await calls.open(asked, content, deadline)
    except asyncio.TimeoutError as error:
        raise RequestError(503, "timeout", "the request's time was over before its answer was ready", 1) from error
    except ReplicaLostError as error:
        raise RequestError(503, "crashed", str(error), 1) from error
    except (BackPressureError, DeploymentUnavailableError) as error:
        raise unavailable("all that read documents are busy; try again later") from error
    document = OpenDocument(calls, asked, content, model.task, options.limits, opened, deadline, only)
    try:
        _check(opened, options.limits)
    except RequestError:
        document.close()
        raise
    return document


def _model_of(options: ServeOptions, upload: Upload) -> ServedModel:
    try:
        model = options.model_named(upload.model)
    except KeyError as error:
        known = ", ".join(model.name for model in options.models)
        raise bad_request(f"no model is named {(upload.model or '')[:60]!r}; there are {known}") from error
    if model.task == "question-answering" and not upload.questions:
        raise bad_request(f"the model {model.name} answers questions: send at least one in the field questions")
    if model.task != "question-answering" and upload.questions:
        raise bad_request(f"the model {model.name} answers no questions; its task is {model.task}")
    return model


def _check(opened: OpenResult, limits: RequestLimits) -> None:
    """
    Raises:
        RequestError: the document cannot be opened, or there are no such pages, or too many.
    """
    if opened.row["status"] == "failed":
        raise refused_document(opened.row["error_kind"], opened.row["error"])
    if opened.refusal is not None:
        raise bad_request(opened.refusal)
    pages, most = len(opened.pages), limits.pages
    if pages > most:
        message = f"{pages} pages are more than the {most} answered at once; choose some, such as pages=1-{most}"
        raise RequestError(413, "too_large", message)
