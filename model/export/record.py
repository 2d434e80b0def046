"""`export.json`: what a folder with an exported model holds, and the checks that it is whole.

Neither PyTorch nor a runtime is imported here: a job refuses a folder that cannot work before it starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from model.checkpoint_source import EXPORT_NAME
from model.file_hash import file_hash
from model.runtimes.runtime import RuntimeChoice

ExportFormat = Literal["torch-export", "onnx", "openvino"]
Quantization = Literal["none", "int8"]

EXPORT_VERSION = 1
"""Of the graphs' inputs and outputs: other versions are refused."""

GRAPH_FILES: dict[ExportFormat, tuple[str, ...]] = {
    "torch-export": ("image.pt2", "text.pt2"),
    "onnx": ("image.onnx", "text.onnx"),
    "openvino": ("image.xml", "image.bin", "text.xml", "text.bin"),
}
"""The files of the two graphs, by format."""

RUNTIMES: dict[ExportFormat, tuple[RuntimeChoice, ...]] = {
    "torch-export": ("torch",),
    "onnx": ("onnxruntime", "openvino"),
    "openvino": ("openvino",),
}
"""What runs each format, its own runtime first."""


@dataclass(frozen=True)
class ExportRecord:
    """The content of `export.json`.

    Attributes:
        version: see `EXPORT_VERSION`.
        format: what the files are.
        task: which head the text graph has.
        dtype: of the graphs' floating weights: float32.
        quantization: "int8" where layers of the text graph compute with 8-bit integers.
        source: the name and fingerprint of the checkpoint.
        float_layers: with int8, the layers that stay float.
        files: the SHA-256 of each graph file.
        versions: of the packages that made it.
        check: what the comparison with PyTorch found, see `model.export.check`.
    """

    version: int
    format: ExportFormat
    task: str
    dtype: str
    quantization: Quantization
    source: str
    float_layers: tuple[str, ...]
    files: Mapping[str, str]
    versions: Mapping[str, str]
    check: Mapping[str, Any]


def is_exported(folder: Path) -> bool:
    """Whether the folder holds an exported model."""
    return (folder / EXPORT_NAME).is_file()


def write_record(record: ExportRecord, folder: Path) -> None:
    """Write `export.json`; what writes it last says that the folder is complete."""
    (folder / EXPORT_NAME).write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def read_record(folder: Path) -> ExportRecord:
    """The record of an exported model.

    Raises:
        ValueError: it is damaged, or of another version.
    """
    path = folder / EXPORT_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != EXPORT_VERSION:
            raise ValueError(
                f"{folder} was exported by another version of this package (its graphs have version "
                f"{content['version']}, and this one runs {EXPORT_VERSION}): export the checkpoint again with "
                "python -m jobs.export"
            )
        record = ExportRecord(**{**content, "float_layers": tuple(content["float_layers"])})
        known = record.format in GRAPH_FILES and record.quantization in get_args(Quantization)
        if not known or set(record.files) != set(GRAPH_FILES[record.format]):
            raise KeyError(f"format {record.format!r}, files {sorted(record.files)}")
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): export the checkpoint again, or copy the folder again"
        ) from error
    return record


def check_files(folder: Path, record: ExportRecord) -> None:
    """Compare the graph files with the record.

    Raises:
        ValueError: one is missing or has other content.
    """
    for name, expected in record.files.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{folder} lacks {name}, which its {EXPORT_NAME} names: copy the whole folder again")
        if file_hash(path) != expected:
            raise ValueError(
                f"{path} is damaged: its content is not the one that {EXPORT_NAME} names. Copy the folder again, or "
                "export the checkpoint again"
            )
