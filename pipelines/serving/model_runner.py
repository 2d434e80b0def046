"""Model runner: models over pages that were read, several pages at a time; what a predictor and a local reader share.

The model has a thread of its own, and so has what comes after it: while the labels of one batch become entities and
JSON, the model runs over the next one.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from pipelines.extract import make_infer, make_tokenize, merge_options
from pipelines.runtime.cluster import node_cpus
from pipelines.schema import Row, Task
from pipelines.serving.batching import Batching
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

SWITCH_SECONDS = 0.001
"""How long a thread keeps Python's interpreter lock while others wait for it. With the usual 5 ms the model, which
wants the lock at every operator, would stand still while another thread turns labels into entities."""


@dataclass(frozen=True)
class LoadedStages:
    """The stages of one model."""

    task: Task
    infer: Infer
    merge: Merge

    def answers(self, rows: list[Row]) -> list[bytes]:
        """The JSON of a page for each row of `TOKENIZED`."""
        return self.json(list(self.infer(rows)))

    def json(self, inferred: list[Row]) -> list[bytes]:
        """The JSON of a page for each row of `INFERRED`, with `preview_requested`."""
        schemas = [page_json_schema(self.task, previews=row["preview_requested"]) for row in inferred]
        return [row_json(row, schema) for row, schema in zip(self.merge(inferred), schemas, strict=True)]


@dataclass(frozen=True)
class InferredRows:
    """Rows of `INFERRED` and the stages that write their answers: by then the model may have left the memory."""

    stages: LoadedStages
    rows: list[Row]


LoadStages = Callable[[str], Awaitable[LoadedStages]]
"""Loads the stages of a model by its name, or has them in memory."""


def load_stages(options: ServeOptions, model: ServedModel) -> LoadedStages:
    """Load a model."""
    extract = options.extract_of(model)
    merge = Merge(merge_options(extract), kept=("preview",))
    threads = min(options.model_threads or node_cpus(), node_cpus())  # the node may be larger than when it was deployed
    return LoadedStages(model.task, make_infer(extract, threads, divides_threads=True), merge)


class ModelRunner:
    """Runs `Infer` and `Merge` over the waiting pages, a batch or a slice of a long page at a time, see `Batching`."""

    def __init__(self, options: ServeOptions, load: LoadStages | None = None) -> None:
        """`load`: by default this object keeps the models that were used last."""
        self._options = options
        self._load = load or ModelMemory(self.load, options.models_in_memory)
        self.thread = WorkThread("runs-model", max(BATCH_SECONDS, options.limits.seconds))
        self._finishing = WorkThread("merges-pages", max(BATCH_SECONDS, options.limits.seconds))
        self.batching: Batching[InferredRows] | None = None

    async def start(self) -> None:
        """Load the default model and answer a page with it."""
        sys.setswitchinterval(SWITCH_SECONDS)
        default = self._options.models[0]
        stages = await self._load(default.name)
        probe = list(make_tokenize(self._options.extract_of(default))([probe_page()]))
        await self.thread.run(partial(stages.answers, probe))
        self.batching = Batching(
            self._infer_rows,
            self._infer_in_slices,
            self._finish,
            self._options.extract.infer.batch_tokens,
            stages.infer.pages_at_once,
        )

    async def answer(self, model: str, row: Row) -> tuple[bytes, int]:
        """The JSON of a page from its row of `TOKENIZED`, and the number of windows that it took."""
        assert self.batching is not None, "it has been started"
        return await self.batching.answer(model, row), len(row["windows"] or ())

    def check(self) -> None:
        """
        Raises:
            RuntimeError: the model cannot be run any more, or is stuck.
        """
        self.thread.check()
        self._finishing.check()
        if self.batching is None or not self.batching.is_working:
            raise RuntimeError("the task that runs the model has ended")

    async def load(self, name: str) -> LoadedStages:
        """Load a model by its name; the empty name is that of the default."""
        model = self._options.model_named(name or None)
        return await self.thread.run(partial(load_stages, self._options, model), LOAD_SECONDS)

    async def _infer_rows(self, model: str, rows: list[Row]) -> InferredRows:
        stages = await self._load(model)
        return InferredRows(stages, await self.thread.run(lambda: list(stages.infer(rows))))

    async def _infer_in_slices(self, model: str, row: Row) -> AsyncGenerator[InferredRows | None, None]:
        """Run the model over a page's windows; yields None after each slice, and last the row of `INFERRED`."""
        answers: Answers = {}
        seconds = 0.0
        features = PageFeatures([row], [0])
        for windows in (await self._load(model)).infer.slices(row):
            stages = await self._load(model)  # each time: another model may have taken its place in the meantime
            started = time.perf_counter()
            answers |= await self.thread.run(partial(stages.infer.answer_slice, row, windows, features))
            seconds += time.perf_counter() - started
            yield None
        stages = await self._load(model)
        yield InferredRows(stages, list(stages.infer.results([row], answers, seconds)))

    async def _finish(self, inferred: InferredRows) -> list[bytes]:
        return await self._finishing.run(partial(inferred.stages.json, inferred.rows))


class ModelMemory:
    """The models that were used last, by name; used from one event loop."""

    def __init__(self, load: LoadStages, capacity: int) -> None:
        self._load = load
        self._capacity = capacity
        self._models: OrderedDict[str, asyncio.Future[LoadedStages]] = OrderedDict()

    async def __call__(self, name: str) -> LoadedStages:
        """The stages of a model, loaded if they are not there; those that were not used for the longest give way."""
        if name not in self._models:
            while len(self._models) >= self._capacity:
                self._models.popitem(last=False)
            self._models[name] = asyncio.ensure_future(self._load(name))
        loading = self._models[name]
        self._models.move_to_end(name)
        try:
            return await asyncio.shield(loading)
        except BaseException:
            if loading.done() and self._models.get(name) is loading:  # the next request tries again
                del self._models[name]
            raise
