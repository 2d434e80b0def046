"""The output of a training run: its record, the start that all workers read, and the best model at the end."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from model.checkpoint_source import SAFETENSORS_FILES
from pipelines.runtime.output_record import OutputConflictError, describe_differences
from pipelines.storage.files import Storage, join_uri
from pipelines.training.errors import TrainingError
from pipelines.training.initialization import init_config, init_tokenizer
from pipelines.training.metrics_log import CURVE, METRICS, read_metrics
from pipelines.training.options import FinetuneOptions

RECORD = "finetune.json"
CHECKPOINTS, MODEL, EXAMPLES, START = "checkpoints", "model", "examples", "start"

STATE, PROGRESS = "training_state.pt", "training.json"
"""Files of a checkpoint that only training needs."""

SNAPSHOT = "checkpoint_manager_snapshot.json"
"""Ray Train's list of its checkpoints; it exists once there is one."""

DIFFERENCES_NAMED = 5


def open_output(storage: Storage, options: FinetuneOptions, record: dict[str, Any]) -> dict[str, Any] | None:
    """Refuse an output of other options, or clear it; returns the record of the run that this one continues.

    A run without a checkpoint is not continued, and its record is replaced.

    Raises:
        OutputConflictError: the message names the difference.
    """
    uri = join_uri(options.output, RECORD)
    earlier: dict[str, Any] | None = json.loads(storage.read(uri)) if storage.exists(uri) else None
    has_checkpoints = storage.exists(join_uri(options.output, CHECKPOINTS, SNAPSHOT))
    if options.overwrite:
        for name in (METRICS, CURVE):
            storage.delete(join_uri(options.output, name))
        for folder in (CHECKPOINTS, MODEL, START):
            for stored in list(storage.list_existing(join_uri(options.output, folder))):
                storage.delete(stored.uri)
        earlier, has_checkpoints = None, False
    if has_checkpoints and earlier is None:
        raise OutputConflictError(
            f"{options.output} holds checkpoints and no {RECORD} that says of what: choose another --output, or "
            "--overwrite to remove what is there"
        )
    if earlier is not None and (has_checkpoints or earlier["status"] == "done"):
        compared = ("options", "corpus", "labels")
        old, new = ({name: made.get(name) for name in compared} for made in (earlier, record))
        differences = describe_differences(old, new)
        if differences:
            raise OutputConflictError(
                f"{options.output} was made with other options ({'; '.join(differences[:DIFFERENCES_NAMED])}): choose "
                "another --output, or --overwrite to remove what is there"
            )
        return earlier
    write_record(storage, options.output, record)
    return None


def write_record(storage: Storage, output: str, record: dict[str, Any]) -> None:
    """Write `finetune.json`."""
    storage.write(join_uri(output, RECORD), (json.dumps(record, indent=2) + "\n").encode())


def write_start(storage: Storage, options: FinetuneOptions, labels: tuple[str, ...]) -> str:
    """Write the configuration and the tokenizer of the model to train, for every worker; returns their folder."""
    uri = join_uri(options.output, START)
    config = init_config(options.start, options.training.task, labels)
    with tempfile.TemporaryDirectory() as folder:
        init_tokenizer(options.start, config).save_pretrained(folder)
        Path(folder, "config.json").write_text(config.to_json_string(), encoding="utf-8")
        _copy(storage, Path(folder), uri)
    return uri


def keep_best_model(storage: Storage, output: str, result: Any) -> dict[str, Any]:
    """Copy the best checkpoint to `model/`, without what only training needs.

    Args:
        result: Ray Train's `Result`.

    Returns:
        For the record: `steps` of the run, `best` (step and dev metric of the best checkpoint) and `model`, its folder.

    Raises:
        TrainingError: there is no checkpoint.
    """
    checkpoints = result.best_checkpoints or []
    if not checkpoints:
        raise TrainingError("training ended without a checkpoint")
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
