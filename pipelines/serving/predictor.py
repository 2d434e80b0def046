"""Predictor: the deployment that runs models over pages that were read, several at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ray import serve

from pipelines.extract import make_infer, make_tokenize, merge_options
from pipelines.runtime.cluster import node_cpus
from pipelines.schema import Row, Task
from pipelines.serving.batching import Batching
from pipelines.serving.document_reader import OpenResult
from pipelines.serving.options import ServedModel, ServeOptions
from pipelines.serving.probe import probe_page
from pipelines.serving.row_json import page_json_schema, row_json
from pipelines.stages.infer import Infer
from pipelines.stages.merge import Merge


@dataclass(frozen=True)
class LoadedStages:
    """The stages of one model."""

    task: Task
    infer: Infer
    merge: Merge

    def answers(self, rows: list[Row]) -> list[bytes]:
        """The JSON of a page for each row of `TOKENIZED`."""
        merged = self.merge(self.infer(rows))
        schemas = [page_json_schema(self.task, previews=row["preview_requested"]) for row in rows]
        return [row_json(row, schema) for row, schema in zip(merged, schemas, strict=True)]


def load_stages(options: ServeOptions, model: ServedModel) -> LoadedStages:
    """Load a model."""
    extract = options.extract_of(model)
    merge = Merge(merge_options(extract), kept=("preview",))
    threads = min(options.model_threads or node_cpus(), node_cpus())  # the node may be larger than when it was deployed
    return LoadedStages(model.task, make_infer(extract, threads), merge)


class Predictor:
    """Runs `Infer` and `Merge` over the waiting pages, a batch at a time, see `Batching`."""

    async def __init__(self, options: ServeOptions) -> None:  # type: ignore[misc]
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="runs-model")
        default = options.models[0]
        stages = await self._load(default.name)
        await self._run(stages, list(make_tokenize(options.extract_of(default))([probe_page()])))
        self._batching = Batching(self._answer_rows, options.extract.infer.batch_tokens, stages.infer.pages_at_once)

    async def answer(self, row: Row) -> bytes:
        """The JSON of a page from its row of `TOKENIZED`, by the model that the request's context names."""
        return await self._batching.answer(serve.get_multiplexed_model_id(), row)

    async def answer_one(self, read: tuple[OpenResult, Row | None]) -> tuple[OpenResult, bytes | None]:
        """The same for what `Reader.open_and_read` returns."""
        result, row = read
        return result, None if row is None else await self.answer(row)

    async def ping(self) -> None:
        """Called by gateways, to see whether any replica answers."""

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            RuntimeError: the model cannot be run any more.
        """
        self._thread.submit(lambda: None)  # an executor that has been shut down refuses work
        if not self._batching.is_working:
            raise RuntimeError("the task that runs the model has ended")

    async def _answer_rows(self, model: str, rows: list[Row]) -> list[bytes]:
        return await self._run(await self._load(model), rows)

    async def _run(self, stages: LoadedStages, rows: list[Row]) -> list[bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, stages.answers, rows)

    async def _load(self, name: str) -> LoadedStages:
        model = self._options.model_named(name or None)
        return await asyncio.get_running_loop().run_in_executor(self._thread, load_stages, self._options, model)


def predictor_class(models_in_memory: int) -> type[Predictor]:
    """`Predictor` that keeps at most `models_in_memory` models: Serve takes the number where `_load` is defined."""

    class MultiplexedPredictor(Predictor):
        @serve.multiplexed(max_num_models_per_replica=models_in_memory)
        async def _load(self, name: str) -> LoadedStages:
            return await Predictor._load(self, name)

    return MultiplexedPredictor
