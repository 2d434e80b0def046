"""The files of a checkpoint: each is named if it is damaged, and a checkpoint that was removed is forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model.checkpoint_source import CheckpointError
from pipelines.storage.files import Storage, join_uri
from pipelines.training.resume import forget_removed_checkpoints, read_training_state, write_training_state
from tests.pipelines.storage.full_disk import DISK_BYTES, small_disk

FILES = ("model.safetensors", "training_state.pt", "training.json")
URI = "s3://bucket/run/checkpoints/step-00000008"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_file({"weight": torch.ones(64, 64)}, tmp_path / FILES[0])
    torch.save({"optimizer": {"state": {0: torch.zeros(64, 64)}}}, tmp_path / FILES[1])
    (tmp_path / FILES[2]).write_text(json.dumps({"step": 8, "best": 0.5, "best_step": 8}))
    return tmp_path


def test_a_sound_checkpoint_is_read(checkpoint: Path) -> None:
    state = read_training_state(checkpoint, URI)
    assert torch.equal(state.weights["weight"], torch.ones(64, 64)) and state.trained is None
    assert state.progress == {"step": 8, "best": 0.5, "best_step": 8} and list(state.optimizer) == ["state"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [None, 0, 10, 0.5, 0.99])
def test_a_damaged_file_is_named_with_the_way_out(checkpoint: Path, name: str, kept: float | None) -> None:
    path = checkpoint / name
    if kept is None:
        path.unlink()
    else:
        size = path.stat().st_size
        os.truncate(path, int(kept * size) if isinstance(kept, float) else kept)
    with pytest.raises(CheckpointError, match=f"{URI}/{name} is damaged or missing .*remove the folder {URI}, "):
        read_training_state(checkpoint, URI)


def write_checkpoints(root: str, scores: dict[int, float], removed: tuple[int, ...]) -> str:
    """Ray Train's list of checkpoints by score, and the folders of those that were not removed."""
    results = [
        {"version": 0, "checkpoint_dir_name": f"step-{step:08d}", "metrics": {"score": score, "step": step}}
        for step, score in sorted(scores.items(), key=lambda each: each[1])
    ]
    snapshot = {
        "checkpoint_results": results,
        "checkpoint_report_indices": [result["metrics"]["step"] for result in results],  # type: ignore[index]
        "latest_checkpoint_result": max(results, key=lambda each: each["metrics"]["step"]),  # type: ignore[index]
        "validated_checkpoint_dir_names": [result["checkpoint_dir_name"] for result in results],
        "pending_training_results": [],
    }
    for step in scores.keys() - set(removed):
        Storage().write(join_uri(root, "checkpoints", f"step-{step:08d}", "training.json"), b"{}")
    uri = join_uri(root, "checkpoints", "checkpoint_manager_snapshot.json")
    Storage().write(uri, json.dumps(snapshot).encode())
    return uri


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else request.getfixturevalue("s3_prefix")


def test_a_run_goes_on_from_the_last_checkpoint_that_is_there(root: str) -> None:
    uri = write_checkpoints(root, {8: 0.9, 16: 0.4, 24: 0.6}, removed=(24,))
    assert forget_removed_checkpoints(Storage(), root)
    snapshot = json.loads(Storage().read(uri))
    assert snapshot["latest_checkpoint_result"]["checkpoint_dir_name"] == "step-00000016"
    assert [result["metrics"]["step"] for result in snapshot["checkpoint_results"]] == [16, 8]
    assert snapshot["checkpoint_report_indices"] == [16, 8]
    assert snapshot["validated_checkpoint_dir_names"] == ["step-00000016", "step-00000008"]


def test_nothing_changes_where_all_checkpoints_are_there(root: str) -> None:
    uri = write_checkpoints(root, {8: 0.9, 16: 0.4}, removed=())
    before = Storage().read(uri)
    assert forget_removed_checkpoints(Storage(), root) and Storage().read(uri) == before


def test_a_run_begins_anew_without_a_checkpoint(root: str) -> None:
    assert not forget_removed_checkpoints(Storage(), root)
    uri = write_checkpoints(root, {8: 0.9}, removed=(8,))
    assert not forget_removed_checkpoints(Storage(), root) and not Storage().exists(uri)


def test_a_full_disk_is_named_when_a_checkpoint_is_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, pytest.raises(OSError, match="No space left on device"):
        write_training_state({"optimizer": torch.zeros(DISK_BYTES)}, disk)


def test_what_is_written_is_read(checkpoint: Path) -> None:
    write_training_state({"optimizer": {"step": 3}}, checkpoint)
    assert read_training_state(checkpoint, URI).optimizer == {"step": 3}
