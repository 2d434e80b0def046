"""Application: three deployments and how they are wired.

    HTTP -> Front -> Text: render, OCR, tokenize, in a sandbox -> Model: infer, merge -> Front -> HTTP

A document's bytes go from Front to Text as one object of Ray's store, pages from Text to Model without passing Front.
"""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application, Deployment
from ray.serve.config import AutoscalingConfig, BackpressureConfig
from ray.serve.schema import LoggingConfig

from pipelines.serving.gateway import Gateway
from pipelines.serving.options import Replicas, ServeOptions
from pipelines.serving.predictor import Predictor, predictor_class
from pipelines.serving.reader import Reader

TEXT_AT_A_TIME = 2
"""Pages that a text replica holds: one is read, the next one is at hand."""

MODEL_AT_A_TIME = 64
"""Pages that a model replica holds, out of which batches are made."""

UPSCALE_SECONDS, DOWNSCALE_SECONDS = 5.0, 120.0


def build_application(options: ServeOptions) -> Application:
    """The Serve application of an endpoint."""
    queued = options.requests_in_flight * (options.limits.pages_in_flight + 1)
    text = _deployment(Reader).options(
        max_ongoing_requests=TEXT_AT_A_TIME,
        max_queued_requests=queued,
        ray_actor_options=_booked(options.text),
        autoscaling_config=_autoscaling(options.text, TEXT_AT_A_TIME),
        logging_config=_QUIET,
        **_COMMON,
    )
    model = _deployment(predictor_class(options.models_in_memory)).options(
        name=Predictor.__name__,
        max_ongoing_requests=MODEL_AT_A_TIME,
        max_queued_requests=queued,
        ray_actor_options=_booked(options.model),
        autoscaling_config=_autoscaling(options.model, MODEL_AT_A_TIME // 4),
        logging_config=_QUIET,
        **_COMMON,
    )
    gateway = _deployment(serve.ingress()(Gateway)).options(
        max_ongoing_requests=4 * options.requests_in_flight,  # more than it admits: it refuses in words of its own
        max_queued_requests=4 * options.requests_in_flight,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=2),
        ray_actor_options=_booked(options.gateway),
        autoscaling_config=_autoscaling(options.gateway, options.requests_in_flight / 2),
        **_COMMON,
    )
    return gateway.bind(options, text.bind(options), model.bind(options))


_QUIET = LoggingConfig(enable_access_log=False)
"""The front logs requests; what becomes of their pages need not be logged once more."""

_COMMON: dict[str, Any] = {"health_check_period_s": 5.0, "health_check_timeout_s": 30.0}


def _deployment(replica: type) -> Deployment:
    made = serve.deployment(replica)
    assert isinstance(made, Deployment)
    return made


def _booked(replicas: Replicas) -> dict[str, float]:
    return {"num_cpus": replicas.cpus, "num_gpus": replicas.gpus}


def _autoscaling(replicas: Replicas, requests: float) -> AutoscalingConfig:
    """Replicas are added where each of them has more than `requests` to do."""
    return AutoscalingConfig(
        min_replicas=replicas.least,
        initial_replicas=replicas.least,
        max_replicas=replicas.most,
        target_ongoing_requests=requests,
        upscale_delay_s=UPSCALE_SECONDS,
        downscale_delay_s=DOWNSCALE_SECONDS,
    )
