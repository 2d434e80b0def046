"""Loads a model and its tokenizer from the name that the user gives, identically in every worker."""

from __future__ import annotations

import copy
import json
import math
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import model
from model import LayoutLMv2Config, LayoutLMv2Tokenizer
from model.checkpoint_source import checkpoint_fingerprint, find_weights, resolve_checkpoint
from model.decoding import Decoding, load_decoding
from model.export.record import is_exported, read_record
from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.tokenizer_choice import load_page_tokenizer
from model.preprocessing.tokenizer_files import FORMATS, TOKENIZER_FILE, UNIGRAM, tokenizer_format
from model.runtimes.probe_page import load_probe_page
from model.runtimes.runtime import Runtime
from model.untrained import UNTRAINED, untrained_config, untrained_model
from pipelines.schema import Task
from pipelines.stages.infer import InferOptions, collate
from pipelines.stages.runtime_choice import choose_runtime, convert_in_memory, open_exported
from pipelines.stages.tokenize import TokenizeOptions, page_windows

if TYPE_CHECKING:
    import torch

MODEL_CLASSES: dict[Task, str] = {
    "token-classification": "LayoutLMv2ForTokenClassification",
    "sequence-classification": "LayoutLMv2ForSequenceClassification",
    "question-answering": "LayoutLMv2ForQuestionAnswering",
}

TOKENIZER_FILES = (TOKENIZER_FILE, *(one.vocabulary_file for one in FORMATS))

PUBLISHED_VOCABULARY = 30522
"""Entries of the vocabulary of the published models, BERT's uncased one, which is part of this package."""

UNTRAINED_BYTES = 63_000_000
"""Memory of the untrained model's weights."""

OTHER_TOKENIZER_FILES = ("*.model", "vocab.json", "merges.txt")
"""Files of tokenizers of other kinds: other SentencePiece models, and byte pairs, as those of LayoutLMv3."""

MAX_UNUSED_ENTRIES = 1024
"""A model may have this many more word embeddings than a SentencePiece vocabulary has tokens: a table is filled up to a
round number for speed, and tokens are added. With more, the vocabulary is not the model's."""

_WORDPIECE_TOKENIZER = re.compile(
    "(LayoutLM|LayoutLMv2|Bert)(Tokenizer|TokenizerFast|Processor)|PreTrainedTokenizerFast"
)


@dataclass(frozen=True)
class LoadedModel:
    """A model with the head of its task, in evaluation mode; `name` identifies its weights in the rows."""

    model: Any
    name: str


@dataclass(frozen=True)
class LoadedRuntime:
    """What runs a model; `name` identifies its weights in the rows."""

    runtime: Runtime
    name: str


def load_config(source: str, task: Task) -> LayoutLMv2Config:
    """The configuration of a checkpoint, or of the untrained model."""
    if source == UNTRAINED:
        return untrained_config(task)
    return LayoutLMv2Config.from_pretrained(resolve_checkpoint(source, weights=False))


def check_task(source: str, task: Task) -> None:
    """Reject a checkpoint that was not fine-tuned for the task: its head would be newly initialized, its output random.

    Raises:
        ValueError: the checkpoint's architecture is another one.
        CheckpointError: the checkpoint cannot be read.
    """
    if source == UNTRAINED:
        return
    config = load_config(source, task)
    architectures = config.architectures or ["model without a head (no architectures in its config.json)"]
    if MODEL_CLASSES[task] not in architectures:
        raise ValueError(
            f"{source} is a {' or '.join(architectures)}, and the task {task} needs a {MODEL_CLASSES[task]}: "
            "choose the task that the model was fine-tuned for, or give --model one that was fine-tuned for this task"
        )
    if task == "sequence-classification" and config.problem_type == "regression":
        raise ValueError(f"{source} predicts a number, not a class (problem_type is regression): not supported")


def model_labels(source: str, task: Task) -> tuple[str, ...]:
    """The labels in the order of the logits; none for question answering."""
    if task == "question-answering":
        return ()
    id2label = load_config(source, task).id2label
    return tuple(id2label[index] for index in range(len(id2label)))


def load_model_decoding(source: str) -> Decoding:
    """How the logits of a checkpoint become entities."""
    return Decoding() if source == UNTRAINED else load_decoding(resolve_checkpoint(source, weights=False))


def load_model(source: str, task: Task) -> LoadedModel:
    """The model of a checkpoint, with the head of a task."""
    model_class = getattr(model, MODEL_CLASSES[task])
    if source == UNTRAINED:
        return LoadedModel(untrained_model(model_class, task), UNTRAINED)
    folder = resolve_checkpoint(source)
    return LoadedModel(model_class.from_pretrained(folder), model_name(source))


def load_runtime(source: str, options: InferOptions) -> LoadedRuntime:
    """What runs the model of a checkpoint or an exported folder, with the head of `options.task`.

    Raises:
        ValueError: see `choose_runtime`.
        CheckpointError: the model cannot be read.
    """
    chosen = choose_runtime(source, options)
    if chosen.record is not None:
        return LoadedRuntime(open_exported(source, options, chosen), model_name(source))
    loaded = load_model(source, options.task)
    if chosen.name == "openvino":
        return LoadedRuntime(convert_in_memory(loaded.model, options), loaded.name)
    import torch

    from model.runtimes.dtype_choice import choose_dtype
    from model.runtimes.torch_runtime import TorchRuntime

    found = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(found if options.device == "auto" else options.device)
    dtype = choose_dtype(options.dtype, device, partial(rounding_agreement, loaded.model, source, options.task, device))
    return LoadedRuntime(TorchRuntime(loaded.model, options.task, device, dtype), loaded.name)


