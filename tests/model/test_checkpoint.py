"""Checkpoints: every format and source, what does not fit, and what the reference can read."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
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
    read_config_json,
    resolve_checkpoint,
    save_pretrained,
)
from tests.s3_server import S3Server

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
    """A copy of the token classifier's checkpoint to spoil."""
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
def test_every_format_gives_the_same_model(
    folder: Path, token_folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    FORMATS[name](folder)
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert_same_weights(model, load_pretrained(LayoutLMv2ForTokenClassification, token_folder))
    assert not model.training
    assert warnings_of(caplog) == []


def test_what_was_saved_comes_back(token_folder: Path, tmp_path: Path) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder)
    save_pretrained(model, tmp_path / "new" / "folder")
    again = load_pretrained(LayoutLMv2ForTokenClassification, tmp_path / "new" / "folder")
    assert_same_weights(again, model)
    assert again.config == model.config


def test_a_saved_checkpoint_looks_as_the_reference_writes_it(base_folder: Path, tmp_path: Path) -> None:
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


def test_saving_that_fails_leaves_the_old_checkpoint_whole(
    folder: Path, token_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder)
    before = checkpoint_fingerprint(folder)

    def full_disk(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model.checkpoint.save_file", full_disk)
    with pytest.raises(CheckpointError, match="cannot be written: .*No space left"):
        save_pretrained(model, folder)
    assert checkpoint_fingerprint(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_saving_over_a_file_is_refused(token_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder)
    with pytest.raises(CheckpointError, match="file cannot be written"):
        save_pretrained(model, tmp_path / "file")


def test_a_base_checkpoint_gets_a_new_head_and_one_line_says_so(
    base_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, base_folder)
    base = load_file(base_folder / "model.safetensors")
    assert torch.equal(model.state_dict()[HEAD_KEY], base[BASE_KEY])
    assert model.classifier.weight.std().item() == pytest.approx(model.config.initializer_range, rel=0.2)
    (line,) = warnings_of(caplog)
    assert line == (
        f"LayoutLMv2ForTokenClassification from {base_folder}: new, with random weights, so train them first: "
        "classifier.bias, classifier.weight"
    )


def test_a_head_checkpoint_gives_its_base_model(token_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load_pretrained(LayoutLMv2Model, token_folder)
    stored = load_file(token_folder / "model.safetensors")
    assert all(torch.equal(tensor, stored[f"layoutlmv2.{name}"]) for name, tensor in model.state_dict().items())
    (line,) = warnings_of(caplog)
    assert line.endswith("not used: classifier.bias, classifier.weight")


def test_a_head_checkpoint_goes_into_another_head(token_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load_pretrained(LayoutLMv2ForQuestionAnswering, token_folder, num_labels=2)
    assert torch.equal(model.state_dict()[HEAD_KEY], load_file(token_folder / "model.safetensors")[HEAD_KEY])
    (line,) = warnings_of(caplog)
    assert "qa_outputs.bias, qa_outputs.weight; not used: classifier.bias, classifier.weight" in line


def test_long_lists_of_names_are_cut(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rewrite(folder, lambda weights: weights | {f"cls.part{number}.weight": torch.zeros(1) for number in range(10)})
    load_pretrained(LayoutLMv2ForTokenClassification, folder)
    (line,) = warnings_of(caplog)
    assert line.endswith("cls.part5.weight and 4 more")


def test_names_and_buffers_of_old_checkpoints_are_taken_silently(
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


def test_a_stored_pixel_mean_that_differs_from_the_configuration_is_told(
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


def test_another_number_of_labels_is_refused_with_the_shapes(token_folder: Path) -> None:
    with pytest.raises(
        CheckpointMismatchError,
        match=r"classifier.bias \[7\], wanted \[3\].*ignore_mismatched_sizes=True",
    ) as caught:
        load_pretrained(LayoutLMv2ForTokenClassification, token_folder, num_labels=3)
    assert isinstance(caught.value, RuntimeError)


def test_another_number_of_labels_gets_a_new_head_on_demand(
    token_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_pretrained(
        LayoutLMv2ForTokenClassification, token_folder, num_labels=3, ignore_mismatched_sizes=True
    )
    assert model.classifier.weight.shape == (3, 48)
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    (line,) = warnings_of(caplog)
    assert line.endswith("train them first: classifier.bias, classifier.weight")


def test_a_sequence_classifier_takes_a_token_classifiers_base_but_not_its_head(token_folder: Path) -> None:
    with pytest.raises(CheckpointMismatchError, match=r"classifier.weight \[7, 48\], wanted \[7, 144\]"):
        load_pretrained(LayoutLMv2ForSequenceClassification, token_folder)


def test_weights_of_another_kind_of_model_are_refused(folder: Path) -> None:
    rewrite(folder, lambda _: {"bert.embeddings.weight": torch.zeros(2, 2)})
    with pytest.raises(CheckpointMismatchError, match=r"none of its 1 tensors \(bert.embeddings.weight\) belongs"):
        load_pretrained(LayoutLMv2ForTokenClassification, folder)


def test_tensors_that_share_memory_are_written_once_and_not_missed(base_folder: Path, tmp_path: Path) -> None:
    model = load_pretrained(LayoutLMv2Model, base_folder)
    model.tied = torch.nn.Linear(48, 2048, bias=False)
    model.tied.weight = model.embeddings.word_embeddings.weight
    save_pretrained(model, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert "tied.weight" not in stored
    assert match_weights(model, stored).missing == ()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        ("float16", torch.float16),
        ("torch.bfloat16", torch.bfloat16),
        ("auto", torch.float16),
    ],
)
def test_the_dtype_asked_for_is_the_dtype_got(folder: Path, asked: Any, expected: torch.dtype) -> None:
    load_pretrained(LayoutLMv2ForTokenClassification, folder, dtype=torch.float16).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    model = load_pretrained(LayoutLMv2ForTokenClassification, folder, dtype=asked)
    assert {parameter.dtype for parameter in model.parameters()} == {expected}
    assert model.config.dtype == str(expected).removeprefix("torch.")


def test_the_old_name_of_dtype_is_taken(token_folder: Path) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, token_folder, torch_dtype="bfloat16")
    assert model.dtype == torch.bfloat16


def test_a_dtype_that_is_none_is_refused(token_folder: Path) -> None:
    with pytest.raises(ValueError, match="dtype is 'int8'; choose one of float32, bfloat16"):
        load_pretrained(LayoutLMv2ForTokenClassification, token_folder, dtype="int8")


def test_overrides_change_the_configuration_and_a_given_configuration_stays_as_it_was(token_folder: Path) -> None:
    config = LayoutLMv2Config.from_pretrained(token_folder)
    model = load_pretrained(
        LayoutLMv2ForTokenClassification, token_folder, config=config, hidden_dropout_prob=0.5, dtype="bfloat16"
    )
    assert (model.config.hidden_dropout_prob, model.dropout.p) == (0.5, 0.5)
    assert (config.hidden_dropout_prob, config.dtype) == (0.1, "float32")


def test_an_override_that_is_no_parameter_is_refused(token_folder: Path) -> None:
    with pytest.raises(TypeError, match="num_lables"):
        load_pretrained(LayoutLMv2ForTokenClassification, token_folder, num_lables=3)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def cut(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 100_000)


def cut_pickle(folder: Path) -> None:
    as_pickle(folder)
    os.truncate(folder / "pytorch_model.bin", 100_000)


class Code:
    """What would run a command if it were unpickled."""

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
    ("spoil", "message", "kind"),
    [
        (remove("config.json"), "has no config.json, so it is no checkpoint", "not_found"),
        (write("config.json", b"{"), "config.json is no JSON", "unreadable"),
        (write("config.json", b"[]"), "must hold a JSON object, not list", "unreadable"),
        (remove("model.safetensors"), "has no weights: neither model.safetensors nor", "not_found"),
        (cut, "model.safetensors is broken .* download or copy it again", "unreadable"),
        (write("model.safetensors", b""), "model.safetensors is broken", "unreadable"),
        (
            write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
            "run `git lfs pull`",
            "unreadable",
        ),
        (cut_pickle, "pytorch_model.bin is broken", "unreadable"),
        (code_in_pickle, "Python objects beside tensors, which are not run here", "unreadable"),
        (shard_missing, "lacks model-00002-of-00002.safetensors, which model.safetensors.index.json names", "not_found"),
        (numbers_instead_of_tensors, "holds no tensors by name", "unreadable"),
    ],
)
def test_a_spoilt_checkpoint_is_refused_with_the_way_out(
    folder: Path, spoil: Callable[[Path], object], message: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    spoil(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_pretrained(LayoutLMv2ForTokenClassification, folder)
    assert caught.value.kind == kind
    assert not (folder / "ran").exists()


def test_an_index_cannot_name_files_outside_the_folder(folder: Path) -> None:
    shutil.move(folder / "model.safetensors", folder.parent / "outside.safetensors")
    index = {"weight_map": {HEAD_KEY: "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="lacks ../outside.safetensors"):
        load_pretrained(LayoutLMv2ForTokenClassification, folder)


def test_a_folder_that_is_not_there_is_told_with_what_may_be_given(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no folder .*/nowhere; give a folder .* or s3://bucket/prefix"):
        resolve_checkpoint(str(tmp_path / "nowhere"))


def test_a_file_is_told_from_its_folder(token_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="is a file; give the folder"):
        resolve_checkpoint(token_folder / "model.safetensors")


def test_the_fingerprint_follows_the_content_and_not_the_place(folder: Path, token_folder: Path) -> None:
    first = checkpoint_fingerprint(token_folder)
    assert len(first) == 12 and int(first, 16) >= 0
    assert checkpoint_fingerprint(folder) == first
    (folder / "README.md").write_text("of no influence")
    assert checkpoint_fingerprint(folder) == first
    (folder / "vocab.txt").write_text("[PAD]\n")
    with_vocabulary = checkpoint_fingerprint(folder)
    rewrite(folder, lambda weights: weights | {HEAD_KEY: weights[HEAD_KEY] + 1})
    assert len({first, with_vocabulary, checkpoint_fingerprint(folder)}) == 3


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_there_is_no_fingerprint_of_half_a_checkpoint(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match=f"has no (weights|{missing})"):
        checkpoint_fingerprint(folder)


# The hub


def as_hub_cache(folder: Path, cache: Path, hub_id: str) -> None:
    """Lay a checkpoint out as huggingface_hub's cache does after a download."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(folder, repository / "snapshots" / ("0" * 40))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_hub_id_is_read_from_the_cache_without_a_network(
    folder: Path, token_folder: Path, tmp_path: Path, name: str
) -> None:
    FORMATS[name](folder)
    as_hub_cache(folder, tmp_path / "hub", "someone/forms")
    model = load_pretrained(
        LayoutLMv2ForTokenClassification, "someone/forms", cache_dir=tmp_path / "hub", local_files_only=True
    )
    assert_same_weights(model, load_pretrained(LayoutLMv2ForTokenClassification, token_folder))


@pytest.mark.parametrize(
    ("name", "wanted"), [("model.safetensors", "model.safetensors"), ("pytorch_model.bin", "pytorch_model.bin")]
)
def test_only_the_files_that_are_needed_are_asked_of_the_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wanted: str
) -> None:
    FORMATS[name](folder)
    if wanted == "model.safetensors":
        (folder / "pytorch_model.bin").write_bytes(b"the same again")
    (folder / "training_args.bin").write_bytes(b"of no use")
    target = tmp_path / "snapshot"
    target.mkdir()

    def snapshot_download(hub_id: str, *, allow_patterns: list[str], **_: object) -> str:
        assert hub_id == "someone/forms"
        for path in folder.iterdir():
            if any(path.match(pattern) for pattern in allow_patterns):
                shutil.copy(path, target)
        return str(target)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert resolve_checkpoint("someone/forms") == target
    assert sorted(path.name for path in target.iterdir()) == ["config.json", wanted]


def test_the_configuration_is_had_without_the_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def snapshot_download(_: str, *, allow_patterns: list[str], **__: object) -> str:
        asked.extend(allow_patterns)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert read_config_json("someone/forms")["model_type"] == "layoutlmv2"
    assert "config.json" in asked and not [pattern for pattern in asked if "model" in pattern]


def test_a_hub_id_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="someone/forms is no folder here, is not in the hub's cache") as caught:
        resolve_checkpoint("someone/forms", cache_dir=tmp_path, local_files_only=True)
    assert caught.value.kind == "unreachable"


# S3


@pytest.fixture
def stored(s3_server: S3Server, s3_prefix: str, token_folder: Path) -> str:
    """The token classifier in a bucket, and beside it what is no part of it."""
    parts = urlsplit(s3_prefix)
    client, prefix = s3_server.client(), parts.path.strip("/")
    for path in token_folder.iterdir():
        client.upload_file(str(path), parts.netloc, f"{prefix}/model/{path.name}")
    client.put_object(Bucket=parts.netloc, Key=f"{prefix}/model/pytorch_model.bin", Body=b"the same again")
    client.put_object(Bucket=parts.netloc, Key=f"{prefix}/model/runs/config.json", Body=b"not this one")
    client.put_object(Bucket=parts.netloc, Key=f"{prefix}/model-2/config.json", Body=b"nor this one")
    return f"{s3_prefix}/model"


def put(server: S3Server, uri: str, body: bytes) -> None:
    parts = urlsplit(uri)
    server.client().put_object(Bucket=parts.netloc, Key=parts.path.strip("/"), Body=body)


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_prefix_in_a_bucket_is_a_checkpoint(stored: str, token_folder: Path, tmp_path: Path, ending: str) -> None:
    model = load_pretrained(LayoutLMv2ForTokenClassification, stored + ending, cache_dir=tmp_path)
    assert_same_weights(model, load_pretrained(LayoutLMv2ForTokenClassification, token_folder))
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert checkpoint_fingerprint(folder) == checkpoint_fingerprint(token_folder)


def test_a_checkpoint_in_a_bucket_is_downloaded_once_and_again_when_it_changes(
    stored: str, s3_server: S3Server, tmp_path: Path
) -> None:
    first = resolve_checkpoint(stored, cache_dir=tmp_path)
    (first / "mark").write_text("still here")
    assert resolve_checkpoint(stored, cache_dir=tmp_path) == first
    assert (first / "mark").exists()
    put(s3_server, f"{stored}/vocab.txt", b"[PAD]\n")
    second = resolve_checkpoint(stored, cache_dir=tmp_path)
    assert second != first and (second / "vocab.txt").read_bytes() == b"[PAD]\n"
    assert not list(tmp_path.glob("*partial*"))


def test_a_checkpoint_that_is_written_over_during_the_download_is_fetched_again(
    stored: str, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3_server, f"{stored}/vocab.txt", b"old\n")
    client = s3_server.client()
    download = client.download_file
    writes = iter([b"new\n"])

    def write_meanwhile(*arguments: object) -> None:
        download(*arguments)
        for body in writes:
            put(s3_server, f"{stored}/vocab.txt", body)

    monkeypatch.setattr(client, "download_file", write_meanwhile)
    monkeypatch.setattr("model.checkpoint_source._s3_client", lambda: client)
    folder = resolve_checkpoint(stored, cache_dir=tmp_path)
    assert (folder / "vocab.txt").read_bytes() == b"new\n"
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [folder]


def test_the_configuration_is_read_from_a_bucket_without_the_weights(
    stored: str, tmp_path: Path, token_folder: Path
) -> None:
    content = read_config_json(stored, cache_dir=tmp_path)
    assert content == json.loads((token_folder / "config.json").read_text())
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("{prefix}/nothing-here", "nothing is stored right under .*; check the bucket and the prefix"),
        ("s3://no-such-bucket/model", "does not exist .NoSuchBucket."),
        ("s3://", "names no bucket"),
    ],
)
def test_a_place_that_is_not_there_is_told(s3_prefix: str, tmp_path: Path, place: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        resolve_checkpoint(place.format(prefix=s3_prefix), cache_dir=tmp_path)
    assert caught.value.kind == "not_found"


def test_a_prefix_without_a_configuration_is_no_checkpoint(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    put(s3_server, f"{s3_prefix}/notes.txt", b"")
    with pytest.raises(CheckpointError, match="has no config.json among its 1 objects"):
        resolve_checkpoint(s3_prefix, cache_dir=tmp_path)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_keys_are_refused_access(
    stored: str, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "wrong")
    with pytest.raises(CheckpointError, match="S3 refuses access .*check the credentials") as caught:
        resolve_checkpoint(stored, cache_dir=tmp_path)
    assert caught.value.kind == "access_denied"


def test_a_server_that_does_not_answer_is_told(s3_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    )
    monkeypatch.setattr("model.checkpoint_source._s3_client", lambda: client)
    with pytest.raises(CheckpointError, match="out of reach .*check the network and AWS_ENDPOINT_URL") as caught:
        resolve_checkpoint(s3_prefix, cache_dir=tmp_path)
    assert caught.value.kind == "unreachable"
