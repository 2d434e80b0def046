"""Ray's own autoscaler, with the node types of `cluster.yaml` on this machine: nodes come, are used, die and leave."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow.dataset as dataset
import pytest

from tests.autoscaled_cluster import REPOSITORY, AutoscaledCluster, autoscaled_cluster, wait_until

pytestmark = [pytest.mark.xdist_group("ray of its own"), pytest.mark.slow]

COPIES = 12
PAGES = COPIES * 7


@pytest.fixture
def corpus(samples_directory: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(COPIES):
        shutil.copy(samples_directory / "supplier-form-scanned.pdf", folder / f"{number}-scanned.pdf")
        shutil.copy(samples_directory / "supplier-form.pdf", folder / f"{number}-layer.pdf")
    return folder


def start_job(cluster: AutoscaledCluster, corpus: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobs.extract", "--model", "untrained", "--address", cluster.address]
    command += ["--input", str(corpus), "--output", str(output), "--report-pages", "1", *options]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **cluster.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def workers_of(raylets: list[psutil.Process]) -> tuple[int, int]:
    """How many actors of the job run on these nodes: those that read, each with a parser below it, and others."""
    readers = others = 0
    for raylet in raylets:
        for worker in raylet.children():
            with contextlib.suppress(psutil.Error):
                if "ray::MapWorker" in " ".join(worker.cmdline()):
                    has_parser = any(
                        "pipelines.stages.sandbox_worker" in child.cmdline() for child in worker.children()
                    )
                    readers, others = readers + has_parser, others + (not has_parser)
    return readers, others


def test_nodes_come_for_the_job_one_is_lost_and_all_leave(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with autoscaled_cluster({"ocr_a": 1, "ocr_b": 1, "gpu": 1}, idle_seconds=8) as cluster:

        def ocr() -> list[psutil.Process]:
            return cluster.node_processes("ocr_a") + cluster.node_processes("ocr_b")

        assert not ocr() and not cluster.node_processes("gpu"), "the head stands alone"
        job = start_job(cluster, corpus, output, "--read-workers", "4", "--model-workers", "1")
        try:
            wait_until(lambda: len(ocr()) == 2 or job.poll() is not None, 60, "two ocr nodes come")
            wait_until(lambda: cluster.node_processes("gpu") or job.poll() is not None, 60, "a gpu node comes")
            wait_until(lambda: list(output.glob("pages/*.parquet")) or job.poll() is not None, 90, "pages are written")
            assert job.poll() is None, job.communicate()[0]
            reading = workers_of(ocr()), workers_of(cluster.node_processes("gpu"))
            lost = ocr()[0]
            lost.kill()
            printed, _ = job.communicate(timeout=200)
        finally:
            job.kill()
        assert job.returncode == 0, printed
        (readers, _), (readers_on_gpus, models) = reading
        assert readers >= 1 and (readers_on_gpus, models) == (0, 1), "reading stays off the nodes with GPUs"
        assert f"{PAGES} pages: {PAGES} ok, 0 failed, 0 missing" in printed
        wait_until(lambda: not ocr() and not cluster.node_processes("gpu"), 60, "all nodes leave")
    record = json.loads((output / "run.json").read_text())
    assert record["status"] == "done" and record["pages"]["twice"] == 0
    assert record["pools"]["infer_gpus"] == 1 and record["pools"]["read_labels"] == {"layoutlmv2/pool": "ocr"}
    pages = dataset.dataset(output / "pages", format="parquet")
    keys = pages.to_table(columns=["document_id", "page_index"]).to_pylist()
    assert len({tuple(key.values()) for key in keys}) == len(keys) == PAGES


def test_a_job_that_has_no_place_says_within_a_minute_what_is_missing(corpus: Path, tmp_path: Path) -> None:
    with autoscaled_cluster({"ocr_a": 1}, idle_seconds=60) as cluster:
        job = start_job(cluster, corpus, tmp_path / "out", "--read-workers", "1")
        assert job.stdout is not None
        try:
            printed = next(line for line in job.stdout if "still waiting" in line)
        finally:
            job.kill()
    assert "the model: a node with 1 GPU" in printed and "reading" not in printed


def test_the_pool_of_models_grows_when_pages_queue_and_shrinks_when_they_do_not() -> None:
    command = [sys.executable, "-m", "tests.pipelines.batch.run_growing_pool"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])[:4] == [0, 1, 2, 1]