def rounding_agreement(loaded: Any, source: str, task: Task, device: torch.device, dtype: torch.dtype) -> float:
    """The share of labels of the probe page that a model keeps on a device in a shorter type, 0 to 1.

    Args:
        loaded: the model of the checkpoint `source`; it is moved to the device, in float32.
    """
    from model.runtimes.dtype_choice import label_agreement
    from model.runtimes.torch_runtime import TorchRuntime

    windows, image = probe_windows(source)
    exact = TorchRuntime(loaded, task, device, shared=True)
    rounded = TorchRuntime(copy.deepcopy(loaded), task, device, dtype)
    return label_agreement(probe_logits(exact, windows, image), probe_logits(rounded, windows, image), task)


def probe_windows(source: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The first window of the probe page, by the checkpoint's tokenizer, and its image, as a runtime takes them."""
    page = load_probe_page()
    windows = page_windows(load_tokenizer(source), page.words, [*page.boxes], TokenizeOptions())
    return collate(windows[:1]), page.image


def probe_logits(runtime: Runtime, windows: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """A runtime's logits of the result of `probe_windows`."""
    return runtime.logits(windows, runtime.image_features(image), np.zeros(1, dtype=np.int64))


def model_name(source: str) -> str:
    """The name of a model and the hash of its content: the column `model` of the rows."""
    if source == UNTRAINED:
        return UNTRAINED
    name = source.rstrip("/").rsplit("/", 1)[-1] if "://" in source else Path(source).resolve().name
    return f"{name}@{checkpoint_fingerprint(resolve_checkpoint(source))}"


def weights_bytes(source: str) -> int:
    """Memory that a model's weights take, in bytes: those of a checkpoint in float32, an exported model's as its files.

    Raises:
        CheckpointError: the checkpoint, or its weights, cannot be found.
        ValueError: the record of an exported model is damaged.
    """
    if source == UNTRAINED:
        return UNTRAINED_BYTES
    folder = resolve_checkpoint(source)
    if is_exported(folder):
        return sum((folder / name).stat().st_size for name in read_record(folder).files)
    return sum(map(_float32_bytes, find_weights(folder)))


def _float32_bytes(path: Path) -> int:
    """The bytes in float32 of the weights of a file; at most these for a file of another format than safetensors."""
    if path.suffix != ".safetensors":
        return 2 * path.stat().st_size  # its weights may have 16 bits
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(4 * math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def load_tokenizer(source: str) -> LayoutTokenizer:
    """The tokenizer of a checkpoint, or that of the published uncased models if the checkpoint has none.

    Raises:
        ValueError: the checkpoint has no tokenizer and its vocabulary is not the published one, or the tokenizer is
            another one than the model's, of a kind that is not supported, or damaged.
    """
    if source == UNTRAINED:
        return LayoutLMv2Tokenizer()
    folder = resolve_checkpoint(source, weights=False)
    config = LayoutLMv2Config.from_pretrained(folder)
    tokenizer: LayoutTokenizer
    if tokenizer_format(folder) is None:
        _check_published_vocabulary(source, folder, config.vocab_size)
        tokenizer = LayoutLMv2Tokenizer()
    else:
        tokenizer = load_page_tokenizer(folder)
    fit_tokenizer(source, tokenizer, config)
    return tokenizer


def fit_tokenizer(source: str, tokenizer: LayoutTokenizer, config: LayoutLMv2Config) -> None:
    """Check that a tokenizer is the model's, and limit its windows to the model's positions, in place.

    Raises:
        ValueError: the tokenizer has more entries than the model, or is of SentencePiece and has far fewer.
    """
    unused = config.vocab_size - len(tokenizer)
    if tokenizer.vocab_size > config.vocab_size or (tokenizer.format is UNIGRAM and unused > MAX_UNUSED_ENTRIES):
        raise ValueError(
            f"{source}: the tokenizer has {tokenizer.vocab_size} entries and the model {config.vocab_size}; put the "
            f"{TOKENIZER_FILE} or {tokenizer.format.vocabulary_file} of the model into its folder, or for a new model "
            "let its vocab_size be that of the tokenizer"
        )
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)


def _check_published_vocabulary(source: str, folder: Path, vocab_size: int) -> None:
    """Refuse a checkpoint without a tokenizer that is not of the published vocabulary.

    Any vocabulary gives words numbers that a larger model accepts: its results would be plausible and wrong.
    """
    other = [path.name for pattern in OTHER_TOKENIZER_FILES for path in sorted(folder.glob(pattern))]
    kind = _tokenizer_class(folder)
    if vocab_size != PUBLISHED_VOCABULARY:
        reason = f"its vocabulary has {vocab_size} entries and the published one {PUBLISHED_VOCABULARY}"
    elif other:
        reason = f"{other[0]} is a tokenizer of another kind"
    elif kind and not _WORDPIECE_TOKENIZER.fullmatch(kind):
        reason = f"its tokenizer_config.json names a {kind}, whose files are missing or of another kind"
    else:
        return
    raise ValueError(
        f"{source} has no tokenizer ({', '.join(TOKENIZER_FILES)}), and {reason}: put that file of the model into its "
        "folder; models with another kind of tokenizer, such as LayoutLMv3 with its byte pairs, are not supported"
    )


def _tokenizer_class(folder: Path) -> str:
    """The class that `tokenizer_config.json` names; empty if there is none."""
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return ""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; copy the checkpoint again") from error
    return str(config.get("tokenizer_class") or "") if isinstance(config, dict) else ""
