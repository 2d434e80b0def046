from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from model import LayoutLMv2ForTokenClassification, LayoutLMv2Model
from tests.model.small_model import small_config


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    return LayoutLMv2ForTokenClassification(small_config("token-classification")).eval()


def test_more_tokens_keep_the_rows_and_begin_at_their_mean(model: Any) -> None:
    old = model.get_input_embeddings().weight.detach().clone()
    table = model.resize_token_embeddings(30525)
    assert table is model.get_input_embeddings() and table.padding_idx == 0
    assert table.weight.shape == (30525, 128) and table.weight.requires_grad
    assert torch.equal(table.weight[:30522], old)
    torch.testing.assert_close(table.weight[30522:], old.mean(dim=0).expand(3, -1))
    assert model.config.vocab_size == model.base_model.config.vocab_size == 30525
    model(
        input_ids=torch.tensor([[101, 30524]]),
        bbox=torch.zeros(1, 2, 4, dtype=torch.long),
        image=torch.zeros(1, 3, 224, 224),
    )


def test_new_rows_can_be_random(model: Any) -> None:
    table = model.resize_token_embeddings(31522, mean_resizing=False)
    assert table.weight[30522:].std().item() == pytest.approx(0.02, rel=0.05)


def test_fewer_tokens_cut_rows_off(model: Any) -> None:
    old = model.get_input_embeddings().weight.detach().clone()
    assert torch.equal(model.resize_token_embeddings(100).weight, old[:100])


def test_the_number_of_tokens_can_be_rounded_up(model: Any) -> None:
    assert model.resize_token_embeddings(pad_to_multiple_of=64).num_embeddings == 30528
    assert model.resize_token_embeddings(30530, pad_to_multiple_of=64).num_embeddings == 30592
    assert model.resize_token_embeddings().num_embeddings == 30592


@pytest.mark.parametrize("arguments", [{"new_num_tokens": 0}, {"pad_to_multiple_of": 0}])
def test_a_table_has_rows(model: Any, arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        model.resize_token_embeddings(**arguments)


def test_the_padding_token_is_not_cut_off() -> None:
    model = LayoutLMv2Model(small_config("token-classification").replace(pad_token_id=7))
    with pytest.raises(ValueError, match="pad_token_id=7"):
        model.resize_token_embeddings(7)


def test_a_resized_model_can_be_saved_and_read(model: Any, tmp_path: Path) -> None:
    model.resize_token_embeddings(30600)
    model.save_pretrained(tmp_path)
    read = LayoutLMv2ForTokenClassification.from_pretrained(tmp_path)
    assert torch.equal(read.get_input_embeddings().weight, model.get_input_embeddings().weight)


def test_parameters_are_counted(model: Any) -> None:
    every = sum(parameter.numel() for parameter in model.parameters())
    assert model.num_parameters() == every
    for parameter in model.base_model.visual.parameters():
        parameter.requires_grad_(False)
    frozen = sum(parameter.numel() for parameter in model.base_model.visual.parameters())
    assert model.num_parameters(only_trainable=True) == every - frozen
    tables = (30522 + 512 + 2) * 128 + 1024 * 2 * (20 + 24)
    assert model.num_parameters(exclude_embeddings=True) == every - tables


def test_every_model_synchronizes_the_batch_statistics_of_its_backbone(model: Any) -> None:
    for each in (model, model.base_model):
        with pytest.raises(RuntimeError, match="init_process_group"):
            each.synchronize_batch_norm()


@pytest.mark.parametrize("device_map", ["auto", "cpu", torch.device("cpu"), {"": "cpu"}])
def test_a_model_is_put_on_a_device(model: Any, tmp_path: Path, device_map: Any) -> None:
    model.save_pretrained(tmp_path)
    read = LayoutLMv2ForTokenClassification.from_pretrained(tmp_path, device_map=device_map)
    expected = "cuda" if device_map == "auto" and torch.cuda.is_available() else "cpu"
    assert read.device.type == expected


@pytest.mark.parametrize("device_map", ["nowhere", "cuda:99", {"layoutlmv2": "cpu", "classifier": "cuda:0"}])
def test_a_device_that_is_not_there_or_a_split_model_is_refused(model: Any, tmp_path: Path, device_map: Any) -> None:
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="device_map"):
        LayoutLMv2ForTokenClassification.from_pretrained(tmp_path, device_map=device_map)


def test_other_weights_can_be_saved_and_other_processes_save_nothing(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "other", is_main_process=False)
    assert not (tmp_path / "other").exists()
    doubled = {name: 2 * tensor for name, tensor in model.state_dict().items()}
    model.save_pretrained(save_directory=tmp_path, state_dict=doubled)
    read = LayoutLMv2ForTokenClassification.from_pretrained(pretrained_model_name_or_path=tmp_path, config=tmp_path)
    assert torch.equal(read.classifier.weight, 2 * model.classifier.weight)
