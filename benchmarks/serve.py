"""What does the endpoint cost beside a direct call of the same stages, and what does it do under too much load?

    python -m benchmarks.serve [--seconds 6] [--clients 4 16 64] [--loads 0.5 1 1.5 2] [--soak-minutes 10]

Starts `python -m jobs.serve` on 127.0.0.1 and asks it for three kinds of page: one with a text layer (the first page
of `--form`), one that is read by OCR (`--scan`), and that one with its words given. In the same run, while the endpoint
has nothing to do, the same stages are called directly: by turns with a request for the latency (`added`: the median of
the differences), and as a batch for the throughput, with a reading process a CPU and the model over what they give,
before and after the loops. Before all that, `benchmarks.bare_serve` tells what Serve takes for a chain of deployments
that do nothing.

Closed loops: so many clients, each of which sends its next request when it has an answer, or when a refusal's
`Retry-After` is over. Open loops: requests at a rate, whatever becomes of them, in multiples of the best throughput of
the closed loops. Each loop settles for as long as it is then measured. `goodput` is answers of 200 a second within the
time limit, `shed` the share of 429 and 503, `late` the share of requests that had no answer of any kind within the time
limit and a second. The load comes from the same machine and takes a part of it.

`--soak-minutes` asks for both kinds without a pause instead, and tells the memory of the endpoint's processes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the model's replicas have it, before PyTorch is loaded
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

import asyncio
import json
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import tyro

from benchmarks.plan import SAMPLES
from jobs.serve import Options as ServeJob
from pipelines.schema import Row
from pipelines.serving.document_reader import DocumentReader, ReadRequest
from pipelines.serving.options import ServeOptions
from pipelines.serving.predictor import load_stages
from pipelines.serving.provided_words import ProvidedWords

WARM_UP = 3
PATIENCE_SECONDS = 5.0
"""That a client waits beyond the time limit."""

BATCH_PAGES = 8
SOAK_CLIENTS = 4
SOAK_LOOKS = 20


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.serve`."""

    form: Path = SAMPLES / "supplier-form.pdf"
    """PDF whose first page has a text layer."""
    scan: Path = SAMPLES / "invoice.png"
    """Image of a page."""
    clients: tuple[int, ...] = (4, 16, 64)
    """Of the closed loops."""
    loads: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """Of the open loops, in multiples of the best throughput."""
    seconds: float = 6.0
    """That each loop is measured, after it has settled for as long."""
    direct_pages: int = 24
    """Of each kind, called directly, and by turns with a request."""
    time_limit_seconds: float = 20.0
    """Of a request."""
    max_requests: int = 64
    """That the endpoint answers at a time."""
    soak_minutes: float = 0.0
    """Instead of all this, load without a pause."""


@dataclass(frozen=True)
class Kind:
    """A kind of request: a document, which of its pages, and their words where they need not be read."""

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
    """What became of a request: the status, 0 for none; how long it took; when it was over."""

    status: int
    seconds: float
    at: float


