"""Every format runs any number of pages, windows and tokens, and says what PyTorch says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from model.checkpoint_source import CARD_FILES, CONFIG_NAME, DECODING_NAME
from model.export.check import compare_runtimes
from model.export.export import ExportOptions, export_model, text_inputs
from model.export.formats import convert_to_openvino, write_graphs
from model.export.graphs import export_image_graph, export_text_graph
from model.export.record import RUNTIMES, ExportFormat, ExportRecord, read_record
from model.runtimes.exported_graphs import open_graphs
from model.runtimes.openvino_runtime import choose_precision
from model.runtimes.runtime import Runtime
from model.runtimes.torch_runtime import TorchRuntime
from tests.model.export.windows import BATCHES, batch
from tests.model.small_model import HEADS, small_model

TASK = "token-classification"

CI = os.environ.get("CI")


@dataclass(frozen=True)
class Exported:
    """A model, the task of its head, the folder that it was exported to, and what was recorded."""

    model: Any
    task: str
    folder: Path
    record: ExportRecord
    runtime: Runtime


EXPORTS = {"torch-export": TASK, "onnx": TASK, "openvino": "sequence-classification"}
"""The task that each format is shown with; tests/jobs/test_export.py shows token classification in OpenVINO."""


@pytest.fixture(scope="module")
def traced_once() -> Iterator[None]:
    """Equal models are traced once: all small models have the same image graph, and those of a task the same text."""
    image = export_image_graph(small_model())
    text = cache(lambda name: export_text_graph(small_model(name)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.export.export.export_image_graph", lambda model: image)
        patch.setattr("model.export.export.export_text_graph", lambda model: text(task_of(model)))
        yield


def task_of(model: Any) -> str:
    return next(task for task, name in HEADS.items() if name == type(model).__name__)


@pytest.fixture(scope="module", params=get_args(ExportFormat))
def exported(
    request: pytest.FixtureRequest, traced_once: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Exported]:
    if request.param == "onnx":
        pytest.importorskip("onnxscript")
    task = EXPORTS[request.param]
    model, checkpoint = small_model(task), tmp_path_factory.mktemp("checkpoint")
    model.save_pretrained(checkpoint)
    (checkpoint / DECODING_NAME).write_text('{"method": "segments"}')
    for name in CARD_FILES:
        (checkpoint / name).write_text(f"the {name} of the checkpoint")
    folder = tmp_path_factory.mktemp("exported")
    steps: list[str] = []
    options = ExportOptions(task, request.param)
    record = export_model(model, checkpoint, "small@1", folder, BATCHES[:2], options, steps.append)
    assert len(steps) == 3 and "comparing with PyTorch on 4 windows" in steps
    yield Exported(
        small_model(task), task, folder, record, open_graphs(folder, model.config, RUNTIMES[request.param][0])
    )


def test_an_exported_model_agrees_with_pytorch_on_other_lengths_and_batches(exported: Exported) -> None:
    reference = TorchRuntime(exported.model, exported.task)
    agreement = compare_runtimes(reference, exported.runtime, BATCHES, exported.task)
    assert agreement.largest_difference < 1e-4
    assert agreement.equal_labels == 1.0


def test_the_folder_holds_what_a_job_needs_and_no_weights(exported: Exported) -> None:
    assert {CONFIG_NAME, DECODING_NAME, "export.json"} <= {path.name for path in exported.folder.iterdir()}
    assert not (exported.folder / "model.safetensors").exists()
    for name in CARD_FILES:
        assert (exported.folder / name).read_text() == f"the {name} of the checkpoint"
    record = read_record(exported.folder)
    assert record == exported.record
    assert (record.source, record.task, record.check["windows"]) == ("small@1", exported.task, 4)
    assert "torch" in record.versions


def test_threads_run_at_once_and_get_their_own_results(exported: Exported) -> None:
    alone = [logits_of(exported.runtime, 20 + number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda number: logits_of(exported.runtime, 20 + number), range(4)))
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def logits_of(runtime: Runtime, tokens: int) -> np.ndarray:
    one = batch(1, tokens)
    return runtime.logits(one.windows, runtime.image_features(one.images), one.image_of_row)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("input_ids", 30522, r"input_ids\[0, 3\] is 30522; expected 0 to 30521"),
        ("token_type_ids", -1, r"token_type_ids\[0, 3\] is -1"),
        ("bbox", 1024, r"bbox\[0, 3\] is \[1024"),
    ],
)
def test_values_outside_of_the_models_tables_are_refused(
    exported: Exported, name: str, value: int, message: str
) -> None:
    one = batch(1, 8)
    one.windows[name][0, 3] = value
    features = exported.runtime.image_features(one.images)
    with pytest.raises(ValueError, match=message):
        exported.runtime.logits(one.windows, features, one.image_of_row)


def test_a_graph_that_is_cut_short_is_refused(exported: Exported, tmp_path: Path) -> None:
    for path in exported.folder.iterdir():
        content = path.read_bytes()
        is_graph = path.suffix in (".xml", ".onnx", ".pt2")
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if is_graph else content)
    with pytest.raises(ValueError, match=r"export (it|them|the checkpoint) again"):
        open_graphs(tmp_path, exported.model.config, RUNTIMES[exported.record.format][0])


@pytest.mark.slow
@pytest.mark.parametrize("task", [TASK, "question-answering"])
def test_the_other_tasks_agree_with_pytorch_in_openvino(task: str, tmp_path: Path) -> None:
    model = small_model(task)
    write_graphs(export_image_graph(model), export_text_graph(model), tmp_path, "openvino")
    runtime = open_graphs(tmp_path, model.config, "openvino")
    agreement = compare_runtimes(TorchRuntime(model, task), runtime, BATCHES[:2], task)
    assert agreement.largest_difference < 1e-4


def test_converting_a_model_sends_no_usage_statistics(tmp_path: Path) -> None:
    telemetry = pytest.importorskip("openvino_telemetry")
    convert_to_openvino(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)))
    assert telemetry.Telemetry().consent is False
    assert os.environ.get("CI") == CI


@pytest.mark.slow
@pytest.mark.parametrize("format", ["openvino", "onnx"])
def test_int8_is_near_pytorch_and_its_matrix_products_are_smaller(format: ExportFormat, tmp_path: Path) -> None:
    pytest.importorskip("nncf" if format == "openvino" else "onnxscript")
    model = small_model()
    sizes = {}
    for quantization in ("none", "int8"):
        folder = tmp_path / quantization
        folder.mkdir()
        calibration = text_inputs(TorchRuntime(small_model(), TASK), BATCHES) if quantization == "int8" else []
        write_graphs(export_image_graph(model), export_text_graph(model), folder, format, quantization, calibration)
        name = "text.bin" if format == "openvino" else "text.onnx"
        sizes[quantization] = (folder / name).stat().st_size
    assert sizes["int8"] < sizes["none"]
    agreement = compare_runtimes(
        TorchRuntime(small_model(), TASK), open_graphs(folder, model.config, RUNTIMES[format][0]), BATCHES, TASK
    )
    assert 0 < agreement.largest_difference < 0.5


def test_openvino_refuses_a_dtype_that_it_would_emulate() -> None:
    with pytest.raises(ValueError, match=r"only by emulation"):
        choose_precision("float16")
    assert choose_precision("float32") == "f32"
    assert choose_precision("auto") in ("f32", "bf16")
