"""What does the way of a request cost, when nothing is done with it?

    python -m benchmarks.bare_serve [--requests 60] [--ways "proxy, 1 deployment" "gateway, socket"]

Sends 30 kB, one request after the other, and gets 40 kB back, by each of these ways, under the same switches as the
endpoint's; between a second and a third deployment goes a picture of 150 kB:

- proxy, N deployments: Serve's proxy, a FastAPI gateway, and one or two deployments after it.
- direct ingress: Serve's switch `RAY_SERVE_ENABLE_DIRECT_INGRESS=1`; the gateway listens itself, on a port of a range.
- HAProxy: `RAY_SERVE_ENABLE_HA_PROXY=1`; that program in the place of the proxy.
- gRPC ingress: a gRPC client and Serve's gRPC proxy, one deployment.
- gateway, socket: the endpoint's own HTTP server and a process after it that is called through a Unix socket.

Prints a line of a table for each: latency, and CPU time of all processes of the endpoint for a request. `--exposed`
lists what the ways with a switch of Serve listen on beyond 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import httpx
import psutil
import tyro
from fastapi import FastAPI, Request, Response

from benchmarks.cpu_time import cpu_seconds
from benchmarks.free_port import free_port
from jobs.serve import FASTER
from pipelines.serving.http_server import HttpServer
from pipelines.serving.local_calls import LocalClient, LocalServer

IMAGE_BYTES, ANSWER_BYTES, BODY_BYTES = 3 * 224 * 224, 40_000, 30_000

WARM_UP = 10
PAUSE_SECONDS = 0.02
IDLE_SECONDS = 3.0
"""How long the processes' CPU time without any request is measured, which is taken off."""

START_SECONDS = 60.0

CHILD = "--child"
"""First word of the command of a process that measures one way: its environment has the switches."""


@dataclass(frozen=True)
class Way:
    """How requests travel: `deployments` in a row; None for the endpoint's own server and socket."""

    deployments: int | None
    switches: tuple[tuple[str, str], ...] = ()
    is_grpc: bool = False


