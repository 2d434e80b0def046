"""8-bit integers for the layers of a text graph, calibrated on windows of real pages.

The image graph stays float: it takes a twentieth of the time of a full window, and its convolutions lose the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

INSTALL_EXPORT = "pip install 'layoutlmv2-ray[export]' (or pip install nncf onnx onnxscript onnxruntime)"


class ExportDependencyError(ValueError):
    """A package that writes a format is not installed; the message has the command that installs it."""


def quantize_openvino(text: Any, inputs: Sequence[dict[str, np.ndarray]], float_layers: Sequence[str]) -> Any:
    """The text graph with 8-bit weights and activations in its matrix products, by NNCF.

    Args:
        text: openvino.Model.
        inputs: of the text graph, one a batch.
        float_layers: patterns of names of operators that stay float.

    Raises:
        ExportDependencyError: nncf is not installed.
    """
    try:
        import nncf
        from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    except ImportError as error:
        raise ExportDependencyError(f"--quantize int8 needs nncf ({error}): {INSTALL_EXPORT}") from error
    # Without VNNI, two products of 8 bits can exceed the 16 bits that they are added in: weights of 7 bits cannot.
    advanced = AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE)
    return nncf.quantize(
        text,
        nncf.Dataset(list(inputs)),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(patterns=list(float_layers), validate=False),
        advanced_parameters=advanced,
    )


def quantize_onnx(source: Path, target: Path, float_layers: Sequence[str]) -> None:
    """The text graph with 8-bit weights, and activations that are scaled as they come, by ONNX Runtime.

    Args:
        source, target: files of the graph.
        float_layers: parts of the names of operators that stay float.

    Raises:
        ExportDependencyError: onnx or onnxruntime is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ExportDependencyError(
            f"--quantize int8 needs onnx and onnxruntime ({error}): {INSTALL_EXPORT}"
        ) from error
    # A scale for each column of the weights: with one for all, a tenth of the labels of real pages changed. Weights of
    # 7 bits, because without VNNI two products of 8 bits can exceed the 16 bits that they are added in.
    names = [node.name for node in onnx.load(source).graph.node]
    excluded = [name for name in names if any(part in name for part in float_layers)]
    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        nodes_to_exclude=excluded,
    )
