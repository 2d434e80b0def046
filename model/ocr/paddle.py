"""PP-OCR: text lines found by one network, read by another, and cut into words.

The networks are PP-OCRv6 (small), from the wheel of `rapidocr`; nothing of that package is imported, which would take
a second and set up logging. They run here on OpenVINO, where it can be imported, or on ONNX Runtime, with one thread.

The recogniser reads a text line and often leaves out spaces. Words are therefore cut at its spaces and also where
the picture of the line has a gap much wider than those between the other letters; their boxes are drawn around the ink.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.ocr.line_words import Character, Grey, split_line
from model.ocr.word_filter import Word

__all__ = ["Paddle", "PaddleOptions", "TextLine"]

LINE_HEIGHT = 48
"""Height in pixels at which the recogniser reads a line."""
WIDTH_STEP = 128
"""Lines are padded to a multiple of this width in pixels: each new input shape is compiled and kept in memory."""
DETECTION_STEP = 128
"""The detector's input is padded to a multiple of this many pixels, for that reason; a multiple of 32."""
LONGEST_LINE = 4000
"""Wider lines, in pixels at `LINE_HEIGHT`, are compressed."""
VERTICAL = 1.5
"""A line this many times as high as wide is read turned by 90 degrees."""

Quad = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PaddleOptions:
    """How PP-OCR reads a page. The defaults were chosen on FUNSD's training forms and SROIE's receipts."""

    runtime: Literal["auto", "openvino", "onnxruntime"] = "auto"
    """"auto" takes OpenVINO if it can be imported."""
    precision: Literal["auto", "f32", "bf16"] = "auto"
    """Of OpenVINO: "auto" is bfloat16 on a CPU that has it in hardware, else float32. ONNX Runtime has float32 only."""
    latin_only: bool = True
    """Read letters of the Latin script, digits, punctuation and marks only, instead of all 18,708 characters."""
    detection_pixels: int = 1280
    """Length of the page's longer side in the detector."""
    least_width: int = 736
    """The shorter side is not reduced below this many pixels, so that long receipts stay legible."""
    most_enlargement: float = 2.0
    """Maximum factor by which the detector enlarges a page."""
    pixel_threshold: float = 0.3
    """Probability, 0-1, from which a pixel is text."""
    line_threshold: float = 0.4
    """Mean probability, 0-1, from which a group of pixels is a line."""
    margin: float = 1.6
    """The detector's areas are grown by this share of their area over their circumference."""
    most_lines: int = 3000
    """Upper bound on lines of a page; inclusive."""
    batch_lines: int = 1
    """Lines of like width recognised at once; on one thread of a CPU more are no faster and take more memory."""


@dataclass(frozen=True)
class TextLine:
    """A detected line: its four corners in pixels, float32 (4, 2), from the top left clockwise, and its score, 0-1."""

    corners: Quad
    score: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The upright box (x0, y0, x1, y1) around the line."""
        (x0, y0), (x1, y1) = self.corners.min(axis=0), self.corners.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def size(self) -> tuple[int, int]:
        """Width along the text's first edge and height across it, in pixels, at least 1."""
        a, b, c, d = self.corners
        width = max(np.linalg.norm(a - b), np.linalg.norm(c - d))
        height = max(np.linalg.norm(a - d), np.linalg.norm(b - c))
        return max(int(width), 1), max(int(height), 1)


