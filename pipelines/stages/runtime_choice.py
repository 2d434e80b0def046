"""Which runtime runs a model: PyTorch a checkpoint, OpenVINO and ONNX Runtime an exported folder.

Nothing that runs a model is imported at the top: a job checks its options without.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from model import LayoutLMv2Config
from model.checkpoint_source import resolve_checkpoint
from model.export.record import RUNTIMES, ExportRecord, check_files, is_exported, read_record
from model.runtimes.exported_graphs import open_graphs
from model.runtimes.runtime import Runtime, RuntimeChoice
from model.untrained import UNTRAINED
from pipelines.runtime.machine import available_cores
from pipelines.stages.infer import InferOptions

PACKAGES: dict[RuntimeChoice, str] = {"openvino": "openvino", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True)
class ChosenRuntime:
    """What runs a model.

    Attributes:
        name: "torch", "openvino" or "onnxruntime".
        record: of the exported folder; None for a checkpoint.
    """

    name: RuntimeChoice
    record: ExportRecord | None


def choose_runtime(source: str, options: InferOptions) -> ChosenRuntime:
    """The runtime for a checkpoint or an exported folder.

    Raises:
        ValueError: the runtime does not run what `source` is, is not installed or has no such device; or the exported
            folder is for another task, of another version, or damaged.
        CheckpointError: the model cannot be read.
    """
    folder = None if source == UNTRAINED else resolve_checkpoint(source, weights=False)
    record = read_record(folder) if folder is not None and is_exported(folder) else None
    if record is None:
        name: RuntimeChoice = "torch" if options.runtime == "auto" else options.runtime
        if name == "onnxruntime":
            raise ValueError(
                f"--runtime onnxruntime runs exported models, and {source} is a checkpoint: export it with "
                f"python -m jobs.export --model {source} --output FOLDER --format onnx, and give --model FOLDER"
            )
    else:
        able = RUNTIMES[record.format]
        name = able[0] if options.runtime == "auto" else options.runtime
        if name not in able:
            raise ValueError(
                f"{source} is exported as {record.format}, which {' and '.join(able)} run, and not {name}: leave "
                "--runtime auto, or export the checkpoint in another format"
            )
        if record.task != options.task:
            raise ValueError(f"{source} is exported for the task {record.task}, and the task is {options.task}")
    chosen = ChosenRuntime(name, record)
    if _runs_on_cpus(chosen):
        _check_processor(source, name, record, options)
    return chosen


def worker_device(source: str, options: InferOptions) -> str:
    """The device for which a cluster is asked: that of the options, and "cpu" where the model's runtime has no other.

    Raises:
        The errors of `choose_runtime`.
    """
    return "cpu" if _runs_on_cpus(choose_runtime(source, options)) else options.device


def _runs_on_cpus(chosen: ChosenRuntime) -> bool:
    return chosen.name != "torch" or chosen.record is not None


def _check_processor(source: str, name: RuntimeChoice, record: ExportRecord | None, options: InferOptions) -> None:
    what = f"{source} is exported for CPUs" if record is not None else f"--runtime {name} runs on CPUs"
    if options.device not in ("auto", "cpu"):
        raise ValueError(
            f"{what}, and --device is {options.device}: give --device cpu, or a checkpoint with --runtime torch"
        )
    if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None:
        raise ValueError(f"--runtime {name} needs the package {PACKAGES[name]}: pip install 'layoutlmv2-ray[export]'")
    if name == "openvino":
        from model.runtimes.openvino_runtime import choose_precision

        choose_precision(options.dtype)
    elif options.dtype not in ("auto", "float32"):
        raise ValueError(f"{source} is exported in float32, and --dtype is {options.dtype}: leave --dtype auto")


def open_exported(source: str, options: InferOptions, chosen: ChosenRuntime) -> Runtime:
    """The runtime of an exported folder, its files checked.

    Raises:
        ValueError: a file is missing or damaged.
    """
    assert chosen.record is not None
    folder = resolve_checkpoint(source)
    check_files(folder, chosen.record)
    config = LayoutLMv2Config.from_pretrained(folder)
    return open_graphs(folder, config, chosen.name, _threads(options), options.dtype)


def convert_in_memory(model: Any, options: InferOptions) -> Runtime:
    """OpenVINO over a loaded model, which is converted: it takes about 20 s of CPU for the bundled one.

    Args:
        model: in float32, with the head of the task.
    """
    from model.export.formats import convert_to_openvino
    from model.export.graphs import export_image_graph, export_text_graph
    from model.runtimes.openvino_runtime import OpenVinoRuntime, choose_precision

    image, text = (convert_to_openvino(export(model)) for export in (export_image_graph, export_text_graph))
    return OpenVinoRuntime(image, text, model.config, _threads(options), choose_precision(options.dtype))


def check_graph_files(source: str) -> None:
    """Check the files of an exported model, where `source` is one; downloads it if necessary.

    Raises:
        ValueError: one is missing or damaged.
        CheckpointError: the model cannot be read.
    """
    if source == UNTRAINED:
        return
    folder = resolve_checkpoint(source, weights=False)
    if is_exported(folder):
        check_files(resolve_checkpoint(source), read_record(folder))


def _threads(options: InferOptions) -> int:
    return options.threads or available_cores()
