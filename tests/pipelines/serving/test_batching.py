from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.serving.batching import Batching


def page(name: str, *tokens: int) -> Row:
    """A row with windows of these lengths in tokens; without any, that of a page that failed."""
    return {"name": name, "windows": [{"input_ids": [0] * length} for length in tokens] or None}


WINDOWS_OF_A_SLICE = 2


@dataclass
class Predictor:
    """A model that is busy until it is freed, and records its batches and slices."""

    batches: list[list[str]] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    writing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.writing.set()

    async def infer(self, model: str, rows: list[Row]) -> list[Row]:
        self.batches.append([f"{model} {row['name']}" for row in rows])
        await self.free.wait()
        if any(row["name"] == "broken" for row in rows):
            raise ValueError("no answer to this")
        return rows

    async def infer_in_slices(self, model: str, row: Row) -> AsyncGenerator[list[Row] | None, None]:
        for _ in range(0, len(row["windows"]), WINDOWS_OF_A_SLICE):
            await self.infer(model, [row])
            yield None
        yield [row]

    async def finish(self, rows: list[Row]) -> list[bytes]:
        await self.writing.wait()
        if any(row["name"] == "unwritable" for row in rows):
            raise ValueError("no words for this")
        return [row["name"].encode() for row in rows]

    def batching(self, batch_tokens: int, batch_pages: int | None = None) -> Batching[list[Row]]:
        return Batching(self.infer, self.infer_in_slices, self.finish, batch_tokens, batch_pages)


