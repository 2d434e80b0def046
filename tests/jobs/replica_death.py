"""What a client notices of a replica that dies while it works."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.jobs.endpoint import Endpoint


def check_death(endpoint: Endpoint, client: httpx.Client, samples_directory: Path, deployment: str) -> None:
    """Kill the processes of a deployment during a request, and look at its pages and the endpoint's health."""
    scan = (samples_directory / "supplier-form-scanned.pdf").read_bytes()
    headers = {"Accept": "application/x-ndjson"}
    upload: Any = {"files": {"file": ("scan.pdf", scan)}, "data": {"pages": "1-2"}}
    with client.stream("POST", "/v1/extract", **upload, headers=headers) as response:
        lines = response.iter_lines()
        assert "document" in json.loads(next(lines))
        victims = endpoint.replicas(deployment)
        assert victims
        for victim in victims:
            victim.kill()
        health = watch_health(endpoint)
        pages = [json.loads(line)["page"] for line in lines]
    assert [page["page_index"] for page in pages] == [0, 1]
    for page in pages:
        assert page["status"] == "ok" or page["error_kind"] == "crashed", page["error"]
    invoice = samples_directory / "invoice.png"
    after = client.post("/v1/extract", files={"file": (invoice.name, invoice.read_bytes())})
    assert after.status_code == 200 and after.json()["pages"][0]["status"] == "ok"
    assert health.result() == [200, 503, 200], "unavailable without a replica, and available with a new one"


def watch_health(endpoint: Endpoint) -> Future[list[int]]:
    """The statuses of `/healthz` from now on, without repetitions, until it has been 200 again for five seconds."""

    def watch() -> list[int]:
        statuses, repetitions = [200], 0
        with endpoint.client() as client:
            for _ in range(600):
                status = client.get("/healthz").status_code
                repetitions = repetitions + 1 if status == statuses[-1] else 0
                if not repetitions:
                    statuses.append(status)
                if len(statuses) > 2 and statuses[-1] == 200 and repetitions > 25:
                    break
                time.sleep(0.2)
        return statuses

    return ThreadPoolExecutor(1).submit(watch)
