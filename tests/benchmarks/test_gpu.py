from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.accelerator.mixed_pages import LENGTH_MULTIPLE, batches_by_length
from benchmarks.accelerator.operations import count_operations
from benchmarks.accelerator.pages import FILE, PAGES, load_pages
from benchmarks.accelerator.report import report_as_text
from benchmarks.accelerator.setting import Setting, batch_of, full_batch, model_config
from benchmarks.gpu import SECTIONS, Measured, main, measure, parse
from model import LayoutLMv2ForTokenClassification
from pipelines.stages import infer


@pytest.mark.parametrize(("name", "small"), [("base", False), ("bundled", False), ("base", True)])
def test_the_operations_that_are_counted_are_those_that_pytorch_counts(name: str, small: bool) -> None:
    config = model_config(name, small).replace(num_hidden_layers=2)  # all layers take the same
    with FakeTensorMode():  # shapes alone: the base model takes no memory and no time
        model = LayoutLMv2ForTokenClassification(config).eval()
        model.layoutlmv2.validate_inputs = False
        # With gradients: without, a mask on a CPU is applied only if its values hide something, and there are none.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(
                input_ids=torch.zeros(1, 512, dtype=torch.long),
                bbox=torch.zeros(1, 512, 4, dtype=torch.long),
                image=torch.zeros(1, 3, 224, 224, dtype=torch.uint8),
            )
    assert 2 * count_operations(config, 512).total == counter.get_total_flops()


def test_the_base_model_takes_72_billion_operations_a_full_page_and_19_of_them_in_the_backbone() -> None:
    counted = count_operations(model_config("base", quick=False), 512)
    assert counted.total / 1e9 == pytest.approx(72, abs=0.3)
    assert counted.backbone / 1e9 == pytest.approx(19, abs=0.5)


def test_the_pages_are_real_ones_of_both_kinds_in_a_small_file() -> None:
    pages = load_pages()
    assert FILE.stat().st_size < 1_000_000
    assert pages.pictures.shape == (PAGES, 3, 224, 224) and pages.pictures.dtype == "uint8"
    assert 0 < pages.scanned.sum() < PAGES
    assert {window.page for window in pages.windows} == set(range(PAGES))
    assert len({window.tokens for window in pages.windows}) > 10
    for window in pages.windows:
        assert 2 <= window.tokens <= 512 and window.bbox.shape == (window.tokens, 4)
        assert window.bbox.min() >= 0 and window.bbox.max() <= 1000
    white = pages.pictures.max(axis=(1, 2, 3))
    assert (white > 200).all() and pages.pictures.std(axis=(1, 2, 3)).min() > 1  # paper, with something on it


def test_pages_are_batched_as_the_batch_job_batches_them() -> None:
    windows = load_pages(12).windows
    rows = [{"windows": [{"input_ids": window.input_ids}]} for window in windows]
    planned = infer.plan_batches(rows, infer.window_positions(rows), 4096)
    assert LENGTH_MULTIPLE == infer.LENGTH_MULTIPLE
    assert [len(batch) for batch in planned] == [len(batch) for batch, _ in batches_by_length(windows, 4096)]


def test_a_batch_has_the_pictures_of_its_pages_once_and_a_full_one_a_picture_a_window() -> None:
    pages = load_pages(3)
    windows = [window for window in pages.windows if window.page != 1][:3]
    inputs = batch_of(windows, pages, 16)
    assert len(inputs["image"]) == len({window.page for window in windows})
    for row, window in enumerate(windows):
        picture = inputs["image"][inputs["image_of_row"][row]].numpy()
        assert (picture == pages.pictures[window.page]).all()
        assert inputs["input_ids"][row].tolist() == window.input_ids[:16].tolist()
    full = full_batch(Setting("cpu", quick=False), pages, 5, 64)
    assert full["image"].shape == (5, 3, 224, 224) and bool((full["attention_mask"] == 1).all())


WORKER = """
import json, sys, time
left = json.loads(sys.argv[1])
def tell(event, **content): print(json.dumps({"event": event, **content}), flush=True)
tell("machine", machine={"device": "none"}, operations={})
print("a library says something", flush=True)
for section in left:
    tell("section", section=section, cases=["first", "second"])
    tell("row", section=section, case="first", row={"what": section})
    if section == "dies":
        sys.exit(7)
    if section == "hangs":
        time.sleep(600)
    tell("left_out", section=section, case="second", reason="not here")
    tell("end", section=section)
"""


