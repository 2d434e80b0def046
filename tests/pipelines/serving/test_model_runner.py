"""Which models stay in memory, and what becomes of pages whose model leaves it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from jobs.serve import Options
from pipelines.extract import make_tokenize
from pipelines.serving.model_runner import LoadedStages, ModelMemory, ModelRunner
from pipelines.serving.options import ServeOptions
from pipelines.serving.probe import probe_page


def test_models_that_were_used_last_stay_and_are_loaded_once_for_all_who_wait() -> None:
    loads: list[str] = []

    async def load(name: str) -> LoadedStages:
        loads.append(name)
        await asyncio.sleep(0)
        return cast(LoadedStages, f"stages of {name}")

    async def use() -> None:
        memory = ModelMemory(load, 2)
        assert set(await asyncio.gather(*(memory("a") for _ in range(3)))) == {"stages of a"}
        for name in ("b", "a", "c", "a", "b"):  # c takes the place of b, and b that of c
            assert await memory(name) == f"stages of {name}"
        assert loads == ["a", "b", "c", "b"]

    asyncio.run(use())


def test_a_model_that_cannot_be_loaded_is_tried_again_and_one_whose_caller_leaves_is_kept() -> None:
    loads: list[str] = []
    end = asyncio.Event()

    async def load(name: str) -> LoadedStages:
        loads.append(name)
        if len(loads) == 1:
            raise OSError("out of reach")
        await end.wait()
        return cast(LoadedStages, name)

    async def use() -> None:
        memory = ModelMemory(load, 1)
        with pytest.raises(OSError, match="out of reach"):
            await memory("a")
        leaving = asyncio.create_task(memory("a"))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        end.set()
        assert await memory("a") == "a" and loads == ["a", "a"]

    asyncio.run(use())


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    return Options(model=("untrained",), task="token-classification", text="layer").serve_options(cpus=1, gpus=0)


def test_answers_are_written_with_the_stages_that_the_model_ran_in(options: ServeOptions) -> None:
    loads: list[str] = []

    async def use() -> None:
        stages = await ModelRunner(options).load("")

        async def load(name: str) -> LoadedStages:
            loads.append(name)
            return stages

        models = tuple(replace(options.models[0], name=name) for name in ("a", "b"))
        runner = ModelRunner(replace(options, models=models), ModelMemory(load, 1))
        await runner.start()
        [row] = make_tokenize(options.extract_of(options.models[0]))([probe_page()])
        row = {**row, "preview_requested": False}
        answers = await asyncio.gather(*(runner.answer(name, row) for name in "abab"))
        assert all(b'"status":"ok"' in answer for answer, _ in answers)
        assert loads == list("abab"), "a load for each change of the model, and none to write the answers"

    asyncio.run(use())
