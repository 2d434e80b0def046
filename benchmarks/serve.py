"""What does the endpoint cost compared with direct calls of the same stages, and how does it behave under overload?

    python -m benchmarks.serve --quick
    python -m benchmarks.serve [--placements together apart] [--seconds 6] [--clients 4 16 64] [--loads 0.5 1 1.5 2]
    python -m benchmarks.serve --soak-minutes 10

Starts `python -m jobs.serve` on 127.0.0.1, with the model `together` with the reading of pages or `apart`, and sends
three kinds of page: one with a text layer (the first page of `--form`), one that is read by OCR (`--scan`), and the
same with its words provided. In the same run, while the endpoint is idle, the same stages are called directly:
alternating with requests for the latency (`added`: the median of the differences), and as a batch for the throughput,
with one reading process per CPU and the model over their results, before and after the loops.
`benchmarks.bare_serve` measures what the way of a request costs if nothing is done with it.

Closed loops: a number of clients, each of which sends its next request when it has an answer, or when the `Retry-After`
of a refusal has passed. Open loops: requests at a fixed rate, whatever becomes of them, in multiples of the best
throughput of the closed loops. Each loop settles for as long as it is then measured. `goodput` is responses with 200 a
second within the time limit, `shed` the share of 429 and 503, `late` the share of requests without any response within
the time limit plus a second. The load comes from the same machine and takes a part of it.

`--quick` takes less than four minutes on two idle cores: pages with a text layer in both placements, scans in the
first, with one client, sixteen, and twice the best rate.

`--soak-minutes` sends both kinds without a pause instead, and prints the memory of the endpoint's processes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in predictors; before PyTorch is loaded
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

import asyncio
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import psutil
import tyro

from benchmarks.free_port import free_port
from benchmarks.plan import SAMPLES
from jobs.serve import Options as ServeJob
from pipelines.schema import Row
from pipelines.serving.document_reader import DocumentReader, ReadRequest
from pipelines.serving.model_runner import load_stages
from pipelines.serving.options import ServeOptions
from pipelines.serving.provided_words import ProvidedWords
from pipelines.serving.sizing import PlacementChoice

WARM_UP = 3
PATIENCE_SECONDS = 5.0
"""How long a client waits beyond the time limit."""

BATCH_PAGES = 8
SOAK_CLIENTS = 4
SOAK_SAMPLES = 20


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.serve`."""

    form: Path = SAMPLES / "supplier-form.pdf"
    """PDF whose first page has a text layer."""
    scan: Path = SAMPLES / "invoice.png"
    """Image of a page."""
    clients: tuple[int, ...] = (4, 16, 64)
    """Numbers of clients of the closed loops."""
    loads: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """Rates of the open loops, in multiples of the best throughput."""
    seconds: float = 6.0
    """How long each loop is measured, after it has settled for as long."""
    direct_pages: int = 24
    """Pages of each kind, for direct calls and for requests that alternate with them."""
    time_limit_seconds: float = 20.0
    """Time limit of a request."""
    max_requests: int = 64
    """Requests that the endpoint answers at a time."""
    soak_minutes: float = 0.0
    """Minutes of load without a pause, instead of all this."""
    placements: tuple[PlacementChoice, ...] = ("together", "apart")
    """Where the model runs, one endpoint after the other."""
    model_replicas: int | None = None
    """Processes that run models; by default as many as the endpoint chooses."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """The short form."""


@dataclass(frozen=True)
class Kind:
    """A kind of request: a document, the pages selected, and their words if they need not be read."""

    name: str
    path: Path
    pages: str | None = None
    words: ProvidedWords | None = None

    def content(self) -> bytes:
        return self.path.read_bytes()

    def fields(self) -> dict[str, str]:
        """Of the form, beside the file."""
        fields = {} if self.pages is None else {"pages": self.pages}
        if self.words is not None:
            fields |= {"words": json.dumps(self.words.words), "boxes": json.dumps(self.words.boxes)}
        return fields


@dataclass(frozen=True)
class Outcome:
    """A request that has ended: its status, 0 for none; its duration; when it ended, by `time.perf_counter`."""

    status: int
    seconds: float
    ended_at: float


@dataclass
class Loop:
    """The outcomes of a loop that settles for `measured_seconds` and is then measured for as long."""

    measured_seconds: float
    limit: float
    outcomes: list[Outcome] = field(default_factory=list)
    started_at: float = field(default_factory=time.perf_counter)

    @property
    def end(self) -> float:
        """When the last requests are sent."""
        return self.started_at + 2 * self.measured_seconds

    def measured(self) -> list[Outcome]:
        """Of requests that ended while the loop was measured."""
        start = self.end - self.measured_seconds
        return [outcome for outcome in self.outcomes if start <= outcome.ended_at <= self.end]

    @property
    def good(self) -> list[float]:
        """Durations of the requests that were answered in time, sorted."""
        in_time = (outcome for outcome in self.measured() if outcome.seconds <= self.limit + 1)
        return sorted(outcome.seconds for outcome in in_time if outcome.status == 200)

    @property
    def goodput(self) -> float:
        """Responses a second."""
        return len(self.good) / self.measured_seconds

    def cells(self) -> list[str]:
        """Of a table: p50, p95, p99 (ms), goodput, shed, late."""
        good, measured = self.good, self.measured()
        shed = sum(outcome.status in (429, 503) for outcome in measured) / max(1, len(measured))
        late = [outcome for outcome in self.outcomes if outcome.seconds > self.limit + 1 or outcome.status == 0]
        quantiles = [f"{1000 * quantile(good, share):.0f}" if good else "-" for share in (0.5, 0.95, 0.99)]
        return [*quantiles, f"{self.goodput:.2f}", f"{shed:.1%}", f"{len(late) / max(1, len(self.outcomes)):.1%}"]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of a sorted sequence."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def endpoint(options: Options, placement: PlacementChoice) -> Iterator[tuple[str, psutil.Process]]:
    """A running endpoint: its address and its process."""
    port = free_port()
    words = ["--port", str(port), "--request-time-limit-seconds", str(options.time_limit_seconds)]
    words += ["--max-requests", str(options.max_requests), "--placement", placement]
    if options.model_replicas is not None:
        words += [
            "--min-model-replicas",
            str(options.model_replicas),
            "--max-model-replicas",
            str(options.model_replicas),
        ]
    command = [sys.executable, "-m", "jobs.serve", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            if not any(line.startswith("serving on") for line in process.stdout):
                raise SystemExit("the endpoint does not start; try python -m jobs.serve")
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)


async def send(client: httpx.AsyncClient, kind: Kind, content: bytes, loop: Loop) -> float:
    """Send one request and record its outcome; returns the seconds after which a refused one may be sent again."""
    started, retry_after = time.perf_counter(), 0.0
    try:
        files = {"file": (kind.path.name, content)}
        response = await client.post(
            "/v1/extract", files=files, data=kind.fields(), timeout=loop.limit + PATIENCE_SECONDS
        )
        ok = response.status_code == 200 and '"status":"failed"' not in response.text
        status = response.status_code if ok or response.status_code != 200 else 500
        retry_after = float(response.headers.get("retry-after", 0))
    except httpx.HTTPError:
        status = 0
    now = time.perf_counter()
    loop.outcomes.append(Outcome(status, now - started, now))
    return retry_after


async def closed_loop(url: str, kind: Kind, clients: int, seconds: float, limit: float) -> Loop:
    """Clients with one request at a time; one that is refused waits for the time that the refusal names."""
    content = kind.content()
    async with _client(url) as client:
        loop = Loop(seconds, limit)

        async def one_client() -> None:
            while time.perf_counter() < loop.end:
                await asyncio.sleep(await send(client, kind, content, loop))

        await asyncio.gather(*(one_client() for _ in range(clients)))
    return loop


async def open_loop(url: str, kind: Kind, rate: float, seconds: float, limit: float) -> Loop:
    """`rate` requests a second, whatever becomes of them."""
    content, tasks = kind.content(), []
    async with _client(url) as client:
        loop = Loop(seconds, limit)
        for index in range(max(1, int(rate * 2 * seconds))):
            await asyncio.sleep(max(0.0, loop.started_at + index / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(send(client, kind, content, loop)))
        await asyncio.gather(*tasks)
    return loop


def alternate(url: str, direct: Direct, kind: Kind, pages: int) -> tuple[list[float], list[float]]:
    """Seconds of a direct call and of a request right after it, for each page."""
    content, direct_seconds, request_seconds = kind.content(), [], []
    with httpx.Client(base_url=url, trust_env=False) as client:
        for number in range(pages + WARM_UP):
            started = time.perf_counter()
            direct.answer(kind, content, number)
            between = time.perf_counter()
            files = {"file": (kind.path.name, content)}
            client.post("/v1/extract", files=files, data=kind.fields(), timeout=60).raise_for_status()
            direct_seconds.append(between - started)
            request_seconds.append(time.perf_counter() - between)
    return direct_seconds[WARM_UP:], request_seconds[WARM_UP:]


def _client(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    return httpx.AsyncClient(base_url=url, limits=limits, trust_env=False)


class Direct:
    """The same stages in this process, without Serve."""

    def __init__(self, options: ServeOptions, cpus: int) -> None:
        self.model = options.models[0].name
        self.readers = [DocumentReader(options) for _ in range(cpus)]
        for reader in self.readers:
            reader.warm_up()
        self.stages = load_stages(options, options.models[0])

    def read(self, kind: Kind, content: bytes, number: int) -> Row:
        """A page, opened and read as in a request."""
        listed = {"document_id": f"{number:016x}", "uri": kind.path.name, "size_bytes": len(content), "etag": None}
        request = ReadRequest(f"{kind.name.split()[0]}{number}", listed, self.model, pages=kind.pages, words=kind.words)
        _, row = self.readers[number % len(self.readers)].open_and_read(request, content)
        assert row is not None and row["status"] == "ok", row
        return row

    def answer(self, kind: Kind, content: bytes, number: int) -> None:
        """Read and answer one page."""
        self.stages.answers([self.read(kind, content, number * len(self.readers))])

    def throughput(self, kind: Kind, pages: int) -> float:
        """Pages a second, read on all CPUs while the model runs over those already read, several at a time."""
        content, threads = kind.content(), [ThreadPoolExecutor(1) for _ in self.readers]
        started = time.perf_counter()
        futures = [threads[number % len(threads)].submit(self.read, kind, content, number) for number in range(pages)]
        for first in range(0, pages, BATCH_PAGES):
            self.stages.answers([future.result() for future in futures[first : first + BATCH_PAGES]])
        seconds = time.perf_counter() - started
        for thread in threads:
            thread.shutdown()
        return pages / seconds


def main() -> None:
    """Print the tables."""
    options = tyro.cli(Options, description=__doc__)
    kinds = [Kind("text layer", options.form, "1"), Kind("scan", options.scan)]
    if options.soak_minutes:
        with endpoint(options, options.placements[0]) as (url, process):
            asyncio.run(soak(url, process, kinds, options))
        return
    print(row("kind", "load", "p50 ms", "p95 ms", "p99 ms", "goodput /s", "shed", "late"))
    print(row(*["---"] * 8), flush=True)
    cpus = len(os.sched_getaffinity(0))
    direct = Direct(ServeJob(placement="apart").serve_options(cpus, 0), cpus)
    if options.quick:
        options = replace(options, clients=(16,), loads=(2.0,), seconds=5.0, direct_pages=12)
    else:
        read = direct.read(kinds[-1], kinds[-1].content(), 0)
        kinds.append(Kind("words given", options.scan, words=ProvidedWords(read["words"], read["boxes"])))
    for placement in options.placements:
        with endpoint(options, placement) as (url, _):
            for kind in kinds[:1] if options.quick and placement == "apart" else kinds:
                measure(url, direct, replace(kind, name=f"{kind.name} {placement}"), options)


def measure(url: str, direct: Direct, kind: Kind, options: Options) -> None:
    """Measure one kind, directly and through the endpoint."""
    called, requested = alternate(url, direct, kind, options.direct_pages)
    added = 1000 * statistics.median(after - before for before, after in zip(called, requested, strict=True))
    latencies = {"direct, one by one": called, f"1 client, by turns with it: added {added:.0f}": requested}
    for name, seconds in latencies.items():
        quantiles = [f"{1000 * quantile(sorted(seconds), share):.0f}" for share in (0.5, 0.95, 0.99)]
        print(row(kind.name, name, *quantiles, f"{1 / statistics.mean(seconds):.2f}", "", ""))
    before = direct.throughput(kind, options.direct_pages)
    print(row(kind.name, "direct, batch", "", "", "", f"{before:.2f}", "", ""), flush=True)
    best = 0.0
    for clients in options.clients:
        loop = asyncio.run(closed_loop(url, kind, clients, options.seconds, options.time_limit_seconds))
        best = max(best, loop.goodput)
        name = f"{clients} client" + "s" * (clients > 1)
        print(row(kind.name, name, *loop.cells()), flush=True)
    after = direct.throughput(kind, options.direct_pages)
    print(row(kind.name, "direct, batch, once more", "", "", "", f"{after:.2f}", "", ""), flush=True)
    for load in options.loads:
        loop = asyncio.run(open_loop(url, kind, load * best, options.seconds, options.time_limit_seconds))
        name = f"open, {load:g} x best ({load * best:.1f} /s)"
        print(row(kind.name, name, *loop.cells()), flush=True)


async def soak(url: str, process: psutil.Process, kinds: list[Kind], options: Options) -> None:
    """Send both kinds without a pause, and print the endpoint's memory meanwhile."""
    seconds = options.soak_minutes * 60
    started = time.perf_counter()
    loads = [
        asyncio.create_task(closed_loop(url, kind, SOAK_CLIENTS // len(kinds), seconds / 2, options.time_limit_seconds))
        for kind in kinds
    ]
    print(row("minute", "gateway MB", "reader MB", "predictor MB", "all MB"))
    print(row(*["---"] * 5))
    for sample in range(1, SOAK_SAMPLES + 1):
        await asyncio.sleep(max(0.0, started + sample * seconds / SOAK_SAMPLES - time.perf_counter()))
        cells = [f"{memory(process, name) / 1e6:.0f}" for name in (":Gateway", ":Reader", ":Predictor", "")]
        print(row(f"{(time.perf_counter() - started) / 60:.1f}", *cells), flush=True)
    loops = await asyncio.gather(*loads)
    for kind, loop in zip(kinds, loops, strict=True):
        print(f"{kind.name}: {len(loop.outcomes)} requests; in the second half {', '.join(loop.cells())}")


def memory(process: psutil.Process, name: str) -> int:
    """Bytes of the process's descendants that have `name` in their command, and of the processes below those."""
    chosen: dict[int, psutil.Process] = {}
    for child in process.children(recursive=True):
        try:
            if name in " ".join(child.cmdline()):
                chosen |= {one.pid: one for one in (child, *child.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    total = 0
    for one in chosen.values():
        try:
            info = one.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        total += info.uss
    return total


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
