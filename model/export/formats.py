"""Writes the two graphs of a model in a format."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from model.export.quantize import INSTALL_EXPORT, ExportDependencyError, quantize_onnx, quantize_openvino
from model.export.record import ExportFormat, Quantization

PACKAGES: dict[ExportFormat, tuple[str, ...]] = {
    "torch-export": ("torch",),
    "onnx": ("torch", "onnx", "onnxscript", "onnxruntime"),
    "openvino": ("torch", "openvino", "nncf"),
}
"""What makes each format; `export.json` has their versions."""


def write_graphs(
    image: ExportedProgram,
    text: ExportedProgram,
    folder: Path,
    format: ExportFormat,
    quantization: Quantization = "none",
    calibration: Sequence[dict[str, np.ndarray]] = (),
    float_layers: Sequence[str] = (),
) -> None:
    """Write both graphs into an existing folder.

    Args:
        image, text: of `export_image_graph` and `export_text_graph`.
        calibration: inputs of the text graph, for int8 with "openvino".
        float_layers: names of operators that stay float in int8.

    Raises:
        ExportDependencyError: a package is not installed.
        ValueError: int8 is asked of "torch-export".
    """
    if format == "torch-export":
        if quantization != "none":
            raise ValueError("--quantize int8 is for --format openvino and onnx; torch-export has float32 only")
        for name, program in (("image", image), ("text", text)):
            torch.export.save(program, folder / f"{name}.pt2")
    elif format == "openvino":
        _write_openvino(image, text, folder, quantization, calibration, float_layers)
    else:
        _write_onnx(image, text, folder, quantization, float_layers)


def package_versions(format: ExportFormat) -> dict[str, str]:
    """The installed versions of what makes a format."""
    versions = {}
    for name in PACKAGES[format]:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def convert_to_openvino(program: ExportedProgram) -> Any:
    """A graph as openvino.Model, float32."""
    import openvino

    with _quiet():
        return openvino.convert_model(program)


def _write_openvino(
    image: ExportedProgram,
    text: ExportedProgram,
    folder: Path,
    quantization: Quantization,
    calibration: Sequence[dict[str, np.ndarray]],
    float_layers: Sequence[str],
) -> None:
    import openvino

    openvino.save_model(convert_to_openvino(image), folder / "image.xml", compress_to_fp16=False)
    converted = convert_to_openvino(text)
    if quantization == "int8":
        with _quiet():
            converted = quantize_openvino(converted, calibration, float_layers)
    openvino.save_model(converted, folder / "text.xml", compress_to_fp16=False)


def _write_onnx(
    image: ExportedProgram,
    text: ExportedProgram,
    folder: Path,
    quantization: Quantization,
    float_layers: Sequence[str],
) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportDependencyError(f"--format onnx needs onnx and onnxscript ({error}): {INSTALL_EXPORT}") from error
    for name, program in (("image", image), ("text", text)):
        with _quiet():
            written = torch.onnx.export(program, (), dynamo=True, optimize=True, verbose=False)
        if written is None:
            raise RuntimeError("torch.onnx.export returned no program")
        written.save(folder / f"{name}.onnx", external_data=False)
    if quantization == "int8":
        whole = (folder / "text.onnx").rename(folder / "text.float.onnx")
        try:
            with _quiet():
                quantize_onnx(whole, folder / "text.onnx", float_layers)
        finally:
            whole.unlink()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the converters' warnings, and without the usage statistics that OpenVINO's and NNCF's send to their
    makers: both leave them out where the environment says that it is a CI job. Errors are raised.
    """
    previous, stated = logging.root.manager.disable, os.environ.get("CI")
    logging.disable(logging.WARNING)
    os.environ["CI"] = "true"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
        del os.environ["CI"]
        if stated is not None:
            os.environ["CI"] = stated
