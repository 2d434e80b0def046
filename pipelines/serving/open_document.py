"""An open document: its row, and the answers to its pages in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from pipelines.errors import infrastructure_error
from pipelines.schema import DOCUMENTS, Task
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.errors import RequestError, bad_request, refused_document, server_fault, unavailable
from pipelines.serving.options import RequestLimits, ServedModel, ServeOptions
from pipelines.serving.replica_client import ReplicaClient
from pipelines.serving.response_fields import FieldFinder, has_fields
from pipelines.serving.row_json import row_json
from pipelines.serving.upload import Upload
from pipelines.serving.workers import UNAVAILABLE, StoredContent, WorkerLostError


@dataclass(frozen=True)
class OpenDocument:
    """A document whose pages are being answered.

    Attributes:
        finder: of the document's fields.
        content: where workers find it.
        result: its row and pages.
        deadline: on the clock of `time.monotonic`; pages that are not done by then fail.
        only_answer: the JSON of its only page, if that came with opening it.
    """

    client: ReplicaClient
    finder: FieldFinder
    request: ReadRequest
    content: StoredContent
    task: Task
    limits: RequestLimits
    result: OpenResult
    deadline: float
    only_answer: bytes | None = None

    async def answers_and_fields(self) -> AsyncGenerator[tuple[bytes, bytes | None], None]:
        """`answers`; with the last page of a task that has fields comes the JSON of the document's fields."""
        left, kept = len(self.result.pages), list[bytes]()
        answers = self.answers()
        try:
            async for answer in answers:
                left -= 1
                if self.task != "token-classification":
                    yield answer, None
                    continue
                if has_fields(answer):
                    kept.append(answer)
                yield answer, await self.finder.fields(kept, self.deadline) if left == 0 else None
        finally:
            await answers.aclose()

    def row_json(self) -> bytes:
        """The document's row as JSON."""
        return row_json(self.result.row, DOCUMENTS)

    async def answers(self) -> AsyncGenerator[bytes, None]:
        """The JSON of each page in order, as it gets ready; `pages_in_flight` are in progress at a time.

        Those that begin when the request has used up its windows fail.
        """
        if self.only_answer is not None:
            yield self.only_answer
            return
        running: deque[asyncio.Task[tuple[bytes, int]]] = deque()
        waiting = iter(self.result.pages)
        windows_left = self.limits.windows
        try:
            while True:
                while len(running) < self.limits.pages_in_flight and (page := next(waiting, None)) is not None:
                    request = replace(self.request, max_windows=min(self.limits.page_windows, windows_left))
                    answer = self.client.answer_page(request, page, self.content, self.task, self.deadline)
                    running.append(asyncio.ensure_future(answer))
                if not running:
                    return
                line, windows = await asyncio.shield(running[0])
                running.popleft()
                windows_left = max(0, windows_left - windows)
                yield line
        finally:
            for task in running:
                task.cancel()

    def close(self) -> None:
        """The document is not needed any more."""
        self.client.forget(self.request.upload_id, is_open=self.only_answer is None)


async def open_document(
    client: ReplicaClient, finder: FieldFinder, options: ServeOptions, upload: Upload, deadline: float
) -> OpenDocument:
    """Open an uploaded document.

    Raises:
        RequestError: it cannot be opened, or the request makes no sense for it.
    """
    model = _find_model(options, upload)
    digest = upload.digest
    listed = {"document_id": digest[:16], "uri": upload.name, "size_bytes": len(upload.content), "etag": digest}
    request = ReadRequest(
        upload.upload_id,
        listed,
        model.name,
        upload.questions,
        upload.pages,
        upload.previews,
        upload.words,
        max_windows=min(options.limits.page_windows, options.limits.windows),
    )
    only_answer = None
    is_open = False
    try:
        content = await client.store(upload.upload_id, upload.content)
        if upload.has_one_page:
            result, only_answer = await client.open_and_answer(request, content, deadline)
        else:
            result = await client.open(request, content, deadline)
        is_open = True
    except asyncio.TimeoutError as error:
        raise RequestError(503, "timeout", "the request's time was over before its answer was ready", 1) from error
    except WorkerLostError as error:
        raise RequestError(503, "crashed", str(error), 1) from error
    except UNAVAILABLE as error:
        raise unavailable("all readers of documents are busy; try again later") from error
    except Exception as error:
        fault = infrastructure_error(error)
        if fault is None:
            raise
        raise server_fault(fault) from error
    finally:
        if not is_open:
            client.forget(upload.upload_id, is_open=False)
    document = OpenDocument(client, finder, request, content, model.task, options.limits, result, deadline, only_answer)
    try:
        _check(result, options.limits)
    except RequestError:
        document.close()
        raise
    return document


def _find_model(options: ServeOptions, upload: Upload) -> ServedModel:
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


def _check(result: OpenResult, limits: RequestLimits) -> None:
    """
    Raises:
        RequestError: the document cannot be opened, or the selected pages do not exist or are too many.
    """
    if result.row["status"] == "failed":
        raise refused_document(result.row["error_kind"], result.row["error"])
    if result.refusal is not None and result.is_too_large:
        raise RequestError(413, "too_large", result.refusal)
    if result.refusal is not None:
        raise bad_request(result.refusal)
    pages, maximum = result.row["pages_selected"], limits.pages
    if pages > maximum:
        message = f"{pages} pages are more than the {maximum} answered at once; choose some, such as pages=1-{maximum}"
        raise RequestError(413, "too_large", message)