@dataclass
class Loop:
    """What became of the requests of a loop that settles for so many seconds and is measured for as many."""

    measured_seconds: float
    limit: float
    outcomes: list[Outcome] = field(default_factory=list)
    begun: float = field(default_factory=time.perf_counter)

    @property
    def end(self) -> float:
        """When no request is sent any more."""
        return self.begun + 2 * self.measured_seconds

    def measured(self) -> list[Outcome]:
        """Those that were over while it was measured."""
        return [one for one in self.outcomes if self.end - self.measured_seconds <= one.at <= self.end]

    @property
    def good(self) -> list[float]:
        """Seconds of those that were answered in time, sorted."""
        return sorted(one.seconds for one in self.measured() if one.status == 200 and one.seconds <= self.limit + 1)

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return len(self.good) / self.measured_seconds

    def line(self) -> list[str]:
        """Cells of a table: p50, p95, p99 (ms), goodput, shed, late."""
        good, measured = self.good, self.measured()
        shed = sum(one.status in (429, 503) for one in measured) / max(1, len(measured))
        late = sum(one.seconds > self.limit + 1 or one.status == 0 for one in self.outcomes) / max(
            1, len(self.outcomes)
        )
        marks = [f"{1000 * quantile(good, share):.0f}" if good else "-" for share in (0.5, 0.95, 0.99)]
        return [*marks, f"{self.goodput:.2f}", f"{shed:.1%}", f"{late:.1%}"]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of a sorted sequence."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def endpoint(options: Options) -> Iterator[tuple[str, psutil.Process]]:
    """A running one: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--port", str(port), "--request-time-limit-seconds", str(options.time_limit_seconds)]
    words += ["--max-requests", str(options.max_requests)]
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
    """One request, and what became of it; returns the seconds after which a refused one may be tried again."""
    started, again = time.perf_counter(), 0.0
    try:
        files = {"file": (kind.path.name, content)}
        response = await client.post(
            "/v1/extract", files=files, data=kind.fields(), timeout=loop.limit + PATIENCE_SECONDS
        )
        ok = response.status_code == 200 and '"status":"failed"' not in response.text
        status = response.status_code if ok or response.status_code != 200 else 500
        again = float(response.headers.get("retry-after", 0))
    except httpx.HTTPError:
        status = 0
    now = time.perf_counter()
    loop.outcomes.append(Outcome(status, now - started, now))
    return again


async def closed_loop(url: str, kind: Kind, clients: int, seconds: float, limit: float) -> Loop:
    """So many clients, each with one request at a time; one that is refused waits as long as it is told to."""
    content = kind.content()
    async with _client(url) as client:
        loop = Loop(seconds, limit)

        async def one_client() -> None:
            while time.perf_counter() < loop.end:
                await asyncio.sleep(await send(client, kind, content, loop))

        await asyncio.gather(*(one_client() for _ in range(clients)))
    return loop


async def open_loop(url: str, kind: Kind, rate: float, seconds: float, limit: float) -> Loop:
    """So many requests a second, whatever becomes of them."""
    content, tasks = kind.content(), []
    async with _client(url) as client:
        loop = Loop(seconds, limit)
        for index in range(max(1, int(rate * 2 * seconds))):
            await asyncio.sleep(max(0.0, loop.begun + index / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(send(client, kind, content, loop)))
        await asyncio.gather(*tasks)
    return loop


def by_turns(url: str, direct: Direct, kind: Kind, pages: int) -> tuple[list[float], list[float]]:
    """Seconds of the direct call and of a request right after it, page by page."""
    content, called, asked = kind.content(), [], []
    with httpx.Client(base_url=url, trust_env=False) as client:
        for number in range(pages + WARM_UP):
            begun = time.perf_counter()
            direct.answer(kind, content, number)
            between = time.perf_counter()
            files = {"file": (kind.path.name, content)}
            client.post("/v1/extract", files=files, data=kind.fields(), timeout=60).raise_for_status()
            called.append(between - begun)
            asked.append(time.perf_counter() - between)
    return called[WARM_UP:], asked[WARM_UP:]


def _client(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    return httpx.AsyncClient(base_url=url, limits=limits, trust_env=False)


class Direct:
    """The same stages in this process, without Serve: what a page costs alone, and in a batch."""

    def __init__(self, options: ServeOptions, cpus: int) -> None:
        self.model = options.models[0].name
        self.readers = [DocumentReader(options) for _ in range(cpus)]
        for reader in self.readers:
            reader.warm_up()
        self.stages = load_stages(options, options.models[0])

    def read(self, kind: Kind, content: bytes, number: int) -> Row:
        """A page, opened and read as a request's is."""
        listed = {"document_id": f"{number:016x}", "uri": kind.path.name, "size_bytes": len(content), "etag": None}
        asked = ReadRequest(f"{kind.name.split()[0]}{number}", listed, self.model, pages=kind.pages, words=kind.words)
        _, row = self.readers[number % len(self.readers)].open_and_read(asked, content)
        assert row is not None and row["status"] == "ok", row
        return row

    def answer(self, kind: Kind, content: bytes, number: int) -> None:
        """One page, read and answered."""
        self.stages.answers([self.read(kind, content, number * len(self.readers))])

    def throughput(self, kind: Kind, pages: int) -> float:
        """Pages a second, read on all CPUs while the model runs over those that are read, several at a time."""
        content, lanes = kind.content(), [ThreadPoolExecutor(1) for _ in self.readers]
        started = time.perf_counter()
        reading = [lanes[number % len(lanes)].submit(self.read, kind, content, number) for number in range(pages)]
        for first in range(0, pages, BATCH_PAGES):
            self.stages.answers([future.result() for future in reading[first : first + BATCH_PAGES]])
        took = time.perf_counter() - started
        for lane in lanes:
            lane.shutdown()
        return pages / took


