"""The whole pipeline: from pages to do to the rows that are written.

    list -> pages to do -> [ fetch -> ( rasterize -> ocr ) -> tokenize ] -> [ infer ] -> [ merge ] -> Parquet
                                    actors on CPUs                         actors on     tasks
                                                                           GPUs or CPUs

One row is one page throughout; square brackets are Ray Data operators, round ones a sandbox. Rasterize and OCR share
both, so that a page image is never stored between them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import ray.data

from model import LayoutLMv2Tokenizer
from model.ocr.engine import OcrEngine, OcrOptions
from pipelines.runtime.pools import Pools
from pipelines.schema import (
    DOCUMENTS,
    INFERRED,
    LISTED,
    PAGE,
    PAGE_IMAGE,
    PAGE_TO_DO,
    PREVIEWED,
    TOKENIZED,
    Row,
    Task,
    page_schema,
)
from pipelines.stages.base import StageFactory
from pipelines.stages.count_pages import CountPages, ListingOptions, RejectOversized
from pipelines.stages.fetch import Fetch
from pipelines.stages.infer import Infer, InferOptions
from pipelines.stages.merge import Merge, MergeOptions
from pipelines.stages.model_loader import check_task, load_config, load_model, load_tokenizer, model_labels
from pipelines.stages.ocr import OCR_SHARE, Ocr
from pipelines.stages.preview import Preview
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.ray_data import map_stage, map_stages
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.stages.tokenize import Tokenize, TokenizeOptions, check_questions


@dataclass(frozen=True)
class ExtractOptions:
    """What is done with a page, whoever asks: the batch job, the training data or the endpoint.

    Attributes:
        model: folder, hub id or s3:// URI of a checkpoint.
        task: what the model is asked of each page.
        questions: for question answering.
        stride: tokens that neighbouring windows of a long page share.
        limits: what reading one page may cost.
    """

    model: str
    task: Task = "token-classification"
    questions: tuple[str, ...] = ()
    stride: int = 128
    limits: PageLimits = field(default_factory=PageLimits)
    rasterize: RasterizeOptions = field(default_factory=RasterizeOptions)
    ocr: OcrOptions = field(default_factory=OcrOptions)
    infer: InferOptions = field(default_factory=InferOptions)


def extract_pages(pages: ray.data.Dataset, options: ExtractOptions, pools: Pools) -> ray.data.Dataset:
    """From a Dataset of pages to a Dataset of rows, lazily.

    Args:
        pages: rows of `PAGE_TO_DO`: document_id, uri, media_type, page_index, page_count. A block is the unit of work
            and of retry: 16 to 32 pages each (`pages.repartition(target_num_rows_per_block=16)`) serve well.
        options: what is done.
        pools: how many workers of each kind.

    Returns:
        One row a page, with the columns of `page_schema(options.task)`.
    """
    read = map_stages(pages, read_steps(options), TOKENIZED, pools, "read")
    inferred = map_stages(read, infer_steps(options, pools.infer_threads), INFERRED, pools, "infer")
    return map_stage(inferred, partial(Merge, merge_options(options)), page_schema(options.task), pools)


def check_options(options: ExtractOptions) -> None:
    """Refuse what cannot work, before anything is started.

    Raises:
        ValueError: questions without their task or the other way round, a question or a stride too long, a model
            for another task.
        CheckpointError: the model cannot be read.
        OcrUnavailableError: Tesseract, or the data of a language, is not installed.
    """
    if options.task != "question-answering" and options.questions:
        raise ValueError(f"--questions are for --task question-answering, and the task is {options.task}")
    check_task(options.model, options.task)
    tokenizer = load_tokenizer(options.model)
    windows = tokenize_options(options, tokenizer)
    if options.task == "question-answering":
        check_questions(tokenizer, windows)
    if options.rasterize.text != "layer":
        OcrEngine(options.ocr).close()
    if not 0 <= options.stride < windows.max_length // 2:
        raise ValueError(f"--stride is {options.stride}; it must be from 0 to {windows.max_length // 2 - 1}")


def read_steps(options: ExtractOptions) -> tuple[StageFactory, ...]:
    """Fetch, rasterize, OCR (unless it is forbidden), tokenize: all that happens to a page before the model.

    What parses the document's bytes runs in a sandbox.
    """
    parsers: tuple[StageFactory, ...] = (partial(Rasterize, options.rasterize),)
    if options.rasterize.text != "layer":
        parsers += (partial(Ocr, options.ocr, OCR_SHARE * options.limits.seconds),)
    sandbox = partial(Sandbox, parsers, PAGE_IMAGE, PAGE_TO_DO, options.limits)
    return Fetch, sandbox, partial(_make_tokenize, options)


def count_steps(options: ListingOptions, limits: PageLimits) -> tuple[StageFactory, ...]:
    """Reject, fetch, count pages: from rows of a listing to rows of `DOCUMENTS`, each opened in a sandbox."""
    counting = partial(Sandbox, (partial(CountPages, options),), DOCUMENTS, LISTED, limits)
    return partial(RejectOversized, options), Fetch, counting


def infer_steps(options: ExtractOptions, threads: int | None = None) -> tuple[StageFactory, ...]:
    """The model."""
    return (partial(_make_infer, options.model, replace(options.infer, task=options.task, threads=threads)),)


def preview_pages(pages: Iterable[Row], longer_side: int, limits: PageLimits) -> list[Row]:
    """For each row of a page (`PAGE` and more) one of `PREVIEWED`, drawn in a process of their own."""
    asked = [{name: page[name] for name in PAGE.names} for page in pages]
    sandbox = Sandbox((partial(Preview, longer_side),), PREVIEWED, PAGE, limits)
    try:
        return list(sandbox(Fetch()(asked)))
    finally:
        sandbox.close()


def merge_options(options: ExtractOptions) -> MergeOptions:
    """What the logits mean is read from the checkpoint's configuration."""
    labels = model_labels(options.model, options.task)
    several = load_config(options.model, options.task).problem_type == "multi_label_classification"
    return MergeOptions(options.task, labels, options.questions, several)


def tokenize_options(options: ExtractOptions, tokenizer: LayoutLMv2Tokenizer) -> TokenizeOptions:
    """The windows are as long as the model was made for."""
    return TokenizeOptions(
        options.task, options.questions, max_length=tokenizer.model_max_length, stride=options.stride
    )


def _make_tokenize(options: ExtractOptions) -> Tokenize:
    tokenizer = load_tokenizer(options.model)
    return Tokenize(tokenizer, tokenize_options(options, tokenizer))


def _make_infer(source: str, options: InferOptions) -> Infer:
    # Read once, when PyTorch is loaded. Threads that wait by spinning take the cores from the workers that read pages:
    # with both cores busy, a page cost the model 0.35 s of CPU with it and 0.17 s without. Some microseconds of it, the
    # time between two operators, spare 800 switches a page: 70 ms instead of 84 on idle cores, at the same CPU time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    loaded = load_model(source, options.task)
    return Infer(loaded.model, loaded.name, options)
