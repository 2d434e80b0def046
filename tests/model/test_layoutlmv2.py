from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model.config import LayoutLMv2Config
from model.heads import LayoutLMv2ForTokenClassification
from model.layoutlmv2 import LayoutLMv2Model
from tests.model.conftest import HEADS, Golden
from tests.model.small_model import small_config

AssertClose = Callable[..., None]


@torch.no_grad()
def test_every_output_equals_the_reference(golden: Golden, assert_close: AssertClose) -> None:
    model = golden.model()
    output = model(**golden.inputs(), output_hidden_states=True, output_attentions=True)
    expected = golden.tensors
    assert_close(output.last_hidden_state, expected["model.last_hidden_state"])
    assert_close(output.pooler_output, expected["model.pooler_output"])
    for layer, hidden in enumerate(output.hidden_states):
        assert_close(hidden, expected[f"model.hidden_states.{layer}"])
    for layer, attention in enumerate(output.attentions):
        assert_close(attention[:, :, ::16], expected[f"model.attentions.{layer}.every_16th_row"])
    assert_close(model.visual(golden.inputs()["image"]), expected["model.visual_tokens"])


@torch.no_grad()
def test_the_fast_path_also_equals_the_reference(golden: Golden, assert_close: AssertClose) -> None:
    output = golden.model()(**golden.inputs())
    assert list(output.keys()) == ["last_hidden_state", "pooler_output"]
    assert_close(output.last_hidden_state, golden.tensors["model.last_hidden_state"])
    assert_close(output.pooler_output, golden.tensors["model.pooler_output"])


@torch.no_grad()
@pytest.mark.parametrize("name", ["tiny", "tiny-separate-qkv", "tiny-segment"])
@pytest.mark.parametrize("head", list(HEADS))
def test_every_checkpoint_of_the_reference_loads_and_computes_the_same(
    name: str, head: str, shared_directory: Path, assert_close: AssertClose
) -> None:
    folder = shared_directory / "goldens" / name
    expected = load_file(folder / "tensors.safetensors")
    config = json.loads((folder / f"checkpoint-{head}" / "config.json").read_text())
    model = HEADS[head](LayoutLMv2Config.from_dict(config)).eval()
    model.load_state_dict(load_file(folder / f"checkpoint-{head}" / "model.safetensors"))
    _assert_head(model, head, expected, assert_close)
    if head != "qa":  # whose checkpoints have other weights than the base model's
        output = model.base_model(**_inputs(expected), output_attentions=True)
        for layer, attention in enumerate(output.attentions):
            assert_close(attention, expected[f"model.attentions.{layer}"])


@pytest.mark.slow
@torch.no_grad()
def test_the_full_size_model_equals_the_reference(shared_directory: Path, assert_close: AssertClose) -> None:
    folder = shared_directory / "goldens" / "base"
    expected = load_file(folder / "tensors.safetensors")
    config = LayoutLMv2Config.from_dict(json.loads((folder / "config.json").read_text()))
    keys = json.loads((folder / "state_dict_keys.json").read_text())
    model: Any = LayoutLMv2Model(config).eval()
    _set_weights_from_names(model)
    output = model(**_inputs(expected))
    assert_close(output.last_hidden_state, expected["model.last_hidden_state"])
    assert_close(output.pooler_output, expected["model.pooler_output"])
    assert_close(model.visual(_inputs(expected)["image"]), expected["model.visual_tokens"])
    for head, head_class in HEADS.items():
        del model
        model = head_class(config.replace(num_labels=2 if head == "qa" else 7)).eval()
        if head == "token":
            assert {name: list(value.shape) for name, value in model.state_dict().items()} == keys
        _set_weights_from_names(model)
        _assert_head(model, head, expected, assert_close)


def test_the_state_has_the_names_and_shapes_of_the_reference(golden: Golden) -> None:
    saved = load_file(golden.folder / "checkpoint-base" / "model.safetensors")
    state = golden.model().state_dict()
    assert {name: value.shape for name, value in state.items()} == {name: value.shape for name, value in saved.items()}