def run_worker(sections: Mapping[str, float], worker: str = WORKER) -> Measured:
    return measure(sections, 240, lambda left: [sys.executable, "-c", worker, json.dumps(list(left))], grace=3)


def test_a_process_that_dies_costs_a_section_and_not_the_rest() -> None:
    measured = run_worker({"fine": 60, "dies": 60, "also fine": 60})
    assert {name: len(rows) for name, rows in measured.rows.items()} == {"fine": 1, "dies": 1, "also fine": 1}
    assert measured.left_out == [
        {"section": "fine", "case": "second", "reason": "not here"},
        {"section": "dies", "case": "second", "reason": "the process ended with 7"},
        {"section": "also fine", "case": "second", "reason": "not here"},
    ]


def test_a_section_that_hangs_is_ended_and_its_rows_are_kept() -> None:
    measured = run_worker({"hangs": 0, "fine": 60})
    assert measured.rows == {"hangs": [{"what": "hangs"}], "fine": [{"what": "fine"}]}
    assert [(one["section"], one["case"]) for one in measured.left_out] == [("hangs", "second"), ("fine", "second")]
    assert "3 s more than it had" in measured.left_out[0]["reason"]


def test_what_the_time_does_not_allow_is_named() -> None:
    measured = measure({"one": 60, "other": 60}, 0, lambda left: ["never started"])
    assert [(one["section"], one["case"]) for one in measured.left_out] == [
        ("one", "everything"),
        ("other", "everything"),
    ]


def test_a_process_that_does_not_start_is_not_started_again() -> None:
    measured = run_worker({"one": 60, "other": 60}, "import no_such_module")
    assert measured.rows == {}
    assert [one["section"] for one in measured.left_out] == ["start", "one", "other"]


def test_shares_are_of_the_ceilings_of_the_same_run() -> None:
    ceilings = [
        {"what": "matrix product bfloat16", "teraflops": 400.0, "size": 8192},
        {"what": "copy on the device", "gigabytes_per_second": 2000.0},
    ]
    part = {"model": "base", "part": "encoder", "dtype": "bfloat16", "teraflops": 220.0, "gigabytes_per_second": 500.0}
    other = {"model": "base", "part": "backbone", "dtype": "float32", "teraflops": 20.0}
    result = {
        "machine": {"gpu": "A GPU"},
        "operations": {},
        "finished": "now",
        "seconds": 1.0,
        "quick": False,
        "rows": {"ceilings": ceilings, "parts": [part, other]},
        "left_out": [{"section": "compile", "case": "everything", "reason": "no time"}],
    }
    text = report_as_text(result)
    (row,) = [line for line in text.splitlines() if "encoder" in line]
    assert "| 55% | 25% |" in row
    (unknown,) = [line for line in text.splitlines() if "backbone" in line]
    assert "%" not in unknown and "no time" in text


def test_sections_that_do_not_exist_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--sections", "ceilings,nonsense"])
    assert ended.value.code == 2 and "nonsense" in capsys.readouterr().err
    assert sum(SECTIONS.values()) <= 480


def run_quick(folder: Path, *options: str) -> dict[str, list[dict[str, object]]]:
    assert main(["--device", "cpu", "--quick", "--output", str(folder), *options]) == 0
    result = json.loads((folder / "gpu.json").read_text())
    assert result["quick"] and result["machine"]["device"] == "cpu" and result["machine"]["processor"]
    text = (folder / "gpu.txt").read_text()
    assert all(one["case"] in text for one in result["left_out"])
    assert all("CUDA" in one["reason"] for one in result["left_out"])
    return dict(result["rows"])


def test_a_quick_run_measures_real_pages_on_a_cpu(tmp_path: Path) -> None:
    rows = run_quick(tmp_path, "--sections", "ceilings,pages,pictures", "--seconds", "280")
    assert list(rows) == ["ceilings", "pages", "pictures"]
    assert {row["model"] for row in rows["pages"]} == {"bundled", "base"}
    assert all(row["scanned_page_seconds"] and row["layer_page_seconds"] for row in rows["pages"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quick_run_goes_through_all_sections_on_a_cpu(tmp_path: Path) -> None:
    rows = run_quick(tmp_path, "--seconds", "800")
    assert list(rows) == list(SECTIONS) and all(rows.values())
    for row in rows["correctness"]:
        assert row["dtype"] != "float32" or row["labels_equal"] == 1.0
    assert {row["gradient_checkpointing"] for row in rows["training"]} == {True, False}
