"""PP-OCR's detector in int8, for CPUs without bfloat16: a register holds four times as many numbers as in float32.

The network comes as it is from the wheel of `rapidocr`. When it is loaded, a rounding to 8 bits is put in front of the
inputs of each ordinary convolution, which have nearly all of the multiplications: weights by output channel, and
activations by the ranges in `ppocr_ranges.json`, which `benchmarks/ppocr_ranges.py` measured on pages. OpenVINO then
computes these convolutions in int8 (Jacob et al., 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference"). On two forms and two receipts it finds 251 of the 253 lines that it finds in
float32, with a mean intersection over union of .95, in .73 of the time with AVX2 alone.

The recogniser stays as it is: in int8 it took .65 of the time with AVX2, and lost 2 to 4 of 100 words of receipts,
however the ranges were taken, and with the first four convolutions in float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.file_hash import file_hash

__all__ = ["RANGES", "Ranges", "known_ranges", "measure_ranges", "quantise", "write_ranges"]

RANGES = Path(__file__).with_name("ppocr_ranges.json")
"""For each file of a network, its SHA-256 and the ranges of its convolutions by their names."""

Ranges = Mapping[str, tuple[float, float]]
"""The least and the greatest activation in front of each convolution."""

ACTIVATION_LEVELS, WEIGHT_LEVELS = 256, 255
MOST_NEGATIVE = 0.3
"""The least activation over the greatest, without its sign, up to which the levels are not laid around 0."""
WEIGHT_SPAN = 2.0
"""The range of the weights' levels over that of the weights: 2 leaves a bit unused. A CPU without VNNI adds two
products of 8 bits in 16, which overflows: with 1, a tenth of the recogniser's characters changed, with 2, 3 in 100."""


def known_ranges(network: Path, ranges: Path = RANGES) -> Ranges | None:
    """The ranges that were measured for a network's file; None for another file, such as that of another version."""
    entry = json.loads(ranges.read_text(encoding="utf-8")).get(network.name)
    if entry is None or entry["sha256"] != file_hash(network):
        return None
    return {name: (low, high) for name, (low, high) in entry["ranges"].items()}


def write_ranges(measured: Mapping[Path, Ranges], ranges: Path = RANGES) -> None:
    """Write the ranges of the files of networks, which `known_ranges` then knows."""
    entries = {
        network.name: {
            "sha256": file_hash(network),
            "ranges": {name: [round(low, 4), round(high, 4)] for name, (low, high) in found.items()},
        }
        for network, found in measured.items()
    }
    ranges.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def measure_ranges(network: Any, inputs: Iterable[npt.NDArray[np.float32]]) -> Ranges:
    """The least and the greatest activation of all inputs in front of each convolution.

    Args:
        network: an `openvino.Model`; it is not changed.
        inputs: float32 (batch, 3, height, width), as in use.

    Raises:
        ValueError: there is no input.
    """
    import openvino
    from openvino import opset13

    axis = opset13.constant(np.array([0], np.int64))
    convolutions, results = _convolutions(network), []
    for convolution in convolutions:
        flat = opset13.reshape(convolution.input(0).get_source_output(), opset13.constant(np.array([-1])), False)
        limits = opset13.concat([opset13.reduce_min(flat, axis, True), opset13.reduce_max(flat, axis, True)], 0)
        results.append(opset13.result(limits))
    measured = openvino.Model(results, network.get_parameters(), "ranges")
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(measured, "CPU", settings).create_infer_request()
    found = [[pair.copy() for pair in request.infer([one]).values()] for one in inputs]
    if not found:
        raise ValueError("no inputs to measure ranges on")
    low, high = np.asarray(found, np.float64).min(axis=0)[:, 0], np.asarray(found, np.float64).max(axis=0)[:, 1]
    names = [convolution.get_friendly_name() for convolution in convolutions]
    return dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))


def quantise(network: Any, ranges: Ranges) -> None:
    """Round the inputs of a network's ordinary convolutions to 8 bits, in place.

    Args:
        network: an `openvino.Model`.
        ranges: of its convolutions; those without one stay as they are.

    Raises:
        ValueError: a range is of no convolution.
    """
    from openvino import opset13

    convolutions = {node.get_friendly_name(): node for node in _convolutions(network)}
    unknown = sorted(set(ranges) - set(convolutions))
    if unknown:
        raise ValueError(f"the network has no convolutions {', '.join(unknown)}")
    for name, (low, high) in ranges.items():
        convolution = convolutions[name]
        activations = _rounded(convolution.input(0).get_source_output(), *_levels(low, high), ACTIVATION_LEVELS)
        weights = convolution.input(1).get_source_output()
        largest = np.maximum(np.abs(weights.get_node().get_data()).max(axis=(1, 2, 3), keepdims=True), 1e-9)
        span = (WEIGHT_SPAN * largest).astype(np.float32)
        negative, limit = opset13.constant(-span), opset13.constant(span)
        rounded = opset13.fake_quantize(weights, negative, limit, negative, limit, WEIGHT_LEVELS)
        convolution.input(0).replace_source_output(activations)
        convolution.input(1).replace_source_output(rounded.output(0))
    network.validate_nodes_and_infer_types()


def _convolutions(network: Any) -> list[Any]:
    """Convolutions with constant weights, without depthwise ones, which are of another type."""
    return [
        node
        for node in network.get_ordered_ops()
        if node.get_type_name() == "Convolution"
        and node.input(1).get_source_output().get_node().get_type_name() == "Constant"
    ]


def _levels(low: float, high: float) -> tuple[float, float]:
    """The values of the first and the last level, of which one is exactly 0.

    After a rectifier or the error function, whose outputs are above -0.17, all levels but a few are positive; other
    activations have them around 0, which is faster.
    """
    if low < -MOST_NEGATIVE * high:
        most = max(-low, high)
        return -most, most * 127 / 128
    step = max(high - min(low, 0.0), 1e-6) / (ACTIVATION_LEVELS - 1)
    below = round(-min(low, 0.0) / step)
    return -below * step, (ACTIVATION_LEVELS - 1 - below) * step


def _rounded(values: Any, low: float, high: float, levels: int) -> Any:
    from openvino import opset13

    limits = [opset13.constant(np.float32(limit)) for limit in (low, high, low, high)]
    return opset13.fake_quantize(values, *limits, levels).output(0)
