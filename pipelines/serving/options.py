"""Options: what an endpoint serves, to whom and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pipelines.options import ExtractOptions
from pipelines.schema import Task
from pipelines.serving.keys import ApiKeys

PREVIEW_SIDE = 1100
"""Pixels of the longer side of a page's preview."""


RESPONSE_SECONDS = 30.0
"""The response of a request may take so much longer to be received than the request's time limit."""

Placement = Literal["together", "apart"]
"""Where the model runs: in the processes that read pages, or in processes of its own."""


@dataclass(frozen=True)
class ServedModel:
    """A model under the name that requests give.

    Attributes:
        name: in requests and in `GET /v1/models`.
        source: folder, hub id or s3:// URI of its checkpoint.
        task: what it predicts for each page.
        labels: in the order of its logits; empty for question answering.
    """

    name: str
    source: str
    task: Task
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestLimits:
    """Upper bounds of one request.

    Attributes:
        upload_bytes: of the document.
        pages: that are answered; longer documents need the field `pages`.
        questions: number of questions.
        question_characters: of one question.
        seconds: from the request's first byte to the answer's last page; pages that are not done by then fail.
        pages_in_flight: pages in progress at a time.
        page_windows: windows of the model that one page may need, those of all questions together.
        windows: the same of all pages together; the pages after that fail.
        body_seconds: from the request's headers to the last byte of its body.
    """

    upload_bytes: int = 50_000_000
    pages: int = 500
    questions: int = 20
    question_characters: int = 2000
    seconds: float = 300.0
    pages_in_flight: int = 4
    page_windows: int = 200
    windows: int = 5000
    body_seconds: float = 60.0


@dataclass(frozen=True)
class Replicas:
    """How many replicas a deployment has, and which of Ray's resources each of them takes."""

    minimum: int = 1
    maximum: int = 1
    cpus: float = 0.1
    gpus: float = 0.0


@dataclass(frozen=True)
class Lanes:
    """How many pages a process reads at a time that reads pages and runs the model."""

    minimum: int = 1
    maximum: int = 1


@dataclass(frozen=True)
class ServeOptions:
    """A whole endpoint.

    Attributes:
        models: the first is the default.
        extract: how pages are processed, apart from `model`, `task` and `questions`, which requests name.
        requests_in_flight: requests that one gateway answers at a time; more are refused at once.
        models_in_memory: models that a predictor holds at a time; others are loaded when a request names them.
        model_threads: of PyTorch in each process that runs models on a CPU, at most; no more than its node has CPUs.
        placement: "together" has no predictors: readers of the gateway's own machine run the models.
        listen: host and port of a gateway that speaks HTTP itself; None for one behind Serve's proxies.
        lanes: of each reader, if they are together.
    """

    models: tuple[ServedModel, ...]
    extract: ExtractOptions
    limits: RequestLimits = field(default_factory=RequestLimits)
    keys: ApiKeys = field(default_factory=ApiKeys)
    requests_in_flight: int = 32
    models_in_memory: int = 3
    model_threads: int | None = None
    gateway: Replicas = field(default_factory=Replicas)
    placement: Placement = "apart"
    listen: tuple[str, int] | None = None
    reader: Replicas = field(default_factory=Replicas)
    lanes: Lanes = field(default_factory=Lanes)
    predictor: Replicas = field(default_factory=Replicas)

    def extract_of(self, model: ServedModel) -> ExtractOptions:
        """How pages are processed for one of the models; the questions come with each page."""
        return replace(self.extract, model=model.source, task=model.task, questions=())

    def model_named(self, name: str | None) -> ServedModel:
        """The model that a request names; the first if it names none.

        Raises:
            KeyError: there is none of that name.
        """
        if name is None:
            return self.models[0]
        return {model.name: model for model in self.models}[name]