WAYS = {
    "proxy, 3 deployments": Way(3),
    "proxy, 2 deployments": Way(2),
    "proxy, 1 deployment": Way(1),
    "direct ingress, 1 deployment": Way(1, (("RAY_SERVE_ENABLE_DIRECT_INGRESS", "1"),)),
    "HAProxy, 1 deployment": Way(1, (("RAY_SERVE_ENABLE_HA_PROXY", "1"), ("RAY_SERVE_ENABLE_DIRECT_INGRESS", "1"))),
    "gRPC ingress, 1 deployment": Way(1, is_grpc=True),
    "gateway, socket": Way(None),
}


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.bare_serve`."""

    ways: tuple[str, ...] = tuple(WAYS)
    """Which ways, by name."""
    requests: int = 60
    """Requests that are measured, one after the other."""
    exposed: bool = False
    """List what listens beyond 127.0.0.1."""


def main() -> None:
    """Print a line for each way, each from a process of its own: Serve reads its switches when it is loaded."""
    words = sys.argv[1:]
    is_child = words[:1] == [CHILD]
    options = tyro.cli(Options, description=__doc__, args=words[is_child:])
    unknown = [name for name in options.ways if name not in WAYS]
    if unknown:
        raise SystemExit(f"there is no way {unknown[0]!r}; there are {', '.join(map(repr, WAYS))}")
    if is_child:
        measure(options.ways[0], WAYS[options.ways[0]], options)
        return
    for name in options.ways:
        command = [sys.executable, "-m", "benchmarks.bare_serve", CHILD, "--ways", name]
        command += ["--requests", str(options.requests), *(["--exposed"] if options.exposed else [])]
        environment = os.environ | FASTER | dict(WAYS[name].switches)
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"| {name} | it does not start: {done.stderr.strip().splitlines()[-1:]} |", flush=True)


def measure(name: str, way: Way, options: Options) -> None:
    """Print p50, p95, p99 in milliseconds, and CPU milliseconds of a request."""
    with own_server() if way.deployments is None else serve_chain(way) as port:
        send = grpc_sender(port) if way.is_grpc else http_sender(port)
        seconds = []
        for number in range(options.requests + WARM_UP):
            if number == WARM_UP:
                started, cpu = time.perf_counter(), cpu_seconds(itself=False)
            before = time.perf_counter()
            send()
            seconds.append(time.perf_counter() - before)
            time.sleep(PAUSE_SECONDS)
        used, lasted = cpu_seconds(itself=False) - cpu, time.perf_counter() - started
        idle = cpu_seconds(itself=False)
        time.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(itself=False) - idle) / IDLE_SECONDS
        percentiles = [1000 * value for value in statistics.quantiles(seconds[WARM_UP:], n=100)]
        cells = [f"{percentiles[percent - 1]:.1f}" for percent in (50, 95, 99)]
        print(
            " | ".join([f"| {name}", *cells, f"{1000 * (used - idle * lasted) / options.requests:.1f} |"]), flush=True
        )
        if options.exposed:
            print("\n".join(f"    listens on {where}" for where in exposed()), flush=True)


@contextmanager
def serve_chain(way: Way) -> Iterator[int]:
    """The port of a chain of deployments."""
    port = free_port()
    if ("RAY_SERVE_ENABLE_DIRECT_INGRESS", "1") in way.switches and "RAY_SERVE_ENABLE_HA_PROXY" not in os.environ:
        first = free_port()
        os.environ |= {
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + 1),
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
        }
    else:
        first = port
    import ray
    from ray import serve
    from ray.serve.config import HTTPOptions, gRPCOptions

    from jobs.cli import connect_to_ray

    connect_to_ray(None, workers_log=False)
    try:
        functions = ["ray.serve.generated.serve_pb2_grpc.add_UserDefinedServiceServicer_to_server"]
        grpc = gRPCOptions(port=free_port(), grpc_servicer_functions=functions) if way.is_grpc else None
        serve.start(http_options=HTTPOptions(host="127.0.0.1", port=port), grpc_options=grpc)
        serve.run(chain(way))
        yield grpc.port if grpc is not None else first
    finally:
        serve.shutdown()
        ray.shutdown()


def chain(way: Way) -> Any:
    """The application: deployments that do nothing."""
    from ray import serve
    from ray.serve.generated.serve_pb2 import UserDefinedMessage, UserDefinedResponse

    assert way.deployments is not None
    deployment = partial(serve.deployment, ray_actor_options={"num_cpus": 0.1})
    is_last = way.deployments == 2

    class Reader:
        async def __call__(self, body: bytes) -> Any:
            return bytes(ANSWER_BYTES) if is_last else {"model_image": bytes(IMAGE_BYTES)}

    class Predictor:
        async def __call__(self, row: dict[str, bytes]) -> bytes:
            return bytes(ANSWER_BYTES)

    class RpcGateway:
        async def __call__(self, message: UserDefinedMessage) -> UserDefinedResponse:
            return UserDefinedResponse(greeting="x" * ANSWER_BYTES)

    if way.is_grpc:
        return deployment(RpcGateway).bind()

    class Gateway:
        def __init__(self, *handles: Any) -> None:
            self.handles = handles

        def __serve_build_asgi_app__(self) -> FastAPI:
            return app_of(self.answer)

        async def answer(self, body: bytes) -> bytes:
            if not self.handles:
                return bytes(ANSWER_BYTES)
            response: Any = body
            for handle in self.handles:
                response = handle.remote(response)
            return bytes(await response)

    handles = [deployment(kind).bind() for kind in (Reader, Predictor)[: way.deployments - 1]]
    return deployment(serve.ingress()(Gateway)).bind(*handles)


def app_of(answer: Callable[[bytes], Any]) -> FastAPI:
    """A route that answers with what `answer` makes of the body."""
    app = FastAPI()

    async def route(request: Request) -> Response:
        return Response(await answer(await request.body()))

    route.__annotations__ = {"request": Request, "return": Response}  # FastAPI evaluates them elsewhere
    app.post("/", response_model=None)(route)
    return app


class Echo:
    """What is called through the socket."""

    async def answer(self, path: str) -> bytes:
        return bytes(ANSWER_BYTES)


@contextmanager
def own_server() -> Iterator[int]:
    """The port of a gateway that listens itself, with a process after it that is called through a socket."""
    context = get_context("spawn")
    paths, port = context.Queue(), free_port()
    reader = context.Process(target=run_reader, args=(paths,), daemon=True)
    reader.start()
    gateway = context.Process(target=run_gateway, args=(paths.get(timeout=START_SECONDS), port), daemon=True)
    gateway.start()
    try:
        yield port
    finally:
        for process in (gateway, reader):
            process.kill()
            process.join()


def run_reader(paths: Any) -> None:
    """Answer calls through a socket, whose path goes to `paths`."""

    async def run() -> None:
        server = LocalServer(Echo(), ("answer",))
        await server.start()
        paths.put(server.path)
        await asyncio.Event().wait()

    asyncio.run(run())


def run_gateway(path: str, port: int) -> None:
    """Answer HTTP on a port by calls through a socket."""

    async def run() -> None:
        client = await LocalClient.connect(path)
        server = HttpServer(app_of(lambda body: client.call("answer", "a path")), "127.0.0.1", port, seconds=60)
        await server.start()
        await asyncio.Event().wait()

    asyncio.run(run())


def http_sender(port: int) -> Callable[[], object]:
    """Sends a request and waits for its answer; returns once the port answers."""
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(httpx.TransportError):
            if client.post("/", content=b"").status_code == 200:
                break
        if time.monotonic() > until:
            raise SystemExit("nothing answers")
        time.sleep(0.1)
    return lambda: client.post("/", content=bytes(BODY_BYTES)).raise_for_status()


def grpc_sender(port: int) -> Callable[[], object]:
    """The same by gRPC."""
    import grpc
    from ray.serve.generated.serve_pb2 import UserDefinedMessage
    from ray.serve.generated.serve_pb2_grpc import UserDefinedServiceStub

    stub = UserDefinedServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    body = UserDefinedMessage(name="x" * BODY_BYTES)
    return lambda: stub.__call__(body, timeout=30)


def exposed() -> Iterator[str]:
    """What the processes below this one listen on, beyond 127.0.0.1."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            for connection in process.net_connections("inet"):
                if connection.status == "LISTEN" and connection.laddr.ip not in (
                    "127.0.0.1",
                    "::1",
                    "::ffff:127.0.0.1",
                ):
                    yield f"{connection.laddr.ip}:{connection.laddr.port} ({process.name()})"


if __name__ == "__main__":
    main()