class Paddle:
    """Reads page images by PP-OCR; created once per worker. Not thread-safe.

    Raises:
        ImportError: rapidocr, or both runtimes, cannot be imported.
    """

    def __init__(self, options: PaddleOptions | None = None) -> None:
        self.options = options = PaddleOptions() if options is None else options
        models = _models()
        load = _load_openvino if _use_openvino(options.runtime) else _load_onnxruntime
        self._detector, self._recogniser, self._characters = load(models, options)
        self._closed = False

    def read(self, image: Image.Image, resolution_dpi: int, time_limit_seconds: float | None) -> list[Word]:
        """Words with boxes in pixels of `image`, line by line from the top.

        Args:
            image: upright page in any mode; read as grey.
            resolution_dpi: ignored; the size follows from the page's longer side.
            time_limit_seconds: checked after the detection and between batches of lines.

        Raises:
            TimeoutError: reading exceeded the time limit.
            RuntimeError: the engine is closed.
        """
        end = None if time_limit_seconds is None else time.monotonic() + time_limit_seconds
        grey = _grey(image)
        lines = self._detect(grey)
        words: list[Word] = []
        for line, crop, characters in self.recognise(grey, lines, end):
            for text, box, confidence in split_line(crop, characters):
                words.append(Word(text, _to_page(line, box, grey.shape), confidence))
        return words

    def detect(self, image: Image.Image) -> list[TextLine]:
        """The text lines of a page, in pixels of `image`, from the top; without reading them."""
        return self._detect(_grey(image))

    def recognise(
        self, grey: Grey, lines: Sequence[TextLine], end: float | None = None
    ) -> Iterator[tuple[TextLine, Grey, list[Character]]]:
        """Each line with its picture, upright, and its characters, in the order of `lines`.

        Args:
            grey: the page, uint8 (height, width).
            lines: from `detect`.
            end: monotonic time after which `TimeoutError` is raised; None: never.
        """
        if self._closed:
            raise RuntimeError("this OCR engine is closed")
        crops = [_crop(grey, line) for line in lines]
        widths = [min(max(math.ceil(LINE_HEIGHT * c.shape[1] / c.shape[0]), 8), LONGEST_LINE) for c in crops]
        read: list[list[Character]] = [[] for _ in crops]
        for batch, width in _batches(widths, self.options.batch_lines):
            if end is not None and time.monotonic() > end:
                raise TimeoutError("OCR took longer than its time limit")
            inputs = np.zeros((len(batch), 3, LINE_HEIGHT, width), np.float32)
            for row, index in enumerate(batch):
                inputs[row, :, :, : widths[index]] = _normalised(_resized(crops[index], widths[index], LINE_HEIGHT))
            probabilities = self._recogniser(inputs)
            best, peak = probabilities.argmax(axis=2), probabilities.max(axis=2)
            for row, index in enumerate(batch):
                share = width / (widths[index] * best.shape[1])
                read[index] = _decode(best[row], peak[row], share, self._characters)
        return zip(lines, crops, read, strict=True)

    def close(self) -> None:
        """Free the networks; `read` and `recognise` raise `RuntimeError` afterwards."""
        self._closed = True
        self._detector = self._recogniser = _closed

    def _detect(self, grey: Grey) -> list[TextLine]:
        height, width = grey.shape
        if not height or not width:
            return []
        scale = min(self.options.detection_pixels / max(height, width), self.options.most_enlargement)
        scale = max(scale, min(1.0, self.options.least_width / min(height, width)))
        scaled = _resized(grey, max(round(width * scale), 1), max(round(height * scale), 1))
        rows, columns = scaled.shape
        padded = tuple(math.ceil(side / DETECTION_STEP) * DETECTION_STEP for side in (rows, columns))
        inputs = np.ones((1, 3, *padded), np.float32)
        inputs[0, :, :rows, :columns] = _normalised(scaled)
        lines = _lines(self._detector(inputs)[0, 0, :rows, :columns], (width, height), self.options)
        return sorted(lines, key=lambda line: (line.box[1], line.box[0]))


def _lines(text: npt.NDArray[np.float32], size: tuple[int, int], options: PaddleOptions) -> list[TextLine]:
    """The lines in the detector's map of probabilities, for a page of `size` (width, height) pixels.

    The detector marks the middle of each line; the rectangle around a connected area is grown by a margin in proportion
    to its area over its circumference (Liao et al., 2020, "Real-time Scene Text Detection with Differentiable
    Binarization").
    """
    import cv2

    mask = cv2.dilate((text > options.pixel_threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    ratio = np.array([size[0] / text.shape[1], size[1] / text.shape[0]])
    lines = []
    for contour in contours:
        middle, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < 3:
            continue
        score = _mean_inside(text, cv2.boxPoints((middle, (width, height), angle)))
        if score < options.line_threshold:
            continue
        margin = 2 * options.margin * width * height / (2 * (width + height))
        corners = cv2.boxPoints((middle, (width + margin, height + margin), angle)) * ratio
        lines.append(TextLine(_clockwise(np.clip(np.round(corners), 0, np.array(size) - 1)), score))
    return sorted(lines, key=lambda line: -line.score)[: options.most_lines]


def _mean_inside(text: npt.NDArray[np.float32], corners: npt.NDArray[Any]) -> float:
    import cv2

    limits = np.array(text.shape[::-1]) - 1
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limits)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, limits)
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, (corners - (x0, y0)).reshape(1, -1, 2).astype(np.int32), (1,))
    return float(cv2.mean(text[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _clockwise(corners: npt.NDArray[Any]) -> Quad:
    """The corners from the top left clockwise."""
    left_to_right = corners[np.argsort(corners[:, 0], kind="stable")]
    top_left, bottom_left = left_to_right[:2][np.argsort(left_to_right[:2, 1], kind="stable")]
    top_right, bottom_right = left_to_right[2:][np.argsort(left_to_right[2:, 1], kind="stable")]
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)


def _decode(
    best: npt.NDArray[np.int64], peak: npt.NDArray[np.float32], share: float, characters: Sequence[str]
) -> list[Character]:
    """Characters of the recogniser's steps: a class that repeats is one character, class 0 is none."""
    steps = np.flatnonzero((best != 0) & np.concatenate(([True], best[1:] != best[:-1])))
    return [Character(characters[best[i]], min((float(i) + 0.5) * share, 1.0), float(peak[i])) for i in steps]


def _batches(widths: Sequence[int], most: int) -> Iterator[tuple[list[int], int]]:
    """Indices of lines of like width, with the width to pad them to."""
    groups: dict[int, list[int]] = {}
    for index, width in enumerate(widths):
        groups.setdefault(math.ceil(width / WIDTH_STEP) * WIDTH_STEP, []).append(index)
    for width, indices in sorted(groups.items()):
        for begin in range(0, len(indices), most):
            yield indices[begin : begin + most], width


def _grey(image: Image.Image) -> Grey:
    return np.ascontiguousarray(np.asarray(image if image.mode == "L" else image.convert("L")))


def _normalised(grey: Grey) -> npt.NDArray[np.float32]:
    return grey.astype(np.float32) / 127.5 - 1


def _resized(grey: Grey, width: int, height: int) -> Grey:
    import cv2

    if grey.shape == (height, width):
        return grey
    reduce = height < 0.8 * grey.shape[0]
    method = cv2.INTER_AREA if reduce else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=method), np.uint8)


