"""What an endpoint serves, to whom and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pipelines.options import ExtractOptions
from pipelines.schema import Task
from pipelines.serving.keys import ApiKeys

PREVIEW_SIDE = 1100
"""Pixels of the longer side of a page's preview."""


@dataclass(frozen=True)
class ServedModel:
    """A model under the name that requests give.

    Attributes:
        name: in requests and in `GET /v1/models`.
        source: folder, hub id or s3:// URI of its checkpoint.
        task: what it is asked of each page.
        labels: in the order of its logits; empty for question answering.
    """

    name: str
    source: str
    task: Task
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestLimits:
    """What one request may ask.

    Attributes:
        upload_bytes: of the document.
        pages: that are answered; a longer document wants `pages`.
        questions: asked at once.
        question_characters: of one question.
        seconds: from the request's first byte to the answer's last page; what is not done by then has failed.
        pages_in_flight: pages of one request that are worked on at a time.
    """

    upload_bytes: int = 50_000_000
    pages: int = 500
    questions: int = 20
    question_characters: int = 2000
    seconds: float = 300.0
    pages_in_flight: int = 4


@dataclass(frozen=True)
class Replicas:
    """How many replicas a deployment has, and what each of them books of Ray."""

    least: int = 1
    most: int = 1
    cpus: float = 0.1
    gpus: float = 0.0


@dataclass(frozen=True)
class ServeOptions:
    """A whole endpoint.

    Attributes:
        models: the first is the default.
        extract: what is done with a page, but for `model`, `task` and `questions`, which requests name.
        requests_in_flight: that one front works on at a time; more are refused at once.
        models_in_memory: that a replica holds at a time; others are loaded when they are asked for.
        model_threads: of PyTorch in each replica on a CPU.
    """

    models: tuple[ServedModel, ...]
    extract: ExtractOptions
    limits: RequestLimits = field(default_factory=RequestLimits)
    keys: ApiKeys = field(default_factory=ApiKeys)
    requests_in_flight: int = 32
    models_in_memory: int = 3
    model_threads: int | None = None
    gateway: Replicas = field(default_factory=Replicas)
    text: Replicas = field(default_factory=Replicas)
    model: Replicas = field(default_factory=Replicas)

    def extract_of(self, model: ServedModel) -> ExtractOptions:
        """What is done with a page for one of the models; the questions come with each page."""
        return replace(self.extract, model=model.source, task=model.task, questions=())

    def model_named(self, name: str | None) -> ServedModel:
        """The model that a request names; the first where it names none.

        Raises:
            KeyError: there is none of that name.
        """
        if name is None:
            return self.models[0]
        return {model.name: model for model in self.models}[name]
