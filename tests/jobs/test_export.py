from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs import extract, read
from jobs.export import main
from model.export.record import read_record
from pipelines.stages.model_loader import load_runtime
from tests.conftest import REPOSITORY
from tests.model.small_model import small_config


@pytest.fixture(scope="module")
def agreement_pdf(samples_directory: Path) -> str:
    """Pages with a text layer, so that nothing has to be read by OCR."""
    return str(samples_directory / "services-agreement.pdf")


@pytest.fixture(scope="module")
def small_untrained_model() -> Iterator[None]:
    """`untrained` has half of its operations here: conversion takes as long as a graph has operations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.untrained.untrained_config", small_config)
        patch.setattr("pipelines.extract.load_runtime", load_runtime)  # not those of the usual size that jobs share
        yield


@pytest.fixture(scope="module")
def exported(small_untrained_model: None, agreement_pdf: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained model for OpenVINO, as the job writes it."""
    folder = tmp_path_factory.mktemp("exports") / "small"
    arguments = ["--model", "untrained", "--output", str(folder), "--calibration", agreement_pdf]
    assert main([*arguments, "--calibration-pages", "2"]) == 0
    return folder


def test_the_record_says_what_the_check_found_on_real_pages(exported: Path) -> None:
    record = read_record(exported)
    assert (record.format, record.task, record.source) == ("openvino", "token-classification", "untrained")
    assert record.check["batches"] == 3, "each of two pages, and both together"
    assert record.check["equal_labels"] == 1.0 and record.check["largest_difference"] < 1e-3


def test_a_batch_job_runs_an_exported_folder_and_names_it_in_the_rows(
    exported: Path, agreement_pdf: str, tmp_path: Path
) -> None:
    labels, command = {}, ["--input", agreement_pdf, "--limit", "2", "--read-workers", "1", "--report-pages", "0"]
    for model in (str(exported), "untrained"):
        output = tmp_path / Path(model).name
        assert extract.main([*command, "--output", str(output), "--model", model]) == 0
        rows = pq.read_table(output / "pages").sort_by("page_index").to_pylist()
        assert all(row["status"] == "ok" for row in rows)
        labels[model] = [row["labels"] for row in rows]
        assert all(row["model"].startswith(Path(model).name) for row in rows)
    assert labels[str(exported)] == labels["untrained"]


ON_A_CLUSTER_WITH_A_GPU = """
import subprocess, sys
import ray
ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False)
command = [sys.executable, "-m", "jobs.extract", *sys.argv[1:], "--address", ray.get_runtime_context().gcs_address]
sys.exit(subprocess.run(command).returncode)
"""


@pytest.mark.slow
def test_a_batch_job_books_no_gpu_of_a_cluster_for_an_exported_folder(
    exported: Path, agreement_pdf: str, tmp_path: Path
) -> None:
    arguments = ["--input", agreement_pdf, "--output", str(tmp_path / "out"), "--model", str(exported)]
    arguments += ["--model-workers", "2"]  # so that the job does not do the pages in its own process
    command = [sys.executable, "-c", ON_A_CLUSTER_WITH_A_GPU, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["pools"]["infer_gpus"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "torch"], "exported as openvino, which openvino run, and not torch"),
        (["--device", "cuda"], "is exported for CPUs, and --device is cuda"),
        (["--dtype", "float16"], "only by emulation"),
        (["--task", "sequence-classification"], "the task sequence-classification needs"),
    ],
    ids=["runtime", "device", "dtype", "task"],
)
def test_what_an_exported_folder_cannot_do_is_refused(
    exported: Path, agreement_pdf: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert read.main([agreement_pdf, "--model", str(exported), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_damaged_folder_is_refused(
    exported: Path, agreement_pdf: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(exported, broken)
    (broken / "text.bin").write_bytes(b"")
    assert read.main([agreement_pdf, "--model", str(broken)]) == 2
    assert "text.bin is damaged" in capsys.readouterr().err
    (broken / "text.bin").unlink()
    assert read.main([agreement_pdf, "--model", str(broken)]) == 2
    assert "lacks text.bin" in capsys.readouterr().err
    record = json.loads((broken / "export.json").read_text())
    (broken / "export.json").write_text(json.dumps(record | {"version": 99}))
    assert read.main([agreement_pdf, "--model", str(broken)]) == 2
    assert "another version of this package" in capsys.readouterr().err


def test_onnx_runtime_is_refused_for_a_checkpoint_with_the_command_that_exports_it(
    agreement_pdf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read.main([agreement_pdf, "--runtime", "onnxruntime"]) == 2
    assert (
        "python -m jobs.export --model layoutlmv2-forms-small --output FOLDER --format onnx" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "torch-export", "--quantize", "int8"], "--quantize int8 is for --format openvino and onnx"),
        (["--float-layers", "*"], "--float-layers stay float with --quantize int8"),
        (["--calibration-pages", "0"], "must be a number above 0"),
        (["--task", "question-answering", "--model", "layoutlmv2-forms-small"], "needs a LayoutLMv2ForQuestion"),
    ],
    ids=["format", "float-layers", "pages", "task"],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["--output", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert main(["--model", "untrained", "--output", str(tmp_path)]) == 2
    assert "which is a checkpoint" in capsys.readouterr().err


def test_an_exported_folder_is_not_exported_again(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(exported), "--output", str(tmp_path / "out")]) == 2
    assert "is exported already" in capsys.readouterr().err
