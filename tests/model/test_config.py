from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.config import LayoutLMv2Config


def test_the_defaults_are_those_of_the_published_base_model(shared_directory: Path) -> None:
    reference = json.loads((shared_directory / "goldens" / "base" / "config.json").read_text())
    del reference["transformers_version"]
    assert LayoutLMv2Config(num_labels=7).to_diff_dict() == reference


def test_a_new_config_writes_labels_only_when_they_are_not_the_default() -> None:
    written = LayoutLMv2Config().to_diff_dict()
    assert written["hidden_size"] == 768
    assert written["image_feature_pool_shape"] == [7, 7, 256]
    assert written["detectron2_config_args"]["MODEL.RESNETS.DEPTH"] == 101
    assert written["model_type"] == "layoutlmv2"
    assert not written.keys() & {"id2label", "label2id", "problem_type", "return_dict", "visual_backbone"}
    assert LayoutLMv2Config(num_labels=3).to_diff_dict()["label2id"] == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}


@pytest.mark.parametrize("name", ["tiny", "tiny-separate-qkv", "tiny-segment"])
def test_a_config_file_is_written_back_byte_for_byte(name: str, fixtures_directory: Path, tmp_path: Path) -> None:
    source = fixtures_directory / "goldens" / name / "checkpoint-base" / "config.json"
    LayoutLMv2Config.from_dict(json.loads(source.read_text())).save_pretrained(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / "config.json").read_bytes() == source.read_bytes()


def test_unknown_old_and_omitted_keys_are_written_back_unchanged() -> None:
    values = {
        "_name_or_path": "somewhere",
        "architectures": ["LayoutLMv2ForTokenClassification"],
        "bos_token_id": 0,
        "gradient_checkpointing": False,
        "id2label": {"0": "O", "1": "B-é"},
        "label2id": {"O": 0, "B-é": 1},
        "image_feature_pool_shape": [7, 7],
        "my_key": {"nested": [1, None]},
        "num_labels": 2,
        "output_past": True,
        "to_dict": "a name that is also a method",
        "torch_dtype": "float16",
        "transformers_version": "4.5.1",
    }
    config = LayoutLMv2Config.from_dict(values)
    assert config.to_diff_dict() == values
    assert config.my_key == {"nested": [1, None]}
    assert config.dtype == "float16"
    assert config.image_feature_pool_shape == [7, 7, 256]
    assert config.id2label == {0: "O", 1: "B-é"}


def test_values_changed_after_reading_are_written_and_the_rest_is_unchanged() -> None:
    values = {"hidden_size": 768, "id2label": {"0": "A", "1": "B", "2": "C"}, "mine": 1, "torch_dtype": "float32"}
    config = LayoutLMv2Config.from_dict(values)
    config.architectures = ["LayoutLMv2Model"]
    config.num_labels = 4
    config.mine = 2
    config.dtype = "bfloat16"
    written = config.to_diff_dict()
    assert written["architectures"] == ["LayoutLMv2Model"]
    assert list(written["id2label"].values()) == ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"]
    assert (written["mine"], written["dtype"]) == (2, "bfloat16")
    assert "torch_dtype" not in written
    assert "vocab_size" not in written
    assert LayoutLMv2Config.from_dict(written) == config


def test_overrides_replace_values_of_the_file_and_the_file_is_unchanged() -> None:
    values = {"id2label": {"0": "A", "1": "B", "2": "C"}, "mine": 1}
    config = LayoutLMv2Config.from_dict(values, num_labels=5, mine=2, hidden_dropout_prob=0.0)
    assert (config.num_labels, config.mine, config.hidden_dropout_prob) == (5, 2, 0.0)
    named = LayoutLMv2Config.from_dict(values, id2label={0: "X", 1: "Y"})
    assert (named.num_labels, named.label2id) == (2, {"X": 0, "Y": 1})
    assert values == {"id2label": {"0": "A", "1": "B", "2": "C"}, "mine": 1}
    with pytest.raises(TypeError, match="hiden_size"):
        LayoutLMv2Config.from_dict(values, hiden_size=96)


def test_replace_does_not_modify_the_original() -> None:
    config = LayoutLMv2Config(num_labels=3)
    changed = config.replace(num_labels=2, has_visual_segment_embedding=True)
    assert (config.num_labels, config.has_visual_segment_embedding) == (3, False)
    assert (changed.num_labels, changed.has_visual_segment_embedding) == (2, True)
    changed.detectron2_config_args["MODEL.RESNETS.DEPTH"] = 50
    assert config.detectron2_config_args["MODEL.RESNETS.DEPTH"] == 101
    assert config != changed


def test_null_means_the_default_except_for_the_padding_token() -> None:
    config = LayoutLMv2Config(detectron2_config_args=None, hidden_size=None, pad_token_id=None)
    assert config.detectron2_config_args == LayoutLMv2Config.get_default_detectron2_config()
    assert config.hidden_size == 768
    assert config.pad_token_id is None


