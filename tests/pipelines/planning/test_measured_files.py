from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import FORMAT
from pipelines.planning.measured_files import GPU_FORMAT, gpu_seconds, read_measured_files
from pipelines.planning.origins import grouped
from pipelines.planning.stage_costs import SHIPPED, on_faster_cores, stage_costs_of_run, with_measured_gpu

RUN: dict[str, Any] = {
    "run_id": "00000001-a",
    "finished": "2026-11-29T00:00:00+00:00",
    "machine": {"processor": "A processor", "cores": 8},
    "pools": {"infer_gpus": 0, "read_actors": 8, "infer_actors": 2},
    "pages": {"by_text_source": {"ocr": 60, "mixed": 20, "layer": 20}},
    "seconds": {"by_stage": {"rasterize": 2.0, "ocr": 160.0, "infer": 10.0}},
}
PAGES = {"model": "bundled", "way": "eager", "dtype": "bfloat16", "scanned_page_seconds": 0.001}
GPU: dict[str, Any] = {
    "format": GPU_FORMAT,
    "finished": "2026-11-29T00:00:00+00:00",
    "quick": False,
    "machine": {"gpu": "A GPU", "torch": "2.13"},
    "rows": {
        "pages": [
            PAGES | {"batch_tokens": 16384, "layer_page_seconds": 0.003},
            PAGES | {"batch_tokens": 4096, "layer_page_seconds": 0.004},
            PAGES | {"batch_tokens": 4096, "layer_page_seconds": 0.002, "way": "CUDA graphs by length"},
        ],
        "training": [{"model": "bundled", "windows_per_second": speed} for speed in (100.0, 300.0)],
    },
}


def changed(content: dict[str, Any], value: Any, *path: str | int) -> dict[str, Any]:
    """A copy with another value at a path; None removes it."""
    result = copy.deepcopy(content)
    inner: Any = result
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return result


def test_the_benchmark_writes_the_format_that_the_plan_reads() -> None:
    assert FORMAT == GPU_FORMAT


def test_the_files_of_a_run_and_of_a_gpu_are_told_apart_in_any_order(tmp_path: Path) -> None:
    for name, content in (("a.json", RUN), ("b.json", GPU)):
        (tmp_path / name).write_text(json.dumps(content))
    files = read_measured_files([tmp_path / "b.json", tmp_path / "a.json"])
    assert files.run == RUN and files.gpu == GPU
    with pytest.raises(ValueError, match=r"second run\.json"):
        read_measured_files([tmp_path / "a.json"] * 2)


@pytest.mark.parametrize("content", ["", "[]", "3", '{"format": "another 1"}', "{"])
def test_another_file_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match=r"other\.json"):
        read_measured_files([tmp_path / "other.json"])


def test_a_gpu_gives_the_seconds_of_the_jobs_own_batches_and_of_the_best_training() -> None:
    seconds = gpu_seconds(GPU, "bundled")
    assert (seconds.scanned_page, seconds.layer_page, seconds.windows_per_second) == (0.001, 0.004, 300.0)
    costs = with_measured_gpu(SHIPPED, seconds)
    assert costs.scanned.infer_gpu == 0.001 and costs.layer.infer_gpu == 0.004
    assert costs.assumed() == ["document"]
    untrained = gpu_seconds(changed(GPU, None, "rows", "training"), "bundled")
    assert untrained.windows_per_second is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(GPU, True, "quick"), "measured on a CPU"),
        (changed(GPU, None, "machine", "gpu"), "measured on a CPU"),
        (changed(GPU, [], "rows", "pages"), "no pages of the bundled model"),
        (changed(GPU, "rows", "rows"), "no pages of the bundled model"),
        (changed(GPU, 0, "rows", "pages", 1, "layer_page_seconds"), "layer_page_seconds is 0"),
        (changed(GPU, float("nan"), "rows", "pages", 1, "layer_page_seconds"), "layer_page_seconds is nan"),
        (changed(GPU, "fast", "rows", "training", 0, "windows_per_second"), "windows_per_second is 'fast'"),
    ],
)
def test_seconds_of_a_gpu_that_make_no_sense_are_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gpu_seconds(content, "bundled")


def test_a_run_is_named_with_its_machine_and_what_it_does_not_record_keeps_its_own() -> None:
    costs = stage_costs_of_run(RUN)
    assert costs.scanned.ocr == pytest.approx(2.0)  # over all pages that OCR read, in part or whole
    measured, *others = grouped(costs.origins)
    assert measured["kind"] == "measured" and measured["figures"] == ["rasterize", "scanned.ocr"]
    assert measured["machine"] == "A processor, 8 cores, up to 8 reading and 2 model workers"
    assert "100 pages" in measured["source"]
    (shared,) = [one for one in others if one["kind"] == "in proportion"]
    assert shared["figures"] == ["infer_cpu"]  # the run had pages of both kinds, and one sum for both
    shipped = [one for one in others if one["kind"] == "shipped"]
    assert {"merge", "block", "whole_block", "node_cores"} <= {figure for one in shipped for figure in one["figures"]}
    assert all("2 cores" in one["machine"] for one in shipped)


def test_a_run_whose_workers_did_all_of_a_page_has_no_other_workers() -> None:
    costs = stage_costs_of_run(changed(RUN, True, "pools", "whole_pages"))
    assert grouped(costs.origins)[0]["machine"] == "A processor, 8 cores, up to 8 workers that do all of a page"


def test_a_run_of_one_kind_of_pages_measures_that_kind_alone() -> None:
    costs = stage_costs_of_run(changed(RUN, {"ocr": 100}, "pages", "by_text_source"))
    assert costs.origins["scanned.infer_cpu"].kind == "measured"
    assert costs.origins["layer.infer_cpu"].kind == "in proportion"
    layers = stage_costs_of_run(changed(RUN, {"layer": 100}, "pages", "by_text_source"))
    assert layers.scanned.ocr == SHIPPED.scanned.ocr and layers.origins["scanned.ocr"].kind == "shipped"


def test_the_machine_of_an_older_run_is_unknown_and_said_to_be() -> None:
    costs = stage_costs_of_run(changed(RUN, None, "machine"))
    assert costs.origins["scanned.ocr"].machine.startswith("a machine that run.json does not name")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(RUN, {}, "pages", "by_text_source"), "read no page"),
        (changed(RUN, {"ocr": 0}, "pages", "by_text_source"), "read no page"),
        (changed(RUN, ["ocr"], "pages", "by_text_source"), "not the record of a finished run"),
        (changed(RUN, {"ocr": "many"}, "pages", "by_text_source"), "not the record of a finished run"),
        (changed(RUN, None, "seconds", "by_stage", "infer"), "infer is None"),
        (changed(RUN, -1.0, "seconds", "by_stage", "rasterize"), "rasterize is -1.0"),
        (changed(RUN, "long", "seconds", "by_stage", "ocr"), "ocr is 'long'"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stage_costs_of_run(content)


def test_figures_of_other_cores_say_so_and_those_of_a_gpu_do_not() -> None:
    faster = on_faster_cores(with_measured_gpu(SHIPPED, gpu_seconds(GPU, "bundled")), 2.0)
    assert "divided by 2" in faster.origins["scanned.ocr"].source
    assert "divided by" not in faster.origins["scanned.infer_gpu"].source
    assert on_faster_cores(SHIPPED, 1.0).origins == SHIPPED.origins
