"""A checkpoint with a new `decoding.json`: a copy, or the checkpoint itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from model.checkpoint_source import (
    CONFIG_NAME,
    DECODING_NAME,
    OTHER_FILES,
    PICKLE_FILES,
    SAFETENSORS_FILES,
    resolve_checkpoint,
)
from model.decoding import Decoding, save_decoding
from model.untrained import UNTRAINED
from pipelines.errors import JobError
from pipelines.storage.files import is_s3


def check_output(model: str, output: str) -> None:
    """Refuse a folder that a calibrated checkpoint cannot be written to.

    Raises:
        ValueError: it is in S3, is no folder, or holds something else than the model itself; or the model has no files.
        CheckpointError: the model cannot be read.
    """
    if model == UNTRAINED:
        raise ValueError("--model untrained has no files to write beside decoding.json; leave out --output")
    if is_s3(output):
        raise ValueError("--output is a folder; the result can be copied to S3")
    folder = Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output {output} is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()) and not _is_model(model, folder):
        what = "another checkpoint" if (folder / CONFIG_NAME).exists() else "other files"
        raise ValueError(f"--output {output} holds {what}; give a new folder, or the model's own")


def write_calibrated(model: str, output: str, decoding: Decoding) -> Path:
    """Write the checkpoint to a folder, all of it or nothing; returns the folder.

    The model's own folder gets a new `decoding.json` only, another one the model's files and `decoding.json`.

    Raises:
        CheckpointError: the model cannot be read.
        JobError: the folder cannot be written to.
    """
    folder = Path(output).expanduser().resolve()
    source = resolve_checkpoint(model)
    try:
        if _is_model(model, folder):
            save_decoding(decoding, folder)
        else:
            _write_copy(source, folder, decoding)
    except OSError as error:
        raise JobError(f"--output {output} cannot be written: {error}; nothing was changed there") from error
    return folder


def _write_copy(source: Path, folder: Path, decoding: Decoding) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
    try:
        for path in _files(source):
            shutil.copyfile(path, partial / path.name)
        save_decoding(decoding, partial)
        partial.chmod(0o755)
        partial.rename(folder)  # replaces an empty folder
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_model(model: str, folder: Path) -> bool:
    source = resolve_checkpoint(model, weights=False)
    return folder.is_dir() and os.path.samefile(source, folder)


def _files(source: Path) -> Iterator[Path]:
    """The files of a checkpoint that are read, without its decoding."""
    patterns = (*OTHER_FILES, *SAFETENSORS_FILES, *PICKLE_FILES)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name != DECODING_NAME and any(fnmatch(path.name, name) for name in patterns):
            yield path
