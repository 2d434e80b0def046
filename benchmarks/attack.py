"""What does a well-behaved client notice of attacks on the endpoint?

    python -m benchmarks.attack [--minutes 10]

Starts `python -m jobs.serve` with an API key on 127.0.0.1. A client sends one page with a text layer after another,
first alone, then beside each of the attacks: bodies and headers that do not arrive, floods of requests that are
refused, bombs (a PDF and an image that are small and become large), and replicas that are killed. A page counts from
its first request to its answer, with the refusals and their `Retry-After` in between. `ratio` is the p95 over that of
the quiet client; the attacks come from a process on the same machine and take a part of it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
import signal
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import tyro

from benchmarks.free_port import free_port
from benchmarks.plan import SAMPLES

SLOW_SOCKETS = 200
FLOOD_CLIENTS = 8
BOMB_PAUSE_SECONDS, KILL_PAUSE_SECONDS = 1.0, 10.0
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.attack`."""

    minutes: float = 10.0
    """Of all attacks together."""
    text_replicas: int = 2
    """Processes that read pages: one more than a bomb takes."""
    page: Path = SAMPLES / "supplier-form.pdf"
    """PDF whose first page the client sends."""


@dataclass(frozen=True)
class Target:
    """An endpoint.

    Attributes:
        url: its address.
        key: admits requests.
        pid: of the process that started it.
    """

    url: str
    key: str
    pid: int

    def readers(self) -> list[psutil.Process]:
        """The processes that read pages, oldest first."""
        found = []
        for child in psutil.Process(self.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any("ServeReplica:layoutlmv2:Reader" in word for word in child.cmdline()):
                    found.append((child.create_time(), child))
        return [child for _, child in sorted(found, key=lambda pair: pair[0])]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        """A client with a key, by default the right one."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False)


@dataclass
class Phase:
    """What the client noticed during one attack: seconds of each page that was answered, and all statuses."""

    name: str
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def quantile(self, share: float) -> float:
        """Of the seconds; infinite if no page was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


Attack = Callable[[Target], Awaitable[None]]


async def slow_bodies(target: Target) -> None:
    """Sockets that send headers and six bytes; one that the server closes is opened again."""
    head = (
        f"POST /v1/extract HTTP/1.1\r\nHost: endpoint\r\nAuthorization: Bearer {target.key}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\n-"
    )
    await _hold_sockets(target, head.encode())


async def slow_headers(target: Target) -> None:
    """Sockets that send half a header."""
    await _hold_sockets(target, b"POST /v1/extract HTTP/1.1\r\nHost: endp")


async def flood_without_key(target: Target) -> None:
    """Requests without a key, as fast as they are refused."""
    async with target.client(key="wrong") as client:
        await _flood(client, lambda: client.post("/v1/extract", files={"file": ("a.pdf", b"%PDF-1.7" * 100)}))


async def flood_of_nonsense(target: Target) -> None:
    """Requests with a key that make no sense, as fast as they are refused."""
    fields = {"pages": "1," + " " * 400 + "x"}
    async with target.client() as client:
        await _flood(client, lambda: client.post("/v1/extract", files={"file": ("a.pdf", b"%PDF-1.7")}, data=fields))


async def bombs(target: Target) -> None:
    """Documents that are small and become large, one at a time."""
    documents = [pdf_bomb(), image_bomb()]
    async with target.client() as client:
        while True:
            for document in documents:
                with suppress(httpx.HTTPError):
                    await client.post("/v1/extract", files={"file": ("bomb", document)})
                await asyncio.sleep(BOMB_PAUSE_SECONDS)


async def killed_replicas(target: Target) -> None:
    """A process that reads pages is killed, and another one a while later."""
    while True:
        for process in target.readers()[:1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.sleep(KILL_PAUSE_SECONDS)


ATTACKS: dict[str, Attack] = {
    "slow bodies": slow_bodies,
    "slow headers": slow_headers,
    "flood without a key": flood_without_key,
    "flood of nonsense": flood_of_nonsense,
    "bombs": bombs,
    "killed replicas": killed_replicas,
}


def attack_run(target: Target, page: bytes, seconds: float, attacks: Iterable[str] = tuple(ATTACKS)) -> list[Phase]:
    """The client alone, and beside each attack, for so long each; a moment follows each attack until it is over.

    Raises:
        RuntimeError: an attack has ended by itself.
    """

    def measure(name: str, seconds: float) -> Phase:
        phase = Phase(name)
        asyncio.run(_answered_pages(target, page, phase, seconds))
        return phase

    measure("warm-up", min(seconds, 5.0))
    phases = [measure("quiet", seconds)]
    for name in attacks:
        attacker = multiprocessing.get_context("spawn").Process(target=_attack, args=(name, target), daemon=True)
        attacker.start()
        try:
            phases.append(measure(name, seconds))
            if not attacker.is_alive():
                raise RuntimeError(f"the attack by {name} has ended with status {attacker.exitcode}")
        finally:
            attacker.kill()
            attacker.join()
        measure("after", 1.0)
    return phases


def _attack(name: str, target: Target) -> None:
    async def attack() -> None:
        await ATTACKS[name](target)

    asyncio.run(attack())


def pdf_bomb(size: int = 1 << 30) -> bytes:
    """A page whose content is a megabyte and becomes `size` bytes of operators that draw nothing."""
    deflate = zlib.compressobj(9)
    block = b"q Q " * (1 << 18)
    content = b"".join(deflate.compress(block) for _ in range(size // len(block))) + deflate.flush()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    parts = [b"%PDF-1.7\n"]
    parts += [b"%d 0 obj\n%s\nendobj\n" % (number, body) for number, body in enumerate(objects, 1)]
    return b"".join(parts) + b"trailer << /Root 1 0 R >>\n%%EOF"


def image_bomb(side: int = 13_000) -> bytes:
    """A grey PNG of `side` by `side` pixels: 20 kB that become 169 MB, just below what is refused unread."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(side + 1)) for _ in range(side)) + rows.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


async def _answered_pages(target: Target, page: bytes, phase: Phase, seconds: float) -> None:
    """Send pages one after another, each until it is answered."""
    async with target.client() as client:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            started = time.perf_counter()
            while time.perf_counter() < started + PATIENCE_SECONDS:
                try:
                    response = await client.post("/v1/extract", files={"file": ("page.pdf", page)}, data={"pages": "1"})
                except httpx.HTTPError:
                    phase.statuses[0] += 1
                    await asyncio.sleep(0.1)
                    continue
                phase.statuses[response.status_code] += 1
                if response.status_code == 200:
                    phase.seconds.append(time.perf_counter() - started)
                    break
                await asyncio.sleep(float(response.headers.get("retry-after", 1)))


async def _hold_sockets(target: Target, sent: bytes) -> None:
    async def hold() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(*target.address)
                try:
                    writer.write(sent)
                    await writer.drain()
                    await reader.read()  # until the server closes it
                finally:
                    writer.close()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(hold() for _ in range(SLOW_SOCKETS)))


async def _flood(client: httpx.AsyncClient, send: Callable[[], Awaitable[httpx.Response]]) -> None:
    async def one_client() -> None:
        while True:
            with suppress(httpx.HTTPError):
                await send()

    await asyncio.gather(*(one_client() for _ in range(FLOOD_CLIENTS)))


@contextmanager
def endpoint(options: Options) -> Iterator[Target]:
    """A running endpoint with a key."""
    port = free_port()
    key, replicas = secrets.token_hex(16), str(options.text_replicas)
    words = ["--port", str(port), "--min-text-replicas", replicas, "--max-text-replicas", replicas]
    words += ["--min-model-replicas", replicas, "--max-model-replicas", replicas]  # these read pages too
    command = [sys.executable, "-m", "jobs.serve", *words, "--upload-time-limit-seconds", "10"]
    environment = {**os.environ, "LAYOUTLMV2_API_KEYS": key}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            if not any(line.startswith("serving on") for line in process.stdout):
                raise SystemExit("the endpoint does not start; try python -m jobs.serve")
            yield Target(f"http://127.0.0.1:{port}", key, process.pid)
        finally:
            process.send_signal(signal.SIGINT)


def main() -> None:
    """Print the table."""
    options = tyro.cli(Options, description=__doc__)
    seconds = options.minutes * 60 / (len(ATTACKS) + 1)
    with endpoint(options) as target:
        phases = attack_run(target, options.page.read_bytes(), seconds)
    quiet = phases[0].quantile(0.95)
    print("| attack | pages | median ms | p95 ms | ratio | other statuses |\n|---|---|---|---|---|---|")
    for phase in phases:
        median = statistics.median(phase.seconds) if phase.seconds else float("inf")
        p95 = phase.quantile(0.95)
        others = ", ".join(f"{count} x {status}" for status, count in phase.statuses.items() if status != 200)
        print(
            f"| {phase.name} | {len(phase.seconds)} | {1000 * median:.0f} | {1000 * p95:.0f} | {p95 / quiet:.2f} | "
            f"{others or 'none'} |"
        )


if __name__ == "__main__":
    main()
