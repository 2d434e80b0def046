"""The batch plan: which windows each training step holds, as a pure function of the examples and the options.

Windows of similar length share a step, and within it a micro batch, so that little is padding. A step's windows depend
neither on the number of workers nor on the size of micro batches, and a run can continue at any step: worker r of n
computes the micro batches r, r + n, r + 2n, ... of each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.stages.infer import padded_length
from pipelines.training.example_cache import ExampleIndex
from pipelines.training.options import BatchOptions

LENGTH_NOISE = 0.05
"""Lengths are sorted as if each were up to this share longer or shorter, so that batches differ between epochs."""


@dataclass(frozen=True)
class MicroBatch:
    """The windows that one worker computes at once.

    Attributes:
        step: counted from 0 over all epochs.
        micro_batch_index: index of the micro batch within its step.
        epoch: counted from 0.
        windows: int64, indices into the `ExampleIndex`; empty where there are fewer windows than micro batches.
        targets: number of targets in the whole step, by which its loss is divided; equal in all its micro batches.
    """

    step: int
    micro_batch_index: int
    epoch: int
    windows: npt.NDArray[np.int64]
    targets: int


class BatchPlan:
    """The order of all windows that have targets; each occurs once in every epoch."""

    def __init__(self, index: ExampleIndex, options: BatchOptions) -> None:
        """
        Raises:
            ValueError: no window has a target.
        """
        self.options = options
        self.index = index
        self.windows = np.flatnonzero(index.targets > 0)
        if not len(self.windows):
            raise ValueError("nothing to learn from: no window of the examples has a label or a located answer")

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.windows) // self.options.batch_size)

    def epoch(self, epoch: int) -> list[list[npt.NDArray[np.int64]]]:
        """The windows of an epoch, int64, by step and micro batch.

        They are distributed evenly: the sizes of steps differ by at most one window, and so do those of a step's micro
        batches.
        """
        random = np.random.default_rng([self.options.seed, epoch])
        shuffled = self.windows[random.permutation(len(self.windows))]
        lengths = self.index.tokens[shuffled] * random.uniform(1 - LENGTH_NOISE, 1 + LENGTH_NOISE, len(shuffled))
        by_length = shuffled[np.argsort(lengths, kind="stable")]
        steps = np.array_split(by_length, self.steps_per_epoch)
        return [
            np.array_split(steps[step], self.options.micro_batches) for step in random.permutation(self.steps_per_epoch)
        ]

    def steps(self, first: int, end: int) -> Iterator[list[MicroBatch]]:
        """The steps from `first` to `end` (excluded)."""
        per_epoch = self.steps_per_epoch
        step = first
        while step < end:
            number = step // per_epoch
            epoch = self.epoch(number)
            for windows in epoch[step % per_epoch : step % per_epoch + end - step]:
                yield self._step_of(windows, step, number)
                step += 1

    def _step_of(self, parts: Sequence[npt.NDArray[np.int64]], step: int, epoch: int) -> list[MicroBatch]:
        targets = int(sum(self.index.targets[windows].sum() for windows in parts))
        return [
            MicroBatch(step, micro_batch_index, epoch, windows, targets)
            for micro_batch_index, windows in enumerate(parts)
        ]

    def padding_share(self, epoch: int = 0) -> float:
        """The share (0 to 1) of an epoch's tokens that are padding."""
        lengths = [self.index.tokens[windows] for step in self.epoch(epoch) for windows in step if len(windows)]
        padded = sum(padded_length(int(length.max())) * len(length) for length in lengths)
        return 1 - sum(int(length.sum()) for length in lengths) / padded


def micro_batches_for_rank(step: Sequence[MicroBatch], rank: int, workers: int) -> Sequence[MicroBatch]:
    """The micro batches of a step that worker `rank` of `workers` computes."""
    return step[rank::workers]
