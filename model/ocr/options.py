"""How page images are read: which engine, in which language, and what counts as text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

__all__ = ["AUTO", "EngineChoice", "OcrOptions", "PpOcrOptions", "Precision"]

AUTO = "auto"
"""The language of a reader that finds the language of each page."""

EngineChoice = Literal["auto", "ppocr", "tesserocr", "pytesseract", "tesserocr+ppocr"]

Precision = Literal["auto", "f32", "bf16", "int8"]

LARGEST_SIDE = 32767
"""Tesseract's limit of an image's longer side, in pixels."""


@dataclass(frozen=True)
class PpOcrOptions:
    """How PP-OCR reads a page. The defaults were chosen on FUNSD's training forms and SROIE's receipts."""

    runtime: Literal["auto", "openvino", "onnxruntime", "cuda"] = "auto"
    """"auto" takes CUDA where there are a GPU and a build of ONNX Runtime for it; else OpenVINO, if it can be imported;
    else ONNX Runtime on the CPU."""
    precision: Precision = "auto"
    """Of OpenVINO: "auto" is bfloat16 on a CPU that has it in hardware, else float32; "int8" is the same with
    the detector in int8, see `model.ocr.ppocr_int8`. ONNX Runtime has float32 only."""
    detection_pixels: int = 1280
    """Length of the page's longer side in the detector."""
    least_width: int = 736
    """The shorter side is not reduced below this many pixels, so that receipts stay legible."""
    most_enlargement: float = 2.0
    """Maximum factor by which the detector enlarges a page."""
    pixel_threshold: float = 0.3
    """Probability, 0-1, from which a pixel is text."""
    line_threshold: float = 0.4
    """Mean probability, 0-1, from which a group of pixels is a line."""
    margin: float = 1.6
    """The detector's areas are grown by this share of their area over their circumference."""
    most_lines: int = 5000
    """Upper bound on lines of a page; inclusive."""
    batch_lines: int = 1
    """Lines of like width recognised at once; on one thread of a CPU more are no faster and take more memory."""

    def __post_init__(self) -> None:
        if self.runtime not in ("auto", "openvino", "onnxruntime", "cuda"):
            raise ValueError(f"runtime={self.runtime!r} is unknown: use 'auto', 'openvino', 'onnxruntime' or 'cuda'")
        if self.precision not in get_args(Precision):
            raise ValueError(f"precision={self.precision!r} is unknown: use 'auto', 'f32', 'bf16' or 'int8'")
        if self.precision in ("bf16", "int8") and self.runtime in ("onnxruntime", "cuda"):
            raise ValueError(f"precision={self.precision!r} needs OpenVINO: ONNX Runtime has float32 only")
        for name in ("detection_pixels", "least_width"):
            if not 32 <= getattr(self, name) <= 4096:
                raise ValueError(f"{name}={getattr(self, name)} must be from 32 to 4096")
        for name in ("pixel_threshold", "line_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be between 0 and 1")
        for name in ("most_enlargement", "most_lines", "batch_lines"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be 1 or more")
        if self.margin < 0:
            raise ValueError(f"margin={self.margin} cuts lines: it must be 0 or more")


@dataclass(frozen=True)
class OcrOptions:
    """How page images are read."""

    engine: EngineChoice = "auto"
    """"auto" reads whole pages by PP-OCR on a CPU that computes bfloat16 in hardware or on a GPU, and like
    "tesserocr+ppocr" on another; by Tesseract alone if PP-OCR is not installed or does not read the language.
    "ppocr": whole pages by PP-OCR.
    "tesserocr+ppocr": pages by Tesseract, and by PP-OCR the lines of which Tesseract was unsure.
    "tesserocr": Tesseract in this process, the fastest; "pytesseract", also the fallback without tesserocr, starts the
    tesseract program."""
    language: str = "eng"
    """The language or languages by Tesseract's names, for every engine: "eng", "eng+deu"; "auto" finds each page's."""
    page_segmentation_mode: int = 3
    """Tesseract's --psm, 1 to 13: 3 finds columns and blocks, 4 takes one column, 11 collects sparse text."""
    reading_order: Literal["boxes", "engine"] = "boxes"
    """"boxes" restores it with `model.ocr.reading_order`, "engine" keeps the engine's order."""
    enlarge_to_pixels: int = 1750
    """For Tesseract, a smaller page is enlarged until its longer side has this many pixels; 0: never."""
    most_enlargement: float = 2.0
    """Maximum factor of that enlargement."""
    reduce_to_pixels: int = 3600
    """For Tesseract, a larger page is reduced until its longer side has this many pixels; 0: never. A4 at 300 dpi has
    3508."""
    resolution_dpi: int = 220
    """The resolution passed to Tesseract for a page of `enlarge_to_pixels`, and proportionally more for larger ones; 0
    lets it guess. Text taller in pixels than a third of it loses its ascenders; if Tesseract guesses, ordinary text
    does too."""
    minimum_confidence: float | None = None
    """Words with less confidence (0-1) are dropped, and counted in `OcrResult.dropped`; 0 keeps all, None is 0.2 for
    Tesseract's words and 0.4 for PP-OCR's."""
    minimum_symbol_confidence: float | None = None
    """The same for words without any letter or digit: specks and pieces of rules. None is 0.6 for Tesseract's words
    and 0.5 for PP-OCR's."""
    trim_rules: bool = True
    """Remove form rules that were read as characters from words; see `model.ocr.word_filter`."""
    tessdata: str | None = None
    """Folder of the .traineddata files; None searches TESSDATA_PREFIX and the system's folders."""
    ppocr: PpOcrOptions = field(default_factory=PpOcrOptions)
    """How PP-OCR reads a page."""

    def __post_init__(self) -> None:
        if self.engine not in get_args(EngineChoice):
            known = ", ".join(map(repr, get_args(EngineChoice)))
            raise ValueError(f"OCR engine {self.engine!r} is unknown: use one of {known}")
        if not re.fullmatch(r"~?\w+(/\w+)?(\+~?\w+(/\w+)?)*", self.language, re.ASCII):
            raise ValueError(f"OCR language {self.language!r} is invalid: write for example 'eng', 'eng+deu' or 'auto'")
        if not 1 <= self.page_segmentation_mode <= 13 or self.page_segmentation_mode == 2:
            raise ValueError(f"page_segmentation_mode={self.page_segmentation_mode} reads no text: use 1 or 3 to 13")
        if self.reading_order not in ("boxes", "engine"):
            raise ValueError(f"reading_order={self.reading_order!r} is unknown: use 'boxes' or 'engine'")
        if self.most_enlargement < 1:
            raise ValueError(f"most_enlargement={self.most_enlargement} reduces the page: it must be 1 or more")
        for name in ("enlarge_to_pixels", "reduce_to_pixels", "resolution_dpi"):
            if not 0 <= getattr(self, name) <= LARGEST_SIDE:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to {LARGEST_SIDE}")
        if self.reduce_to_pixels and self.reduce_to_pixels < self.enlarge_to_pixels:
            raise ValueError(
                f"reduce_to_pixels={self.reduce_to_pixels} is below enlarge_to_pixels={self.enlarge_to_pixels}"
            )
        for name in ("minimum_confidence", "minimum_symbol_confidence"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to 1")

    @classmethod
    def plain(cls, engine: Literal["tesserocr", "pytesseract"] = "pytesseract", language: str = "eng") -> OcrOptions:
        """Tesseract's defaults. With pytesseract: the words of `pytesseract.image_to_data(image)`, in its order."""
        return cls(
            engine=engine,
            language=language,
            page_segmentation_mode=3,
            reading_order="engine",
            enlarge_to_pixels=0,
            reduce_to_pixels=0,
            resolution_dpi=0,
            minimum_confidence=0.0,
            minimum_symbol_confidence=0.0,
            trim_rules=False,
        )
