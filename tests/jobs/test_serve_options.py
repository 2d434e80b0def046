"""The options of the endpoint: who may reach it without a key, and where its keys come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import BAD_OPTIONS
from jobs.serve import KEYS_VARIABLE, Options, build, check, main
from pipelines.serving.application import build_application
from pipelines.serving.options import ServeOptions
from tests.autoscaled_cluster import REPOSITORY, free_port

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the job with options that it refuses; returns its message."""

    def run(*options: str) -> str:
        assert main(["--port", str(free_port()), *options]) == BAD_OPTIONS
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_a_variable_without_a_key_is_an_error(refused: Refused, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, value)
    assert "is set and holds no key" in refused()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_a_key_unless_the_options_say_otherwise(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    assert "--no-api-keys" in refused("--host", host)
    port = free_port()
    _, keys = check(Options(host=host, port=port, no_api_keys=True))
    assert not keys.are_required
    monkeypatch.setenv(KEYS_VARIABLE, "secret")
    _, keys = check(Options(host=host, port=port))
    assert keys.admit("Bearer secret") and not keys.admit(None)


def test_keys_and_their_absence_exclude_each_other(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, "secret")
    assert "one or the other" in refused("--no-api-keys")


def test_the_variable_is_removed_once_it_has_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, "secret,second")
    options, keys = check(Options(port=free_port()))
    assert KEYS_VARIABLE not in os.environ
    assert keys.admit("Bearer second") and "secret" not in repr((options, keys))


@pytest.mark.parametrize(
    "args", [{}, {"model": "untrained"}, {"api_key_digests": []}], ids=["nothing", "a model", "an empty list"]
)
def test_an_application_without_keys_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no_api_keys: true"):
        build(args)


def test_what_serve_shows_of_an_application_holds_digests_only(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("a-secret\n")
    options = Options(api_keys_file=str(file))
    keys = options.read_keys({KEYS_VARIABLE: "b-secret"})
    application = build_application(options.serve_options(cpus=1, gpus=0, keys=keys))
    [bound, *_] = application._bound_deployment.init_args
    assert bound.keys.admit("Bearer a-secret") and bound.keys.admit("Bearer b-secret")
    assert "-secret" not in repr(vars(bound)) + repr(application._bound_deployment)


def test_sizes_follow_a_cluster_whose_nodes_are_not_there_yet() -> None:
    """As on KubeRay, where the head has no CPUs and the application is built before the first worker starts."""
    frozen = Options(placement="apart").serve_options(cpus=1, gpus=0)
    assert (frozen.reader.maximum, frozen.predictor.maximum, frozen.model_threads) == (1, 1, 1)
    growing = Options().serve_options(cpus=0, gpus=0, grows=True)
    assert growing.reader.maximum > 1 and growing.predictor.maximum > 1 and growing.model_threads == 16
    assert (growing.reader.minimum, growing.predictor.minimum, growing.predictor.gpus) == (1, 1, 0)
    assert Options(device="cuda").serve_options(cpus=0, gpus=0, grows=True).predictor.gpus == 1
    given = Options(max_text_replicas=7, max_model_replicas=2).serve_options(cpus=0, gpus=0, grows=True)
    assert (given.reader.maximum, given.predictor.maximum) == (7, 2)


def test_sizes_are_those_of_a_cluster_that_stays_as_it_is() -> None:
    options = Options(placement="apart").serve_options(cpus=32, gpus=0)
    assert (options.reader.maximum, options.predictor.maximum, options.model_threads) == (32, 2, 16)
    on_gpus = Options().serve_options(cpus=32, gpus=4)
    assert (on_gpus.predictor.maximum, on_gpus.predictor.gpus) == (4, 1)
    for options in (Options(placement="apart", device="cpu"), Options(placement="apart", runtime="openvino")):
        beside = options.serve_options(cpus=32, gpus=4)
        assert (beside.predictor.maximum, beside.predictor.gpus) == (2, 0), "a runtime of CPUs leaves GPUs alone"


def test_the_model_runs_where_pages_are_read_on_one_machine_without_a_gpu() -> None:
    small = Options().serve_options(cpus=2, gpus=0)
    assert (small.placement, small.reader.maximum, small.model_threads) == ("together", 1, 2)
    assert (small.lanes.minimum, small.lanes.maximum) == (1, 2)
    large = Options(min_text_replicas=4).serve_options(cpus=16, gpus=0)
    assert (large.reader.minimum, large.reader.maximum, large.model_threads) == (4, 4, 4)
    assert (large.lanes.minimum, large.lanes.maximum) == (1, 4)
    given = Options(max_text_replicas=6, max_model_replicas=2).serve_options(cpus=16, gpus=0)
    assert (given.reader.maximum, given.model_threads, given.lanes.maximum) == (2, 8, 3)
    one = Options(max_text_replicas=1).serve_options(cpus=16, gpus=0)
    assert (one.reader.maximum, one.lanes.maximum) == (1, 1), "no more pages at a time than that"
    assert Options().serve_options(cpus=16, gpus=1).placement == "apart"
    assert Options(device="cpu").serve_options(cpus=16, gpus=1).placement == "together"
    assert Options().serve_options(cpus=16, gpus=0, nodes=2).placement == "apart"
    assert Options().serve_options(cpus=0, gpus=0, grows=True).placement == "apart"
    assert Options(placement="apart").serve_options(cpus=2, gpus=0).placement == "apart"


@pytest.mark.parametrize(("cpus", "models"), [(1, 2), (2, 4), (4, 8)])
def test_all_processes_that_are_asked_for_find_room_on_the_machine(cpus: int, models: int) -> None:
    asked = Options(min_model_replicas=models, max_model_replicas=models, max_text_replicas=models)
    options = asked.serve_options(cpus=cpus, gpus=0)
    assert options.reader.maximum == models
    assert models * options.reader.cpus + options.gateway.cpus <= cpus


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [({"gpus": 1}, "GPU"), ({"gpus": 0, "nodes": 2}, "machines"), ({"gpus": 0, "grows": True}, "machines")],
)
def test_a_model_that_cannot_be_together_with_the_readers_is_refused(cluster: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"--placement together is not possible.*{reason}"):
        Options(placement="together").serve_options(cpus=8, **cluster)


def test_the_application_has_a_deployment_for_the_model_only_where_it_is_apart() -> None:
    def deployments(options: ServeOptions) -> list[str]:
        gateway = build_application(options)._bound_deployment
        return [bound._bound_deployment.name for bound in gateway.init_args[1:]]

    assert deployments(Options().serve_options(cpus=2, gpus=0)) == ["Reader"]
    assert deployments(Options(placement="apart").serve_options(cpus=2, gpus=0)) == ["Reader", "Predictor"]


def test_the_files_for_clusters_hold_no_key() -> None:
    for name in ("serve.yaml", "kuberay.yaml"):
        assert KEYS_VARIABLE not in (REPOSITORY / name).read_text(), name
    assert "secretName: layoutlmv2-api-keys" in (REPOSITORY / "kuberay.yaml").read_text()
