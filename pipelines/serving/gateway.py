"""Gateway: the deployment that speaks HTTP. It checks requests, hands the work out and streams the answers."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from fastapi import FastAPI
from ray.serve.handle import DeploymentHandle

from pipelines.serving.admission import Admission
from pipelines.serving.bodies import BODIES_PER_PLACE, Bodies
from pipelines.serving.http_server import HttpServer
from pipelines.serving.local_workers import LocalWorkers
from pipelines.serving.open_document import OpenDocument, open_document
from pipelines.serving.options import RESPONSE_SECONDS, ServeOptions
from pipelines.serving.probe import PROBE_NAME, probe_document
from pipelines.serving.replica_client import ReplicaClient
from pipelines.serving.response_fields import FieldFinder
from pipelines.serving.routes import build_routes
from pipelines.serving.upload import Upload, max_body_bytes
from pipelines.serving.workers import ServeWorkers

logger = logging.getLogger(__name__)

PROBE_SECONDS = 60.0
PROBE_PAUSE_SECONDS = 0.5

WATCH_SECONDS = 2.0
"""How often a gateway that is ready checks that each deployment still has a replica."""


class Gateway:
    """One replica of the endpoint's HTTP side.

    Attributes:
        is_ready: whether a page has passed through all deployments, and each has had a replica since.
    """

    _http: HttpServer | None = None  # Serve drains a replica that is stopped while it starts, too

    async def __init__(  # type: ignore[misc]
        self, options: ServeOptions, reader: DeploymentHandle, predictor: DeploymentHandle | None = None
    ) -> None:
        """`predictor`: None if the readers are local ones, which run the models."""
        self.options = options
        self.admission = Admission(options.requests_in_flight, options.limits.seconds)
        places, limits = options.requests_in_flight, options.limits
        seconds = min(limits.body_seconds, limits.seconds)
        self.bodies = Bodies(BODIES_PER_PLACE * places, places * max_body_bytes(limits), seconds)
        self.is_ready = False
        workers = LocalWorkers(reader) if predictor is None else ServeWorkers(reader, predictor)
        self._client = ReplicaClient(workers, self.admission)
        self._finder = FieldFinder()
        self._watch = asyncio.get_running_loop().create_task(self._stay_ready())
        if options.listen is not None:
            host, port = options.listen
            self._http = HttpServer(build_routes(self), host, port, limits.seconds + RESPONSE_SECONDS)
            await self._http.start()

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_routes(self)

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            RuntimeError: the gateway does not listen any more.
        """
        if self._http is not None:
            self._http.check()

    async def drain(self) -> None:
        """Answer the requests in progress, of which Serve knows nothing if the gateway listens itself."""
        if self._http is not None:
            await self._http.drain()

    async def open(self, upload: Upload, deadline: float) -> OpenDocument:
        """See `open_document`."""
        return await open_document(self._client, self._finder, self.options, upload, deadline)

    def about(self) -> dict[str, Any]:
        """The models and limits: `ModelsResponse` as JSON."""
        limits = self.options.limits
        default = self.options.models[0].name
        return {
            "models": [
                {"name": model.name, "task": model.task, "labels": list(model.labels), "default": model.name == default}
                for model in self.options.models
            ],
            "limits": {
                "upload_megabytes": limits.upload_bytes / 1_000_000,
                "pages": limits.pages,
                "questions": limits.questions,
            },
        }

    async def _stay_ready(self) -> None:
        while True:
            await self._become_ready()
            while await self._reaches_all():
                await asyncio.sleep(WATCH_SECONDS)
            self.is_ready = False
            logger.warning("not ready any more: a deployment has no replica that can be reached")
            await asyncio.sleep(WATCH_SECONDS)

    async def _reaches_all(self) -> bool:
        try:
            return await self._client.reach_all()
        except Exception as error:  # the watch continues; until the state is known, nothing changes
            logger.warning("the replicas cannot be reached: %s: %s", type(error).__name__, error)
            return True

    async def _become_ready(self) -> None:
        """Send a page of our own until it is answered, and load what the values of fields are read with."""
        default = self.options.models[0]
        questions = ("When?",) if default.task == "question-answering" else ()
        content, _ = probe_document()
        while not self.is_ready:
            upload = Upload(f"probe{time.monotonic_ns()}", content, PROBE_NAME, questions)
            try:
                document = await self.open(upload, time.monotonic() + PROBE_SECONDS)
                try:
                    answers = [answer async for answer in document.answers()]
                finally:
                    document.close()
                if any(model.task == "token-classification" for model in self.options.models):
                    await self._finder.warm()
                self.is_ready = all(b'"status":"ok"' in answer for answer in answers)
            except Exception as error:  # whatever it is, the next attempt may succeed
                logger.warning("not ready yet: %s: %s", type(error).__name__, error)
            if not self.is_ready:
                await asyncio.sleep(PROBE_PAUSE_SECONDS)
