"""Answer for single documents over HTTP, with the stages and the model of the batch job, and a page for people.

Exit status: 0 stopped by its user, 1 failed, 2 the options make no sense. `serve deploy serve.yaml` puts the same
application on a cluster.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import tyro

from jobs.cli import DONE, connect_to_ray, parse_options, require_positive, run_job
from jobs.reading_options import MEGA, ReadingOptions
from model.checkpoint_source import BUNDLED_FORMS
from pipelines.errors import JobError
from pipelines.options import ExtractOptions, check_options, infer_options
from pipelines.runtime.cluster import ClusterSize, cluster_size
from pipelines.schema import Task
from pipelines.serving import proxy_guard
from pipelines.serving.keys import ApiKeys, read_keys
from pipelines.serving.options import RESPONSE_SECONDS, Replicas, RequestLimits, ServedModel, ServeOptions
from pipelines.serving.sizing import Bounds, PlacementChoice, plan_replicas
from pipelines.serving.startup import START_SECONDS, await_health, await_start
from pipelines.stages.model_loader import MODEL_CLASSES, load_config, model_labels
from pipelines.stages.runtime_choice import worker_device

if TYPE_CHECKING:
    from ray.serve import Application

APPLICATION = "layoutlmv2"

KEYS_VARIABLE = "LAYOUTLMV2_API_KEYS"

FASTER = {
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
}
"""Serve's switches for code that never blocks its event loop; they work in a Ray that is started here."""

GUARDED = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": proxy_guard.IMPORT_PATH}
"""The same for what guards Serve's proxy."""

NEEDS_QUESTION = "What?"


@dataclass(frozen=True)
class EndpointOptions:
    """What is served, and where: a class of its own, because `--help` begins with it."""

    model: tuple[str, ...] = (BUNDLED_FORMS,)
    """[NAME=]SOURCE of each model: folder, hub id or s3:// URI of a checkpoint. Requests name it by NAME, which is the
    last part of SOURCE if it is left out; the first is the default."""
    task: Task | None = None
    """What the models are asked of each page; by default what each was fine-tuned for."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all of them."""
    port: int = 8000
    """TCP port to listen on."""
    api_keys_file: str | None = None
    """File with one API key or digest a line; LAYOUTLMV2_API_KEYS in the environment adds others, with commas."""
    api_key_digests: tuple[str, ...] = ()
    """sha256:... of further API keys, as `python -m jobs.api_key` prints them: what may stand in a file or a
    command that others can read."""
    no_api_keys: tyro.conf.FlagCreatePairsOff[bool] = False
    """Answer all who reach the endpoint. Needed without keys, unless it listens on this machine only."""


