"""What a run tells of itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.storage.files import Storage, join_uri
from pipelines.training.metrics_log import CURVE, MetricsLog, draw_curve, progress_line, read_metrics
from pipelines.training.progress_monitor import monitor_progress


def step(number: int, loss: float) -> dict[str, Any]:
    return {
        "step": number,
        "epoch": number / 10,
        "loss": loss,
        "windows_per_second": 4.0,
        "seconds_per_step": 2.0,
    }


def evaluation(number: int, dev: float) -> dict[str, Any]:
    return {"step": number, "epoch": number / 10, "dev": dev, "dev_name": "f1", "dev_values": {}}


LINES = [step(1, 2.0), step(2, 1.5), evaluation(2, 0.4), step(3, 1.0), step(4, 0.5), evaluation(4, 0.3)]


@pytest.fixture(params=["folder", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else request.getfixturevalue("s3_prefix")


def test_a_run_that_goes_on_drops_the_lines_past_its_checkpoint(output: str) -> None:
    storage = Storage()
    log = MetricsLog(storage, output, step=0)
    for line in LINES:
        log.add(line)
    log.flush()
    assert read_metrics(storage, output) == LINES
    again = MetricsLog(storage, output, step=2)
    assert again.lines == LINES[:3]
    for line in LINES[3:]:
        again.add(line)
    again.flush()
    assert read_metrics(storage, output) == LINES


def test_a_new_run_begins_with_no_line(output: str) -> None:
    storage = Storage()
    assert read_metrics(storage, output) == []
    old = MetricsLog(storage, output, step=0)
    old.add(step(3, 1.0))
    old.flush()
    assert MetricsLog(storage, output, step=0).lines == []


def test_the_line_of_progress_says_how_far_how_well_and_how_long() -> None:
    assert progress_line([], 10) == "step 0/10"
    assert progress_line(LINES[:1], 10) == "step 1/10, epoch 0.1, loss 2, 4.0 windows/s, 18 s left"
    assert progress_line(LINES, 4) == "step 4/4, epoch 0.4, loss 0.5, f1 0.300 (best 0.400 at 2), 4.0 windows/s"


def test_the_curve_has_the_loss_and_the_dev_metric(tmp_path: Path) -> None:
    empty = np.asarray(Image.open(io.BytesIO(draw_curve([], "nothing yet"))).convert("RGB"))
    drawn = np.asarray(Image.open(io.BytesIO(draw_curve(LINES, "forms"))).convert("RGB"))
    for colour in ((31, 119, 180), (255, 127, 14)):  # of the loss, and of the metric with its axis
        near = [
            int((np.abs(model_image.astype(int) - colour).sum(axis=2) < 30).sum()) for model_image in (empty, drawn)
        ]
        assert near[1] > near[0] + 100


def test_watching_writes_the_curve_and_tells_the_last_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage = Storage()
    with caplog.at_level("INFO"), monitor_progress(storage, str(tmp_path), 4, "forms"):
        log = MetricsLog(storage, str(tmp_path), step=0)
        for line in LINES:
            log.add(line)
        log.flush()
    assert "step 4/4, epoch 0.4, loss 0.5" in caplog.text
    assert storage.read(join_uri(str(tmp_path), CURVE)).startswith(b"\x89PNG")
