"""Where the runs of a test extract their pages: in this process, which is fast, or on Ray, which the slow tests do.

What a run lists, claims, resumes, retries and audits is the same code either way, and so are the stages of a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from pipelines.batch.options import RunOptions
from pipelines.batch.page_writer import write_block
from pipelines.extract import ExtractOptions, infer_steps, merge_options, read_steps
from pipelines.runtime.pools import Pools, plan_pools
from pipelines.schema import INFERRED, TOKENIZED, page_schema
from pipelines.stages.merge import Merge
from pipelines.stages.ray_data import StageRunner
from pipelines.stages.sandbox import Sandbox
from pipelines.storage.files import Storage, join_uri


class InProcessExtraction:
    """Extracts and writes rounds of pages in this process. Models are kept for the runs that follow."""

    def __init__(self) -> None:
        self._models: dict[tuple[ExtractOptions, int], StageRunner] = {}

    def write_round(
        self, blocks: list[pa.Table], storage: Storage, options: RunOptions, pools: Pools, run_id: str
    ) -> Iterator[dict[str, Any]]:
        """Stands in for `page_writer.write_round`; documents are opened anew in each round, as on Ray."""
        extract = options.extract
        read = StageRunner(read_steps(extract), TOKENIZED)
        infer = self._model(extract, pools.infer_threads)
        merge = StageRunner((partial(Merge, merge_options(extract)),), page_schema(extract.task))
        try:
            for block in blocks:
                rows = merge(infer(read(block)))
                yield from write_block(rows, storage, join_uri(options.output, "pages"), run_id).to_pylist()
        finally:
            for stage in read.stages:
                if isinstance(stage, Sandbox):
                    stage.close()

    def _model(self, options: ExtractOptions, threads: int) -> StageRunner:
        key = options, threads
        if key not in self._models:
            self._models[key] = StageRunner(infer_steps(options, threads), INFERRED)
        return self._models[key]


@pytest.fixture(scope="session")
def in_process_extraction() -> InProcessExtraction:
    return InProcessExtraction()


@pytest.fixture(
    scope="module",
    params=["in process", pytest.param("on ray", marks=[pytest.mark.slow, pytest.mark.xdist_group("ray of its own")])],
)
def execution(request: pytest.FixtureRequest) -> Iterator[str]:
    """The tests that use this fixture run once with each kind of execution; its value is the kind."""
    if request.param == "on ray":
        request.getfixturevalue("ray_cluster")
        yield request.param
        return
    extraction = request.getfixturevalue("in_process_extraction")
    with pytest.MonkeyPatch.context() as patch:
        extract_in_process(patch, extraction)
        yield request.param


def extract_in_process(patch: pytest.MonkeyPatch, extraction: InProcessExtraction) -> None:
    """Make runs extract their pages in this process, as long as the patch holds."""
    patch.setattr("pipelines.batch.page_writer.write_round", extraction.write_round)
    patch.setattr(
        "pipelines.batch.run.pools_for_cluster", lambda *arguments: plan_pools(cluster_cpus=2, cluster_gpus=0)
    )
