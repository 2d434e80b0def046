"""Interruptions: whatever dies on the way, in the end each page is there once, as in an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.storage.files import Storage, join_uri
from tests.pipelines.batch.test_run import rows_of, without_clock
from tests.s3_proxy import Mode, start_s3_proxy
from tests.s3_server import S3Server

pytestmark = pytest.mark.xdist_group("ray of its own")

TOKENS = ExtractOptions(model="untrained")
COPIES = 12
REPOSITORY = Path(__file__).resolve().parents[3]
SEED = 0


@pytest.fixture(scope="module")
def corpus(samples_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dozen documents, some of them scans, one that cannot be read."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(COPIES):
        shutil.copy(samples_directory / "supplier-form.pdf", folder / f"form-{number:02d}.pdf")
        shutil.copy(samples_directory / "delivery-schedule-rotated.pdf", folder / f"schedule-{number:02d}.pdf")
    shutil.copy(samples_directory / "fax-two-pages.tiff", folder / "fax.tiff")
    shutil.copy(samples_directory / "agreement-cut-short.pdf", folder / "cut-short.pdf")
    return folder


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    assert run(RunOptions((str(corpus),), str(output), TOKENS))["status"] == "done"
    return output


def rounded(value: Any) -> Any:
    """Scores depend a little on how many threads the model has."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def assert_as_undisturbed(output: str | Path, undisturbed: Path) -> None:
    for table in ("documents", "pages"):
        rows, wanted = (rounded(without_clock(rows_of(position, table))) for position in (output, undisturbed))
        assert len(rows) == len(wanted)
        for row, other in zip(rows, wanted, strict=True):
            assert row == other


def start_job(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobs.extract", "--model", "untrained", *arguments]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def descendants(word: str) -> list[psutil.Process]:
    """Processes under this one whose command line says `word`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if word in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # it has just ended
    return found


def wait_for(what: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)


def drivers_killed(corpus: Path, output: Path, undisturbed: Path, kills: int) -> None:
    import ray

    address = ray.get_runtime_context().gcs_address
    chance = random.Random(SEED)
    arguments = ("--input", str(corpus), "--output", str(output), "--address", address, "--report-pages", "1")
    finished = 0
    for _ in range(kills):
        job = start_job(*arguments)
        try:
            job.wait(timeout=chance.uniform(2, 14))
            finished += 1
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        for path in output.rglob("*"):
            if path.suffix == ".parquet":
                pq.read_table(path)
            assert path.is_dir() or path.suffix in (".parquet", ".json", ".html") or path.name.startswith("."), path
    last = start_job(*arguments)
    told, _ = last.communicate(timeout=240)
    assert last.returncode == 0, told
    assert finished < kills, "some were really killed"
    assert json.loads((output / "run.json").read_text())["status"] == "done"
    assert_as_undisturbed(output, undisturbed)


@pytest.mark.usefixtures("ray_cluster")
def test_a_driver_that_is_killed_again_and_again_gets_there(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    drivers_killed(corpus, tmp_path / "out", undisturbed, kills=3)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_driver_that_is_killed_twenty_times_gets_there(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    drivers_killed(corpus, tmp_path / "out", undisturbed, kills=20)


@pytest.mark.usefixtures("ray_cluster")
def test_workers_that_die_cost_nothing_but_time(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    output, chance, killed = tmp_path / "out", random.Random(SEED), []
    done = threading.Event()

    def kill() -> None:
        """The parsers' processes, reading actors, the model's actor: one after the other, from listing to the end."""
        wait_for(lambda: descendants("sandbox_process") or done.is_set())
        for word in ("sandbox_process", "ray::MapWorker", "ray::MapWorker", "sandbox_process", "ray::MapWorker"):
            victims = descendants(word)
            if victims and not done.is_set():
                victim = chance.choice(victims)
                victim.kill()
                killed.append(word)
            done.wait(1.0)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        record = run(RunOptions((str(corpus),), str(output), TOKENS))
    finally:
        done.set()
        killer.join()
    assert len(set(killed)) == 2, f"killed only {killed}"
    assert record["status"] == "done"
    assert_as_undisturbed(output, undisturbed)


@pytest.fixture
def corpus_in_s3(corpus: Path, s3_prefix: str) -> str:
    storage = Storage()
    for path in corpus.iterdir():
        storage.write(join_uri(s3_prefix, "in", path.name), path.read_bytes())
    return s3_prefix


@pytest.fixture
def outages(request: pytest.FixtureRequest) -> Iterator[tuple[tuple[Mode, float], ...]]:
    yield request.param


@pytest.mark.slow
@pytest.mark.parametrize(
    "outages",
    [
        pytest.param((("503", 3.0), ("cut", 3.0)), id="a few seconds"),
        pytest.param((("down", 20.0), ("500", 10.0), ("cut", 10.0)), id="half a minute"),
    ],
    indirect=True,
)
def test_a_server_that_fails_for_a_while_is_waited_for(
    outages: tuple[tuple[Mode, float], ...], corpus_in_s3: str, undisturbed: Path, s3_server: S3Server
) -> None:
    output = join_uri(corpus_in_s3, "out")
    with start_s3_proxy(s3_server.endpoint) as proxy:
        job = start_job(*("--input", join_uri(corpus_in_s3, "in"), "--output", output), AWS_ENDPOINT_URL=proxy.endpoint)
        wait_for(lambda: list(Storage().list_existing(join_uri(output, "documents"))) or job.poll() is not None)
        disturbed = 0
        for mode, seconds in outages:
            proxy.fail(mode)
            time.sleep(seconds)
            disturbed += proxy.connections
            proxy.fail("pass")
            time.sleep(0.5)
        told, _ = job.communicate(timeout=240)
    assert job.returncode == 0, told
    assert disturbed, "nothing was asked of the server while it failed"
    assert_as_undisturbed(output, undisturbed)


@pytest.mark.slow
def test_whole_nodes_that_die_cost_nothing_but_time(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.pipelines.batch.run_while_nodes_die", str(corpus), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    [told] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"status"')]
    assert told["nodes_killed"] >= 1 and told["status"] == "done"
    assert_as_undisturbed(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_interrupting_ends_cleanly_and_says_how_to_go_on(corpus: Path, tmp_path: Path) -> None:
    job = start_job("--input", str(corpus), "--output", str(tmp_path / "out"))
    started = psutil.Process(job.pid)
    wait_for(lambda: list((tmp_path / "out").glob("pages/*.parquet")) or job.poll() is not None)
    assert job.poll() is None, job.communicate()[0]
    below = started.children(recursive=True)
    os.kill(job.pid, signal.SIGINT)
    told, _ = job.communicate(timeout=120)
    assert job.returncode == 130, told
    assert "the same command goes on from there" in told and "Traceback" not in told
    _, alive = psutil.wait_procs(below, timeout=30)
    assert not alive, [process.cmdline() for process in alive]
