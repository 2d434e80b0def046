"""The start of a training run: which model, with which weights, and which of its parameters are new."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import model as model_package
from model import LayoutLMv2Config, LayoutLMv2Tokenizer
from model.checkpoint_source import CheckpointError, checkpoint_fingerprint, resolve_checkpoint
from model.config import CONFIG_NAME
from model.decoding import Decoding
from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.tokenizer_choice import load_page_tokenizer
from model.untrained import UNTRAINED, untrained_config
from pipelines.schema import Task
from pipelines.stages.model_loader import (
    MODEL_CLASSES,
    fit_tokenizer,
    load_model_decoding,
    load_tokenizer,
    model_labels,
)
from pipelines.training.targets import Objective

logger = logging.getLogger(__name__)

HEADS: dict[Task, str] = {
    "token-classification": "classifier",
    "sequence-classification": "classifier",
    "question-answering": "qa_outputs",
}
"""The attribute of each model class that holds its last layer."""

ANY_LABELS = ("O", "B")
"""Labels for a check before the corpus is read."""


@dataclass(frozen=True)
class ModelInit:
    """Where training starts.

    Attributes:
        kind: "checkpoint": of a LayoutLMv2; "text": of a BERT-like model; "new": random weights.
        source: folder, hub id or s3:// URI of the checkpoint; empty for a new model.
        config: for "text" and "new", a `config.json` or its folder, whose values replace the defaults. Without it a new
            model has the small sizes of "untrained".
    """

    kind: Literal["checkpoint", "text", "new"]
    source: str = ""
    config: str | None = None

    def described(self) -> dict[str, Any]:
        """The start by its content, as JSON: equal for two runs only if they start from the same weights."""
        content = checkpoint_fingerprint(resolve_checkpoint(self.source)) if self.source else None
        return {"kind": self.kind, "content": content, "config": _read_config(self.config) if self.config else {}}


@dataclass(frozen=True)
class InitializedModel:
    """A model to train, in evaluation mode; `new` holds the names of the parameters that no checkpoint brought."""

    model: Any
    new: frozenset[str]


def inherited_decoding(start: ModelInit, task: Task, labels: tuple[str, ...]) -> Decoding | None:
    """How the trained model is decoded: as the one that it started from, if both have the same labels.

    The temperatures and the curves of scores are those of other weights, and are left behind.
    """
    if start.kind != "checkpoint" or task != "token-classification":
        return None
    decoding = load_model_decoding(start.source)
    if decoding.method == "words" or set(model_labels(start.source, task)) != set(labels):
        return None
    return Decoding(decoding.method, joins=decoding.joins)


def choose_init(model: str | None, init_text: str | None, config: str | None) -> ModelInit:
    """The start that the options of a job describe.

    Raises:
        ValueError: the options contradict each other.
    """
    if model == UNTRAINED:
        model = None
    if model is not None and init_text is not None:
        raise ValueError("--model and --init-text both say where to start; give one of them")
    if model is not None and config is not None:
        raise ValueError("--config is for a model without a checkpoint (or with --init-text); --model has its own")
    if config is not None:
        config = _absolute(config)
    if model is not None:
        return ModelInit("checkpoint", _absolute(model))
    return ModelInit("text", _absolute(init_text), config) if init_text is not None else ModelInit("new", "", config)


def _absolute(source: str) -> str:
    """The absolute path of a local folder or file, since workers run in other folders; any other source unchanged."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.exists() else source


def init_config(start: ModelInit, task: Task, labels: tuple[str, ...]) -> LayoutLMv2Config:
    """The configuration of the model, with the labels of the corpus in the order of its logits.

    Raises:
        CheckpointError: a file cannot be read.
        ValueError: invalid values.
    """
    names = labels if task != "question-answering" else ("START", "END")
    fixed: dict[str, Any] = {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
        "problem_type": "single_label_classification" if task == "sequence-classification" else None,
    }
    return _config(start, fixed, task)


def pretraining_config(start: ModelInit) -> LayoutLMv2Config:
    """The configuration of a model for pre-training, whose heads have no labels. Raises as `init_config`."""
    return _config(start, {}, "token-classification")


def _config(start: ModelInit, fixed: dict[str, Any], task: Task) -> LayoutLMv2Config:
    given = _read_config(start.config) if start.config else {}
    for name in ("id2label", "label2id", "problem_type", "num_labels", "architectures", "dtype", "torch_dtype"):
        given.pop(name, None)
    given.pop("model_type", None)
    if start.kind == "checkpoint":
        return LayoutLMv2Config.from_pretrained(resolve_checkpoint(start.source, weights=False)).replace(**fixed)
    if start.kind == "text":
        from model.text_checkpoint import text_config

        return text_config(start.source, **{**given, **fixed})
    return LayoutLMv2Config(**given, **fixed) if start.config else untrained_config(task).replace(**fixed)


