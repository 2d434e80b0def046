"""Sources of checkpoints: folders, the hub, S3; and the fingerprint of their content."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
import pytest

from model.checkpoint import CheckpointError, checkpoint_fingerprint, read_config_json, resolve_checkpoint
from tests.s3_server import S3Server


@pytest.fixture(scope="session")
def base_folder(fixtures_directory: Path) -> Path:
    """A checkpoint of the model without a head, written by the reference implementation."""
    return fixtures_directory / "goldens" / "tiny" / "checkpoint-base"


@pytest.fixture
def folder(base_folder: Path, tmp_path: Path) -> Path:
    """A copy of that checkpoint, to be damaged."""
    return Path(shutil.copytree(base_folder, tmp_path / "checkpoint"))


def test_a_missing_folder_is_an_error_that_lists_the_valid_sources(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no folder .*/nowhere; give a folder .* or s3://bucket/prefix"):
        resolve_checkpoint(str(tmp_path / "nowhere"))


def test_a_file_instead_of_its_folder_is_rejected(base_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="is a file; give the folder"):
        resolve_checkpoint(base_folder / "model.safetensors")


def test_the_fingerprint_depends_on_the_content_and_not_on_the_folder(folder: Path, base_folder: Path) -> None:
    first = checkpoint_fingerprint(base_folder)
    assert len(first) == 12 and int(first, 16) >= 0
    assert checkpoint_fingerprint(folder) == first
    (folder / "README.md").write_text("of no influence")
    assert checkpoint_fingerprint(folder) == first
    (folder / "vocab.txt").write_text("[PAD]\n")
    with_vocabulary = checkpoint_fingerprint(folder)
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, os.SEEK_END)
        weights.write(b"!")
    assert len({first, with_vocabulary, checkpoint_fingerprint(folder)}) == 3


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_an_incomplete_checkpoint_has_no_fingerprint(folder: Path, missing: str) -> None:
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
def test_a_hub_id_is_read_from_the_cache_without_a_network(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    as_hub_cache(folder, tmp_path / "hub", "someone/forms")
    found = resolve_checkpoint("someone/forms", cache_dir=tmp_path / "hub", local_files_only=True)
    assert checkpoint_fingerprint(found) == checkpoint_fingerprint(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_only_the_necessary_files_are_downloaded_from_the_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (folder / "model.safetensors").rename(folder / name)
    if name == "model.safetensors":
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
    assert sorted(path.name for path in target.iterdir()) == ["config.json", name]


def test_the_configuration_is_downloaded_without_the_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterns: list[str] = []

    def snapshot_download(_: str, *, allow_patterns: list[str], **__: object) -> str:
        patterns.extend(allow_patterns)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert read_config_json("someone/forms")["model_type"] == "layoutlmv2"
    assert "config.json" in patterns and not [
        pattern for pattern in patterns if "safetensors" in pattern or "pytorch" in pattern
    ]


def test_an_unavailable_hub_id_is_an_error(tmp_path: Path) -> None:
    message = "someone/forms is not a local folder, is not in the hub's cache"
    with pytest.raises(CheckpointError, match=message) as caught:
        resolve_checkpoint("someone/forms", cache_dir=tmp_path, local_files_only=True)
    assert caught.value.kind == "unreachable"


# S3


@pytest.fixture
def stored(s3_server: S3Server, s3_prefix: str, base_folder: Path) -> str:
    """A checkpoint in a bucket, with other objects beside it."""
    parts = urlsplit(s3_prefix)
    client, prefix = s3_server.client(), parts.path.strip("/")
    for path in base_folder.iterdir():
        client.upload_file(str(path), parts.netloc, f"{prefix}/model/{path.name}")
    client.put_object(Bucket=parts.netloc, Key=f"{prefix}/model/pytorch_model.bin", Body=b"the same again")
    client.put_object(Bucket=parts.netloc, Key=f"{prefix}/model/runs/config.json", Body=b"not this one")
    client.put_object(Bucket=parts.netloc, Key=f"{prefix}/model-2/config.json", Body=b"nor this one")
    return f"{s3_prefix}/model"


def put(server: S3Server, uri: str, body: bytes) -> None:
    parts = urlsplit(uri)
    server.client().put_object(Bucket=parts.netloc, Key=parts.path.strip("/"), Body=body)


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_prefix_in_a_bucket_is_a_checkpoint(stored: str, tmp_path: Path, ending: str, base_folder: Path) -> None:
    folder = resolve_checkpoint(stored + ending, cache_dir=tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert checkpoint_fingerprint(folder) == checkpoint_fingerprint(base_folder)


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


def test_a_checkpoint_that_is_overwritten_during_the_download_is_downloaded_again(
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
    stored: str, tmp_path: Path, base_folder: Path
) -> None:
    content = read_config_json(stored, cache_dir=tmp_path)
    assert content == json.loads((base_folder / "config.json").read_text())
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("{prefix}/nothing-here", "there are no objects directly under .*; check the bucket and prefix"),
        ("s3://no-such-bucket/model", "does not exist .NoSuchBucket."),
        ("s3://", "has no bucket name"),
    ],
)
def test_a_missing_bucket_or_prefix_is_an_error(s3_prefix: str, tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        resolve_checkpoint(uri.format(prefix=s3_prefix), cache_dir=tmp_path)
    assert caught.value.kind == "not_found"


def test_a_prefix_without_a_configuration_is_not_a_checkpoint(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    put(s3_server, f"{s3_prefix}/notes.txt", b"")
    with pytest.raises(CheckpointError, match=r"has no config\.json among its 1 objects"):
        resolve_checkpoint(s3_prefix, cache_dir=tmp_path)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_denied_access(
    stored: str, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "wrong")
    with pytest.raises(CheckpointError, match=r"S3 denies access .*check the credentials") as caught:
        resolve_checkpoint(stored, cache_dir=tmp_path)
    assert caught.value.kind == "access_denied"


def test_a_server_that_does_not_answer_is_an_error(
    s3_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    )
    monkeypatch.setattr("model.checkpoint_source._s3_client", lambda: client)
    with pytest.raises(CheckpointError, match=r"unreachable .*check the network and AWS_ENDPOINT_URL") as caught:
        resolve_checkpoint(s3_prefix, cache_dir=tmp_path)
    assert caught.value.kind == "unreachable"
