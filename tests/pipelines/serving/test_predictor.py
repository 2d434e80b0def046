"""A predictor replica by itself, with the bundled model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from jobs.serve import Options
from model import LayoutLMv2Tokenizer
from pipelines.schema import Row
from pipelines.serving.document_reader import DocumentReader, ReadRequest
from pipelines.serving.model_runner import load_stages
from pipelines.serving.options import ServeOptions
from pipelines.serving.predictor import Predictor
from pipelines.serving.probe import probe_document, probe_page
from pipelines.serving.provided_words import ProvidedWords
from pipelines.stages.tokenize import Tokenize, TokenizeOptions
from tests.model.small_layoutxlm import write_layoutxlm_checkpoint

LONG_WINDOWS = 60

Use = Callable[[Predictor], Awaitable[None]]


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    return Options(batch_tokens=1024).serve_options(cpus=1, gpus=0)


def page(word_count: int, page_index: int = 0) -> Row:
    """A row of `TOKENIZED`, each of whose words is a token."""
    words = {"words": ["total"] * word_count, "boxes": [[100, 100, 200, 200]] * word_count}
    words |= {"word_confidences": [1.0] * word_count, "word_sources": ["ocr"] * word_count}
    (row,) = Tokenize(LayoutLMv2Tokenizer(), TokenizeOptions())([probe_page() | words | {"page_index": page_index}])
    return row


def long_page() -> Row:
    row = page(382 * LONG_WINDOWS)
    assert len(row["windows"]) >= LONG_WINDOWS
    return row


def with_predictor(options: ServeOptions, use: Use) -> None:
    async def run() -> None:
        predictor = Predictor.__new__(Predictor)
        await cast(Any, predictor).__init__(options)  # as Serve does: it is asynchronous
        stages = load_stages(options, options.models[0])

        async def loaded(_: str) -> object:
            return stages

        cast(Any, predictor)._load = loaded  # kept in memory, as Serve's multiplexing does
        await use(predictor)

    asyncio.run(run())


def test_a_short_page_beside_a_long_one_waits_for_a_slice_and_not_for_all(options: ServeOptions) -> None:
    async def use(predictor: Predictor) -> None:
        long = asyncio.create_task(predictor.answer(long_page()))
        await asyncio.sleep(0.1)  # it has begun
        for index in range(3):
            answer, windows = await predictor.answer(page(20, index))
            assert (json.loads(answer)["page_index"], windows) == (index, 1)
        assert not long.done()
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        answer, _ = await predictor.answer(page(20, 7))
        assert json.loads(answer)["page_index"] == 7
        assert not predictor.runner.batching._long, "the model has given the long page up"

    with_predictor(options, use)


def test_a_layoutxlm_checkpoint_answers_for_words_that_are_sent(tmp_path: Path) -> None:
    checkpoint = write_layoutxlm_checkpoint(tmp_path / "layoutxlm")
    options = Options(model=(str(checkpoint),)).serve_options(cpus=1, gpus=0)
    given = ProvidedWords(["Rechnung", "請求書", "Größe"], [[10, 10, 90, 20], [100, 10, 180, 20], [10, 40, 90, 50]])
    content, listed = probe_document()
    _, row = DocumentReader(options).open_and_read(ReadRequest("given", listed, "layoutxlm", words=given), content)
    assert row is not None and row["status"] == "ok", row

    async def use(predictor: Predictor) -> None:
        answer, windows = await predictor.answer(row)
        found = json.loads(answer)
        assert (found["status"], windows) == ("ok", 1)
        assert found["words"] == given.words and len(found["labels"]) == 3

    with_predictor(options, use)


def test_a_page_in_slices_has_the_answer_of_a_direct_call(options: ServeOptions) -> None:
    row = page(900)
    assert len(row["windows"]) > 2
    (expected,) = load_stages(options, options.models[0]).answers([row])

    async def use(predictor: Predictor) -> None:
        answer, windows = await predictor.answer(row)
        ours, theirs = json.loads(answer), json.loads(expected)
        assert windows == len(row["windows"])
        assert ours.pop("seconds").keys() == theirs.pop("seconds").keys()
        assert ours.pop("scores") == pytest.approx(theirs.pop("scores"), abs=1e-4)
        for entity, other in zip(ours.pop("entities"), theirs.pop("entities"), strict=True):
            assert entity.pop("score") == pytest.approx(other.pop("score"), abs=1e-4)
            assert entity == other
        assert ours == theirs

    with_predictor(options, use)


def test_a_predictor_whose_model_is_stuck_is_unhealthy_and_long_work_is_not(options: ServeOptions) -> None:
    impatient = replace(options, limits=replace(options.limits, seconds=1.0))

    async def use(predictor: Predictor) -> None:
        long = asyncio.create_task(predictor.answer(long_page()))
        for _ in range(20):
            await asyncio.sleep(0.1)
            predictor.check_health()
        long.cancel()
        end = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stuck() -> None:
            asyncio.run_coroutine_threadsafe(end.wait(), loop).result(60)

        done = predictor.runner.thread.submit(stuck, silent_seconds=0.01)
        for _ in range(600):
            try:
                await predictor.ping()
            except RuntimeError as error:
                assert "runs-model has made no progress" in str(error)
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("the replica counts as healthy")
        end.set()
        await asyncio.wrap_future(done)
        predictor.check_health()

    with_predictor(impatient, use)
