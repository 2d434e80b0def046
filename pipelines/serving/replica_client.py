"""Calls: what a front asks of the replicas, with a deadline, and once more where a replica dies of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from ray import ObjectRef
from ray.exceptions import ObjectLostError, RayActorError, RayTaskError, WorkerCrashedError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle, DeploymentResponse, DeploymentResponseGenerator

from pipelines.errors import ProcessingError
from pipelines.schema import Row, Task, mark_failed
from pipelines.serving.admission import Admission
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.row_json import page_json_schema, row_json

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

Response = DeploymentResponse[Any] | DeploymentResponseGenerator[Any]

ATTEMPTS = 2

REACH_SECONDS = 5.0

BUSY_SECONDS = 0.2
"""How long a page waits before it asks again where a queue is full; its request has been admitted before."""


class ReplicaLostError(Exception):
    """The replicas that worked on it died, more than once."""


class ReplicaClient:
    """The deployments behind a front."""

    def __init__(self, text: DeploymentHandle, model: DeploymentHandle, admission: Admission) -> None:
        self._text = text
        self._model = model
        self._admission = admission
        self._models: dict[str, DeploymentHandle] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def open(self, asked: ReadRequest, content: bytes | ObjectRef, deadline: float) -> OpenResult:
        """See `Text.open`; `deadline` is a time of `time.monotonic`.

        Raises:
            TimeoutError: it is past the deadline.
            ReplicaLostError: replicas died of it.
            BackPressureError, DeploymentUnavailableError: too many wait already, or nobody is there.
        """

        async def once() -> OpenResult:
            return await await_or_cancel(self._text.open.remote(asked, content))

        return await with_deadline(deadline, lambda: _retried(once))

    async def only_page(
        self, asked: ReadRequest, content: bytes | ObjectRef, deadline: float
    ) -> tuple[OpenResult, bytes | None]:
        """A document and the JSON of its only page (None where it has none) in one go.

        Raises:
            As `open` does.
        """

        async def once() -> tuple[OpenResult, bytes | None]:
            read = self._text.open_and_read.remote(asked, content)
            return await await_or_cancel(self._named(asked.model).answer_one.remote(read), read)

        with self._admission.page():
            return await with_deadline(deadline, lambda: _retried(once))

    async def page(
        self, asked: ReadRequest, page: Row, content: bytes | ObjectRef, task: Task, deadline: float
    ) -> bytes:
        """A page's answer, as JSON; whatever happens to it, there is one."""

        async def once() -> bytes:
            read = self._text.read.remote(asked, page, content)
            answer = self._named(asked.model).answer.remote(read)  # goes from replica to replica, not through here
            return await await_or_cancel(answer, read)

        async def admitted() -> bytes:
            while True:
                try:
                    return await _retried(once)
                except (BackPressureError, DeploymentUnavailableError):
                    await asyncio.sleep(BUSY_SECONDS)

        try:
            with self._admission.page():
                return await with_deadline(deadline, admitted)
        except TimeoutError:
            error = ProcessingError(
                "timeout", "The request's time was over before this page was done; ask for fewer pages."
            )
        except ReplicaLostError as lost:
            error = ProcessingError("crashed", str(lost))
        except Exception as unforeseen:  # the other pages go on
            logger.exception("a page has no answer")
            cause = unforeseen.cause if isinstance(unforeseen, RayTaskError) else unforeseen
            error = ProcessingError("internal", f"{type(cause).__name__}: it is in the server's log")
        return row_json({**mark_failed(page, error), "preview": None}, page_json_schema(task, asked.previews))

    def forget(self, upload_id: str) -> None:
        """The document's file is not needed any more, wherever it is."""
        telling = asyncio.ensure_future(self._forget(upload_id))
        self._telling.add(telling)  # a task that nobody holds may be collected before it has run
        telling.add_done_callback(self._telling.discard)

    async def _forget(self, upload_id: str) -> None:
        with suppress(DeploymentUnavailableError):  # whoever died has taken its files along
            await self._text.broadcast("forget", upload_id).results_async(return_exceptions=True)

    async def reach_all(self) -> bool:
        """Whether each deployment has a replica that can be reached; one that is too busy to say so counts."""
        for handle in (self._text, self._model):
            try:
                told = await handle.broadcast("ping").results_async(timeout_s=REACH_SECONDS, return_exceptions=True)
            except TimeoutError:
                continue
            except DeploymentUnavailableError:
                return False
            if all(isinstance(one, BaseException) for one in told):
                return False
        return True

    def _named(self, model: str) -> DeploymentHandle:
        if model not in self._models:
            self._models[model] = self._model.options(multiplexed_model_id=model)
        return self._models[model]


async def with_deadline(deadline: float, ask: Callable[[], Awaitable[Result]]) -> Result:
    return await asyncio.wait_for(ask(), max(0.0, deadline - time.monotonic()))


async def await_or_cancel(answer: Response, *others: Response) -> Any:
    """The answer; when it is not waited for any longer, what still works for it is told to stop."""
    is_settled = False
    try:
        result: Any = await answer
        is_settled = True
        return result
    finally:
        if not is_settled:
            for response in (answer, *others):
                response.cancel()


async def _retried(once: Callable[[], Awaitable[Result]]) -> Result:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await once()
        except (BackPressureError, DeploymentUnavailableError):
            raise
        except (RayActorError, WorkerCrashedError, ObjectLostError, RayServeException) as error:
            logger.warning("a replica was lost (%s), attempt %d of %d", type(error).__name__, attempt, ATTEMPTS)
    raise ReplicaLostError("The processes that worked on it died, twice; what it asks may be too much for them.")
