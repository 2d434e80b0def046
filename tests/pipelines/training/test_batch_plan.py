"""The plan of a training run: what every step holds, whoever computes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training.batch_plan import BatchPlan, micro_batches_for_rank
from pipelines.training.example_cache import ExampleIndex, PagePosition
from pipelines.training.options import BatchOptions


def index_of(lengths: list[int], targets: list[int] | None = None) -> ExampleIndex:
    """One page a window."""
    count = len(lengths)
    return ExampleIndex(
        files=("examples.parquet",),
        pages=tuple(PagePosition(0, group) for group in range(count)),
        page=np.arange(count, dtype=np.int32),
        window=np.zeros(count, dtype=np.int32),
        tokens=np.asarray(lengths, dtype=np.int32),
        targets=np.asarray([5] * count if targets is None else targets, dtype=np.int32),
    )


lengths_of_windows = st.lists(st.integers(3, 512), min_size=1, max_size=70)
sizes = st.sampled_from([(1, 1), (4, 1), (4, 4), (8, 2), (12, 3)])


@settings(max_examples=80, deadline=None)
@given(lengths=lengths_of_windows, size=sizes, seed=st.integers(0, 3), epoch=st.integers(0, 3))
def test_an_epoch_holds_each_window_once_and_no_batch_is_too_large(
    lengths: list[int], size: tuple[int, int], seed: int, epoch: int
) -> None:
    options = BatchOptions(*size, seed)
    plan = BatchPlan(index_of(lengths), options)
    steps = list(plan.steps(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch))
    windows = [window for step in steps for batch in step for window in batch.windows]
    assert sorted(windows) == list(range(len(lengths)))
    for step in steps:
        assert len(step) == options.micro_batches
        assert max(len(batch.windows) for batch in step) <= options.micro_batch_size
        assert {batch.targets for batch in step} == {5 * sum(len(batch.windows) for batch in step)}
        assert {batch.epoch for batch in step} == {epoch}


@settings(max_examples=40, deadline=None)
@given(lengths=lengths_of_windows, workers=st.sampled_from([1, 2, 4]), first=st.integers(0, 20))
def test_the_workers_of_any_number_share_the_same_steps(lengths: list[int], workers: int, first: int) -> None:
    plan = BatchPlan(index_of(lengths), BatchOptions(8, 2))
    for step in plan.steps(first, first + 3):
        shares = [micro_batches_for_rank(step, rank, workers) for rank in range(workers)]
        assert {len(share) for share in shares} == {4 // workers}
        assert sorted(batch.micro_batch_index for share in shares for batch in share) == [0, 1, 2, 3]


@given(lengths=lengths_of_windows, first=st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_a_plan_that_begins_in_the_middle_goes_on_as_the_whole_one(lengths: list[int], first: int) -> None:
    index, options = index_of(lengths), BatchOptions(4, 2, seed=7)
    whole = list(BatchPlan(index, options).steps(0, first + 5))[first:]
    rest = list(BatchPlan(index, options).steps(first, first + 5))
    for one, other in zip(whole, rest, strict=True):
        assert [(a.step, a.micro_batch_index, a.epoch, a.targets) for a in one] == [
            (b.step, b.micro_batch_index, b.epoch, b.targets) for b in other
        ]
        assert all(np.array_equal(a.windows, b.windows) for a, b in zip(one, other, strict=True))


def test_epochs_and_seeds_differ_in_their_order() -> None:
    index = index_of(list(range(10, 74)))
    plans = [BatchPlan(index, BatchOptions(8, 4, seed)) for seed in (0, 1)]
    orders = [np.concatenate([w for step in plan.epoch(e) for w in step]).tolist() for plan in plans for e in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_windows_of_like_length_share_a_batch_so_that_little_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(50, 513, 400).tolist()
    plan = BatchPlan(index_of(lengths), BatchOptions(16, 4))
    assert max(plan.padding_share(epoch) for epoch in range(3)) < 0.05


def test_windows_without_anything_to_learn_are_left_out() -> None:
    plan = BatchPlan(index_of([9, 9, 9, 9], targets=[0, 3, 0, 4]), BatchOptions(2, 1))
    (step,) = plan.steps(0, 1)
    assert sorted(int(window) for batch in step for window in batch.windows) == [1, 3]
    assert step[0].targets == 7


def test_a_corpus_of_nothing_to_learn_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to learn"):
        BatchPlan(index_of([9, 9], targets=[0, 0]), BatchOptions())


def test_windows_are_dealt_evenly_over_the_steps_of_an_epoch() -> None:
    plan = BatchPlan(index_of([20] * 41), BatchOptions(8, 8))
    sizes = [sum(len(batch.windows) for batch in step) for step in plan.steps(0, plan.steps_per_epoch)]
    assert sorted(sizes) == [6, 7, 7, 7, 7, 7]


@pytest.mark.parametrize(
    ("options", "workers", "message"),
    [
        (BatchOptions(8, 3), 1, "no multiple of --micro-batch-size"),
        (BatchOptions(8, 4), 4, "2 micro batches .* 4 workers cannot share evenly.*--micro-batch-size 2"),
    ],
)
def test_sizes_that_cannot_be_shared_are_refused_with_the_way_out(
    options: BatchOptions, workers: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        options.check(workers)
