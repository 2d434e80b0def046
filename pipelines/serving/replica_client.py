"""Replica client: the gateway's calls to workers, with a deadline."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from ray.exceptions import ObjectLostError, RayActorError, RayTaskError, WorkerCrashedError
from ray.serve.exceptions import DeploymentUnavailableError, RayServeException

from pipelines.errors import ProcessingError, infrastructure_error
from pipelines.schema import Row, Task, mark_failed
from pipelines.serving.admission import Admission
from pipelines.serving.document_reader import OpenResult, ReadRequest
from pipelines.serving.errors import server_fault
from pipelines.serving.row_json import page_json_schema, row_json
from pipelines.serving.workers import UNAVAILABLE, StoredContent, WorkerLostError, Workers

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS = 2

BUSY_SECONDS = 0.2
"""Pause before a page is sent again to a full queue; its request has been admitted already."""

NO_WINDOWS_LEFT = "The pages before this one used up the windows of the model that a request has; ask for fewer pages."


class ReplicaClient:
    """Calls the workers behind a gateway."""

    def __init__(self, workers: Workers, admission: Admission) -> None:
        self._workers = workers
        self._admission = admission
        self._forgetting: set[asyncio.Task[None]] = set()
        self.store, self.reach_all = workers.store, workers.reach_all

    async def open(self, request: ReadRequest, content: StoredContent, deadline: float) -> OpenResult:
        """See `Reader.open`; `deadline` is on the clock of `time.monotonic`.

        Raises:
            TimeoutError: the deadline has passed.
            WorkerLostError: the process that worked on it died.
            UNAVAILABLE: the queue is full, or there is no process.
        """

        async def attempt() -> OpenResult:
            return await self._workers.open(_until(request, deadline), content)

        return await with_deadline(deadline, lambda: _unless_lost(attempt))

    async def open_and_answer(
        self, request: ReadRequest, content: StoredContent, deadline: float
    ) -> tuple[OpenResult, bytes | None]:
        """Open a document and answer its only page (None if it has none) in one call.

        Raises:
            As `open` does.
        """

        async def attempt() -> tuple[OpenResult, bytes | None]:
            return await self._workers.open_and_answer(_until(request, deadline), content)

        with self._admission.page():
            return await with_deadline(deadline, lambda: _unless_lost(attempt))

    async def answer_page(
        self, request: ReadRequest, page: Row, content: StoredContent, task: Task, deadline: float
    ) -> tuple[bytes, int]:
        """The JSON of a page (if it fails, that of a failed row), and the number of its windows.

        A page for which no windows are left fails unread.
        """

        async def attempt() -> tuple[bytes, int]:
            return await self._workers.answer_page(_until(request, deadline), page, content)

        async def attempt_until_accepted() -> tuple[bytes, int]:
            while True:
                try:
                    return await _unless_lost(attempt)
                except UNAVAILABLE:
                    await asyncio.sleep(BUSY_SECONDS)

        try:
            if request.max_windows == 0:
                raise ProcessingError("too_large", NO_WINDOWS_LEFT)
            with self._admission.page():
                return await with_deadline(deadline, attempt_until_accepted)
        except TimeoutError:
            error = ProcessingError(
                "timeout", "The request's time was over before this page was done; ask for fewer pages."
            )
        except WorkerLostError as lost:
            error = ProcessingError("crashed", str(lost))
        except Exception as unforeseen:  # the other pages go on
            cause = unforeseen.cause if isinstance(unforeseen, RayTaskError) else unforeseen
            fault = infrastructure_error(unforeseen)
            if fault is None and isinstance(cause, ProcessingError):
                error = cause
            else:
                logger.exception("a page has no answer")
                told = f"{type(cause).__name__}: it is in the server's log" if fault is None else server_fault(fault)
                error = ProcessingError("internal", str(told))
        failed = {**mark_failed(page, error), "preview": None}
        return row_json(failed, page_json_schema(task, request.previews)), 0

    def forget(self, upload_id: str, is_open: bool) -> None:
        """Remove the document's file everywhere, in the background; see `Workers.forget`."""
        task = asyncio.ensure_future(self._forget(upload_id, is_open))
        self._forgetting.add(task)  # a task without a reference may be collected before it has run
        task.add_done_callback(self._forgetting.discard)

    async def _forget(self, upload_id: str, is_open: bool) -> None:
        with suppress(DeploymentUnavailableError):  # a reader that died took its files along
            await self._workers.forget(upload_id, is_open)


async def with_deadline(deadline: float, call: Callable[[], Awaitable[Result]]) -> Result:
    """
    Raises:
        TimeoutError: the result is not there at `deadline`, on the clock of `time.monotonic`.
    """
    return await asyncio.wait_for(call(), max(0.0, deadline - time.monotonic()))


def _until(request: ReadRequest, deadline: float) -> ReadRequest:
    """The request with the seconds from now to its deadline: replicas have clocks of their own."""
    return replace(request, seconds_left=deadline - time.monotonic())


async def _unless_lost(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """What `attempt` returns; if a finished page was lost on its way, what another attempt returns.

    Nothing is sent a second time that a replica had accepted and not finished when it died: it may have died of it, and
    the next one would too. Serve itself sends elsewhere what a replica had not accepted yet.

    Raises:
        WorkerLostError: the replica that had accepted it died.
    """
    for number in range(1, ATTEMPTS + 1):
        try:
            return await attempt()
        except UNAVAILABLE:
            raise
        except ObjectLostError as error:
            logger.warning("a page was lost (%s), attempt %d of %d", type(error).__name__, number, ATTEMPTS)
        except (RayActorError, WorkerCrashedError, RayServeException) as error:
            raise WorkerLostError from error
        except Exception as error:
            fault = infrastructure_error(error)  # another replica may be on another machine
            if fault is None or number == ATTEMPTS:
                raise
            logger.warning("%s, attempt %d of %d", fault.message, number, ATTEMPTS)
    raise WorkerLostError("The machine that had read it was lost, twice.")
