"""Checkpoints: every format, new and missing heads, mismatches, and the files written."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from model import (
    LayoutLMv2Config,
    LayoutLMv2ForQuestionAnswering,
    LayoutLMv2ForSequenceClassification,
    LayoutLMv2ForTokenClassification,
    LayoutLMv2Model,
)
from model.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    checkpoint_fingerprint,
    load_pretrained,
    match_weights,
    save_pretrained,
)

BASE_KEY = "pooler.dense.weight"
HEAD_KEY = "layoutlmv2.pooler.dense.weight"


@pytest.fixture(scope="session")
def base_folder(fixtures_directory: Path) -> Path:
    """A checkpoint of the model without a head, written by the reference implementation."""
    return fixtures_directory / "goldens" / "tiny" / "checkpoint-base"


@pytest.fixture(scope="session")
def token_folder(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a token classifier with seven labels."""
    folder = tmp_path_factory.mktemp("token")
    load_pretrained(LayoutLMv2ForTokenClassification, base_folder).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(token_folder: Path, tmp_path: Path) -> Path:
    """A copy of the token classifier's checkpoint, to be damaged."""
    return Path(shutil.copytree(token_folder, tmp_path / "checkpoint"))


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = folder / "model.safetensors"
    weights = change({name: tensor.clone() for name, tensor in load_file(path).items()})
    save_file(weights, path, metadata={"format": "pt"})


def as_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def as_shards(folder: Path, stem: str, ending: str, save: Callable[[dict[str, Tensor], Path], Any]) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    weight_map = {}
    for number in (1, 2):
        shard = f"{stem}-{number:05}-of-00002.{ending}"
        part = {name: weights[name] for name in names[number - 1 :: 2]}
        save(part, folder / shard)
        weight_map.update(dict.fromkeys(part, shard))
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def assert_same_weights(model: torch.nn.Module, other: torch.nn.Module) -> None:
    state, expected = model.state_dict(), other.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