@torch.no_grad()
def test_padding_a_row_to_512_does_not_change_its_tokens(tiny: Golden, assert_close: AssertClose) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    short = model(**inputs).last_hidden_state
    tokens = short.shape[1] - 49

    def padded(name: str) -> torch.Tensor:
        value = inputs[name]
        filler = torch.zeros(2, 512 - tokens, *value.shape[2:], dtype=value.dtype)
        return torch.cat([value, filler + (7 if name in ("input_ids", "bbox") else 0)], dim=1)

    long = {name: inputs[name] if name == "image" else padded(name) for name in inputs}
    result = model(**long).last_hidden_state
    assert result.shape == (2, 512 + 49, 48)
    assert_close(result[:, :tokens], short[:, :tokens], tolerance=1e-5)
    assert_close(result[:, 512:], short[:, tokens:], tolerance=1e-5)


@torch.no_grad()
def test_rows_are_independent(tiny: Golden, assert_close: AssertClose) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    together = model(**inputs).last_hidden_state
    for row in range(2):
        alone = model(**{name: value[row : row + 1] for name, value in inputs.items()}).last_hidden_state
        assert_close(alone, together[row : row + 1], tolerance=1e-5)


@torch.no_grad()
def test_omitted_inputs_default_to_zeros_ones_and_consecutive_positions(tiny: Golden) -> None:
    model = tiny.model()
    ids, image = tiny.inputs()["input_ids"], tiny.inputs()["image"]
    spelled_out = model(
        input_ids=ids,
        bbox=torch.zeros(2, 96, 4, dtype=torch.long),
        image=image,
        attention_mask=torch.ones(2, 96, dtype=torch.long),
        token_type_ids=torch.zeros(2, 96, dtype=torch.long),
        position_ids=torch.arange(96).expand(2, -1),
    )
    torch.testing.assert_close(model(ids, image=image).last_hidden_state, spelled_out.last_hidden_state)
    vectors = model.get_input_embeddings()(ids)
    from_vectors = model(inputs_embeds=vectors, image=image)
    torch.testing.assert_close(from_vectors.last_hidden_state, spelled_out.last_hidden_state)


@torch.no_grad()
def test_custom_positions_are_used(tiny: Golden) -> None:
    model = tiny.model()
    plain = model(**tiny.inputs()).last_hidden_state
    reversed_order = model(**tiny.inputs(), position_ids=torch.arange(95, -1, -1)[None]).last_hidden_state
    assert (plain - reversed_order).abs().max() > 0.1


@torch.no_grad()
@pytest.mark.parametrize("kind", ["uint8", "float", "image list", "bool mask", "float mask", "int32 boxes"])
def test_inputs_of_other_dtypes_are_equivalent(kind: str, tiny: Golden) -> None:
    model = tiny.model()
    inputs: dict[str, Any] = tiny.inputs()
    expected = model(**inputs).last_hidden_state
    if kind == "float":
        inputs["image"] = inputs["image"].float()
    if kind == "image list":
        inputs["image"] = SimpleNamespace(tensor=inputs["image"])
    if kind.endswith("mask"):
        inputs["attention_mask"] = inputs["attention_mask"].to(torch.bool if kind == "bool mask" else torch.float32)
    if kind == "int32 boxes":
        inputs["bbox"] = inputs["bbox"].int()
    torch.testing.assert_close(model(**inputs).last_hidden_state, expected)


@torch.no_grad()
def test_windows_of_a_page_can_share_its_image(tiny: Golden) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    three = {name: value[[0, 1, 0]] for name, value in inputs.items()}
    calls: list[int] = []
    model.visual.register_forward_hook(lambda module, arguments, result: calls.append(len(result)))
    expected = model(**three).last_hidden_state
    shared = model(**{**three, "image": inputs["image"]}, image_of_row=torch.tensor([0, 1, 0])).last_hidden_state
    torch.testing.assert_close(shared, expected)
    assert calls == [3, 2]