def test_the_backbone_choice_is_written_only_when_it_is_not_the_default() -> None:
    assert "visual_backbone" not in LayoutLMv2Config().to_diff_dict()
    assert LayoutLMv2Config(visual_backbone="detectron2").to_diff_dict()["visual_backbone"] == "detectron2"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("num_attention_heads", {"num_attention_heads": 7}),
        ("coordinate_size", {"coordinate_size": 100}),
        ("shape_size", {"shape_size": 100}),
        ("hidden_size", {"hidden_size": 0}),
        ("hidden_size", {"hidden_size": "768"}),
        ("vocab_size", {"vocab_size": -1}),
        ("num_hidden_layers", {"num_hidden_layers": 1.5}),
        ("num_hidden_layers", {"num_hidden_layers": True}),
        ("hidden_act", {"hidden_act": "gelu_typo"}),
        ("hidden_dropout_prob", {"hidden_dropout_prob": 1.1}),
        ("attention_probs_dropout_prob", {"attention_probs_dropout_prob": -0.1}),
        ("layer_norm_eps", {"layer_norm_eps": float("nan")}),
        ("initializer_range", {"initializer_range": "wide"}),
        ("pad_token_id", {"pad_token_id": 30522}),
        ("max_2d_position_embeddings", {"max_2d_position_embeddings": 1000}),
        ("max_position_embeddings", {"max_position_embeddings": 48}),
        ("rel_pos_bins", {"rel_pos_bins": 3}),
        ("max_rel_pos", {"max_rel_pos": 8}),
        ("rel_2d_pos_bins", {"rel_2d_pos_bins": 2}),
        ("max_rel_2d_pos", {"max_rel_2d_pos": 16}),
        ("image_feature_pool_shape", {"image_feature_pool_shape": [7]}),
        ("image_feature_pool_shape", {"image_feature_pool_shape": [7, 0, 256]}),
        ("image_feature_pool_shape", {"image_feature_pool_shape": [7, 7, 255]}),
        ("image_feature_pool_shape", {"detectron2_config_args": {"MODEL.FPN.OUT_CHANNELS": 64}}),
        ("detectron2_config_args", {"detectron2_config_args": ["MODEL"]}),
        ("fast_qkv", {"fast_qkv": "yes"}),
        ("visual_backbone", {"visual_backbone": "timm"}),
        ("problem_type", {"problem_type": "ranking"}),
        ("problem_type", {"problem_type": "single_label_classification", "num_labels": 1}),
        ("num_labels", {"num_labels": 0}),
        ("num_labels", {"num_labels": 3, "id2label": {0: "A", 1: "B"}}),
        ("id2label", {"id2label": {0: "A", 2: "B"}}),
        ("id2label", {"id2label": {"first": "A"}}),
        ("id2label", {"id2label": {}}),
        ("chunk_size_feed_forward", {"chunk_size_feed_forward": -1}),
        ("model_type", {"model_type": "bert"}),
    ],
)
def test_an_invalid_value_is_rejected_by_name(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=name):
        LayoutLMv2Config(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"rel_pos_bins": 33},
        {"has_relative_attention_bias": False, "rel_pos_bins": 1},
        {"image_feature_pool_shape": (4, 9, 256)},
        {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 1},
        {"model_type": "layoutxlm"},
    ],
)
def test_unusual_valid_values_are_accepted(values: dict[str, Any]) -> None:
    config = LayoutLMv2Config(**values)
    for name, value in values.items():
        if name != "model_type":
            assert getattr(config, name) == (list(value) if isinstance(value, tuple) else value)


def test_values_set_later_are_checked_before_a_model_is_built_or_a_file_written(tmp_path: Path) -> None:
    config = LayoutLMv2Config()
    config.hidden_dropout_prob = 2.0
    with pytest.raises(ValueError, match="hidden_dropout_prob"):
        config.save_pretrained(tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_every_parameter_is_in_the_dictionary_of_a_new_config() -> None:
    written = LayoutLMv2Config().to_dict()
    assert written["id2label"] == {"0": "LABEL_0", "1": "LABEL_1"}
    assert written["hidden_size"] == 768 and written["output_attentions"] is False
    assert set(LayoutLMv2Config().to_diff_dict()) < set(written)


def test_a_json_file_holds_the_differences_or_everything(tmp_path: Path) -> None:
    config = LayoutLMv2Config(num_labels=3, mine=[1])
    for use_diff, expected in ((True, config.to_diff_dict()), (False, config.to_dict())):
        config.to_json_file(tmp_path / "config.json", use_diff=use_diff)
        assert json.loads((tmp_path / "config.json").read_text()) == expected
        assert LayoutLMv2Config.from_json_file(tmp_path / "config.json") == config


def test_several_parameters_are_set_at_once() -> None:
    config = LayoutLMv2Config()
    config.update({"hidden_dropout_prob": 0.0, "mine": 1, "id2label": {"0": "O", "1": "B"}})
    assert (config.hidden_dropout_prob, config.mine) == (0.0, 1)
    assert (config.id2label, config.label2id) == ({0: "O", 1: "B"}, {"O": 0, "B": 1})
    config.update({"num_labels": 3, "hidden_size": 770})
    assert config.num_labels == 3
    with pytest.raises(ValueError, match="hidden_size"):
        config.validate()
