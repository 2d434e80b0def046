from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import model as model_package
from model import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForDocumentQuestionAnswering,
    AutoModelForPreTraining,
    AutoModelForQuestionAnswering,
    AutoModelForRelationExtraction,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoProcessor,
    AutoTokenizer,
    LayoutLMv2Config,
    LayoutLMv2Model,
    LayoutLMv2Processor,
    LayoutXLMProcessor,
)
from tests.model.preprocessing.small_sentencepiece import small_layoutxlm_tokenizer
from tests.model.small_model import small_config

MODELS = {
    AutoModel: "LayoutLMv2Model",
    AutoModelForPreTraining: "LayoutLMv2ForPreTraining",
    AutoModelForTokenClassification: "LayoutLMv2ForTokenClassification",
    AutoModelForSequenceClassification: "LayoutLMv2ForSequenceClassification",
    AutoModelForQuestionAnswering: "LayoutLMv2ForQuestionAnswering",
    AutoModelForDocumentQuestionAnswering: "LayoutLMv2ForQuestionAnswering",
    AutoModelForRelationExtraction: "LayoutLMv2ForRelationExtraction",
}
PARTS = {
    AutoConfig: "LayoutLMv2Config",
    AutoTokenizer: "LayoutLMv2Tokenizer",
    AutoImageProcessor: "LayoutLMv2ImageProcessor",
    AutoProcessor: "LayoutLMv2Processor",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    LayoutLMv2Model(small_config("question-answering")).save_pretrained(folder)
    LayoutLMv2Processor().save_pretrained(folder)
    return folder


def set_model_type(folder: Path, model_type: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": model_type}))


@pytest.mark.parametrize("model_type", ["layoutlmv2", "layoutxlm"])
@pytest.mark.parametrize(
    ("auto_class", "expected"), [(AutoTokenizer, "LayoutXLMTokenizer"), (AutoProcessor, "LayoutXLMProcessor")]
)
def test_the_tokenizer_follows_from_the_files(tmp_path: Path, auto_class: Any, model_type: str, expected: str) -> None:
    processor = LayoutXLMProcessor(tokenizer=small_layoutxlm_tokenizer(tmp_path))
    processor.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    assert type(auto_class.from_pretrained(tmp_path, use_fast=True)).__name__ == expected
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).unlink()
    assert type(auto_class.from_pretrained(tmp_path)).__name__ == expected


@pytest.mark.parametrize("model_type", ["layoutlmv2", "layoutxlm"])
@pytest.mark.parametrize("auto_class", [*MODELS, *PARTS])
def test_the_class_follows_from_the_configuration(checkpoint: Path, auto_class: Any, model_type: str) -> None:
    set_model_type(checkpoint, model_type)
    read = auto_class.from_pretrained(checkpoint, use_fast=True, trust_remote_code=False)
    assert type(read) is getattr(model_package, (MODELS | PARTS)[auto_class])


@pytest.mark.parametrize("auto_class", [*MODELS, *PARTS])
def test_another_type_of_model_is_refused_by_name(checkpoint: Path, auto_class: Any) -> None:
    set_model_type(checkpoint, "bert")
    with pytest.raises(ValueError, match=r"'bert'.*layoutlmv2 and layoutxlm"):
        auto_class.from_pretrained(checkpoint)


@pytest.mark.parametrize("auto_class", list(MODELS))
def test_a_model_is_built_from_a_configuration(auto_class: Any) -> None:
    model = auto_class.from_config(small_config("question-answering"))
    assert type(model).__name__ == MODELS[auto_class]


def test_a_processor_needs_no_configuration_of_a_model(tmp_path: Path) -> None:
    LayoutLMv2Processor().save_pretrained(tmp_path)
    assert AutoProcessor.from_pretrained(tmp_path, apply_ocr=False).image_processor.apply_ocr is False


def test_arguments_reach_the_class(checkpoint: Path) -> None:
    set_model_type(checkpoint, "layoutlmv2")
    model = AutoModelForTokenClassification.from_pretrained(checkpoint, num_labels=7, dtype="bfloat16")
    assert model.config.num_labels == 7 and str(model.dtype) == "torch.bfloat16"
    assert AutoConfig.from_pretrained(checkpoint, num_labels=5) == LayoutLMv2Config.from_pretrained(
        checkpoint, num_labels=5
    )


def test_a_folder_within_the_source_can_be_named(checkpoint: Path, tmp_path: Path) -> None:
    set_model_type(checkpoint, "layoutlmv2")
    (tmp_path / "inner").symlink_to(checkpoint)
    for auto_class in (AutoModel, *PARTS):
        auto_class.from_pretrained(tmp_path, subfolder="inner")
    with pytest.raises(OSError, match="no folder 'outer'"):
        AutoProcessor.from_pretrained(tmp_path, subfolder="outer")
