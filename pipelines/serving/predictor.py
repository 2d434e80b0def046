"""Predictor: the deployment that runs models over pages that were read, several at a time."""

from __future__ import annotations

from ray import serve

from pipelines.schema import Row
from pipelines.serving.document_reader import OpenResult
from pipelines.serving.model_runner import LoadedStages, ModelRunner
from pipelines.serving.options import ServeOptions


class Predictor:
    """A `ModelRunner` in a process of its own; the models that it keeps are known to Serve, which routes by them."""

    async def __init__(self, options: ServeOptions) -> None:  # type: ignore[misc]
        self.runner = ModelRunner(options, lambda name: self._load(name))
        await self.runner.start()

    async def answer(self, row: Row) -> tuple[bytes, int]:
        """The JSON of a page from its row of `TOKENIZED`, by the model that the request's context names, and the number
        of windows that it took."""
        return await self.runner.answer(serve.get_multiplexed_model_id(), row)

    async def answer_one(self, read: tuple[OpenResult, Row | None]) -> tuple[OpenResult, bytes | None]:
        """The JSON of a page for what `Reader.open_and_read` returns."""
        result, row = read
        return result, None if row is None else (await self.answer(row))[0]

    async def ping(self) -> None:
        """Called by gateways, to see whether any replica answers.

        Raises:
            RuntimeError: as `check_health` does.
        """
        self.check_health()

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            RuntimeError: the model cannot be run any more, or is stuck.
        """
        self.runner.check()

    async def _load(self, name: str) -> LoadedStages:
        return await self.runner.load(name)


def predictor_class(models_in_memory: int) -> type[Predictor]:
    """`Predictor` that keeps at most `models_in_memory` models: Serve takes the number where `_load` is defined."""

    class MultiplexedPredictor(Predictor):
        @serve.multiplexed(max_num_models_per_replica=models_in_memory)
        async def _load(self, name: str) -> LoadedStages:
            return await Predictor._load(self, name)

    return MultiplexedPredictor
