"""Which device a cluster is asked for, by what runs the model."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from model.checkpoint_source import BUNDLED_FORMS
from model.export.record import EXPORT_VERSION, GRAPH_FILES, ExportFormat, ExportRecord, write_record
from model.runtimes.runtime import RuntimeChoice
from pipelines.stages.infer import InferOptions
from pipelines.stages.runtime_choice import worker_device


@pytest.mark.parametrize("format", get_args(ExportFormat))
def test_no_gpu_is_asked_for_an_exported_model_whose_runtime_has_none(format: ExportFormat, tmp_path: Path) -> None:
    files = dict.fromkeys(GRAPH_FILES[format], "")
    (tmp_path / "config.json").write_text("{}")
    write_record(
        ExportRecord(EXPORT_VERSION, format, "token-classification", "float32", "none", "m", (), files, {}, {}),
        tmp_path,
    )
    assert worker_device(str(tmp_path), InferOptions(device="auto")) == "cpu"


@pytest.mark.parametrize(
    ("runtime", "device", "asked_for"),
    [
        ("auto", "auto", "auto"),
        ("torch", "cuda", "cuda"),
        ("torch", "cpu", "cpu"),
        ("openvino", "auto", "cpu"),
    ],
)
def test_a_checkpoint_runs_on_the_device_of_the_options_unless_its_runtime_has_no_other_than_the_cpu(
    runtime: RuntimeChoice, device: str, asked_for: str
) -> None:
    assert worker_device(BUNDLED_FORMS, InferOptions(runtime=runtime, device=device)) == asked_for