def main() -> None:
    """Print the tables."""
    options = tyro.cli(Options, description=__doc__)
    kinds = [Kind("text layer", options.form, "1"), Kind("scan", options.scan)]
    if not options.soak_minutes:
        print(row("kind", "load", "p50 ms", "p95 ms", "p99 ms", "goodput /s", "shed", "late"))
        print(row(*["---"] * 8), flush=True)
        subprocess.run([sys.executable, "-m", "benchmarks.bare_serve"], check=True, stderr=subprocess.DEVNULL)
    with endpoint(options) as (url, process):
        if options.soak_minutes:
            asyncio.run(soak(url, process, kinds, options))
        else:
            measure(url, kinds, options)


def measure(url: str, kinds: list[Kind], options: Options) -> None:
    """All kinds, directly and through the endpoint."""
    cpus = len(os.sched_getaffinity(0))
    direct = Direct(ServeJob().serve_options(cpus, 0), cpus)
    read = direct.read(kinds[-1], kinds[-1].content(), 0)
    kinds = [*kinds, Kind("words given", options.scan, words=ProvidedWords(read["words"], read["boxes"]))]
    for kind in kinds:
        called, asked = by_turns(url, direct, kind, options.direct_pages)
        added = 1000 * statistics.median(after - before for before, after in zip(called, asked, strict=True))
        for name, took in (("direct, one by one", called), (f"1 client, by turns with it: added {added:.0f}", asked)):
            told = [f"{1000 * quantile(sorted(took), share):.0f}" for share in (0.5, 0.95, 0.99)]
            print(row(kind.name, name, *told, f"{1 / statistics.mean(took):.2f}", "", ""))
        before = direct.throughput(kind, options.direct_pages)
        print(row(kind.name, "direct, batch", "", "", "", f"{before:.2f}", "", ""), flush=True)
        best = 0.0
        for clients in options.clients:
            loop = asyncio.run(closed_loop(url, kind, clients, options.seconds, options.time_limit_seconds))
            best = max(best, loop.goodput)
            name = f"{clients} client" + "s" * (clients > 1)
            print(row(kind.name, name, *loop.line()), flush=True)
        after = direct.throughput(kind, options.direct_pages)
        print(row(kind.name, "direct, batch, once more", "", "", "", f"{after:.2f}", "", ""), flush=True)
        for load in options.loads:
            loop = asyncio.run(open_loop(url, kind, load * best, options.seconds, options.time_limit_seconds))
            name = f"open, {load:g} x best ({load * best:.1f} /s)"
            print(row(kind.name, name, *loop.line()), flush=True)


async def soak(url: str, process: psutil.Process, kinds: list[Kind], options: Options) -> None:
    """Both kinds without a pause, and the endpoint's memory while it answers."""
    seconds = options.soak_minutes * 60
    started = time.perf_counter()
    loads = [
        asyncio.create_task(closed_loop(url, kind, SOAK_CLIENTS // len(kinds), seconds / 2, options.time_limit_seconds))
        for kind in kinds
    ]
    print(row("minute", "front MB", "text MB", "model MB", "all MB"))
    print(row(*["---"] * 5))
    for look in range(1, SOAK_LOOKS + 1):
        await asyncio.sleep(max(0.0, started + look * seconds / SOAK_LOOKS - time.perf_counter()))
        told = [f"{memory(process, mark) / 1e6:.0f}" for mark in (":Front", ":Text", ":Model", "")]
        print(row(f"{(time.perf_counter() - started) / 60:.1f}", *told), flush=True)
    loops = await asyncio.gather(*loads)
    for kind, loop in zip(kinds, loops, strict=True):
        print(f"{kind.name}: {len(loop.outcomes)} requests; in the second half {', '.join(loop.line())}")


def memory(process: psutil.Process, mark: str) -> int:
    """Bytes of the process's descendants that have `mark` in their command, and of what those started."""
    chosen: dict[int, psutil.Process] = {}
    for child in process.children(recursive=True):
        try:
            if mark in " ".join(child.cmdline()):
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
