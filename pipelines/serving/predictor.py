"""Predictor: the deployment that runs models over pages that were read, several at a time."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial

from ray import serve

from pipelines.extract import make_infer, make_tokenize, merge_options
from pipelines.runtime.cluster import node_cpus
from pipelines.schema import Row, Task
from pipelines.serving.batching import Batching
from pipelines.serving.document_reader import OpenResult
from pipelines.serving.options import ServedModel, ServeOptions
from pipelines.serving.probe import probe_page
from pipelines.serving.row_json import page_json_schema, row_json
from pipelines.serving.work_thread import WorkThread
from pipelines.stages.infer import Answers, Infer, PageFeatures
from pipelines.stages.merge import Merge

BATCH_SECONDS = 60.0
"""The model is stuck if a batch takes longer than this and than a request may."""

LOAD_SECONDS = 900.0
"""The same for loading a model, which may have to be downloaded."""


@dataclass(frozen=True)
class LoadedStages:
    """The stages of one model."""

    task: Task
    infer: Infer
    merge: Merge

    def answers(self, rows: list[Row]) -> list[bytes]:
        """The JSON of a page for each row of `TOKENIZED`."""
        return self._json(rows, list(self.infer(rows)))

    def answer_of(self, row: Row, answers: Answers, seconds: float) -> bytes:
        """The JSON of a page from the answers to all its windows, which took `seconds`."""
        (answer,) = self._json([row], list(self.infer.results([row], answers, seconds)))
        return answer

    def _json(self, rows: list[Row], inferred: list[Row]) -> list[bytes]:
        schemas = [page_json_schema(self.task, previews=row["preview_requested"]) for row in rows]
        return [row_json(row, schema) for row, schema in zip(self.merge(inferred), schemas, strict=True)]


def load_stages(options: ServeOptions, model: ServedModel) -> LoadedStages:
    """Load a model."""
    extract = options.extract_of(model)
    merge = Merge(merge_options(extract), kept=("preview",))
    threads = min(options.model_threads or node_cpus(), node_cpus())  # the node may be larger than when it was deployed
    return LoadedStages(model.task, make_infer(extract, threads, divides_threads=True), merge)


class Predictor:
    """Runs `Infer` and `Merge` over the waiting pages, a batch or a slice of a long page at a time, see `Batching`."""

    async def __init__(self, options: ServeOptions) -> None:  # type: ignore[misc]
        self._options = options
        self._thread = WorkThread("runs-model", max(BATCH_SECONDS, options.limits.seconds))
        default = options.models[0]
        stages = await self._load(default.name)
        probe = list(make_tokenize(options.extract_of(default))([probe_page()]))
        await self._thread.run(partial(stages.answers, probe))
        self._batching = Batching(
            self._answer_rows, self._answer_in_slices, options.extract.infer.batch_tokens, stages.infer.pages_at_once
        )

    async def answer(self, row: Row) -> tuple[bytes, int]:
        """The JSON of a page from its row of `TOKENIZED`, by the model that the request's context names, and the number
        of windows that it took."""
        answer = await self._batching.answer(serve.get_multiplexed_model_id(), row)
        return answer, len(row["windows"] or ())

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
        self._thread.check()
        if not self._batching.is_working:
            raise RuntimeError("the task that runs the model has ended")

    async def _answer_rows(self, model: str, rows: list[Row]) -> list[bytes]:
        stages = await self._load(model)
        return await self._thread.run(partial(stages.answers, rows))

    async def _answer_in_slices(self, model: str, row: Row) -> AsyncGenerator[bytes | None, None]:
        """Run the model over a page's windows; yields None after each slice, and last the JSON of the page."""
        answers: Answers = {}
        seconds = 0.0
        features = PageFeatures([row], [0])
        for windows in (await self._load(model)).infer.slices(row):
            stages = await self._load(model)  # each time: another model may have taken its place in the meantime
            started = time.perf_counter()
            answers |= await self._thread.run(partial(stages.infer.answer_slice, row, windows, features))
            seconds += time.perf_counter() - started
            yield None
        stages = await self._load(model)
        yield await self._thread.run(partial(stages.answer_of, row, answers, seconds))

    async def _load(self, name: str) -> LoadedStages:
        model = self._options.model_named(name or None)
        return await self._thread.run(partial(load_stages, self._options, model), LOAD_SECONDS)


def predictor_class(models_in_memory: int) -> type[Predictor]:
    """`Predictor` that keeps at most `models_in_memory` models: Serve takes the number where `_load` is defined."""

    class MultiplexedPredictor(Predictor):
        @serve.multiplexed(max_num_models_per_replica=models_in_memory)
        async def _load(self, name: str) -> LoadedStages:
            return await Predictor._load(self, name)

    return MultiplexedPredictor