@torch.no_grad()
def test_the_features_of_an_image_can_be_computed_once_for_many_calls(tiny: Golden) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    expected = model(**inputs).last_hidden_state
    features = model.image_features(inputs.pop("image"))
    assert torch.equal(model(**inputs, image_features=features).last_hidden_state, expected)
    swapped = model(**inputs, image_features=features.flip(0), image_of_row=torch.tensor([1, 0])).last_hidden_state
    assert torch.equal(swapped, expected)


def test_features_of_the_wrong_shape_and_an_image_beside_them_are_rejected(tiny: Golden) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    features = model.image_features(inputs["image"])
    with pytest.raises(ValueError, match="not both"):
        model(**inputs, image_features=features)
    del inputs["image"]
    with pytest.raises(ValueError, match="2 rows of text, but image_features has 1"):
        model(**inputs, image_features=features[:1])
    with pytest.raises(ValueError, match="image_features is"):
        model(**inputs, image_features=features[..., 1:])


def test_mismatched_images_are_rejected(tiny: Golden) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    with pytest.raises(ValueError, match="2 rows of text, but image has 1"):
        model(**{**inputs, "image": inputs["image"][:1]})
    with pytest.raises(ValueError, match="image is NoneType"):
        model(**{**inputs, "image": None})
    with pytest.raises(ValueError, match=r"image is \[2, 1, 224, 224\]"):
        model(**{**inputs, "image": inputs["image"][:, :1]})


def test_mismatched_positions_are_rejected(tiny: Golden) -> None:
    for shape in ((2, 95), (1, 97), (3, 96), (96,)):
        with pytest.raises(ValueError, match="position_ids has shape"):
            tiny.model()(**tiny.inputs(), position_ids=torch.zeros(shape, dtype=torch.long))


def test_an_invalid_box_is_rejected_unless_validation_is_off(tiny: Golden) -> None:
    model = tiny.model()
    inputs = tiny.inputs()
    inputs["bbox"] = inputs["bbox"].clone()
    inputs["bbox"][1, 5] = torch.tensor([300, 10, 200, 20])
    with pytest.raises(ValueError, match=r"bbox\[1, 5\].*inverted"):
        model(**inputs)
    model.validate_inputs = False
    with pytest.raises(IndexError):
        model(**inputs)


@torch.no_grad()
def test_the_tuple_has_the_values_of_the_output_in_order(tiny: Golden) -> None:
    model = tiny.model()
    options = {"output_hidden_states": True, "output_attentions": True}
    output = model(**tiny.inputs(), **options)
    as_tuple = model(**tiny.inputs(), **options, return_dict=False)
    assert isinstance(as_tuple, tuple)
    assert list(output.keys()) == ["last_hidden_state", "pooler_output", "hidden_states", "attentions"]
    assert [type(part) for part in as_tuple] == [torch.Tensor, torch.Tensor, tuple, tuple]
    for part, value in zip(as_tuple, output.values(), strict=True):
        torch.testing.assert_close(part, value)
    model.config.return_dict, model.config.output_attentions = False, True
    assert len(model(**tiny.inputs())) == 3


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close_to_the_reference(
    dtype: torch.dtype, golden: Golden, assert_close: AssertClose
) -> None:
    output = golden.model().to(dtype)(**golden.inputs())
    assert output.last_hidden_state.dtype == dtype
    assert_close(output.last_hidden_state, golden.tensors["model.last_hidden_state"], tolerance=0.05)


def test_gradients_reach_every_weight_but_the_frozen_ones(golden: Golden) -> None:
    model = golden.model().train()
    output = model(**golden.inputs())
    (output.last_hidden_state.square().mean() + output.pooler_output.square().mean()).backward()
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    without = {name.rsplit(".", 1)[0] for name, parameter in trainable.items() if parameter.grad is None}
    # Only the finest level of the pyramid is used.
    assert without == {f"visual.backbone.fpn_output{level}" for level in (3, 4, 5)}
    for name in ("rel_pos_bias", "rel_pos_x_bias", "rel_pos_y_bias"):
        if hasattr(model.encoder, name):
            assert getattr(model.encoder, name).weight.grad.abs().max() > 0
    if golden.config().has_visual_segment_embedding:
        assert model.visual_segment_embedding.grad.abs().max() > 0


