"""Batching: which of the waiting pages the model takes next.

Pages wait while the model is busy. When it is free, it takes the page that has waited longest, and with it pages for
the same model that are of similar length, as many as a batch may hold. No page ever waits for a batch to fill.

Serve closes its own batches when their first page comes, not when the model is free: without a waiting time each of
them holds one page.

A page with more windows than a batch holds would keep the others waiting: the model looks after each slice of it
whether its answer is still wanted, and takes a batch of other pages before it goes on.

What comes after the model does not keep it waiting: it has the next batch while the answers of this one are written.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.stages.infer import padded_length

Inferred = TypeVar("Inferred")
"""What the model leaves of a batch: all that is needed to write its answers."""


@dataclass(eq=False)
class WaitingPage:
    """A page that waits for its answer.

    Attributes:
        model: by name.
        row: of `TOKENIZED`; its `seconds_left`, if it has any, count from now.
        answer: its JSON.
        windows: number of windows.
        longest: tokens of the longest window.
        deadline: on the clock of `time.monotonic`.
    """

    model: str
    row: Row
    answer: asyncio.Future[bytes]
    windows: int = field(init=False)
    longest: int = field(init=False)
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        lengths = [len(window["input_ids"]) for window in self.row["windows"] or ()]
        self.windows, self.longest = len(lengths), max(lengths, default=0)
        self.deadline = time.monotonic() + self.row.get("seconds_left", math.inf)

    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer; a page that is too late fails."""
        if not self.answer.done() and time.monotonic() > self.deadline:
            message = "The request's time was over before the model had answered."
            self.answer.set_exception(ProcessingError("timeout", message))
        return not self.answer.done()


def take_batch(waiting: list[WaitingPage], batch_tokens: int, batch_pages: int | None = None) -> list[WaitingPage]:
    """Remove the first page and those that go with it from `waiting`, which is not empty.

    Args:
        batch_tokens: upper bound, padding included; a page with more goes alone.
        batch_pages: upper bound; None sets none.
    """
    first = waiting[0]
    batch, windows, longest = [first], first.windows, first.longest
    others = (page for page in waiting[1:] if page.model == first.model)
    for page in sorted(others, key=lambda page: abs(page.longest - first.longest)):
        windows, longest = windows + page.windows, max(longest, page.longest)
        if windows * padded_length(longest) > batch_tokens or len(batch) == batch_pages:
            break
        batch.append(page)
    waiting[:] = [page for page in waiting if page not in batch]
    return batch


class Batching(Generic[Inferred]):
    """Hands pages to a model; used from the event loop on which it is made.

    A page with more tokens than a batch may hold is long. It is answered in slices, which take turns with the batches
    of other pages, and long pages take turns with each other.
    """

    def __init__(
        self,
        infer_rows: Callable[[str, list[Row]], Awaitable[Inferred]],
        infer_in_slices: Callable[[str, Row], AsyncGenerator[Inferred | None, None]],
        finish: Callable[[Inferred], Awaitable[list[bytes]]],
        batch_tokens: int,
        batch_pages: int | None = None,
    ) -> None:
        """
        Args:
            infer_rows: takes a model's name and the rows of a batch; see `take_batch`.
            infer_in_slices: takes a model's name and the row of a long page; yields None after each slice, and last
                what `infer_rows` returns for that page alone.
            finish: takes that, and returns an answer for each row.
        """
        self._infer_rows = infer_rows
        self._infer_in_slices = infer_in_slices
        self._finish = finish
        self._finishing: set[asyncio.Task[None]] = set()
        self._batch_tokens = batch_tokens
        self._batch_pages = batch_pages
        self._waiting: list[WaitingPage] = []
        self._long: deque[tuple[WaitingPage, AsyncGenerator[Inferred | None, None]]] = deque()
        self._page_added = asyncio.Event()
        self._worker = asyncio.get_running_loop().create_task(self._answer_all())

    @property
    def is_working(self) -> bool:
        """Whether pages will be answered."""
        return not self._worker.done()

    async def answer(self, model: str, row: Row) -> bytes:
        """The answer to a page, in its turn.

        A page whose caller leaves, or whose `seconds_left` are over, is not started, or stopped after its slice.

        Raises:
            ProcessingError: `timeout`; the row's `seconds_left` are over.
            Exception: whatever its batch raised.
        """
        page = WaitingPage(model, row, asyncio.get_running_loop().create_future())
        if page.windows > 1 and page.windows * padded_length(page.longest) > self._batch_tokens:
            self._long.append((page, self._infer_in_slices(model, row)))
        else:
            self._waiting.append(page)
        self._page_added.set()
        try:
            return await page.answer
        finally:
            if page in self._waiting:
                self._waiting.remove(page)

    async def _answer_all(self) -> None:
        while True:
            await self._page_added.wait()
            while self._waiting or self._long:
                if self._waiting:
                    batch = take_batch(self._waiting, self._batch_tokens, self._batch_pages)
                    await self._answer_batch([page for page in batch if page.is_wanted()])
                if self._long:
                    await self._answer_slice(*self._long.popleft())
            self._page_added.clear()

    async def _answer_batch(self, batch: list[WaitingPage]) -> None:
        if not batch:
            return
        try:
            inferred = await self._infer_rows(batch[0].model, [page.row for page in batch])
        except Exception as error:
            _fail(batch, error)
            return
        self._finish_later(batch, inferred)

    async def _answer_slice(self, page: WaitingPage, slices: AsyncGenerator[Inferred | None, None]) -> None:
        if not page.is_wanted():
            await slices.aclose()
            return
        try:
            inferred = await anext(slices)
        except Exception as error:
            _fail([page], error)
            return
        if inferred is None:
            self._long.append((page, slices))
        else:
            self._finish_later([page], inferred)

    def _finish_later(self, batch: list[WaitingPage], inferred: Inferred) -> None:
        """Have the answers written while the model goes on."""
        task = asyncio.get_running_loop().create_task(self._finish_batch(batch, inferred))
        self._finishing.add(task)  # a task without a reference may be collected before it has run
        task.add_done_callback(self._finishing.discard)

    async def _finish_batch(self, batch: list[WaitingPage], inferred: Inferred) -> None:
        try:
            answers = await self._finish(inferred)
        except Exception as error:
            _fail(batch, error)
            return
        for page, answer in zip(batch, answers, strict=True):
            if not page.answer.done():
                page.answer.set_result(answer)


def _fail(batch: list[WaitingPage], error: Exception) -> None:
    for page in batch:
        if not page.answer.done():
            page.answer.set_exception(error)
