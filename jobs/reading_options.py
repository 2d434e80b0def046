"""How pages are read and the model is run: the options that the batch job and the endpoint have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.decoding import DecodeChoice
from model.ocr.engine import EngineChoice, OcrOptions
from model.runtimes.runtime import DtypeChoice, RuntimeChoice
from pipelines.documents.rendering import RenderOptions
from pipelines.options import ExtractOptions
from pipelines.schema import Task
from pipelines.stages.infer import InferOptions
from pipelines.stages.rasterize import RasterizeOptions, TextChoice
from pipelines.stages.sandbox_protocol import PageLimits

MEGA = 1_000_000


@dataclass(frozen=True)
class ReadingOptions:
    """Options of a job that reads pages."""

    text: TextChoice = "auto"
    """auto: a page's text layer where it can be trusted, else OCR; ocr: always OCR; layer: never OCR."""
    dpi: int = 200
    """Resolution at which PDF pages are rendered for OCR, in dots per inch."""
    ocr_lang: str = "eng"
    """Languages of the pages by Tesseract's names, such as eng or deu+fra, for every engine; auto finds each page's."""
    ocr_engine: EngineChoice = "auto"
    """auto: whole pages by PP-OCR where the CPU has bfloat16 (AMX) or there is a GPU, elsewhere as tesserocr+ppocr, and
    Tesseract alone where PP-OCR is not installed or does not read the language; ppocr: always PP-OCR; tesserocr+ppocr:
    Tesseract, and PP-OCR for the lines of which it was unsure; tesserocr: Tesseract, the fastest; pytesseract: the
    tesseract program."""
    ocr_settings: Literal["measured", "plain"] = "measured"
    """measured: the resolution, order and filters chosen by benchmarks/ocr.py; plain: Tesseract with its defaults, for
    --ocr-engine tesserocr and pytesseract."""
    min_read_quality: float = 0.0
    """Pages that were read less well than this, 0 to 1, are marked needs_review."""
    rasterizer: Literal["pdfium", "pdf2image"] = "pdfium"
    """What renders PDF pages."""
    max_page_megapixels: float = 20.0
    """Pages that would be larger at --dpi are rendered at less, in millions of pixels."""
    page_time_limit_seconds: float = 120.0
    """The longest that reading one page may take, in seconds; then it is a failed page."""
    page_memory_limit_megabytes: int = 2000
    """The most memory that reading one page may take, in millions of bytes; then it is a failed page."""
    stride: int = 128
    """Tokens that neighbouring windows share on pages of more than 512 tokens."""
    decode: DecodeChoice = "auto"
    """What gets a label: words, each on its own; segments, the words of a line without a gap, which are then joined; or
    auto: what the checkpoint says."""
    dtype: DtypeChoice = "auto"
    """Of the model; auto is bfloat16 on a GPU and on a CPU that has it, where labels stay the same, else
    float32."""
    runtime: RuntimeChoice = "auto"
    """What runs the model. auto: what --model is made for, PyTorch for a checkpoint, and OpenVINO, ONNX Runtime or
    PyTorch for a folder that jobs.export wrote; openvino also takes a checkpoint, and converts it at the start."""
    device: str = "auto"
    """cpu, cuda, or auto: a GPU if there is one."""
    batch_tokens: int = 4096
    """Tokens of one batch of the model, padding included; a CPU takes a window at a time on each core."""

    def extract_options(self, model: str, task: Task, questions: tuple[str, ...] = ()) -> ExtractOptions:
        """What is done with a page, for one model.

        Raises:
            ValueError: the options make no sense.
        """
        render = RenderOptions(
            dpi=self.dpi, max_pixels=int(self.max_page_megapixels * MEGA), rasterizer=self.rasterizer
        )
        return ExtractOptions(
            model=model,
            task=task,
            questions=questions,
            stride=self.stride,
            decode=self.decode,
            min_read_quality=self.min_read_quality,
            limits=PageLimits(self.page_time_limit_seconds, self.page_memory_limit_megabytes),
            rasterize=RasterizeOptions(text=self.text, render=render),
            ocr=self._ocr_options(),
            infer=InferOptions(
                task=task,
                dtype=self.dtype,
                device=self.device,
                batch_tokens=self.batch_tokens,
                runtime=self.runtime,
            ),
        )

    def _ocr_options(self) -> OcrOptions:
        if self.ocr_settings == "measured":
            return OcrOptions(engine=self.ocr_engine, language=self.ocr_lang)
        if self.ocr_engine not in ("tesserocr", "pytesseract"):
            raise ValueError(
                f"--ocr-settings plain is Tesseract with its defaults, and --ocr-engine is {self.ocr_engine}: "
                "use --ocr-engine tesserocr or pytesseract with it"
            )
        return OcrOptions.plain(self.ocr_engine, self.ocr_lang)
