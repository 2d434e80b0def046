"""Exports a checkpoint: two graphs beside its configuration, tokenizer and decoding, checked against PyTorch."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.checkpoint_source import EXPORT_FILES, EXPORT_NAME, OTHER_FILES
from model.export.check import Agreement, CheckedBatch, compare_runtimes, failed_check
from model.export.formats import package_versions, write_graphs
from model.export.graphs import export_image_graph, export_text_graph
from model.export.record import (
    EXPORT_VERSION,
    GRAPH_FILES,
    RUNTIMES,
    ExportFormat,
    ExportRecord,
    Quantization,
    write_record,
)
from model.file_hash import file_hash
from model.pretrained import LayoutLMv2PreTrainedModel
from model.runtimes.exported_graphs import open_graphs
from model.runtimes.runtime import Runtime
from model.runtimes.torch_runtime import TorchRuntime


class ExportCheckError(RuntimeError):
    """An exported model does not say what PyTorch says; its folder is there, without `export.json`."""


@dataclass(frozen=True)
class ExportOptions:
    """How a model is exported.

    Attributes:
        task: which head the model has.
        format: what is written.
        quantization: "int8" for 8-bit integers.
        float_layers: names of operators that stay float with int8.
    """

    task: str
    format: ExportFormat
    quantization: Quantization = "none"
    float_layers: tuple[str, ...] = ()


def export_model(
    model: LayoutLMv2PreTrainedModel,
    checkpoint: Path,
    source_name: str,
    folder: Path,
    batches: Sequence[CheckedBatch],
    options: ExportOptions,
    tell: Callable[[str], None] = lambda step: None,
) -> ExportRecord:
    """Write a model into a folder that jobs take as `--model`.

    Args:
        model: in float32, with the head of the task.
        checkpoint: its folder, from which all files but the weights are copied.
        source_name: goes into the record.
        folder: created if necessary; an exported model in it is replaced.
        batches: windows of real pages, for the check and for int8's calibration.
        tell: called with each step before it begins.

    Raises:
        ExportCheckError: the result differs from PyTorch's.
        ExportDependencyError: a package is not installed.
        ValueError: there are no batches, or int8 is asked of "torch-export".
    """
    if not batches:
        raise ValueError("there is no page to check the exported model on")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (EXPORT_NAME, *EXPORT_FILES):
        (folder / name).unlink(missing_ok=True)
    for name in OTHER_FILES:
        if name != EXPORT_NAME and (checkpoint / name).is_file():
            shutil.copyfile(checkpoint / name, folder / name)
    tell("tracing the image graph and the text graph")
    image, text = export_image_graph(model), export_text_graph(model)
    reference = TorchRuntime(model, options.task)
    calibration: list[dict[str, np.ndarray]] = []
    if options.quantization == "int8":
        calibration = text_inputs(reference, batches)
    tell(f"writing {options.format}" + (", with 8-bit integers" if options.quantization == "int8" else ""))
    write_graphs(image, text, folder, options.format, options.quantization, calibration, options.float_layers)
    tell(f"comparing with PyTorch on {sum(len(batch.image_of_row) for batch in batches)} windows")
    written = open_graphs(folder, model.config, RUNTIMES[options.format][0])
    agreement = compare_runtimes(reference, written, batches, options.task)
    if (reason := failed_check(agreement, options.quantization)) is not None:
        raise ExportCheckError(
            f"{folder} must not be used: {reason}. It is left without {EXPORT_NAME}"
            + ("; leave out --quantize int8, or keep layers float" if options.quantization == "int8" else "")
        )
    record = describe(folder, source_name, options, agreement)
    write_record(record, folder)
    return record


def describe(folder: Path, source_name: str, options: ExportOptions, agreement: Agreement) -> ExportRecord:
    """The record of graphs that were written and checked."""
    return ExportRecord(
        version=EXPORT_VERSION,
        format=options.format,
        task=options.task,
        dtype="float32",
        quantization=options.quantization,
        source=source_name,
        float_layers=options.float_layers,
        files={name: file_hash(folder / name) for name in GRAPH_FILES[options.format]},
        versions=package_versions(options.format),
        check=asdict(agreement),
    )


def text_inputs(reference: Runtime, batches: Sequence[CheckedBatch]) -> list[dict[str, np.ndarray]]:
    """The inputs of the text graph for batches of windows."""
    return [
        {
            **batch.windows,
            "features": np.asarray(reference.image_features(batch.images)),
            "image_of_row": batch.image_of_row,
        }
        for batch in batches
    ]
