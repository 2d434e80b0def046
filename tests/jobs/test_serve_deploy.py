"""`serve deploy serve.yaml` on a running cluster, as the README shows it."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from jobs.serve import Options, build
from pipelines.serving import proxy_guard
from pipelines.serving.keys import key_digest
from tests.autoscaled_cluster import REPOSITORY, free_port, wait_until
from tests.running_head import RunningHead, running_head

START_SECONDS = 120.0


def read_config(**args: Any) -> dict[str, Any]:
    """serve.yaml, with other `args`."""
    config = yaml.safe_load((REPOSITORY / "serve.yaml").read_text())
    config["applications"][0]["args"] |= args
    return config


def test_args_are_options_of_the_job() -> None:
    [application] = read_config()["applications"]
    assert set(application["args"]) <= set(Options.__dataclass_fields__)
    assert application["import_path"] == f"{build.__module__}:{build.__name__}"
    limit = application["args"]["request_time_limit_seconds"]
    assert read_config()["http_options"]["request_timeout_s"] > limit, "the proxy waits for the answer"
    with pytest.raises(ValueError, match="max_pagess"):
        build({"max_pagess": 3})


@pytest.mark.slow
@pytest.mark.xdist_group("ray of its own")
def test_the_application_is_deployed_changed_and_removed(
    samples_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH", proxy_guard.IMPORT_PATH)
    port, key = free_port(), "a-key-of-the-tests"
    invoice = samples_directory / "invoice.png"
    file = tmp_path / "serve.yaml"

    def deploy(head: RunningHead, **args: Any) -> None:
        config = read_config(**args)
        config["http_options"]["port"] = port
        file.write_text(yaml.safe_dump(config))
        output = wait_for_output(head.start("serve", "deploy", "--address", head.url, str(file)))
        assert "successfully" in output, output

    with running_head(code=str(REPOSITORY)) as head, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        deploy(head)
        wait_until(lambda: limit_of_pages(client) == 500, START_SECONDS, "the endpoint is ready")
        answer = client.post("/v1/extract", files={"file": (invoice.name, invoice.read_bytes())}, timeout=60)
        [page] = answer.json()["pages"]
        assert page["status"] == "ok" and page["entities"]
        assert deployments(head) == {"Gateway", "Reader"}
        assert client.get("/-/routes").status_code == 404
        deploy(head, placement="apart", max_pages=7, no_api_keys=False, api_key_digests=[key_digest(key)])
        wait_until(lambda: limit_of_pages(client, key) == 7, START_SECONDS, "the new options apply")
        assert deployments(head) == {"Gateway", "Reader", "Predictor"}
        assert client.get("/v1/models").status_code == 401
        shown = wait_for_output(head.start("serve", "config", "--address", head.url))
        assert key_digest(key) in shown and key not in shown
        wait_for_output(head.start("serve", "shutdown", "--yes", "--address", head.url))


def deployments(head: RunningHead) -> set[str]:
    """The names of the deployments of the application."""
    status = yaml.safe_load(wait_for_output(head.start("serve", "status", "--address", head.url)))
    return set(status["applications"]["layoutlmv2"]["deployments"])


def wait_for_output(process: subprocess.Popen[str]) -> str:
    """What a command prints until it ends, which it does with status 0."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def limit_of_pages(client: httpx.Client, key: str = "") -> int | None:
    """According to the endpoint; None while it is not ready."""
    with contextlib.suppress(httpx.HTTPError, KeyError):  # not there yet, or between two versions
        if client.get("/healthz").status_code == 200:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return client.get("/v1/models", headers=headers).json()["limits"]["pages"]
    return None
