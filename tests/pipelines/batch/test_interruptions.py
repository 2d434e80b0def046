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
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from jobs.extract import Options
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.storage.files import Storage, join_uri
from tests.pipelines.batch.execution import extract_in_process
from tests.pipelines.batch.output_rows import rows_of, without_clock
from tests.s3_proxy import Mode, start_s3_proxy
from tests.s3_server import S3Server

pytestmark = pytest.mark.xdist_group("ray of its own")

TOKENS = ExtractOptions(model="untrained")
COPIES, FEW_COPIES = 12, 2
REPOSITORY = Path(__file__).resolve().parents[3]
SEED = 0

PARSER, ACTOR = "pipelines.stages.sandbox_worker", "ray::MapWorker"
"""Words in the command lines of the processes that parse documents, and of the actors that read and infer."""

ON_RAY = ("--model-workers", "2")
"""With several workers of the model a job starts Ray, however few its pages are."""


def make_corpus(folder: Path, samples: Path, fax: Path, copies: int) -> Path:
    """Documents of which some are scans, and one cannot be read."""
    for number in range(copies):
        shutil.copy(samples / "supplier-form.pdf", folder / f"form-{number:02d}.pdf")
        shutil.copy(samples / "delivery-schedule-rotated.pdf", folder / f"schedule-{number:02d}.pdf")
    shutil.copy(fax, folder / "fax.tiff")
    shutil.copy(samples / "agreement-cut-short.pdf", folder / "cut-short.pdf")
    return folder


