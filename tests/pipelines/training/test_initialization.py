"""Where training starts: a checkpoint, a text model, or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from model import LayoutLMv2Config, LayoutLMv2ForTokenClassification, LayoutLMv2Tokenizer, LayoutXLMTokenizer
from model.checkpoint import CheckpointError
from model.decoding import Decoding, save_decoding
from model.segment_joins import default_joins
from pipelines.stages.model_loader import load_tokenizer
from pipelines.training.initialization import (
    HEADS,
    ModelInit,
    check_init,
    choose_init,
    inherited_decoding,
    init_config,
    init_tokenizer,
    initialize_model,
)
from tests.model.preprocessing.small_sentencepiece import TOKENS, write_model_file
from tests.model.small_layoutxlm import write_layoutxlm_checkpoint
from tests.pipelines.datasets.drawn_corpus import TINY, write_tiny_config

LABELS = ("O", "B-KEY", "I-KEY")


def test_a_start_from_layoutxlm_keeps_its_tokenizer(tmp_path: Path) -> None:
    start = ModelInit("checkpoint", str(write_layoutxlm_checkpoint(tmp_path / "layoutxlm", LABELS)))
    config = init_config(start, "token-classification", LABELS)
    tokenizer = init_tokenizer(start, config)
    assert isinstance(tokenizer, LayoutXLMTokenizer) and tokenizer.model_max_length == 512
    tokenizer.save_pretrained(tmp_path / "start")
    config.save_pretrained(tmp_path / "start")
    assert isinstance(load_tokenizer(str(tmp_path / "start")), LayoutXLMTokenizer)
    assert not initialize_model(start, "token-classification", LABELS, 0).new


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    labels = dict(enumerate(LABELS))
    torch.manual_seed(5)
    LayoutLMv2ForTokenClassification(LayoutLMv2Config(**TINY, id2label=labels)).save_pretrained(folder)
    return folder


def test_the_options_say_where_to_start() -> None:
    assert choose_init("some/model", None, None) == ModelInit("checkpoint", "some/model")
    assert choose_init(None, "text", "config.json") == ModelInit("text", "text", "config.json")
    assert choose_init(None, None, None) == choose_init("untrained", None, None) == ModelInit("new")
    with pytest.raises(ValueError, match="--model and --init-text"):
        choose_init("model", "text", None)
    with pytest.raises(ValueError, match="--config"):
        choose_init("model", None, "config.json")


def test_what_lies_on_this_machine_is_named_by_its_whole_path(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers run in folders of their own."""
    monkeypatch.chdir(checkpoint.parent)
    assert choose_init(checkpoint.name, None, None).source == str(checkpoint)
    start = choose_init(None, checkpoint.name, f"{checkpoint.name}/config.json")
    assert (start.source, start.config) == (str(checkpoint), str(checkpoint / "config.json"))
    assert choose_init("microsoft/layoutlmv2-base-uncased", None, None).source == "microsoft/layoutlmv2-base-uncased"


def test_the_head_of_a_checkpoint_is_kept_for_the_same_labels_alone(checkpoint: Path) -> None:
    start = ModelInit("checkpoint", str(checkpoint))
    stored = LayoutLMv2ForTokenClassification.from_pretrained(checkpoint).state_dict()
    same = initialize_model(start, "token-classification", LABELS, 0)
    assert not same.new
    assert torch.equal(same.model.classifier.weight, stored["classifier.weight"])
    labels = ("O", "B-A", "I-A", "B-B", "I-B")
    other = initialize_model(start, "token-classification", labels, 0)
    assert other.new == {"classifier.weight", "classifier.bias"}
    assert tuple(other.model.config.id2label.values()) == labels
    assert not torch.isclose(other.model.classifier.weight[: len(LABELS)], stored["classifier.weight"]).any()
    assert torch.equal(other.model.layoutlmv2.pooler.dense.weight, stored["layoutlmv2.pooler.dense.weight"])


def test_a_head_keeps_what_it_learned_where_a_corpus_lists_the_same_labels_in_another_order(checkpoint: Path) -> None:
    stored = LayoutLMv2ForTokenClassification.from_pretrained(checkpoint)
    stored.classifier.bias.data = torch.arange(3.0)
    stored.save_pretrained(checkpoint.parent / "learned")
    labels = ("I-KEY", "O", "B-KEY")
    started = initialize_model(
        ModelInit("checkpoint", str(checkpoint.parent / "learned")), "token-classification", labels, 0
    )
    assert not started.new and tuple(started.model.config.id2label.values()) == labels
    assert torch.equal(started.model.classifier.weight, stored.classifier.weight[[2, 0, 1]])
    assert started.model.classifier.bias.tolist() == [2.0, 0.0, 1.0]


def test_another_task_has_a_new_head_and_the_same_seed_the_same_one(checkpoint: Path) -> None:
    start = ModelInit("checkpoint", str(checkpoint))
    one, again, other = (initialize_model(start, "question-answering", (), seed) for seed in (1, 1, 2))
    assert {name for name in one.new if name.startswith(HEADS["question-answering"])} == {
        "qa_outputs.weight",
        "qa_outputs.bias",
    }
    assert torch.equal(one.model.qa_outputs.weight, again.model.qa_outputs.weight)
    assert not torch.equal(one.model.qa_outputs.weight, other.model.qa_outputs.weight)