def _crop(grey: Grey, line: TextLine) -> Grey:
    """The upright picture of a line; a line that stands on its side is turned."""
    import cv2

    width, height = line.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(line.corners, corners)
    crop = cv2.warpPerspective(grey, transform, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.rot90(crop) if height >= VERTICAL * width else crop, np.uint8)


def _to_page(line: TextLine, box: Sequence[float], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """The upright box on the page, inside it, of a box in the picture of a line."""
    import cv2

    width, height = line.size
    x0, y0, x1, y1 = box
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    if height >= VERTICAL * width:
        points = np.stack([width - points[:, 1], points[:, 0]], axis=1)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    placed = cv2.perspectiveTransform(points[None], cv2.getPerspectiveTransform(corners, line.corners))[0]
    low = np.clip(placed.min(axis=0), 0, (shape[1] - 1, shape[0] - 1))
    high = np.clip(placed.max(axis=0), low + 1, (shape[1], shape[0]))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


Network = Callable[[npt.NDArray[np.float32]], Any]
"""Runs a network on one float32 input (batch, 3, height, width)."""


def _closed(inputs: npt.NDArray[np.float32]) -> Any:
    raise RuntimeError("this OCR engine is closed")


def _models() -> Path:
    found = importlib.util.find_spec("rapidocr")
    if found is None or found.origin is None:
        raise ImportError("PP-OCR needs rapidocr: pip install rapidocr openvino")
    return Path(found.origin).parent / "models"


def _use_openvino(runtime: str) -> bool:
    return runtime == "openvino" or (runtime == "auto" and importlib.util.find_spec("openvino") is not None)


def _is_latin(character: str) -> bool:
    """Letters of the Latin script, ASCII, punctuation, currencies, arrows, bullets, ticks and empty boxes."""
    code = ord(character[0])
    blocks = ((0, 0x250), (0x1E00, 0x1F00), (0x2010, 0x2028), (0x20A0, 0x20C0), (0x2190, 0x2194), (0x2610, 0x2613))
    return any(low <= code < high for low, high in blocks) or character in "‰™№■□●○✓✔✗✘"


def _kept(characters: Sequence[str], latin_only: bool) -> tuple[list[int], list[str]]:
    """Classes to keep and their characters; class 0 is "no character", the last one is the space."""
    kept = [i for i, character in enumerate(characters, 1) if not latin_only or _is_latin(character)]
    return [0, *kept, len(characters) + 1], ["", *(characters[i - 1] for i in kept), " "]


def _load_openvino(models: Path, options: PaddleOptions) -> tuple[Network, Network, list[str]]:
    import openvino

    core = openvino.Core()
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    if options.precision != "auto":
        settings["INFERENCE_PRECISION_HINT"] = options.precision
    detector = core.read_model(models / "PP-OCRv6_det_small.onnx")
    recogniser = core.read_model(models / "PP-OCRv6_rec_small.onnx")
    characters = recogniser.get_rt_info()["framework"]["character"].value.splitlines()
    classes, kept = _kept(characters, options.latin_only)
    _keep_classes(recogniser, classes, len(characters) + 2)
    networks = [
        core.compile_model(network, "CPU", settings).create_infer_request() for network in (detector, recogniser)
    ]
    detect, recognise = (lambda inputs, request=request: request.infer([inputs])[0] for request in networks)
    return detect, recognise, kept


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


def _load_onnxruntime(models: Path, options: PaddleOptions) -> tuple[Network, Network, list[str]]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.enable_cpu_mem_arena = False
    settings.log_severity_level = 3
    wanted = [
        p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in onnxruntime.get_available_providers()
    ]
    detector, recogniser = (
        onnxruntime.InferenceSession(str(models / f"PP-OCRv6_{kind}_small.onnx"), settings, providers=wanted)
        for kind in ("det", "rec")
    )
    characters = recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
    classes, kept = _kept(characters, options.latin_only)

    def run(session: Any) -> Network:
        name = session.get_inputs()[0].name
        return lambda inputs: session.run(None, {name: inputs})[0]

    whole = run(recogniser)
    return run(detector), (lambda inputs: whole(inputs)[:, :, classes]) if options.latin_only else whole, kept