def model_class_of(task: Task, objective: Objective) -> Any:
    """The model class to train."""
    if objective == "masked-words":
        from model.masked_words import LayoutLMv2ForMaskedWords

        return LayoutLMv2ForMaskedWords
    return getattr(model_package, MODEL_CLASSES[task])


def check_init(start: ModelInit, task: Task) -> None:
    """Refuse a start that makes no model, before anything is started; the model is built without memory for weights.

    Raises:
        CheckpointError: a file cannot be read.
        ValueError: invalid values.
    """
    _check(getattr(model_package, MODEL_CLASSES[task]), init_config(start, task, ANY_LABELS))


def check_pretraining_init(start: ModelInit) -> None:
    """As `check_init`, for pre-training."""
    _check(model_package.LayoutLMv2ForPreTraining, pretraining_config(start))


def _check(model_class: Any, config: LayoutLMv2Config) -> None:
    import torch

    with torch.device("meta"):
        model_class(config)


def init_tokenizer(start: ModelInit, config: LayoutLMv2Config) -> LayoutTokenizer:
    """The tokenizer of the checkpoint, or the published one; its maximum length is at most the model's.

    Raises:
        ValueError: it is not the model's.
    """
    if start.kind == "checkpoint":
        return load_tokenizer(start.source)
    tokenizer = load_page_tokenizer(start.source) if start.kind == "text" else LayoutLMv2Tokenizer()
    fit_tokenizer(start.source or f"{start.config or UNTRAINED} with the published tokenizer", tokenizer, config)
    return tokenizer


def initialize_model(
    start: ModelInit, task: Task, labels: tuple[str, ...], seed: int, objective: Objective = "labels"
) -> InitializedModel:
    """The model to train, equal in every process.

    The head of a checkpoint is kept if it has the labels of the corpus, in any order.
    """

    def fit_head(model: Any) -> set[str]:
        if objective != "labels" or not labels:
            return set()
        return _fit_head(model, task, model_labels(start.source, task), labels)

    return _initialized(model_class_of(task, objective), init_config(start, task, labels), start, seed, fit_head)


def initialize_pretraining_model(start: ModelInit, seed: int) -> InitializedModel:
    """The model to pre-train, equal in every process; the heads of a checkpoint of another class are new."""
    config = pretraining_config(start)
    return _initialized(model_package.LayoutLMv2ForPreTraining, config, start, seed, lambda _: set())


def _initialized(
    model_class: Any, config: LayoutLMv2Config, start: ModelInit, seed: int, fit_head: Callable[[Any], set[str]]
) -> InitializedModel:
    """A model of a class from its start.

    Args:
        fit_head: changes what was loaded from a checkpoint; returns the names of further new parameters.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if start.kind == "checkpoint":
            folder = resolve_checkpoint(start.source)
            model = model_class.from_pretrained(folder, config=config, ignore_mismatched_sizes=True)
            new = set(model.new_tensors)
            new |= fit_head(model)
        else:
            if config.detectron2_config_args.get("MODEL.RESNETS.NORM", "FrozenBN") == "FrozenBN":
                logger.warning(
                    "the visual backbone is new, and its batch normalisation is frozen: the model will hardly learn to "
                    "look at pages; in detectron2_config_args of --config, set MODEL.BACKBONE.FREEZE_AT to 0, and "
                    "MODEL.RESNETS.NORM and MODEL.FPN.NORM to BN"
                )
            model = model_class(config).eval()
            new = {name for name, _ in model.named_parameters()}
            if start.kind == "text":
                from model.text_checkpoint import load_text_checkpoint

                new -= load_text_checkpoint(model, start.source)
    return InitializedModel(model, frozenset(name for name, _ in model.named_parameters() if name in new))


def _fit_head(model: Any, task: Task, stored: tuple[str, ...], labels: tuple[str, ...]) -> set[str]:
    """Reorder a head for `labels`, or make it new where its labels differ; returns the names of new parameters."""
    import torch

    if stored == labels:
        return set()
    head = getattr(model, HEADS[task])
    with torch.no_grad():
        if sorted(stored) == sorted(labels):
            order = [stored.index(label) for label in labels]
            head.weight.copy_(head.weight[order].clone())
            head.bias.copy_(head.bias[order].clone())
            return set()
        logger.info("the checkpoint's labels differ from the corpus's: its last layer starts with new weights")
        torch.nn.init.normal_(head.weight, std=model.config.initializer_range)
        torch.nn.init.zeros_(head.bias)
    return {f"{HEADS[task]}.{name}" for name, _ in head.named_parameters()}


def _read_config(source: str) -> dict[str, Any]:
    path = Path(source).expanduser()
    path = path / CONFIG_NAME if path.is_dir() else path
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"--config {path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"--config {path} must hold a JSON object of a model's parameters")
    return values
