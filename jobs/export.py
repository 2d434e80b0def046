"""Export a model for another runtime: a folder that the jobs and the endpoint take as --model.

The result is compared with PyTorch on real pages before it counts as done. Exit status: 0 done, 1 failed or other
labels than PyTorch's, 2 the options make no sense or a package is missing, 130 interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobs.cli import DONE, FAILED, parse_options, require_positive, run_job
from model.checkpoint_source import BUNDLED_FORMS, PICKLE_FILES, SAFETENSORS_FILES, resolve_checkpoint
from model.export.record import GRAPH_FILES, ExportFormat, ExportRecord, Quantization, is_exported
from model.untrained import UNTRAINED
from pipelines.export import SAMPLES, ExportPages
from pipelines.options import ExtractOptions, check_options
from pipelines.schema import Task
from pipelines.storage.files import normalise_uri

QUESTION = "What is the date?"
"""Asked of the pages that a model for question answering is checked on."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m jobs.export`."""

    output: str
    """Folder for the graphs, the configuration, the tokenizer and export.json; created if necessary."""
    model: str = BUNDLED_FORMS
    """Folder, hub id or s3:// URI of a checkpoint that was fine-tuned for the task."""
    task: Task = "token-classification"
    """The task that the model was fine-tuned for."""
    format: ExportFormat = "openvino"
    """torch-export: programs for PyTorch; onnx: for ONNX Runtime, and others that read ONNX; openvino: for OpenVINO,
    the fastest on CPUs."""
    quantize: Quantization = "none"
    """int8: matrix products with 8-bit integers, for openvino and onnx; labels can change, so measure with
    jobs.evaluate."""
    float_layers: tuple[str, ...] = ()
    """With int8, what stays float: patterns of operator names (openvino), or parts of them (onnx)."""
    calibration: str | None = None
    """Documents whose pages the export is checked on and int8 is calibrated with: a folder or s3://bucket/prefix, or an
    output of jobs.extract. By default the samples of the source tree."""
    calibration_pages: int = 24
    """Pages of them that are read, at most, the first pages of each document before further ones."""

    def checked(self) -> tuple[ExtractOptions, ExportPages]:
        """The options of the pipeline that reads the pages, and which these are.

        Raises:
            ValueError: they make no sense.
            CheckpointError: the model cannot be read.
        """
        require_positive(self, ("calibration_pages",))
        if "://" in self.output:
            raise ValueError(f"--output is {self.output}; give a folder on this machine, and copy it from there")
        if self.quantize != "none" and self.format == "torch-export":
            raise ValueError("--quantize int8 is for --format openvino and onnx; torch-export has float32 only")
        if self.float_layers and self.quantize == "none":
            raise ValueError("--float-layers stay float with --quantize int8, which is missing")
        if self.model != UNTRAINED and is_exported(resolve_checkpoint(self.model, weights=False)):
            raise ValueError(f"{self.model} is exported already; give the checkpoint that it came from")
        if self.calibration is None and not SAMPLES.is_dir():
            raise ValueError("the samples are not installed: give --calibration a folder of documents")
        folder = Path(self.output)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--output is {self.output}, which is a file")
        if any((folder / name).is_file() for name in (SAFETENSORS_FILES[0], PICKLE_FILES[0])):
            raise ValueError(f"--output is {self.output}, which is a checkpoint: give a folder of its own")
        source = str(SAMPLES) if self.calibration is None else self.calibration
        questions = (QUESTION,) if self.task == "question-answering" else ()
        extract = ExtractOptions(self.model, self.task, questions)
        check_options(extract)
        return extract, ExportPages(normalise_uri(source), self.calibration_pages)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(options.checked, partial(write_export, options), interrupted="interrupted; export again")


def write_export(options: Options, checked: tuple[ExtractOptions, ExportPages]) -> int:
    """Export, and print what the check found; returns the exit status."""
    from model.export.export import ExportCheckError
    from pipelines.export import export

    started = time.monotonic()

    def tell(step: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {step}", file=sys.stderr, flush=True)

    extract, pages = checked
    folder = Path(options.output)
    try:
        record = export(extract, pages, folder, options.format, options.quantize, options.float_layers, tell)
    except ExportCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    print(summary(folder, record))
    return DONE


def summary(folder: Path, record: ExportRecord) -> str:
    """What was written and how it compares with PyTorch."""
    megabytes = sum((folder / name).stat().st_size for name in GRAPH_FILES[record.format]) / 1e6
    check = record.check
    return (
        f"{record.source} as {record.format}"
        + (", int8" if record.quantization == "int8" else "")
        + f": {megabytes:.0f} MB in {folder}\n"
        f"{check['equal_labels']:.2%} of the labels are those of PyTorch, and logits differ by up to "
        f"{check['largest_difference']:.2g}, on {check['windows']} windows of {check['shortest']} to "
        f"{check['longest']} tokens"
    )


if __name__ == "__main__":
    sys.exit(main())
