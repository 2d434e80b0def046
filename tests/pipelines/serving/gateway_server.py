"""A gateway that answers over HTTP in this process: its routes and a reader are real, the model is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from ray.serve.handle import DeploymentHandle

from pipelines.serving.gateway import Gateway
from pipelines.serving.options import ServeOptions
from tests.autoscaled_cluster import free_port
from tests.pipelines.serving.local_replicas import LocalHandle


@contextmanager
def serve_gateway(options: ServeOptions, reader: Any, predictor: Any) -> Iterator[str]:
    """The URL of a gateway over two replicas, until the context ends."""
    port, is_started = free_port(), threading.Event()
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        handles = [cast(DeploymentHandle, LocalHandle(replica)) for replica in (reader, predictor)]
        gateway = Gateway.__new__(Gateway)
        await cast(Any, gateway).__init__(options, *handles)  # as Serve does: it is asynchronous
        app = gateway.__serve_build_asgi_app__()
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
        servers.append(server)
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        is_started.set()
        await task
        for other in asyncio.all_tasks() - {asyncio.current_task()}:  # the gateway's own, which never end
            other.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert is_started.wait(60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        servers[0].should_exit = True
        thread.join(30)
