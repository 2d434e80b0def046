"""The output of a training run: its record, the start that all workers read, and the best model at the end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model import LayoutLMv2Config
from model.checkpoint_source import SAFETENSORS_FILES
from pipelines.runtime.output_record import OutputConflictError, describe_differences
from pipelines.storage.files import Storage, join_uri
from pipelines.training.initialization import ModelInit, init_tokenizer
from pipelines.training.metrics_log import CURVE, METRICS, read_metrics

RECORD = "finetune.json"
CHECKPOINTS, MODEL, EXAMPLES, START = "checkpoints", "model", "examples", "start"

STATE, PROGRESS = "training_state.pt", "training.json"
"""Files of a checkpoint that only training needs."""

SNAPSHOT = "checkpoint_manager_snapshot.json"
"""Ray Train's list of its checkpoints; it exists once there is one."""

DETERMINING = ("options", "corpus", "labels")
"""Parts of a record that decide the weights; a run may lack some."""

DIFFERENCES_NAMED = 5


def open_output(
    storage: Storage, output: str, record: dict[str, Any], overwrite: bool, name: str = RECORD
) -> dict[str, Any] | None:
    """Refuse an output of other options, or clear it; returns the record of the run that this one continues.

    A run without a checkpoint is not continued, and its record is replaced.

    Args:
        record: of the new run; `DETERMINING` names its parts that decide the weights.
        overwrite: remove what an earlier run wrote, whatever its options.
        name: of the file of the record.

    Raises:
        OutputConflictError: the message names the difference.
    """
    uri = join_uri(output, name)
    earlier: dict[str, Any] | None = json.loads(storage.read(uri)) if storage.exists(uri) else None
    has_checkpoints = storage.exists(join_uri(output, CHECKPOINTS, SNAPSHOT))
    if overwrite:
        for file in (METRICS, CURVE):
            storage.delete(join_uri(output, file))
        for folder in (CHECKPOINTS, MODEL, START):
            for stored in list(storage.list_existing(join_uri(output, folder))):
                storage.delete(stored.uri)
        earlier, has_checkpoints = None, False
    if has_checkpoints and earlier is None:
        raise OutputConflictError(
            f"{output} holds checkpoints and no {name} that says of what: choose another --output, or --overwrite to "
            "remove what is there"
        )
    if earlier is not None and (has_checkpoints or earlier["status"] == "done"):
        old, new = ({part: made.get(part) for part in DETERMINING} for made in (earlier, record))
        differences = describe_differences(old, new)
        if differences:
            raise OutputConflictError(
                f"{output} was made with other options or data ({'; '.join(differences[:DIFFERENCES_NAMED])}): choose "
                "another --output, or --overwrite to remove what is there"
            )
        return earlier
    write_record(storage, output, record, name)
    return None


def write_record(storage: Storage, output: str, record: dict[str, Any], name: str = RECORD) -> None:
    """Write the record of a run."""
    storage.write(join_uri(output, name), (json.dumps(record, indent=2) + "\n").encode())


def write_start(storage: Storage, output: str, start: ModelInit, config: LayoutLMv2Config) -> str:
    """Write the configuration and the tokenizer of the model to train, for every worker; returns their folder."""
    uri = join_uri(output, START)
    with tempfile.TemporaryDirectory() as folder:
        init_tokenizer(start, config).save_pretrained(folder)
        Path(folder, "config.json").write_text(config.to_json_string(), encoding="utf-8")
        _copy(storage, Path(folder), uri)
    return uri


def keep_best_model(storage: Storage, output: str, checkpoints: Sequence[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    """Copy the best checkpoint to `model/`, without what only training needs.

    Args:
        checkpoints: of Ray Train, with their metrics.

    Returns:
        For the record: `steps` of the run, `best` (step and dev metric of the best checkpoint) and `model`, its folder.
    """
    checkpoint, metrics = max(checkpoints, key=lambda each: (each[1]["score"], -each[1]["step"]))
    model = join_uri(output, MODEL)
    with checkpoint.as_directory() as folder:
        _copy(storage, Path(folder), model, leave_out=(STATE, PROGRESS))
    best: dict[str, Any] = {"step": metrics["step"]}
    lines = read_metrics(storage, output)
    for line in lines:
        if "dev" in line and line["step"] == metrics["step"]:
            best |= {"metric": line["dev_name"], "dev": line["dev"], "values": line["dev_values"]}
    return {"steps": lines[-1]["step"], "best": best, "model": model}


def _copy(storage: Storage, folder: Path, uri: str, leave_out: tuple[str, ...] = ()) -> None:
    """Copy the files of a folder, the weights last but one and `config.json` last: a copy that has it is complete."""
    order = (SAFETENSORS_FILES[0], "config.json")
    names = [path.name for path in folder.iterdir() if path.is_file() and path.name not in leave_out]
    for name in sorted(names, key=lambda name: (order.index(name) + 1 if name in order else 0, name)):
        storage.write(join_uri(uri, name), (folder / name).read_bytes())