def test_starting_leaves_the_random_state_of_the_process_alone(checkpoint: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    initialize_model(ModelInit("checkpoint", str(checkpoint)), "token-classification", LABELS, 0)
    assert torch.equal(torch.rand(1), expected)


def test_everything_of_a_model_from_nothing_is_new(tmp_path: Path) -> None:
    started = initialize_model(
        ModelInit("new", config=str(write_tiny_config(tmp_path))), "sequence-classification", ("a", "b"), 0
    )
    assert started.new == {name for name, _ in started.model.named_parameters()}
    assert started.model.config.problem_type == "single_label_classification"
    assert init_config(ModelInit("new"), "token-classification", LABELS).hidden_size == 128


@pytest.mark.parametrize(("norm", "warned"), [("FrozenBN", True), ("BN", False)])
def test_a_new_backbone_with_frozen_normalisation_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, norm: str, warned: bool
) -> None:
    backbone = {**TINY["detectron2_config_args"], "MODEL.RESNETS.NORM": norm}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**TINY, "detectron2_config_args": backbone}))
    initialize_model(ModelInit("new", config=str(config)), "token-classification", LABELS, 0)
    assert ("MODEL.RESNETS.NORM and MODEL.FPN.NORM to BN" in caplog.text) == warned


def test_a_tokenizer_that_is_not_the_model_s_is_refused(tmp_path: Path) -> None:
    write_model_file(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path}: the tokenizer has {TOKENS} entries and the model 250002; put"):
        init_tokenizer(ModelInit("text", str(tmp_path)), LayoutLMv2Config(**{**TINY, "vocab_size": 250002}))
    with pytest.raises(ValueError, match=r"has 30522 entries and the model 50; .* let its vocab_size be"):
        init_tokenizer(ModelInit("new"), LayoutLMv2Config(**{**TINY, "vocab_size": 50}))


def test_a_text_model_brings_its_encoder_and_layout_and_picture_are_new(tmp_path: Path) -> None:
    """A BERT checkpoint, written by hand from a model of the same sizes without biases of layout."""
    separate = {**TINY, "fast_qkv": False}
    source = LayoutLMv2ForTokenClassification(LayoutLMv2Config(**separate)).layoutlmv2.state_dict()
    text = {
        name: tensor
        for name, tensor in source.items()
        if name.startswith("encoder.layer")
        or name.split(".")[1] in ("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm")
    }
    text = {name: tensor for name, tensor in text.items() if name.startswith(("encoder", "embeddings"))}
    folder = tmp_path / "bert"
    folder.mkdir()
    torch.save({f"bert.{name}": tensor for name, tensor in text.items()}, folder / "pytorch_model.bin")
    sizes = {name: TINY[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")}
    sizes |= {name: TINY[name] for name in ("intermediate_size", "vocab_size")}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **sizes}))
    LayoutLMv2Tokenizer().save_pretrained(folder)
    start = ModelInit("text", str(folder), str(write_tiny_config(tmp_path)))
    check_init(start, "sequence-classification")
    started = initialize_model(start, "token-classification", LABELS, 0)
    assert torch.equal(
        started.model.layoutlmv2.embeddings.word_embeddings.weight, source["embeddings.word_embeddings.weight"]
    )
    new = started.new
    assert "layoutlmv2.embeddings.x_position_embeddings.weight" in new and "classifier.weight" in new
    assert "layoutlmv2.encoder.rel_pos_bias.weight" in new and any(".visual." in name for name in new)
    assert not any(name.startswith("layoutlmv2.encoder.layer.") for name in new)
    tokenizer = init_tokenizer(start, init_config(start, "token-classification", LABELS))
    assert tokenizer.model_max_length == 512


@pytest.mark.parametrize(("content", "error"), [("[1]", "JSON object"), ("{", "cannot be read")])
def test_a_config_that_cannot_be_read_is_named(tmp_path: Path, content: str, error: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=error):
        check_init(ModelInit("new", config=str(path)), "token-classification")


def test_a_model_is_decoded_as_the_one_that_it_started_from_if_the_labels_are_the_same(
    checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "start"))
    start = ModelInit("checkpoint", str(folder))
    assert inherited_decoding(start, "token-classification", LABELS) is None
    save_decoding(Decoding("segments", temperatures={"O": 2.0}, joins=default_joins()), folder)
    inherited = inherited_decoding(start, "token-classification", tuple(reversed(LABELS)))
    assert inherited is not None and inherited.joins is not None
    assert (inherited.method, inherited.temperatures) == ("segments", {}), "temperatures are of other weights"
    assert inherited_decoding(start, "token-classification", ("O", "B-TOTAL")) is None
    assert inherited_decoding(ModelInit("new"), "token-classification", LABELS) is None
