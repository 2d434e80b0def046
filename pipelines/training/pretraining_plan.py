"""The plan of pre-training: which pages each step learns, as a pure function of the pages, the options and the seed.

A step has as many *lanes* as micro batches. In every epoch the row groups of all files are shuffled and laid end to
end. Each lane gets an equal stretch of these pages and walks along it a *buffer* at a time: it loads the buffer's
pages, shuffles them, and cuts them into micro batches. Worker r of n walks the lanes r, r + n, r + 2n, ...: so each
page is read once an epoch by one worker, a step mixes pages of many files, memory holds the buffers of a worker's
lanes, and nothing depends on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.training.options import BatchOptions
from pipelines.training.pretraining_pages import PageIndex

BUFFERED_PAGES = 2048
"""Pages that the buffers of all lanes hold together, as far as the next bounds allow: 0.3 GB of pictures, and as much
again that is loaded ahead, over all workers."""

MIN_BUFFER_PAGES, MAX_BUFFER_PAGES = 64, 512
"""Bounds of one lane's buffer."""


@dataclass(frozen=True)
class Buffer:
    """What a lane loads at once.

    Attributes:
        epoch: counted from 0.
        lane: index of the micro batch within its steps.
        first_step: the step of its first micro batch, counted over all epochs.
        steps: number of its micro batches, of which the last ones may be empty.
        micro_batch_size: pages of each micro batch but the last.
        pages: int64 [pages], indices into the `PageIndex`, in the order of the micro batches.
    """

    epoch: int
    lane: int
    first_step: int
    steps: int
    micro_batch_size: int
    pages: npt.NDArray[np.int64]

    def of_step(self, step: int) -> slice:
        """Which of the pages a step has."""
        start = (step - self.first_step) * self.micro_batch_size
        return slice(start, start + self.micro_batch_size)


class PretrainingPlan:
    """The order of all pages; each occurs once in every epoch."""

    def __init__(self, index: PageIndex, options: BatchOptions) -> None:
        """`index`: of one page at least."""
        self.index, self.options = index, options
        self.lanes = options.micro_batches
        size = options.micro_batch_size
        bounded = min(max(BUFFERED_PAGES // self.lanes, MIN_BUFFER_PAGES), MAX_BUFFER_PAGES)
        self.steps_per_buffer = -(-bounded // size)
        longest = max(end - start for start, end in map(self._lane, range(self.lanes)))
        self.steps_per_epoch = -(-longest // size)

    def _lane(self, lane: int) -> tuple[int, int]:
        """Where a lane's stretch of an epoch's pages starts and ends; their lengths differ by one page at most."""
        pages = len(self.index)
        return lane * pages // self.lanes, (lane + 1) * pages // self.lanes

    def spans(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The steps from `first` to `end` (excluded) in spans, each of the same buffers: first step and end."""
        step = first
        while step < end:
            epoch, within = divmod(step, self.steps_per_epoch)
            following = min((within // self.steps_per_buffer + 1) * self.steps_per_buffer, self.steps_per_epoch)
            stop = min(epoch * self.steps_per_epoch + following, end)
            yield step, stop
            step = stop

    def buffers(self, step: int, rank: int, workers: int) -> Iterator[Buffer]:
        """The buffers that hold a step's pages in the lanes of worker `rank` of `workers`."""
        epoch, within = divmod(step, self.steps_per_epoch)
        number = within // self.steps_per_buffer
        order = self._row_groups_of(epoch)
        ends = np.cumsum(np.diff(self.index.starts)[order])
        for lane in range(rank, self.lanes, workers):
            yield self._buffer(epoch, lane, number, order, ends)

    def _row_groups_of(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.options.seed, epoch]).permutation(self.index.row_groups)

    def _buffer(
        self, epoch: int, lane: int, number: int, order: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> Buffer:
        size = self.steps_per_buffer * self.options.micro_batch_size
        lane_start, lane_end = self._lane(lane)
        start, end = min(lane_start + number * size, lane_end), min(lane_start + (number + 1) * size, lane_end)
        pages = self._pages_between(epoch, start, end, order, ends)
        first_step = number * self.steps_per_buffer
        random = np.random.default_rng([self.options.seed, epoch, lane, number])
        return Buffer(
            epoch,
            lane,
            epoch * self.steps_per_epoch + first_step,
            min(self.steps_per_buffer, self.steps_per_epoch - first_step),
            self.options.micro_batch_size,
            random.permutation(pages),
        )

    def _pages_between(
        self, epoch: int, start: int, end: int, order: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The pages at the positions from `start` to `end` of an epoch's sequence of row groups."""
        parts = [np.empty(0, dtype=np.int64)]
        position = int(np.searchsorted(ends, start, side="right"))
        while start < end:
            group = int(order[position])
            first, last = self.index.starts[group : group + 2]
            pages = np.random.default_rng([self.options.seed, epoch, group, 1]).permutation(np.arange(first, last))
            offset = start - (int(ends[position]) - len(pages))
            taken = pages[offset : offset + end - start]
            parts.append(taken)
            start += len(taken)
            position += 1
        return np.concatenate(parts)
