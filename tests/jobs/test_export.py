from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs import extract, read
from jobs.export import main
from model.export.record import read_record


@pytest.fixture(scope="module")
def agreement_pdf(samples_directory: Path) -> str:
    """Pages with a text layer, so that nothing has to be read by OCR."""
    return str(samples_directory / "services-agreement.pdf")


@pytest.fixture(scope="module")
def exported(agreement_pdf: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
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
