"""Application: the deployments and how they are wired.

Apart, for clusters and GPUs:

    HTTP -> proxy -> Gateway -> Reader: render, OCR, tokenize, in sandboxes -> Predictor: infer, merge -> Gateway

A document's bytes go from Gateway to Reader as one object of Ray's store; pages go from Reader to Predictor without
passing through Gateway.

Together, on one machine without a GPU:

    HTTP -> Gateway -> Reader: all of this, the model in the reader's own process -> Gateway

A document is a file that Gateway writes; calls and answers go through a Unix socket, not through Serve.
"""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application, Deployment
from ray.serve.config import AutoscalingConfig, BackpressureConfig
from ray.serve.schema import LoggingConfig

from pipelines.serving.bodies import BODIES_PER_PLACE
from pipelines.serving.gateway import Gateway
from pipelines.serving.local_reader import LocalReader
from pipelines.serving.options import Replicas, ServeOptions
from pipelines.serving.predictor import Predictor, predictor_class
from pipelines.serving.reader import Reader

READER_PAGES = 2
"""Pages that a reader holds: one is being read, the next one is at hand."""

PREDICTOR_PAGES = 64
"""Pages that a predictor holds at least, out of which batches are made. It has room for all pages that a gateway has in
progress: long ones, which take turns in the model with the others, would else keep those out."""

UPSCALE_SECONDS, DOWNSCALE_SECONDS = 5.0, 120.0


def build_application(options: ServeOptions) -> Application:
    """The Serve application of an endpoint."""
    queued = options.requests_in_flight * (options.limits.pages_in_flight + 1)
    if options.placement == "together":
        return _together(options)
    reader = _deployment(Reader).options(
        max_ongoing_requests=READER_PAGES,
        max_queued_requests=queued,
        ray_actor_options=_resources(options.reader),
        autoscaling_config=_autoscaling(options.reader, READER_PAGES),
        logging_config=_NO_ACCESS_LOG,
        **_HEALTH,
    )
    predictor = _deployment(predictor_class(options.models_in_memory)).options(
        name=Predictor.__name__,
        max_ongoing_requests=max(PREDICTOR_PAGES, options.requests_in_flight * options.limits.pages_in_flight),
        max_queued_requests=queued,
        ray_actor_options=_resources(options.predictor),
        autoscaling_config=_autoscaling(options.predictor, PREDICTOR_PAGES // 4),
        logging_config=_NO_ACCESS_LOG,
        **_HEALTH,
    )
    return _gateway(options).bind(options, reader.bind(options), predictor.bind(options))


def _together(options: ServeOptions) -> Application:
    """Gateways that call local readers: these answer Serve only when it asks for their health and address.

    Serve sees none of the calls, so that the number of readers is fixed; their lanes follow the load instead.
    """
    reader = _deployment(draining(LocalReader)).options(
        name=Reader.__name__,
        num_replicas=options.reader.maximum,
        ray_actor_options=_resources(options.reader),
        logging_config=_NO_ACCESS_LOG,
        **_HEALTH,
    )
    return _gateway(options).bind(options, reader.bind(options))


def _gateway(options: ServeOptions) -> Deployment:
    if options.listen is not None:
        return _deployment(draining(Gateway)).options(
            name=Gateway.__name__,
            num_replicas=1,
            ray_actor_options=_resources(options.gateway),
            logging_config=_NO_ACCESS_LOG,
            **_HEALTH,
        )
    return _deployment(serve.ingress()(Gateway)).options(
        # More than it receives and answers: it chooses itself which requests it refuses.
        max_ongoing_requests=3 * BODIES_PER_PLACE * options.requests_in_flight,
        max_queued_requests=4 * options.requests_in_flight,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=2),
        ray_actor_options=_resources(options.gateway),
        autoscaling_config=_autoscaling(options.gateway, options.requests_in_flight / 2),
        **_HEALTH,
    )


_NO_ACCESS_LOG = LoggingConfig(enable_access_log=False)
"""The gateway logs requests; their pages need no lines of their own."""

_HEALTH: dict[str, Any] = {"health_check_period_s": 5.0, "health_check_timeout_s": 30.0}


def _deployment(replica: type) -> Deployment:
    deployment = serve.deployment(replica)
    assert isinstance(deployment, Deployment)
    return deployment


def draining(replica: type[LocalReader] | type[Gateway]) -> type:
    """The class with a destructor, which Serve awaits before it ends a replica."""
    return type(replica.__name__, (replica,), {"__del__": replica.drain})


def _resources(replicas: Replicas) -> dict[str, float]:
    return {"num_cpus": replicas.cpus, "num_gpus": replicas.gpus}


def _autoscaling(replicas: Replicas, requests: float) -> AutoscalingConfig:
    """Replicas are added when each has more than `requests` in progress."""
    return AutoscalingConfig(
        min_replicas=replicas.minimum,
        initial_replicas=replicas.minimum,
        max_replicas=replicas.maximum,
        target_ongoing_requests=requests,
        upscale_delay_s=UPSCALE_SECONDS,
        downscale_delay_s=DOWNSCALE_SECONDS,
    )
