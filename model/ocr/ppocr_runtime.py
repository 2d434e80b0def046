"""Loads PP-OCR's networks: which runtime, which processor, which characters.

The networks are PP-OCRv6 (small), from the wheel of `rapidocr`; nothing of that package is imported, which would take
a second, set up logging, and download files that are missing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.cpu_features import has_bfloat16
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_int8 import known_ranges, quantise
from model.ocr.tessdata import OcrUnavailableError

__all__ = [
    "Network",
    "Networks",
    "has_bfloat16",
    "is_fast",
    "is_installed",
    "load_networks",
    "model_folder",
]

INSTALL = "pip install rapidocr openvino (or onnxruntime instead of openvino)"
DETECTOR, RECOGNISER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
GPU_DEVICE = Path("/dev/nvidiactl")

Network = Callable[[npt.NDArray[np.float32]], Any]
"""Runs a network on one float32 input (batch, 3, height, width)."""


@dataclass(frozen=True)
class Networks:
    """The detector gives (batch, 1, height, width) probabilities of text, the recogniser (batch, steps, classes).

    Attributes:
        characters: of the recogniser's classes; the first is "" (no character), the last the space.
        runtime: "openvino", "onnxruntime" or "cuda".
    """

    detect: Network
    recognise: Network
    characters: list[str]
    runtime: str


def is_installed() -> bool:
    """Whether rapidocr's models, OpenCV and a runtime are there; nothing is imported."""
    found = importlib.util.find_spec("rapidocr") is not None and importlib.util.find_spec("cv2") is not None
    return found and any(importlib.util.find_spec(name) is not None for name in ("openvino", "onnxruntime"))


def is_fast(options: PpOcrOptions) -> bool:
    """Whether whole pages cost about as much as Tesseract: on a GPU, or in bfloat16 on a CPU that has it."""
    if options.runtime == "cuda" or (options.runtime == "auto" and _has_cuda()):
        return True
    return _prefers_openvino(options.runtime) and options.precision != "f32" and has_bfloat16()


def load_networks(options: PpOcrOptions, latin_only: bool) -> Networks:
    """The networks, each on one thread of the CPU, or on the GPU.

    Args:
        options: choose the runtime and the precision.
        latin_only: leave out all characters but those of the Latin script, digits, punctuation and marks.

    Raises:
        OcrUnavailableError: a package or a model file is missing, or there is no GPU for "cuda".
    """
    folder = model_folder()
    cuda = options.runtime == "cuda" or (options.runtime == "auto" and _has_cuda())
    try:
        if not cuda and _prefers_openvino(options.runtime):
            return _load_openvino(folder, options, latin_only)
        return _load_onnxruntime(folder, latin_only, cuda)
    except ImportError as error:
        raise OcrUnavailableError(f"PP-OCR's runtime cannot be imported ({error}): {INSTALL}") from error


def model_folder() -> Path:
    """Where the networks' files are.

    Raises:
        OcrUnavailableError: the package or a file is missing.
    """
    found = importlib.util.find_spec("rapidocr")
    if found is None or not found.submodule_search_locations:
        raise OcrUnavailableError(f"PP-OCR needs the package rapidocr: {INSTALL}")
    folder = Path(found.submodule_search_locations[0]) / "models"
    for name in (DETECTOR, RECOGNISER):
        if not (folder / name).is_file():
            raise OcrUnavailableError(f"{folder / name} is missing: pip install --force-reinstall 'rapidocr>=3.10'")
    return folder


def _prefers_openvino(runtime: str) -> bool:
    return runtime == "openvino" or (runtime == "auto" and importlib.util.find_spec("openvino") is not None)


def _has_cuda() -> bool:
    if not GPU_DEVICE.exists() or importlib.util.find_spec("onnxruntime") is None:
        return False
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _is_latin_character(character: str) -> bool:
    """Letters of the Latin script, ASCII, punctuation, currencies, arrows, bullets, ticks and empty boxes."""
    code = ord(character[0])
    blocks = ((0, 0x250), (0x1E00, 0x1F00), (0x2010, 0x2028), (0x20A0, 0x20C0), (0x2190, 0x2194), (0x2610, 0x2613))
    return any(low <= code < high for low, high in blocks) or character in "ə‰™№■□●○✓✔✗✘"


