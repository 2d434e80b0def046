"""Model: the deployment that answers for pages that are read, several at a time, with the model that each names."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from ray import serve

from pipelines.extract import infer_steps, merge_options, read_steps
from pipelines.schema import Row, Task
from pipelines.serving.batching import Batching
from pipelines.serving.options import ServeOptions
from pipelines.serving.probe import probe_page
from pipelines.serving.reader import OpenResult
from pipelines.serving.row_json import page_json_schema, row_json
from pipelines.stages.infer import Infer
from pipelines.stages.merge import Merge


@dataclass(frozen=True)
class LoadedStages:
    """The stages behind one model."""

    task: Task
    infer: Infer
    merge: Merge

    def answers(self, rows: list[Row]) -> list[bytes]:
        """One page of JSON for each row."""
        merged = self.merge(self.infer(rows))
        schemas = [page_json_schema(self.task, previews=row["wants_preview"]) for row in rows]
        return [row_json(row, schema) for row, schema in zip(merged, schemas, strict=True)]


class Predictor:
    """Runs `Infer` and `Merge` over the pages that wait, a batch at a time, see `Batching`."""

    async def __init__(self, options: ServeOptions) -> None:  # type: ignore[misc]
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="runs-model")
        default = options.models[0]
        stages = await self._load(default.name)
        *_, make_tokenizer = read_steps(options.extract_of(default))
        await self._run(stages, list(make_tokenizer()([probe_page()])))
        self._batching = Batching(self._answer_rows, options.extract.infer.batch_tokens, stages.infer.pages_at_once)

    async def answer(self, row: Row) -> bytes:
        """The JSON of a page's row of `TOKENIZED`; which model is asked stands in the request's context."""
        return await self._batching.answer(serve.get_multiplexed_model_id(), row)

    async def answer_one(self, read: tuple[OpenResult, Row | None]) -> tuple[OpenResult, bytes | None]:
        """The same for what `Text.open_and_read` gives."""
        opened, row = read
        return opened, None if row is None else await self.answer(row)

    async def is_here(self) -> None:
        """Asked by fronts, to see whether anybody answers."""

    def check_health(self) -> None:
        """Asked by Serve.

        Raises:
            RuntimeError: the model cannot be run any more.
        """
        if self._thread._shutdown or not self._batching.is_working:
            raise RuntimeError("what runs the model has ended")

    async def _answer_rows(self, model: str, rows: list[Row]) -> list[bytes]:
        return await self._run(await self._load(model), rows)

    async def _run(self, stages: LoadedStages, rows: list[Row]) -> list[bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, stages.answers, rows)

    async def _load(self, name: str) -> LoadedStages:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._make, name)

    def _make(self, name: str) -> LoadedStages:
        served = self._options.model_named(name or None)
        extract = self._options.extract_of(served)
        (make_infer,) = infer_steps(extract, self._options.model_threads)
        return LoadedStages(served.task, cast(Infer, make_infer()), Merge(merge_options(extract), kept=("preview",)))


def model_replica(models_in_memory: int) -> type[Predictor]:
    """`Predictor` with at most `models_in_memory` models: Serve reads the number where `load` is written."""

    class MultiplexedModel(Predictor):
        @serve.multiplexed(max_num_models_per_replica=models_in_memory)
        async def _load(self, name: str) -> LoadedStages:
            return await Predictor._load(self, name)

    return MultiplexedModel
