"""Classes that choose the class for a checkpoint from its `config.json`, with the reference's names.

There is one network here, so for models the choice is little more than a check: the model types `layoutlmv2` and
`layoutxlm` (the same network with another vocabulary) are accepted, and any other is refused by name. The tokenizer and
the processor are those of the checkpoint's files, since LayoutXLM's published configuration names the same model type.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from model.checkpoint_source import CONFIG_NAME, read_config_json, resolve_checkpoint, split_source_options
from model.config import MODEL_TYPES, LayoutLMv2Config

Source = str | PathLike[str]

_WITHOUT_EFFECT = ("use_fast", "trust_remote_code", "code_revision", "tokenizer_type", "backend")
"""Arguments that choose between implementations in the reference; here there is one."""


class _Auto:
    """Reads what a class of this package reads."""

    class_name: ClassVar[str]
    """The class, by its name in `model`, which loads it on first use."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Source, **arguments: Any) -> Any:
        """An object of the class; arguments and errors as in its own `from_pretrained`.

        Raises:
            ValueError: the checkpoint is of another model type.
        """
        effective = {name: value for name, value in arguments.items() if name not in _WITHOUT_EFFECT}
        return cls._class().from_pretrained(pretrained_model_name_or_path, **effective)

    @classmethod
    def _class(cls) -> Any:
        import model

        return getattr(model, cls.class_name)


class _AutoPart(_Auto):
    """Reads a part that does not look at the configuration itself."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Source, **arguments: Any) -> Any:
        """As for `_Auto`."""
        folder = check_model_type(pretrained_model_name_or_path, arguments)
        effective = {name: value for name, value in arguments.items() if name not in _WITHOUT_EFFECT}
        return cls._class_for(folder).from_pretrained(pretrained_model_name_or_path, **effective)

    @classmethod
    def _class_for(cls, folder: Path) -> Any:
        return cls._class()


class AutoConfig(_Auto):
    """Reads a configuration."""

    class_name = "LayoutLMv2Config"


class AutoTokenizer(_AutoPart):
    """Reads a tokenizer: a `LayoutLMv2Tokenizer` or a `LayoutXLMTokenizer`."""

    class_name = "LayoutLMv2Tokenizer"

    @classmethod
    def _class_for(cls, folder: Path) -> Any:
        from model.preprocessing.tokenizer_choice import tokenizer_class

        return tokenizer_class(folder)


class AutoImageProcessor(_AutoPart):
    """Reads an image processor."""

    class_name = "LayoutLMv2ImageProcessor"


class AutoProcessor(_AutoPart):
    """Reads a processor: a `LayoutLMv2Processor` or a `LayoutXLMProcessor`."""

    class_name = "LayoutLMv2Processor"

    @classmethod
    def _class_for(cls, folder: Path) -> Any:
        from model.preprocessing.processor import LayoutLMv2Processor, LayoutXLMProcessor
        from model.preprocessing.tokenizer_choice import tokenizer_class

        chosen = tokenizer_class(folder)
        return LayoutXLMProcessor if chosen is LayoutXLMProcessor.tokenizer_class else LayoutLMv2Processor


class AutoModel(_Auto):
    """Reads a checkpoint, or builds a model with random weights, without a head."""

    class_name = "LayoutLMv2Model"

    @classmethod
    def from_config(cls, config: LayoutLMv2Config) -> Any:
        """A model with random weights."""
        return cls._class()(config)


class AutoModelForTokenClassification(AutoModel):
    """As `AutoModel`, with a label for every token."""

    class_name = "LayoutLMv2ForTokenClassification"


class AutoModelForSequenceClassification(AutoModel):
    """As `AutoModel`, with a class for the page."""

    class_name = "LayoutLMv2ForSequenceClassification"


class AutoModelForQuestionAnswering(AutoModel):
    """As `AutoModel`, with the span of an answer."""

    class_name = "LayoutLMv2ForQuestionAnswering"


class AutoModelForDocumentQuestionAnswering(AutoModelForQuestionAnswering):
    """The reference's other name for `AutoModelForQuestionAnswering`."""


class AutoModelForRelationExtraction(AutoModel):
    """As `AutoModel`, with the links of keys and values; the name is that of LayoutXLM's published code."""

    class_name = "LayoutLMv2ForRelationExtraction"


def check_model_type(source: Source, arguments: Mapping[str, Any]) -> Path:
    """Refuse a checkpoint of another model type; a folder with a tokenizer or an image processor alone is accepted.

    Returns:
        The folder of the checkpoint.

    Raises:
        CheckpointError: as in `resolve_checkpoint`.
        ValueError: the model type is another one.
    """
    options, _ = split_source_options(arguments)
    folder = resolve_checkpoint(source, weights=False, **options)
    if (folder / CONFIG_NAME).is_file():
        model_type = read_config_json(folder).get("model_type", MODEL_TYPES[0])
        if model_type not in MODEL_TYPES:
            raise ValueError(f"{source} is a {model_type!r} model; this package has {' and '.join(MODEL_TYPES)}")
    return folder