def _kept(characters: Sequence[str], latin_only: bool) -> tuple[list[int], list[str]]:
    """Classes to keep and their characters; class 0 is "no character", the last one is the space."""
    kept = [i for i, character in enumerate(characters, 1) if not latin_only or _is_latin_character(character)]
    return [0, *kept, len(characters) + 1], ["", *(characters[i - 1] for i in kept), " "]


def _load_openvino(models: Path, options: PpOcrOptions, latin_only: bool) -> Networks:
    import openvino

    core = openvino.Core()
    # Pinned threads of several workers would all sit on the same core.
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    if options.precision != "auto":  # OpenVINO takes bfloat16 where the CPU has it
        rest = "bf16" if has_bfloat16() else "f32"  # of a network in int8
        settings["INFERENCE_PRECISION_HINT"] = rest if options.precision == "int8" else options.precision
    detector, recogniser = core.read_model(models / DETECTOR), core.read_model(models / RECOGNISER)
    if options.precision == "int8":
        _quantise(detector, models / DETECTOR)
    characters = recogniser.get_rt_info()["framework"]["character"].value.splitlines()
    classes, kept = _kept(characters, latin_only)
    _keep_classes(recogniser, classes, len(characters) + 2)
    requests = [
        core.compile_model(network, "CPU", settings).create_infer_request() for network in (detector, recogniser)
    ]
    detect, recognise = (lambda inputs, request=request: request.infer([inputs])[0] for request in requests)
    return Networks(detect, recognise, kept, "openvino")


def _quantise(network: Any, file: Path) -> None:
    """Make a network int8.

    Raises:
        OcrUnavailableError: its file is not the one whose ranges are known.
    """
    ranges = known_ranges(file)
    if ranges is None:
        raise OcrUnavailableError(f"{file} is not the file that is known in int8: pip install 'rapidocr==3.10.*'")
    quantise(network, ranges)


def _keep_classes(recogniser: Any, classes: Sequence[int], count: int) -> None:
    """Cut the weights and the bias of the recogniser's last layer, of `count` classes, down to `classes`."""
    import openvino

    for node in recogniser.get_ordered_ops():
        if node.get_type_name() in ("MatMul", "Add"):
            for port in node.inputs():
                source = port.get_source_output().get_node()
                if source.get_type_name() == "Constant" and list(source.get_output_shape(0))[-1:] == [count]:
                    cut = np.ascontiguousarray(source.get_data()[..., classes])
                    port.replace_source_output(openvino.opset13.constant(cut).output(0))
    recogniser.validate_nodes_and_infer_types()


def _load_onnxruntime(models: Path, latin_only: bool, cuda: bool) -> Networks:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.enable_cpu_mem_arena = False
    settings.log_severity_level = 3
    # The default search for the fastest convolution would run anew for each shape of a page.
    gpu = [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"})] if cuda else []
    detector, recogniser = (
        onnxruntime.InferenceSession(str(models / name), settings, providers=[*gpu, "CPUExecutionProvider"])
        for name in (DETECTOR, RECOGNISER)
    )
    if cuda and "CUDAExecutionProvider" not in recogniser.get_providers():
        raise OcrUnavailableError("ONNX Runtime finds no GPU: pip install onnxruntime-gpu, or use another runtime")
    characters = recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
    classes, kept = _kept(characters, latin_only)

    def run(session: Any) -> Network:
        name = session.get_inputs()[0].name
        return lambda inputs: session.run(None, {name: inputs})[0]

    whole = run(recogniser)
    recognise = (lambda inputs: whole(inputs)[:, :, classes]) if latin_only else whole
    return Networks(run(detector), recognise, kept, "cuda" if cuda else "onnxruntime")