@torch.no_grad()
def test_the_forward_pass_compiles_to_one_graph(tiny: Golden) -> None:
    model = LayoutLMv2Model(small_config()).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    result, expected = compiled(**tiny.inputs()), model(**tiny.inputs())
    torch.testing.assert_close(result.last_hidden_state, expected.last_hidden_state)


def test_gradient_checkpointing_gives_the_same_gradients(tiny: Golden) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = tiny.model(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        assert model.is_gradient_checkpointing == checkpointing
        model(**tiny.inputs()).last_hidden_state.square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing


def test_new_weights_are_initialized_as_in_the_reference(tiny: Golden) -> None:
    torch.manual_seed(0)
    model = LayoutLMv2Model(tiny.config(initializer_range=0.05, has_visual_segment_embedding=True))
    for name, parameter in model.named_parameters():
        if name.startswith("visual.") or parameter.numel() < 100:
            continue
        if "LayerNorm" not in name and name.endswith("weight"):
            assert abs(parameter.std().item() - 0.05) < 0.01, name
    assert model.embeddings.word_embeddings.weight[0].abs().max() == 0
    attention = model.encoder.layer[0].attention
    for zero in (attention.self.q_bias, attention.self.v_bias, attention.output.dense.bias, model.visual_proj.bias):
        assert zero.abs().max() == 0
    assert torch.equal(model.visual_LayerNorm.weight, torch.ones(48))
    assert 0.02 < model.visual_segment_embedding.std() < 0.1


def test_the_word_embeddings_can_be_replaced(tiny: Golden) -> None:
    model = LayoutLMv2ForTokenClassification(tiny.config())
    larger = torch.nn.Embedding(3000, 48)
    model.set_input_embeddings(larger)
    assert model.get_input_embeddings() is larger is model.layoutlmv2.embeddings.word_embeddings
    assert model.config.vocab_size == 3000
    model(input_ids=torch.tensor([[2999]]), image=torch.zeros(1, 3, 224, 224))


def test_a_model_requires_a_valid_configuration(tiny: Golden) -> None:
    with pytest.raises(TypeError, match="from_pretrained"):
        LayoutLMv2Model("some/folder")
    config = tiny.config()
    config.num_attention_heads = 5
    with pytest.raises(ValueError, match="num_attention_heads"):
        LayoutLMv2Model(config)


def _inputs(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    names = ("input_ids", "bbox", "image", "attention_mask", "token_type_ids")
    return {name: tensors[f"in.{name}"] for name in names}


def _assert_head(model: Any, head: str, expected: dict[str, torch.Tensor], assert_close: AssertClose) -> None:
    names = ("start_positions", "end_positions") if head == "qa" else (f"{head}_labels",)
    labels = {name.removeprefix(f"{head}_"): expected[f"in.{name}"] for name in names}
    output = model(**_inputs(expected), **labels)
    for name, value in output.items():
        assert_close(value, expected[f"{head}.{name}"])


def _set_weights_from_names(model: torch.nn.Module) -> None:
    """The rule of the full-size reference weights: a wave with a phase from the parameter's name."""
    period = torch.arange(9973, dtype=torch.float64)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        phase = (zlib.crc32(name.encode()) % 997) / 17
        wave = torch.sin(0.37 * period + phase)
        if tensor.dim() >= 2 and not name.endswith(("q_bias", "v_bias")):
            pattern = wave * 1.5 / math.sqrt(tensor.numel() / tensor.shape[0])
        elif name.endswith("running_var"):
            pattern = 1 + 0.2 * wave
        elif tensor.dim() == 1 and name.endswith("weight"):
            pattern = 1 + 0.05 * wave
        else:
            pattern = 0.05 * wave
        repeats = -(-tensor.numel() // len(period))
        tensor.copy_(pattern.float().repeat(repeats)[: tensor.numel()].view_as(tensor))