def in_turn(
    batch_tokens: int, *pages: tuple[str, Row], batch_pages: int | None = None
) -> tuple[Predictor, list[bytes | BaseException]]:
    """The model and its answers, when the first page finds it free and the others come while it is busy."""

    async def answer_all() -> tuple[Predictor, list[bytes | BaseException]]:
        model = Predictor()
        batching = model.batching(batch_tokens, batch_pages)
        answers = []
        for name, row in pages:
            answers.append(asyncio.create_task(batching.answer(name, row)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        model.free.set()
        return model, await asyncio.gather(*answers, return_exceptions=True)

    return asyncio.run(answer_all())


def test_a_page_never_waits_for_others_and_those_that_come_meanwhile_go_together() -> None:
    model, answers = in_turn(4096, *[("m", page(name, 100)) for name in "abcd"])
    assert model.batches == [["m a"], ["m b", "m c", "m d"]]
    assert answers == [b"a", b"b", b"c", b"d"]


def test_pages_of_similar_length_go_with_the_one_that_waited_longest() -> None:
    pages = {"first": 1, "long": 500, "short": 20, "longer": 512, "shorter": 10}
    model, answers = in_turn(1024, *[("m", page(name, tokens)) for name, tokens in pages.items()])
    assert model.batches == [["m first"], ["m long", "m longer"], ["m short", "m shorter"]]
    assert answers == [name.encode() for name in pages]


def test_all_windows_of_a_page_count_padding_included_and_one_that_has_too_many_goes_alone() -> None:
    pages = [("first", [1]), ("huge", [512] * 5), ("three", [300, 10, 10]), ("one", [100])]
    model, answers = in_turn(1024, *[("m", page(name, *tokens)) for name, tokens in pages])
    assert model.batches == [["m first"], ["m huge"], ["m three"], ["m huge"], ["m one"], ["m huge"]]
    assert answers == [name.encode() for name, _ in pages]


def test_pages_come_between_the_slices_of_long_ones_and_those_take_turns() -> None:
    long = [(name, page(name, *[512] * 6)) for name in ("long", "longer")]
    short = [(name, page(name, 512)) for name in "abcd"]
    model, _ = in_turn(1024, *[("m", row) for _, row in (*short[:1], *long, *short[1:])])
    expected = ["a", "long", "b c", "longer", "d", "long", "longer", "long", "longer"]
    assert model.batches == [[f"m {name}" for name in batch.split()] for batch in expected]


def test_a_long_page_with_a_window_that_cannot_be_answered_gets_its_exception() -> None:
    _, answers = in_turn(1024, ("m", page("broken", *[512] * 6)), ("m", page("fine", 9)))
    assert isinstance(answers[0], ValueError) and answers[1] == b"fine"


def test_a_batch_has_no_more_pages_than_allowed() -> None:
    model, _ = in_turn(4096, *[("m", page(name, 9)) for name in "abcdef"], batch_pages=2)
    assert model.batches == [["m a"], ["m b", "m c"], ["m d", "m e"], ["m f"]]


def test_pages_without_windows_go_along() -> None:
    model, answers = in_turn(1024, ("m", page("first", 1)), ("m", page("failed")), ("m", page("read", 512)))
    assert model.batches == [["m first"], ["m failed", "m read"]]
    assert answers[1] == b"failed"


def test_a_batch_has_pages_of_one_model() -> None:
    model, _ = in_turn(4096, ("a", page("1", 9)), ("a", page("2", 9)), ("b", page("3", 9)), ("a", page("4", 9)))
    assert model.batches == [["a 1"], ["a 2", "a 4"], ["b 3"]]


def test_the_pages_of_a_batch_get_its_exception_and_the_next_one_is_answered() -> None:
    _, answers = in_turn(100, ("m", page("broken", 9)), ("m", page("fine", 9)))
    assert isinstance(answers[0], ValueError)
    assert answers[1] == b"fine"


def run_briefly(use: Callable[[Batching[list[Row]], Predictor], Awaitable[None]]) -> Predictor:
    async def run() -> Predictor:
        model = Predictor()
        await use(model.batching(4096), model)
        return model

    return asyncio.run(run())


def test_a_page_whose_caller_has_gone_is_never_started() -> None:
    async def use(batching: Batching[list[Row]], model: Predictor) -> None:
        answers = [asyncio.create_task(batching.answer("m", page(name, 9))) for name in "abc"]
        await asyncio.sleep(0.01)  # the first is with the model
        late = asyncio.create_task(batching.answer("m", page("late", 9)))
        answers.append(asyncio.create_task(batching.answer("m", page("last", 9))))
        await asyncio.sleep(0.01)
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        model.free.set()
        assert await asyncio.gather(*answers) == [b"a", b"b", b"c", b"last"]

    assert all("m late" not in batch for batch in run_briefly(use).batches)


def test_a_caller_that_leaves_while_the_model_works_does_not_affect_the_others() -> None:
    async def use(batching: Batching[list[Row]], model: Predictor) -> None:
        answers = [asyncio.create_task(batching.answer("m", page(name, 9))) for name in "ab"]
        await asyncio.sleep(0.01)
        answers[0].cancel()
        model.free.set()
        first, second = await asyncio.gather(*answers, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError) and second == b"b"
        assert await batching.answer("m", page("c", 9)) == b"c"
        assert batching.is_working

    run_briefly(use)


def test_a_long_page_whose_caller_has_gone_is_stopped_after_its_slice() -> None:
    async def use(batching: Batching[list[Row]], model: Predictor) -> None:
        long = asyncio.create_task(batching.answer("m", page("long", *[512] * 100)))
        await asyncio.sleep(0.01)
        long.cancel()
        model.free.set()
        assert await batching.answer("m", page("next", 9)) == b"next"

    assert run_briefly(use).batches == [["m long"], ["m next"]]


@pytest.mark.parametrize("windows", [1, 100])
def test_a_page_whose_time_is_over_is_not_started(windows: int) -> None:
    async def use(batching: Batching[list[Row]], model: Predictor) -> None:
        first = asyncio.create_task(batching.answer("m", page("first", 9)))
        await asyncio.sleep(0.01)
        late = asyncio.create_task(batching.answer("m", page("late", *[512] * windows) | {"seconds_left": 0.01}))
        await asyncio.sleep(0.05)
        model.free.set()
        assert await first == b"first"
        with pytest.raises(ProcessingError, match="time was over") as failed:
            await late
        assert failed.value.kind == "timeout"
        assert batching.is_working

    assert run_briefly(use).batches == [["m first"]]


def test_a_long_page_whose_time_ends_is_stopped_after_its_slice() -> None:
    async def use(batching: Batching[list[Row]], model: Predictor) -> None:
        late = asyncio.create_task(batching.answer("m", page("late", *[512] * 100) | {"seconds_left": 0.05}))
        await asyncio.sleep(0.1)
        model.free.set()
        with pytest.raises(ProcessingError, match="time was over"):
            await late

    assert run_briefly(use).batches == [["m late"]]


def test_the_model_goes_on_while_answers_are_written() -> None:
    async def use(batching: Batching[list[Row]], model: Predictor) -> None:
        model.writing.clear()
        model.free.set()
        answers = []
        for number, name in enumerate(("a", "unwritable")):
            answers.append(asyncio.create_task(batching.answer("m", page(name, 9))))
            while len(model.batches) == number:
                await asyncio.sleep(0.001)
        assert not answers[0].done()
        model.writing.set()
        first, second = await asyncio.gather(*answers, return_exceptions=True)
        assert first == b"a" and isinstance(second, ValueError)
        assert batching.is_working

    assert run_briefly(use).batches == [["m a"], ["m unwritable"]]
