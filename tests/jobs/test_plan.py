from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.plan import main

MILLION = ("--pages", "1000000", "--scanned-fraction", "0.5")
FEWER = ("--pages", "100000", "--scanned-fraction", "0.5")


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_plan_comes_as_text_as_json_and_as_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*MILLION, "--deadline-hours", "3", "--output", str(tmp_path / "plan")]) == 0
    printed = capsys.readouterr().out
    told = json.loads(printed.splitlines()[-1])
    assert told["status"] == "planned" and told["plan"]["hours"] <= 3
    assert told["plan"]["cost_per_million_pages"] == pytest.approx(told["plan"]["cost"], rel=1e-3)
    assert told["bottleneck"] in ("ocr", "gpu", "start")
    assert told["one_more"]["ocr"]["ocr_nodes"] == told["plan"]["ocr_nodes"] + 1
    assert "assumed, not measured: infer_gpu" in printed
    assert f"ocr nodes            {told['plan']['ocr_nodes']}" in printed
    assert json.loads((tmp_path / "plan" / "plan.json").read_text()) == told
    assert (tmp_path / "plan" / "plan.txt").read_text().splitlines()[0].startswith("1,000,000 pages")
    with Image.open(tmp_path / "plan" / "plan.png") as picture:
        assert picture.size[0] > 500 and len(set(picture.convert("L").tobytes())) > 20


def test_a_deadline_that_cannot_be_met_ends_with_1_and_says_what_is_fastest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*MILLION, "--deadline-hours", "0.5", "--max-ocr-nodes", "2"]) == 1
    told = last_line(capsys)
    assert told["status"] == "impossible" and told["plan"]["ocr_nodes"] == 2 and told["plan"]["hours"] > 0.5


def test_a_run_of_ones_own_replaces_the_shipped_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    record = {
        "run_id": "mine",
        "finished": "2026-11-23T00:00:00+00:00",
        "pools": {"infer_gpus": 0},
        "pages": {"by_text_source": {"ocr": 100}},
        "seconds": {"by_stage": {"rasterize": 1.0, "ocr": 500.0, "infer": 6.0}},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    arguments = (*FEWER, "--deadline-hours", "3", "--model-on", "cpu")
    assert main(arguments) == 0
    shipped = last_line(capsys)
    assert main([*arguments, "--measured", str(tmp_path / "run.json")]) == 0
    mine = last_line(capsys)
    assert mine["figures"]["scanned"]["ocr"] == pytest.approx(5.0)
    assert mine["plan"]["cost"] > 4 * shipped["plan"]["cost"]
    measured = mine["origins"][0]
    assert measured["kind"] == "measured" and measured["source"].startswith("run mine of 2026-11-23")


def test_a_measured_gpu_replaces_what_was_assumed_and_the_plan_names_both_machines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pages = {"model": "base", "way": "eager", "dtype": "bfloat16", "batch_tokens": 4096}
    gpu = {
        "format": "layoutlmv2 gpu 1",
        "finished": "2026-11-29T10:00:00+00:00",
        "quick": False,
        "machine": {"gpu": "A large GPU", "torch": "2.13"},
        "rows": {
            "pages": [pages | {"scanned_page_seconds": 0.002, "layer_page_seconds": 0.006}],
            "training": [{"model": "base", "windows_per_second": 321.0}],
        },
    }
    (tmp_path / "gpu.json").write_text(json.dumps(gpu))
    planned = (*FEWER, "--deadline-hours", "3", "--pretrain-epochs", "1", "--gpu-model", "base")
    assert main([*planned, "--measured", str(tmp_path / "gpu.json")]) == 0
    told = last_line(capsys)
    assert told["figures"]["scanned"]["infer_gpu"] == 0.002 and told["figures"]["layer"]["infer_gpu"] == 0.006
    assert told["origins"][0]["figures"] == ["infer_gpu"] and "A large GPU" in told["origins"][0]["machine"]
    assert "2 cores" in told["origins"][1]["machine"]
    assert told["pretraining"]["windows_per_second"] == 321.0
    assert "A large GPU" in told["pretraining"]["assumptions"][0]
    assert main([*planned, "--measured", str(tmp_path / "gpu.json"), "--pretrain-windows-per-second", "50"]) == 0
    assert last_line(capsys)["pretraining"]["windows_per_second"] == 50


def test_pre_training_is_planned_on_the_pages_that_are_extracted(capsys: pytest.CaptureFixture[str]) -> None:
    pretraining = ("--pretrain-epochs", "2", "--pretrain-gpus", "4", "--pretrain-windows-per-second", "100")
    assert main([*FEWER, "--deadline-hours", "3", *pretraining, "--pretrain-gpu-price", "3"]) == 0
    printed = capsys.readouterr().out
    told = json.loads(printed.splitlines()[-1])["pretraining"]
    assert told["gpu_hours"] == pytest.approx(100_000 * 2 / 100 / 3600, abs=0.01)
    assert told["hours"] == pytest.approx(told["gpu_hours"] / 4, rel=0.01)
    assert told["cost"] == pytest.approx(3 * told["gpu_hours"], rel=0.01)
    assert "gpu hours            0.6" in printed and "pre-training: 100 windows a second and GPU" in printed
    assert main([*FEWER, "--deadline-hours", "3"]) == 0
    assert "Pre-training" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--pages", "0", "--scanned-fraction", "0.5", "--deadline-hours", "3"),
        ("--pages", "10", "--scanned-fraction", "1.5", "--deadline-hours", "3"),
        (*MILLION, "--deadline-hours", "0"),
        (*MILLION, "--deadline-hours", "3", "--ocr-node-price", "-1"),
        (*MILLION, "--deadline-hours", "3", "--pretrain-epochs", "0"),
        (*MILLION, "--deadline-hours", "3", "--measured", "/nowhere/run.json"),
        (*MILLION, "--deadline-hours", "3", "--model-on", "gpu", "--max-gpu-nodes", "0"),
    ],
)
def test_options_that_make_no_sense_end_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