@dataclass(frozen=True)
class Options(ReadingOptions, EndpointOptions):
    """Options of `python -m jobs.serve`, and `args` of serve.yaml."""

    page_time_limit_seconds: float = 60.0
    """The longest that reading one page may take, in seconds; then it is a failed page."""
    batch_tokens: int = 4096
    """Tokens of one batch of the model, padding included, out of the pages of all requests."""
    max_upload_megabytes: float = 50.0
    """Larger documents are refused, in millions of bytes."""
    max_pages: int = 500
    """Of one request; longer documents are answered in parts, by the field pages."""
    max_questions: int = 20
    """Of one request."""
    request_time_limit_seconds: float = 300.0
    """The longest that a request may take, in seconds; pages that are not done by then are failed ones."""
    upload_time_limit_seconds: float = 60.0
    """The longest that a request may take to arrive, in seconds; then it is refused with 408."""
    pages_in_flight: int = 4
    """Pages of one request that are worked on at a time."""
    max_page_windows: int = 200
    """Windows of 512 tokens that a page may need, those of all questions together; a page that needs more fails."""
    max_windows: int = 5000
    """The same of all pages of a request together; the pages after that fail."""
    placement: PlacementChoice = "auto"
    """Where the model runs: together, in the processes that read pages, which takes one machine without a GPU; or
    apart, in processes of its own. auto is together where that can be."""
    max_requests: int = 32
    """Requests that each process that speaks HTTP answers at a time; more are refused with 429."""
    models_in_memory: int = 3
    """Models that a replica holds at a time, if several are served."""
    min_front_replicas: int = 1
    """Replicas that speak HTTP, at least."""
    max_front_replicas: int = 1
    """Replicas that speak HTTP, at most."""
    min_text_replicas: int = 1
    """Replicas that render and read pages, at least."""
    max_text_replicas: int | None = None
    """Replicas that render and read pages, at most; by default one a CPU, on an autoscaling cluster 64."""
    min_model_replicas: int = 1
    """Replicas that run models, at least."""
    max_model_replicas: int | None = None
    """Replicas that run models, at most; by default one a GPU, without one, one for 16 CPUs, on an autoscaling cluster
    4."""
    address: str | None = None
    """Address of a Ray cluster; by default the one this runs in, or a local one is started."""

    def check(self) -> None:
        """
        Raises:
            ValueError: a number makes no sense.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        numbers = [name for name, value in values.items() if type(value) in (int, float)]
        require_positive(self, (name for name in numbers if name not in ("stride", "min_read_quality")))
        for kind in ("front", "text", "model"):
            least, most = getattr(self, f"min_{kind}_replicas"), getattr(self, f"max_{kind}_replicas")
            if most is not None and least > most:
                raise ValueError(f"--min-{kind}-replicas is {least}, more than --max-{kind}-replicas, {most}")

    def read_keys(self, environment: MutableMapping[str, str]) -> ApiKeys:
        """The API keys. The variable that holds some is removed: what is started later does not inherit it.

        Raises:
            ValueError: a source of keys holds none, or there are none although the options do not allow it.
        """
        keys = read_keys(environment.pop(KEYS_VARIABLE, None), self.api_keys_file, self.api_key_digests)
        if self.no_api_keys and keys.are_required:
            raise ValueError("--no-api-keys is given, and so are API keys; give one or the other")
        return keys

    def serve_options(
        self,
        cpus: float,
        gpus: float,
        keys: ApiKeys = ApiKeys(),  # noqa: B008
        grows: bool = False,
        nodes: int = 1,
    ) -> ServeOptions:
        """The options of the application, on a cluster of so many CPUs, GPUs and nodes, or on one that grows.

        Raises:
            ValueError: they make no sense.
            CheckpointError: a model cannot be read.
            OcrUnavailableError: Tesseract, or the data of a language, is not installed.
        """
        self.check()
        models = tuple(served_model(named, self.task) for named in self.model)
        names = [model.name for model in models]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"--model wants one name a model, and has {', '.join(names) or 'none'}; write NAME=SOURCE")
        extract = self.extract_options(models[0].source, models[0].task)
        devices = {worker_device(model.source, infer_options(replace(extract, task=model.task))) for model in models}
        device = "cpu" if devices == {"cpu"} else self.device
        sizes = plan_replicas(
            ClusterSize(cpus, gpus, grows, nodes),
            self.placement,
            device,
            text=Bounds(self.min_text_replicas, self.max_text_replicas),
            model=Bounds(self.min_model_replicas, self.max_model_replicas),
        )
        options = ServeOptions(
            models=models,
            extract=extract,
            limits=RequestLimits(
                upload_bytes=int(self.max_upload_megabytes * MEGA),
                pages=self.max_pages,
                questions=self.max_questions,
                seconds=self.request_time_limit_seconds,
                pages_in_flight=self.pages_in_flight,
                page_windows=self.max_page_windows,
                windows=self.max_windows,
                body_seconds=self.upload_time_limit_seconds,
            ),
            keys=keys,
            requests_in_flight=self.max_requests,
            models_in_memory=self.models_in_memory,
            gateway=Replicas(self.min_front_replicas, self.max_front_replicas, cpus=0.05),
            **vars(sizes),
        )
        for model in models:
            extract_of = options.extract_of(model)
            questions = (NEEDS_QUESTION,) if model.task == "question-answering" else ()
            check_options(ExtractOptions(**{**vars(extract_of), "questions": questions}))
        return options


def served_model(named: str, task: Task | None) -> ServedModel:
    """A model as `--model` gives it: `[NAME=]SOURCE`.

    Raises:
        ValueError: the task that it was fine-tuned for is unknown.
        CheckpointError: it cannot be read.
    """
    name, mark, source = named.partition("=")
    if not mark or "/" in name:
        source = named
        name = PurePosixPath(source.rstrip("/")).name
    if not name or not source:
        raise ValueError(f"--model is {named!r}; write SOURCE or NAME=SOURCE")
    task = task or task_of(source)
    return ServedModel(name, source, task, model_labels(source, task))


def task_of(source: str) -> Task:
    """What a checkpoint was fine-tuned for.

    Raises:
        ValueError: its configuration does not say, or says something else.
    """
    architectures = load_config(source, "token-classification").architectures or []
    for task, architecture in MODEL_CLASSES.items():
        if architecture in architectures:
            return task
    raise ValueError(f"{source} does not say what it was fine-tuned for; give --task")


def build(args: Mapping[str, Any]) -> Application:
    """The application for `serve deploy`: `args` are those of `Options` by name, where they are not the defaults.

    The API keys come from `api_keys_file`, `api_key_digests` or `LAYOUTLMV2_API_KEYS`, and travel as digests. Where
    the endpoint listens is not known here: without keys, `no_api_keys` is needed.

    Raises:
        ValueError: they make no sense.
    """
    from pipelines.serving.application import build_application

    unknown = sorted(set(args) - {field.name for field in fields(Options)})
    if unknown:
        raise ValueError(f"serve.yaml has args that jobs.serve does not know: {', '.join(unknown)}")
    given = dict(args)
    if isinstance(given.get("model"), str):
        given["model"] = (given["model"],)
    options = Options(**given)
    keys = options.read_keys(os.environ)
    if not keys.are_required and not options.no_api_keys:
        raise ValueError(
            "there are no API keys: give api_keys_file or api_key_digests in args, or no_api_keys: true for an "
            "endpoint that answers all who reach it"
        )
    return build_application(options_for_cluster(options, keys))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(partial(check, options), serve_until_signal, interrupted="interrupted")


def check(options: Options) -> tuple[Options, ApiKeys]:
    """The options and the API keys; refuses what cannot be served, before Ray is started.

    Raises:
        ValueError: the options make no sense, or nothing can listen there.
        CheckpointError: a model cannot be read.
        OcrUnavailableError: Tesseract, or the data of a language, is not installed.
    """
    check_address(options.host, options.port)
    keys = options.read_keys(os.environ)
    if not keys.are_required and not options.no_api_keys and not is_loopback(options.host):
        raise ValueError(
            f"--host {options.host} can be reached from other machines, and there are no API keys: give "
            "--api-keys-file, or --no-api-keys for an endpoint that answers all who reach it"
        )
    options.serve_options(cpus=1, gpus=0, keys=keys)
    return options, keys


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address that `check_address` accepts."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def serve_until_signal(checked: tuple[Options, ApiKeys]) -> int:
    """Start the endpoint, say when it answers, and stop it after SIGINT or SIGTERM; returns the exit status.

    Raises:
        JobError: Serve cannot start it, or the model does not answer.
    """
    options, keys = checked
    for name, value in {**FASTER, **GUARDED}.items():
        os.environ.setdefault(name, value)
    connect_to_ray(options.address, workers_log=False)
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation
    from ray.serve.exceptions import RayServeException

    from pipelines.serving.application import build_application

    # Serve says at which port its proxy listens, also where there is none; this job says where the endpoint is.
    logging.getLogger("ray.serve").addFilter(lambda record: record.levelno >= logging.WARNING)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # Ray has set its own
        signal.signal(number, lambda *_: stopped.set())
    timeout = options.request_time_limit_seconds + RESPONSE_SECONDS
    try:
        served = options_for_cluster(options, keys)
        if served.placement == "together" and served.gateway.maximum == 1:
            served = replace(served, listen=(options.host, options.port))
            serve.start(proxy_location=ProxyLocation.Disabled)
        else:
            http = HTTPOptions(host=options.host, port=options.port, request_timeout_s=timeout)
            serve.start(proxy_location=ProxyLocation.HeadOnly, http_options=http)
        deadline = time.monotonic() + START_SECONDS
        await_start(lambda: serve.run(build_application(served), name=APPLICATION), stopped, deadline)
        await_health(options.host, options.port, stopped, deadline)
        if not stopped.is_set():
            print(f"serving on http://{options.host}:{options.port}", flush=True)
        stopped.wait()
    except (RayServeException, RuntimeError, TimeoutError, ValueError) as error:
        raise JobError(str(error)) from error
    finally:
        serve.shutdown()
    return DONE


def options_for_cluster(options: Options, keys: ApiKeys) -> ServeOptions:
    """The options of the application, on the cluster that is connected.

    Raises:
        As `Options.serve_options` does.
    """
    size = cluster_size()
    return options.serve_options(size.cpus, size.gpus, keys, grows=size.grows, nodes=size.nodes)


def check_address(host: str, port: int) -> None:
    """
    Raises:
        ValueError: nothing can listen there.
    """
    if not 0 < port < 65536:
        raise ValueError(f"--port is {port}; it must be from 1 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ValueError(f"nothing can listen on {host}, port {port}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
