"""Classes that choose the class for a checkpoint from its `config.json`, with the reference's names.

There is one family here, so the choice is little more than a check: the model types `layoutlmv2` and `layoutxlm` (the
same network with another vocabulary) are accepted, and any other is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar

from model.checkpoint_source import CONFIG_NAME, read_config_json, resolve_checkpoint, split_source_options
from model.config import MODEL_TYPES, LayoutLMv2Config

Source = str | PathLike[str]

_WITHOUT_EFFECT = ("use_fast", "trust_remote_code", "code_revision", "tokenizer_type", "backend")
"""Arguments that choose between implementations in the reference; here there is one."""


class AutoConfig:
    """Reads a configuration."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: Source, **overrides: Any) -> LayoutLMv2Config:
        """As `LayoutLMv2Config.from_pretrained`. Raises ValueError for another model type."""
        return LayoutLMv2Config.from_pretrained(str(pretrained_model_name_or_path), **_effective(overrides))


class AutoTokenizer:
    """Reads a tokenizer."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: Source, **settings: Any) -> Any:
        """A `LayoutLMv2Tokenizer`; arguments and errors as in its `from_pretrained`.

        Raises:
            ValueError: the checkpoint is of another model type.
        """
        from model.preprocessing.tokenizer import LayoutLMv2Tokenizer

        check_model_type(pretrained_model_name_or_path, settings)
        return LayoutLMv2Tokenizer.from_pretrained(pretrained_model_name_or_path, **_effective(settings))


class AutoImageProcessor:
    """Reads an image processor."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: Source, **settings: Any) -> Any:
        """A `LayoutLMv2ImageProcessor`; arguments and errors as in its `from_pretrained`.

        Raises:
            ValueError: the checkpoint is of another model type.
        """
        from model.preprocessing.image_processor import LayoutLMv2ImageProcessor

        check_model_type(pretrained_model_name_or_path, settings)
        return LayoutLMv2ImageProcessor.from_pretrained(pretrained_model_name_or_path, **_effective(settings))


class AutoProcessor:
    """Reads a processor."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: Source, **settings: Any) -> Any:
        """A `LayoutLMv2Processor`; arguments and errors as in its `from_pretrained`.

        Raises:
            ValueError: the checkpoint is of another model type.
        """
        from model.preprocessing.processor import LayoutLMv2Processor

        check_model_type(pretrained_model_name_or_path, settings)
        return LayoutLMv2Processor.from_pretrained(pretrained_model_name_or_path, **_effective(settings))


class AutoModel:
    """Reads a checkpoint, or builds a model with random weights, without a head."""

    model_class_name: ClassVar[str] = "LayoutLMv2Model"

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Source, **arguments: Any) -> Any:
        """A model of the class; arguments and errors as in its `from_pretrained`.

        Raises:
            ValueError: the checkpoint is of another model type.
        """
        return cls._model_class().from_pretrained(pretrained_model_name_or_path, **_effective(arguments))

    @classmethod
    def from_config(cls, config: LayoutLMv2Config) -> Any:
        """A model with random weights."""
        return cls._model_class()(config)

    @classmethod
    def _model_class(cls) -> Any:
        import model

        return getattr(model, cls.model_class_name)


class AutoModelForTokenClassification(AutoModel):
    """As `AutoModel`, with a label for every token."""

    model_class_name = "LayoutLMv2ForTokenClassification"


class AutoModelForSequenceClassification(AutoModel):
    """As `AutoModel`, with a class for the page."""

    model_class_name = "LayoutLMv2ForSequenceClassification"


class AutoModelForQuestionAnswering(AutoModel):
    """As `AutoModel`, with the span of an answer."""

    model_class_name = "LayoutLMv2ForQuestionAnswering"


class AutoModelForDocumentQuestionAnswering(AutoModelForQuestionAnswering):
    """The reference's other name for `AutoModelForQuestionAnswering`."""


def check_model_type(source: Source, arguments: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another model type; a folder with a tokenizer or an image processor alone is accepted.

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


def _effective(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _WITHOUT_EFFECT}
