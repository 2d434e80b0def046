"""What does Ray Serve itself cost, for a chain of deployments like the endpoint's that do nothing?

    python -m benchmarks.bare_serve [--requests 100]

A FastAPI gateway hands a body to a second deployment, whose result goes to a third and from there back: as many calls
and bytes as a page of the endpoint takes, under the same switches, and no work. Prints one line of a table.
"""

import os
import statistics
import time
from dataclasses import dataclass

import httpx
import ray
import tyro
from fastapi import FastAPI, Request, Response
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.handle import DeploymentHandle

from jobs.cli import connect_to_ray
from jobs.serve import FASTER

IMAGE_BYTES = 3 * 224 * 224
ANSWER_BYTES = 40_000
WARM_UP = 20
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.bare_serve`."""

    requests: int = 100
    """Requests that are measured, one after the other."""
    body_bytes: int = 30_000
    """Bytes of each request."""
    port: int = 8765
    """TCP port on 127.0.0.1."""


app = FastAPI()  # evaluates the annotations below, which therefore must not be strings


@serve.deployment(name="Reader", ray_actor_options={"num_cpus": 0.1})
class EmptyReader:
    async def __call__(self, body: bytes) -> dict[str, bytes]:
        return {"model_image": bytes(IMAGE_BYTES)}


@serve.deployment(name="Predictor", ray_actor_options={"num_cpus": 0.1})
class EmptyPredictor:
    async def __call__(self, row: dict[str, bytes]) -> bytes:
        return bytes(ANSWER_BYTES)


@serve.deployment(name="Gateway", ray_actor_options={"num_cpus": 0.1})
@serve.ingress(app)
class EmptyGateway:
    def __init__(self, reader: DeploymentHandle, predictor: DeploymentHandle) -> None:
        self.reader, self.predictor = reader, predictor

    @app.post("/")
    async def answer(self, request: Request) -> Response:
        read = self.reader.remote(await request.body())
        return Response(await self.predictor.remote(read))


def main() -> None:
    """Print p50, p95 and p99."""
    options = tyro.cli(Options, description=__doc__)
    for name, value in FASTER.items():
        os.environ.setdefault(name, value)
    connect_to_ray(None, workers_log=False)
    try:
        serve.start(http_options=HTTPOptions(host="127.0.0.1", port=options.port))
        serve.run(EmptyGateway.bind(EmptyReader.bind(), EmptyPredictor.bind()))
        seconds = []
        with httpx.Client(base_url=f"http://127.0.0.1:{options.port}", trust_env=False) as client:
            for _ in range(options.requests + WARM_UP):
                started = time.perf_counter()
                client.post("/", content=bytes(options.body_bytes)).raise_for_status()
                seconds.append(time.perf_counter() - started)
                time.sleep(PAUSE_SECONDS)
    finally:
        serve.shutdown()
        ray.shutdown()
    percentiles = [1000 * value for value in statistics.quantiles(seconds[WARM_UP:], n=100)]
    cells = [f"{percentiles[percent - 1]:.0f}" for percent in (50, 95, 99)]
    print(" | ".join(["| nothing", "Serve alone, 1 client", *cells, "", "", "|"]))


if __name__ == "__main__":
    main()