FORMATS: dict[str, Callable[[Path], None]] = {
    "model.safetensors": lambda folder: None,
    "sharded safetensors": lambda folder: as_shards(folder, "model", "safetensors", save_file),
    "pytorch_model.bin": as_pickle,
    "sharded bin": lambda folder: as_shards(folder, "pytorch_model", "bin", torch.save),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_loads_the_same_model(
    folder: Path, token_folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    FORMATS[name](folder)
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert_same_weights(model, load_pretrained(LayoutLMv2ForTokenClassification, token_folder))
    assert not model.training
    assert warnings_of(caplog) == []


def test_a_saved_checkpoint_loads_unchanged(token_folder: Path, tmp_path: Path) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder)
    save_pretrained(model, tmp_path / "new" / "folder")
    again = load_pretrained(LayoutLMv2ForTokenClassification, tmp_path / "new" / "folder")
    assert_same_weights(again, model)
    assert again.config == model.config


def test_a_saved_checkpoint_has_the_format_of_the_reference(base_folder: Path, tmp_path: Path) -> None:
    load_pretrained(LayoutLMv2Model, base_folder).save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads((base_folder / "config.json").read_text())
    with (
        safe_open(tmp_path / "model.safetensors", "pt") as written,
        safe_open(base_folder / "model.safetensors", "pt") as reference,
    ):
        assert written.metadata() == reference.metadata() == {"format": "pt"}
        assert sorted(written.keys()) == sorted(reference.keys())
    weights, config = (os.stat(tmp_path / name).st_mode for name in ("model.safetensors", "config.json"))
    assert weights == config


def test_a_failed_save_leaves_the_old_checkpoint_intact(
    folder: Path, token_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder)
    before = checkpoint_fingerprint(folder)

    def full_disk(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model.checkpoint.save_file", full_disk)
    with pytest.raises(CheckpointError, match=r"cannot be written: .*No space left"):
        save_pretrained(model, folder)
    assert checkpoint_fingerprint(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_saving_over_a_file_is_rejected(token_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder)
    with pytest.raises(CheckpointError, match="file cannot be written"):
        save_pretrained(model, tmp_path / "file")


def test_a_base_checkpoint_gets_a_new_head_and_one_warning(base_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, base_folder)
    base = load_file(base_folder / "model.safetensors")
    assert torch.equal(model.state_dict()[HEAD_KEY], base[BASE_KEY])
    assert model.classifier.weight.std().item() == pytest.approx(model.config.initializer_range, rel=0.2)
    (line,) = warnings_of(caplog)
    assert line == (
        f"LayoutLMv2ForTokenClassification from {base_folder}: new, with random weights, so train them first: "
        "classifier.bias, classifier.weight"
    )


def test_the_base_model_loads_from_a_checkpoint_with_a_head(
    token_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_pretrained(LayoutLMv2Model, token_folder)
    stored = load_file(token_folder / "model.safetensors")
    assert all(torch.equal(tensor, stored[f"layoutlmv2.{name}"]) for name, tensor in model.state_dict().items())
    (line,) = warnings_of(caplog)
    assert line.endswith("not used: classifier.bias, classifier.weight")


def test_a_checkpoint_with_a_head_loads_into_a_model_with_another_head(
    token_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_pretrained(LayoutLMv2ForQuestionAnswering, token_folder, num_labels=2)
    assert torch.equal(model.state_dict()[HEAD_KEY], load_file(token_folder / "model.safetensors")[HEAD_KEY])
    (line,) = warnings_of(caplog)
    assert "qa_outputs.bias, qa_outputs.weight; not used: classifier.bias, classifier.weight" in line


def test_long_lists_of_names_are_truncated(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rewrite(folder, lambda weights: weights | {f"cls.part{number}.weight": torch.zeros(1) for number in range(10)})
    load_pretrained(LayoutLMv2ForTokenClassification, folder)
    (line,) = warnings_of(caplog)
    assert line.endswith("cls.part5.weight and 4 more")


def test_names_and_buffers_of_old_checkpoints_are_accepted_silently(
    folder: Path, token_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def age(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        old = {}
        for name, tensor in weights.items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            old[name] = tensor
            if name.endswith("running_var"):
                old[name.replace("running_var", "num_batches_tracked")] = torch.tensor(7)
        old["layoutlmv2.embeddings.position_ids"] = torch.arange(512)[None]
        old["layoutlmv2.visual.pixel_mean"] = torch.tensor([103.53, 116.28, 123.675]).view(1, 3, 1, 1)
        old["layoutlmv2.visual.pixel_std"] = torch.tensor([57.375, 57.12, 58.395])
        return old

    rewrite(folder, age)
    as_pickle(folder)
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert_same_weights(model, load_pretrained(LayoutLMv2ForTokenClassification, token_folder))
    assert model.layoutlmv2.visual.pixel_mean.shape == (3, 1, 1)
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("model_class", [LayoutLMv2ForTokenClassification, LayoutLMv2Model])
def test_weights_under_the_name_of_layoutxlm_are_read(folder: Path, token_folder: Path, model_class: Any) -> None:
    rewrite(folder, lambda weights: {name.replace("layoutlmv2.", "layoutxlm."): weights[name] for name in weights})
    model = load_pretrained(model_class, folder)
    assert not model.new_tensors
    assert_same_weights(model, load_pretrained(model_class, token_folder))


def test_a_stored_pixel_mean_that_differs_from_the_configuration_is_reported(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(folder, lambda weights: weights | {"layoutlmv2.visual.pixel_mean": torch.zeros(3, 1, 1)})
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert model.layoutlmv2.visual.pixel_mean.flatten().tolist() == pytest.approx([103.53, 116.28, 123.675])
    (line,) = warnings_of(caplog)
    assert "stores pixel_mean [0.0, 0.0, 0.0]" in line


def test_a_state_dict_inside_another_dictionary_is_found(folder: Path, token_folder: Path) -> None:
    torch.save({"epoch": 3, "state_dict": load_file(folder / "model.safetensors")}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert_same_weights(model, load_pretrained(LayoutLMv2ForTokenClassification, token_folder))


def test_another_number_of_labels_is_rejected_with_the_shapes(token_folder: Path) -> None:
    with pytest.raises(
        CheckpointMismatchError,
        match=r"classifier.bias \[7\], expected \[3\].*ignore_mismatched_sizes=True",
    ) as caught:
        load_pretrained(LayoutLMv2ForTokenClassification, token_folder, num_labels=3)
    assert isinstance(caught.value, RuntimeError)


def test_another_number_of_labels_gets_a_new_head_on_demand(
    token_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder, num_labels=3, ignore_mismatched_sizes=True)
    assert model.classifier.weight.shape == (3, 48)
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    (line,) = warnings_of(caplog)
    assert line.endswith("train them first: classifier.bias, classifier.weight")


def test_a_sequence_classifier_loads_the_base_of_a_token_classifier_but_not_its_head(token_folder: Path) -> None:
    with pytest.raises(CheckpointMismatchError, match=r"classifier.weight \[7, 48\], expected \[7, 144\]"):
        load_pretrained(LayoutLMv2ForSequenceClassification, token_folder)


def test_weights_of_another_kind_of_model_are_rejected(folder: Path) -> None:
    rewrite(folder, lambda _: {"bert.embeddings.weight": torch.zeros(2, 2)})
    with pytest.raises(CheckpointMismatchError, match=r"none of its 1 tensors \(bert.embeddings.weight\) belongs"):
        load_pretrained(LayoutLMv2ForTokenClassification, folder)


def test_tensors_that_share_memory_are_written_once_and_not_reported_missing(base_folder: Path, tmp_path: Path) -> None:
    model = load_pretrained(LayoutLMv2Model, base_folder)
    model.tied = torch.nn.Linear(48, 2048, bias=False)
    model.tied.weight = model.embeddings.word_embeddings.weight
    save_pretrained(model, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert "tied.weight" not in stored
    assert match_weights(model, stored).missing == ()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (None, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        ("float16", torch.float16),
        ("torch.bfloat16", torch.bfloat16),
        ("auto", torch.float16),
    ],
)
def test_the_model_has_the_requested_dtype(folder: Path, dtype: Any, expected: torch.dtype) -> None:
    load_pretrained(LayoutLMv2ForTokenClassification, folder, dtype=torch.float16).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder, dtype=dtype)
    assert {parameter.dtype for parameter in model.parameters()} == {expected}
    assert model.config.dtype == str(expected).removeprefix("torch.")


def test_the_old_name_of_dtype_is_accepted(token_folder: Path) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder, torch_dtype="bfloat16")
    assert model.dtype == torch.bfloat16


def test_an_unknown_dtype_is_rejected(token_folder: Path) -> None:
    with pytest.raises(ValueError, match="dtype is 'int8'; choose one of float32, bfloat16"):
        load_pretrained(LayoutLMv2ForTokenClassification, token_folder, dtype="int8")


def test_overrides_apply_and_the_callers_configuration_is_not_modified(token_folder: Path) -> None:
    config = LayoutLMv2Config.from_pretrained(token_folder)
    model = load_pretrained(
        LayoutLMv2ForTokenClassification, token_folder, config=config, hidden_dropout_prob=0.5, dtype="bfloat16"
    )
    assert (model.config.hidden_dropout_prob, model.dropout.p) == (0.5, 0.5)
    assert (config.hidden_dropout_prob, config.dtype) == (0.1, "float32")


def test_an_override_that_is_not_a_parameter_is_rejected(token_folder: Path) -> None:
    with pytest.raises(TypeError, match="num_lables"):
        load_pretrained(LayoutLMv2ForTokenClassification, token_folder, num_lables=3)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def truncate(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 100_000)


def truncate_pickle(folder: Path) -> None:
    as_pickle(folder)
    os.truncate(folder / "pytorch_model.bin", 100_000)


class Code:
    """Runs a command if it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def code_in_pickle(folder: Path) -> None:
    remove("model.safetensors")(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Code()}, protocol=2))


def shard_missing(folder: Path) -> None:
    as_shards(folder, "model", "safetensors", save_file)
    (folder / "model-00002-of-00002.safetensors").unlink()


def numbers_instead_of_tensors(folder: Path) -> None:
    remove("model.safetensors")(folder)
    torch.save({"weight": 3}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message", "kind"),
    [
        (remove("config.json"), "has no config.json, so it is not a checkpoint", "not_found"),
        (write("config.json", b"{"), "config.json is not valid JSON", "unreadable"),
        (write("config.json", b"[]"), "must contain a JSON object, not list", "unreadable"),
        (remove("model.safetensors"), "has no weights: neither model.safetensors nor", "not_found"),
        (truncate, "model.safetensors is corrupt .* download or copy it again", "unreadable"),
        (write("model.safetensors", b""), "model.safetensors is corrupt", "unreadable"),
        (
            write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
            "run `git lfs pull`",
            "unreadable",
        ),
        (truncate_pickle, "pytorch_model.bin is corrupt", "unreadable"),
        (code_in_pickle, "Python objects besides tensors, which are not executed here", "unreadable"),
        (shard_missing, "lacks model-00002-of-00002.safetensors, which .*index.json names", "not_found"),
        (numbers_instead_of_tensors, "does not map names to tensors", "unreadable"),
    ],
)
def test_a_damaged_checkpoint_is_rejected_with_a_remedy(
    folder: Path, damage: Callable[[Path], object], message: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert caught.value.kind == kind
    assert not (folder / "ran").exists()


def test_an_index_cannot_name_files_outside_the_folder(folder: Path) -> None:
    shutil.move(folder / "model.safetensors", folder.parent / "outside.safetensors")
    index = {"weight_map": {HEAD_KEY: "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"lacks \.\./outside\.safetensors"):
        load_pretrained(LayoutLMv2ForTokenClassification, folder)