@pytest.fixture(scope="module")
def corpus(samples_directory: Path, short_fax: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dozen documents, for the slow tests."""
    return make_corpus(tmp_path_factory.mktemp("corpus"), samples_directory, short_fax, COPIES)


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    assert run(RunOptions((str(corpus),), str(output), TOKENS))["status"] == "done"
    return output


@pytest.fixture(scope="module")
def few(samples_directory: Path, short_fax: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the same documents."""
    return make_corpus(tmp_path_factory.mktemp("few"), samples_directory, short_fax, FEW_COPIES)


@pytest.fixture(scope="module")
def few_undisturbed(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an undisturbed run over them, in this process."""
    output = tmp_path_factory.mktemp("few-undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        extract_in_process(patch)
        options = RunOptions((str(few),), str(output), TOKENS, report_pages=0, read_workers=1)
        assert run(options)["status"] == "done"
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
        rows, expected = (rounded(without_clock(rows_of(folder, table))) for folder in (output, undisturbed))
        assert len(rows) == len(expected)
        for row, other in zip(rows, expected, strict=True):
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
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
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


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition does not become true"
        time.sleep(0.05)


def ray_address() -> str:
    import ray

    return ray.get_runtime_context().gcs_address


def assert_files_are_whole(output: Path) -> None:
    """Each file can be read, or is a temporary one that nothing reads."""
    for path in output.rglob("*"):
        if path.suffix == ".parquet":
            pq.read_table(path)
        assert path.is_dir() or path.suffix in (".parquet", ".json", ".html") or path.name.startswith("."), path


@pytest.mark.usefixtures("ray_cluster")
def test_a_run_goes_on_where_a_killed_driver_stopped(
    few: Path,
    few_undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "out"
    job = start_job("--input", str(few), "--output", str(output), "--address", ray_address(), "--read-workers", "1")
    wait_for(lambda: list(output.glob("pages/*.parquet")) or job.poll() is not None)
    assert job.poll() is None, job.communicate()[0]
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    assert_files_are_whole(output)
    assert json.loads((output / "run.json").read_text())["status"] == "running"
    written = len(rows_of(output, "pages"))
    extract_in_process(monkeypatch)
    record = run(Options((str(few),), str(output), model="untrained", report_pages=0).run_options())
    assert record["status"] == "done" and 0 < record["pages_this_run"] <= record["pages"]["expected"] - written
    assert_as_undisturbed(output, few_undisturbed)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("kills", [3, 20])
def test_a_driver_that_is_killed_again_and_again_gets_there(
    kills: int, corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    output, chance = tmp_path / "out", random.Random(SEED)
    arguments = ("--input", str(corpus), "--output", str(output), "--address", ray_address(), "--report-pages", "1")
    finished = 0
    for _ in range(kills):
        job = start_job(*arguments)
        try:
            job.wait(timeout=chance.uniform(2, 8))
            finished += 1
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        assert_files_are_whole(output)
    last = start_job(*arguments)
    printed, _ = last.communicate(timeout=240)
    assert last.returncode == 0, printed
    assert finished < kills, "some were really killed"
    assert json.loads((output / "run.json").read_text())["status"] == "done"
    assert_as_undisturbed(output, undisturbed)


@pytest.fixture(params=[pytest.param("folder", marks=pytest.mark.slow), "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where the drivers that die write to."""
    yield str(tmp_path / "out") if request.param == "folder" else request.getfixturevalue("s3_prefix")


@pytest.mark.parametrize("kills", [4, pytest.param(35, marks=pytest.mark.slow)])
def test_drivers_that_are_killed_hindered_or_overtaken_leave_the_same_rows(
    kills: int, output: str, samples_directory: Path, tmp_path: Path
) -> None:
    """Killed at any time, in the last phase too; two at once; clocks an hour off; a full disk; expired credentials."""
    source = tmp_path / "in"
    source.mkdir()
    for name in ("supplier-form.pdf", "delivery-schedule-rotated.pdf", "agreement-cut-short.pdf"):
        shutil.copy(samples_directory / name, source)
    command = [sys.executable, "-m", "tests.pipelines.batch.run_while_drivers_die"]
    arguments = [str(source), output, str(kills)]
    done = subprocess.run(
        [*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])["happened"]
    assert any(key.startswith("kill") and key.endswith("-9") for key in told), told
    assert any(key.endswith(": 4") for key in told), f"a full disk, or expired credentials, ends a run: {told}"
    undisturbed = tmp_path / "undisturbed"
    layer = ExtractOptions("untrained", rasterize=RasterizeOptions(text="layer"))
    run(RunOptions((str(source),), str(undisturbed), layer, report_pages=1), lambda: None)
    assert_as_undisturbed(output, undisturbed)
    record = json.loads(Storage().read(join_uri(output, "run.json")))
    assert record["status"] == "done" and record["damaged"] == []
    names = {
        stored.uri.rsplit("/", 2)[-2:][0] + "/" + stored.uri.rsplit("/", 1)[-1] for stored in Storage().list(output)
    }
    manifests = {name.removeprefix("manifests/") for name in names if name.startswith("manifests/")}
    assert manifests == {name.removeprefix("pages/") for name in names if name.startswith("pages/")}, "all is compacted"


def run_while_workers_die(options: RunOptions, victims: Sequence[str]) -> dict[str, Any]:
    """A run of which processes are killed: for each of `victims`, one whose command line contains it."""
    chance, killed, done = random.Random(SEED), list[str](), threading.Event()

    def kill() -> None:
        for word in victims:
            wait_for(lambda word=word: descendants(word) or done.is_set())
            found = descendants(word)
            if found and not done.is_set():
                chance.choice(found).kill()
                killed.append(word)
            done.wait(1.0)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        record = run(options)
    finally:
        done.set()
        killer.join()
    assert set(killed) == set(victims), f"killed only {killed}"
    return record


@pytest.mark.usefixtures("ray_cluster")
def test_workers_that_die_cost_nothing_but_time(few: Path, few_undisturbed: Path, tmp_path: Path) -> None:
    options = RunOptions((str(few),), str(tmp_path), TOKENS, report_pages=0)
    record = run_while_workers_die(options, victims=(PARSER, ACTOR, PARSER))
    assert record["status"] == "done"
    assert_as_undisturbed(tmp_path, few_undisturbed)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_workers_that_die_again_and_again_cost_nothing_but_time(
    corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Parsers, reading actors, the model's actor: one after the other, from the listing to the end."""
    options = RunOptions((str(corpus),), str(tmp_path), TOKENS)
    record = run_while_workers_die(options, victims=(PARSER, ACTOR, ACTOR, PARSER, ACTOR))
    assert record["status"] == "done"
    assert_as_undisturbed(tmp_path, undisturbed)


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
        arguments = ("--input", join_uri(corpus_in_s3, "in"), "--output", output, *ON_RAY)
        job = start_job(*arguments, AWS_ENDPOINT_URL=proxy.endpoint)
        wait_for(lambda: list(Storage().list_existing(join_uri(output, "documents"))) or job.poll() is not None)
        disturbed = 0
        for mode, seconds in outages:
            proxy.fail(mode)
            time.sleep(seconds)
            disturbed += proxy.connections
            proxy.fail("pass")
            time.sleep(0.5)
        printed, _ = job.communicate(timeout=240)
    assert job.returncode == 0, printed
    assert disturbed, "no request reached the server while it failed"
    assert_as_undisturbed(output, undisturbed)


@pytest.mark.slow
def test_whole_nodes_that_die_cost_nothing_but_time(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.pipelines.batch.run_while_nodes_die", str(corpus), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    [printed] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"status"')]
    assert printed["nodes_killed"] >= 1 and printed["status"] == "done"
    assert_as_undisturbed(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_interrupting_ends_cleanly_and_says_how_to_go_on(corpus: Path, tmp_path: Path) -> None:
    job = start_job("--input", str(corpus), "--output", str(tmp_path / "out"), *ON_RAY)
    started = psutil.Process(job.pid)
    wait_for(lambda: list((tmp_path / "out").glob("pages/*.parquet")) or job.poll() is not None)
    assert job.poll() is None, job.communicate()[0]
    below = started.children(recursive=True)
    os.kill(job.pid, signal.SIGINT)
    printed, _ = job.communicate(timeout=120)
    assert job.returncode == 130, printed
    assert "the same command goes on from there" in printed and "Traceback" not in printed
    _, alive = psutil.wait_procs(below, timeout=30)
    assert not alive, [process.cmdline() for process in alive]
