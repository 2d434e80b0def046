"""What a run goes on from: the files of its last checkpoint, each of which may be damaged or removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from model.checkpoint import read_weights
from model.checkpoint_source import SAFETENSORS_FILES, CheckpointError
from pipelines.storage.files import Storage, join_uri
from pipelines.training.output import CHECKPOINTS, PROGRESS, SNAPSHOT, STATE

Read = TypeVar("Read")


@dataclass(frozen=True)
class TrainingState:
    """The content of a checkpoint.

    Attributes:
        weights: of the model that is evaluated: parameter name to tensor, on the CPU.
        trained: of the model that is trained, where that is another one; else None.
        optimizer: the state of the optimizer.
        progress: the content of `training.json`.
    """

    weights: dict[str, torch.Tensor]
    trained: dict[str, torch.Tensor] | None
    optimizer: dict[str, Any]
    progress: dict[str, Any]


def read_training_state(folder: Path, uri: str) -> TrainingState:
    """Read the files of a checkpoint.

    Args:
        folder: where they are on this machine.
        uri: of the checkpoint in the output, for errors.

    Raises:
        CheckpointError: a file is missing or damaged; the message names it and the way out.
    """
    state = _read(folder, uri, STATE, lambda path: torch.load(path, map_location="cpu", weights_only=True))
    weights = _read(folder, uri, SAFETENSORS_FILES[0], read_weights)
    progress = _read(folder, uri, PROGRESS, lambda path: dict(json.loads(path.read_text(encoding="utf-8"))))
    return TrainingState(weights, state.get("model"), state["optimizer"], progress)


def write_training_state(state: dict[str, Any], folder: Path) -> None:
    """Write the file `STATE` of a checkpoint.

    Raises:
        OSError: it cannot be written. PyTorch alone says of a full disk that a position is unexpected.
    """
    try:
        with (folder / STATE).open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def forget_removed_checkpoints(storage: Storage, output: str) -> bool:
    """Take checkpoints whose folders were removed off Ray Train's list; returns whether any is left.

    Ray Train refuses a list that names a folder that is not there.
    """
    uri = join_uri(output, CHECKPOINTS, SNAPSHOT)
    if not storage.exists(uri):
        return False
    snapshot = json.loads(storage.read(uri))
    results = list(zip(snapshot["checkpoint_results"], snapshot["checkpoint_report_indices"], strict=True))

    def is_there(result: dict[str, Any]) -> bool:
        folder = join_uri(output, CHECKPOINTS, result["checkpoint_dir_name"])
        return next(storage.list_existing(folder), None) is not None

    kept = [(result, index) for result, index in results if is_there(result)]
    if len(kept) == len(results):
        return bool(kept)
    if not kept:
        storage.delete(uri)
        return False
    snapshot["checkpoint_results"] = [result for result, _ in kept]
    snapshot["checkpoint_report_indices"] = [index for _, index in kept]
    snapshot["latest_checkpoint_result"] = max(kept, key=lambda each: each[0]["metrics"]["step"])[0]
    names = {result["checkpoint_dir_name"] for result, _ in kept}
    for key, value in snapshot.items():
        if key.endswith("_checkpoint_dir_names"):
            snapshot[key] = [name for name in value if name in names]
    storage.write(uri, json.dumps(snapshot).encode())
    return True


def _read(folder: Path, uri: str, name: str, read: Callable[[Path], Read]) -> Read:
    try:
        return read(folder / name)
    except MemoryError:
        raise
    except Exception as error:  # torch, pickle, zip and JSON raise many types
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{join_uri(uri, name)} is damaged or missing ({reason}): remove the folder {uri}, and the same command "
            "goes on from the checkpoint before it, or begins anew if there is none"
        ) from error
