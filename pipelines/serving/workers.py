"""Workers: the processes behind a gateway that read pages and run models, and how it calls them.

`ServeWorkers` are two deployments of Ray Serve, on any machines of a cluster; `local_workers` has those of one machine.
"""

from __future__ import annotations

from typing import Any, Protocol

import ray
from ray import ObjectRef
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle, DeploymentResponse, DeploymentResponseGenerator

from pipelines.schema import Row
from pipelines.serving.document_reader import Content, OpenResult, ReadRequest

Response = DeploymentResponse[Any] | DeploymentResponseGenerator[Any]

StoredContent = Content | ObjectRef
"""An uploaded document as workers get it: its bytes, its file, or a reference to its bytes."""

PING_SECONDS = 5.0

INLINE_BYTES = 80_000
"""Smaller documents travel inside the calls, which is faster than Ray's object store."""


class WorkerLostError(Exception):
    """The process that worked on a call died."""

    def __init__(self, message: str = "The process that worked on it died; it may be too much for it.") -> None:
        super().__init__(message)


class NoWorkerError(Exception):
    """There is no process for a call, and none has come for a while."""


UNAVAILABLE = (BackPressureError, DeploymentUnavailableError, NoWorkerError)
"""What calls raise that no worker has accepted: the queues are full, or there is no process."""


class Workers(Protocol):
    """What a gateway asks for. A call whose caller is cancelled ends on the worker too."""

    async def store(self, upload_id: str, content: bytes) -> StoredContent:
        """Put a document where workers find it; it stays there until `forget`."""

    async def open(self, request: ReadRequest, content: StoredContent) -> OpenResult:
        """See `DocumentReader.open`."""

    async def open_and_answer(self, request: ReadRequest, content: StoredContent) -> tuple[OpenResult, bytes | None]:
        """Open a document and answer its only page; None if it has none."""

    async def answer_page(self, request: ReadRequest, page: Row, content: StoredContent) -> tuple[bytes, int]:
        """The JSON of a page, and the number of windows that it took."""

    async def forget(self, upload_id: str, is_open: bool) -> None:
        """A document is not needed any more; `is_open`: workers may have it open."""

    async def reach_all(self) -> bool:
        """Whether there is a process for each kind of work; one that is too busy to reply counts."""


class ServeWorkers:
    """Readers and predictors, each a deployment. Pages go from the one to the other and not through the gateway."""

    def __init__(self, reader: DeploymentHandle, predictor: DeploymentHandle) -> None:
        self._reader = reader
        self._predictor = predictor
        self._predictor_by_model: dict[str, DeploymentHandle] = {}

    async def store(self, upload_id: str, content: bytes) -> StoredContent:
        return ray.put(content) if len(content) > INLINE_BYTES else content

    async def open(self, request: ReadRequest, content: StoredContent) -> OpenResult:
        result: OpenResult = await await_or_cancel(self._reader.open.remote(request, content))
        return result

    async def open_and_answer(self, request: ReadRequest, content: StoredContent) -> tuple[OpenResult, bytes | None]:
        read = self._reader.open_and_read.remote(request, content)
        answered: tuple[OpenResult, bytes | None] = await await_or_cancel(
            self._predictor_for(request.model).answer_one.remote(read), read
        )
        return answered

    async def answer_page(self, request: ReadRequest, page: Row, content: StoredContent) -> tuple[bytes, int]:
        read = self._reader.read.remote(request, page, content)
        answer = self._predictor_for(request.model).answer.remote(read)  # the row goes from replica to replica
        answered: tuple[bytes, int] = await await_or_cancel(answer, read)
        return answered

    async def forget(self, upload_id: str, is_open: bool) -> None:
        if is_open:
            await self._reader.broadcast("forget", upload_id).results_async(return_exceptions=True)

    async def reach_all(self) -> bool:
        for handle in (self._reader, self._predictor):
            try:
                replies = await handle.broadcast("ping").results_async(timeout_s=PING_SECONDS, return_exceptions=True)
            except TimeoutError:
                continue
            except DeploymentUnavailableError:
                return False
            if all(isinstance(reply, BaseException) for reply in replies):
                return False
        return True

    def _predictor_for(self, model: str) -> DeploymentHandle:
        if model not in self._predictor_by_model:
            self._predictor_by_model[model] = self._predictor.options(multiplexed_model_id=model)
        return self._predictor_by_model[model]


async def await_or_cancel(response: Response, *inputs: Response) -> Any:
    """Await a response; if that ends otherwise, cancel it and its inputs on their replicas."""
    is_settled = False
    try:
        result: Any = await response
        is_settled = True
        return result
    finally:
        if not is_settled:
            for unfinished in (response, *inputs):
                unfinished.cancel()
