"""What is done with a page, as options: the same for the batch job, the training data and the endpoint.

This file loads neither Ray nor PyTorch, so that a job can explain or refuse its options at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from model.decoding import DecodeChoice
from model.ocr.engine import OcrEngine, OcrOptions, choose_engine
from model.preprocessing.layout_tokenizer import LayoutTokenizer
from pipelines.schema import Task
from pipelines.stages.infer import InferOptions
from pipelines.stages.model_loader import check_task, load_tokenizer
from pipelines.stages.ocr import replaces_what_is_missing
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.runtime_choice import check_graph_files, choose_runtime
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.stages.tokenize import TokenizeOptions, check_questions
from pipelines.storage.files import S3Options


@dataclass(frozen=True)
class InputAccess:
    """How documents are reached; no row depends on it, and no record holds it.

    Attributes:
        s3: how requests for documents in S3 are made.
        pdf_passwords: tried in turn on PDFs that need one; no log, no error and no `repr` holds them.
    """

    s3: S3Options = field(default_factory=S3Options)
    pdf_passwords: tuple[str, ...] = field(default=(), repr=False)


PPOCR_MEGABYTES = 1200
"""Memory for a page that PP-OCR reads, in millions of bytes; its networks take up to 920 of them."""


@dataclass(frozen=True)
class ExtractOptions:
    """What is done with a page, whoever asks: the batch job, the training data or the endpoint.

    Attributes:
        model: folder, hub id or s3:// URI of a checkpoint.
        task: what the model is asked of each page.
        questions: for question answering.
        stride: tokens that neighbouring windows of a long page share.
        decode: what gets a label: words, segments of lines, or what the checkpoint says.
        min_read_quality: pages that were read less well than this, 0 to 1, are marked `needs_review`.
        keep_pictures: the rows have the model's image of the page, in the column `picture`.
        limits: what reading one page may cost.
        access: how documents are reached.
    """

    model: str
    task: Task = "token-classification"
    questions: tuple[str, ...] = ()
    stride: int = 128
    decode: DecodeChoice = "auto"
    min_read_quality: float = 0.0
    keep_pictures: bool = False
    limits: PageLimits = field(default_factory=PageLimits)
    rasterize: RasterizeOptions = field(default_factory=RasterizeOptions)
    ocr: OcrOptions = field(default_factory=OcrOptions)
    infer: InferOptions = field(default_factory=InferOptions)
    access: InputAccess = field(default_factory=InputAccess)


def check_options(options: ExtractOptions) -> None:
    """Refuse what cannot work, before anything is started.

    Raises:
        ValueError: questions without their task or the other way round, a question or a stride too long, a model
            for another task, or a runtime that does not run it here.
        CheckpointError: the model cannot be read.
        OcrUnavailableError: Tesseract, or the data of a language, is not installed.
    """
    if options.task != "question-answering" and options.questions:
        raise ValueError(f"--questions are for --task question-answering, and the task is {options.task}")
    check_task(options.model, options.task)
    choose_runtime(options.model, infer_options(options))
    check_graph_files(options.model)
    tokenizer = load_tokenizer(options.model)
    windows = tokenize_options(options, tokenizer)
    if options.task == "question-answering":
        check_questions(tokenizer, windows)
    if options.rasterize.text != "layer":
        if "ppocr" in choose_engine(options.ocr) and options.limits.megabytes < PPOCR_MEGABYTES:
            raise ValueError(
                f"--page-memory-limit-megabytes is {options.limits.megabytes}; PP-OCR, which reads the pages, needs "
                f"{PPOCR_MEGABYTES}: give that, or --ocr-engine tesserocr"
            )
        if not replaces_what_is_missing(options.ocr):  # to start PP-OCR takes a second
            OcrEngine(options.ocr).close()
    if not 0 <= options.min_read_quality <= 1:
        raise ValueError(f"--min-read-quality is {options.min_read_quality}; it must be from 0 to 1")
    if not 0 <= options.stride < windows.max_length // 2:
        raise ValueError(f"--stride is {options.stride}; it must be from 0 to {windows.max_length // 2 - 1}")


def infer_options(options: ExtractOptions) -> InferOptions:
    """The model is asked what the pages are for."""
    return replace(options.infer, task=options.task)


def tokenize_options(options: ExtractOptions, tokenizer: LayoutTokenizer) -> TokenizeOptions:
    """The windows are as long as the model was made for."""
    return TokenizeOptions(
        options.task, options.questions, max_length=tokenizer.model_max_length, stride=options.stride
    )
