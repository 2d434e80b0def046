"""Networks in int8: small ones, and PP-OCR's detector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13

from model.ocr import ppocr_int8, ppocr_runtime
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_int8 import known_ranges, measure_ranges, quantise, write_ranges
from model.ocr.ppocr_runtime import DETECTOR, load_networks, model_folder
from model.ocr.tessdata import OcrUnavailableError


def convolution(seed: int = 0) -> Any:
    """A convolution of 3 to 8 channels, a rectifier, and a depthwise and an ordinary convolution."""
    generator = np.random.default_rng(seed)
    picture = opset13.parameter([-1, 3, 8, -1], np.float32)
    strides, none = ([1, 1], [0, 0], [0, 0], [1, 1]), generator.normal
    first = opset13.convolution(picture, opset13.constant(none(size=(8, 3, 1, 1)).astype(np.float32)), *strides)
    weights = opset13.constant(none(size=(8, 1, 1, 3, 3)).astype(np.float32))
    middle = opset13.group_convolution(opset13.relu(first), weights, *strides)
    last = opset13.convolution(middle, opset13.constant(none(size=(4, 8, 1, 1)).astype(np.float32)), *strides)
    return openvino.Model([last], [picture], "small")


def run(network: Any, inputs: np.ndarray) -> np.ndarray:
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return np.asarray(openvino.Core().compile_model(network, "CPU", settings)([inputs])[0])


INPUTS = np.random.default_rng(1).uniform(-1, 1, (1, 3, 8, 40)).astype(np.float32)


def test_the_ranges_are_those_in_front_of_ordinary_convolutions() -> None:
    network = convolution()
    ranges = measure_ranges(network, [INPUTS, 2 * INPUTS])
    assert len(ranges) == 2
    first, second = ranges.values()
    assert first == pytest.approx((2 * INPUTS.min(), 2 * INPUTS.max()), rel=1e-5)
    assert second[0] < 0 < second[1]


def test_a_quantised_network_gives_nearly_the_same_from_rounded_numbers() -> None:
    exact, rounded = convolution(), convolution()
    quantise(rounded, measure_ranges(rounded, [INPUTS]))
    expected, found = run(exact, INPUTS), run(rounded, INPUTS)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert 0 < error < 0.05
    assert sum(node.get_type_name() == "FakeQuantize" for node in rounded.get_ordered_ops()) == 4


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-0.17, 6.0), (-2.0, 3.0), (-3.0, 1.0), (0.5, 1.0), (0.0, 0.0)])
def test_a_range_is_covered_by_levels_of_which_one_is_0(low: float, high: float) -> None:
    first, last = ppocr_int8._levels(low, high)
    step = (last - first) / 255
    assert first - step / 2 <= low and last + step >= high
    assert -first / step == pytest.approx(round(-first / step), abs=1e-6)


def test_a_convolution_without_a_range_stays_exact() -> None:
    network = convolution()
    quantise(network, {})
    assert np.array_equal(run(network, INPUTS), run(convolution(), INPUTS))


def test_a_range_of_no_convolution_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no convolutions Conv\.99"):
        quantise(convolution(), {"Conv.99": (0.0, 1.0)})


def test_no_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="no inputs"):
        measure_ranges(convolution(), [])


def test_ranges_are_known_for_the_file_that_they_were_measured_on_alone(tmp_path: Path) -> None:
    file, ranges = tmp_path / "network.onnx", tmp_path / "ranges.json"
    file.write_bytes(b"first version")
    write_ranges({file: {"Conv.0": (-1.0, 2.5)}}, ranges)
    assert known_ranges(file, ranges) == {"Conv.0": (-1.0, 2.5)}
    file.write_bytes(b"second version")
    assert known_ranges(file, ranges) is None
    assert known_ranges(tmp_path / "other.onnx", ranges) is None


def test_the_ranges_of_the_installed_detector_are_known() -> None:
    ranges = known_ranges(model_folder() / DETECTOR)
    network = openvino.Core().read_model(model_folder() / DETECTOR)
    assert ranges is not None
    assert len(ranges) > 30 and set(ranges) <= {node.get_friendly_name() for node in ppocr_int8._convolutions(network)}


def test_another_detector_is_not_read_in_int8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "ranges.json"
    other.write_text(json.dumps({}))
    monkeypatch.setattr(ppocr_runtime, "known_ranges", lambda file: known_ranges(file, other))
    with pytest.raises(OcrUnavailableError, match="not the file that is known in int8"):
        load_networks(PpOcrOptions(precision="int8", runtime="openvino"), latin_only=True)
