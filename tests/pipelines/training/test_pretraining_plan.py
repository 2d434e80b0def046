"""Every page once an epoch, in lanes that do not depend on the number of workers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training.options import BatchOptions
from pipelines.training.pretraining_pages import PageIndex
from pipelines.training.pretraining_plan import MAX_BUFFER_PAGES, PretrainingPlan


def index_of(sizes: Sequence[int]) -> PageIndex:
    """An index of row groups of these sizes, three in a file."""
    groups = np.arange(len(sizes), dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    files = tuple(f"file-{number}" for number in range(len(sizes) // 3 + 1))
    return PageIndex(files, groups // 3, groups % 3, starts, rows)


def pages_of(plan: PretrainingPlan, step: int, rank: int = 0, workers: int = 1) -> list[np.ndarray]:
    """The pages of a step in each lane of a worker."""
    return [buffer.pages[buffer.of_step(step)] for buffer in plan.buffers(step, rank, workers)]


plans = st.builds(
    lambda sizes, micro_batch, lanes, seed: PretrainingPlan(
        index_of(sizes), BatchOptions(micro_batch * lanes, micro_batch, seed)
    ),
    st.lists(st.integers(1, 90), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(0, 3),
)


def lanes_of_steps(plan: PretrainingPlan, first: int, end: int) -> list[list[np.ndarray]]:
    """The pages of each step in each lane, from buffers that are made once."""
    found = []
    for start, stop in plan.spans(first, end):
        buffers = list(plan.buffers(start, 0, 1))
        found += [[buffer.pages[buffer.of_step(step)] for buffer in buffers] for step in range(start, stop)]
    return found


@settings(deadline=None, max_examples=40)
@given(plan=plans, epoch=st.integers(0, 2))
def test_each_page_is_in_one_step_of_every_epoch_and_lanes_are_even_and_full_but_at_their_end(
    plan: PretrainingPlan, epoch: int
) -> None:
    steps = lanes_of_steps(plan, epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
    learned = np.concatenate([pages for lanes in steps for pages in lanes])
    assert sorted(learned.tolist()) == list(range(len(plan.index)))
    by_lane = [[len(pages) for pages in lane] for lane in zip(*steps, strict=True)]
    totals = [sum(lane) for lane in by_lane]
    assert max(totals) - min(totals) <= 1
    size = plan.options.micro_batch_size
    assert all(count == size for lane in by_lane for count in lane[: min(totals) // size])


@settings(deadline=None, max_examples=40)
@given(plan=plans, workers=st.integers(2, 4))
def test_workers_share_the_lanes_of_one(plan: PretrainingPlan, workers: int) -> None:
    step = plan.steps_per_epoch - 1
    alone = pages_of(plan, step)
    for rank in range(workers):
        shared = pages_of(plan, step, rank, workers)
        assert [pages.tolist() for pages in shared] == [pages.tolist() for pages in alone[rank::workers]]


@settings(deadline=None, max_examples=40)
@given(plan=plans, first=st.integers(0, 30), count=st.integers(0, 60))
def test_spans_cover_the_steps_and_stay_within_a_buffer(plan: PretrainingPlan, first: int, count: int) -> None:
    spans = list(plan.spans(first, first + count))
    assert [step for start, stop in spans for step in range(start, stop)] == list(range(first, first + count))
    for start, stop in spans:
        for buffer in plan.buffers(start, 0, 1):
            assert buffer.first_step <= start and stop <= buffer.first_step + buffer.steps
            assert len(buffer.pages) <= MAX_BUFFER_PAGES + plan.options.micro_batch_size


def test_epochs_and_seeds_differ_and_a_step_mixes_files() -> None:
    index = index_of([40] * 30)
    plan = PretrainingPlan(index, BatchOptions(16, 4, 0))
    step = pages_of(plan, 0)
    assert len({index.file[np.searchsorted(index.starts, page, "right") - 1] for pages in step for page in pages}) > 3
    other_epoch, other_seed = (
        pages_of(plan, plan.steps_per_epoch),
        pages_of(PretrainingPlan(index, BatchOptions(16, 4, 1)), 0),
    )
    assert all(not np.array_equal(pages, other) for pages, other in zip(step, other_epoch, strict=True))
    assert all(not np.array_equal(pages, other) for pages, other in zip(step, other_seed, strict=True))


def test_an_epoch_reads_each_row_group_about_once() -> None:
    plan = PretrainingPlan(index_of([250] * 40), BatchOptions(32, 8, 0))
    read = 0
    for start, _ in plan.spans(0, plan.steps_per_epoch):
        for buffer in plan.buffers(start, 0, 1):
            read += len(np.unique(np.searchsorted(plan.index.starts, buffer.pages, "right")))
    assert read <= 2.2 * 40
