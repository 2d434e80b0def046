"""The whole pipeline: from pages to do to the rows that are written.

    list -> pages to do -> [ fetch -> ( rasterize -> ocr ) -> tokenize ] -> [ infer ] -> [ merge -> Parquet ]
                                    actors on CPUs                      actors on GPUs         tasks

    list -> pages to do -> [ fetch -> ( rasterize -> ocr ) -> tokenize ->   infer   ->   merge -> Parquet ]
                                                 actors on CPUs, each with the model

One row is one page throughout; square brackets are Ray Data operators, round ones a sandbox. Rasterize and OCR share
both, so that a page image is never stored between them. Where there is no GPU and memory for a model in each actor
(`Pools.whole_pages`), all is one operator: pages with a text layer take less time than the way from one to the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pipelines.errors import InfrastructureError
from pipelines.options import ExtractOptions, InputAccess, infer_options, tokenize_options
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
    page_schema,
    with_picture,
)
from pipelines.stages.base import StageFactory
from pipelines.stages.count_pages import CountPages, ListingOptions, RejectOversized
from pipelines.stages.fetch import Fetch
from pipelines.stages.infer import Infer
from pipelines.stages.keep_picture import KeepPicture
from pipelines.stages.merge import Merge, MergeOptions
from pipelines.stages.model_loader import load_config, load_model_decoding, load_runtime, load_tokenizer, model_labels
from pipelines.stages.ocr import OCR_SHARE, Ocr
from pipelines.stages.preview import Preview
from pipelines.stages.rasterize import Rasterize
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.stages.tokenize import Tokenize

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipelines.runtime.pools import Pools


def extract_pages(
    pages: ray.data.Dataset,
    options: ExtractOptions,
    pools: Pools,
    write: Callable[[pa.Table], pa.Table] | None = None,
) -> ray.data.Dataset:
    """From a Dataset of pages to a Dataset of rows, lazily.

    Args:
        pages: rows of `PAGE_TO_DO`: document_id, uri, media_type, page_index, page_count. A block is the unit of work
            and of retry: 16 to 32 pages each (`pages.repartition(target_num_rows_per_block=16)`) serve well.
        options: what is done.
        pools: how many workers of each kind, and whether each of them does all of a page.
        write: called in a worker with each block of rows; what it returns takes their place. Must be picklable.

    Returns:
        One row a page, with the columns of `page_schema(options.task, options.keep_pictures)`, or what `write` returns.
    """
    from pipelines.stages.ray_data import map_blocks, map_stage, map_stages  # loads Ray: one document does without

    schema = page_schema(options.task, options.keep_pictures)
    if pools.whole_pages:
        steps = (*read_steps(options), *infer_steps(options, pools.page_threads), merge_step(options))
        return map_stages(pages, steps, schema, pools, "whole pages", write)
    tokenized, inferred = (with_picture(schema, options.keep_pictures) for schema in (TOKENIZED, INFERRED))
    read = map_stages(pages, read_steps(options), tokenized, pools, "read")
    answered = map_stages(read, infer_steps(options, pools.infer_threads), inferred, pools, "infer")
    merged = map_stage(answered, merge_step(options), schema, pools)
    return merged if write is None else map_blocks(merged, write, pools)


def read_steps(options: ExtractOptions) -> tuple[StageFactory, ...]:
    """Fetch, rasterize, OCR (unless it is forbidden), keep the picture (if asked), tokenize: all before the model.

    What parses the document's bytes runs in a sandbox.
    """
    fetch = partial(Fetch, options.access.s3)
    keep: tuple[StageFactory, ...] = (KeepPicture,) if options.keep_pictures else ()
    return fetch, partial(make_page_reader, options), *keep, partial(make_tokenize, options)


def count_steps(
    options: ListingOptions,
    limits: PageLimits,
    access: InputAccess = InputAccess(),  # noqa: B008
) -> tuple[StageFactory, ...]:
    """Reject, fetch, count pages: from rows of a listing to rows of `DOCUMENTS`, each opened in a sandbox."""
    fetch = partial(Fetch, access.s3)
    return partial(RejectOversized, options), fetch, partial(make_page_counter, options, limits, access.pdf_passwords)


def infer_steps(options: ExtractOptions, threads: int | None = None) -> tuple[StageFactory, ...]:
    """The model."""
    return (partial(make_infer, options, threads),)


def make_page_reader(options: ExtractOptions) -> Sandbox:
    """Rasterize and, unless it is forbidden, OCR, together in one sandbox."""
    parsers: tuple[StageFactory, ...] = (partial(Rasterize, options.rasterize, options.access.pdf_passwords),)
    if options.rasterize.text != "layer":
        parsers += (partial(Ocr, options.ocr, OCR_SHARE * options.limits.seconds),)
    return Sandbox(parsers, PAGE_IMAGE, PAGE_TO_DO, options.limits)


def make_page_counter(options: ListingOptions, limits: PageLimits, passwords: Sequence[str] = ()) -> Sandbox:
    """CountPages in a sandbox."""
    return Sandbox((partial(CountPages, options, passwords),), DOCUMENTS, LISTED, limits)


def make_previewer(longer_side: int, limits: PageLimits, passwords: Sequence[str] = ()) -> Sandbox:
    """Preview in a sandbox; `longer_side` in pixels."""
    return Sandbox((partial(Preview, longer_side, passwords),), PREVIEWED, PAGE, limits)


def make_tokenize(options: ExtractOptions) -> Tokenize:
    """Tokenize with the model's own tokenizer."""
    tokenizer = load_tokenizer(options.model)
    return Tokenize(tokenizer, tokenize_options(options, tokenizer))


def make_infer(options: ExtractOptions, threads: int | None = None, *, divides_threads: bool = False) -> Infer:
    """Infer with the model loaded; `threads` on a CPU, by default one for each core. `divides_threads`: see `Infer`."""
    # Read once, when PyTorch is loaded. Threads that wait by spinning take the cores from the workers that read pages:
    # with both cores busy, a page cost the model 0.35 s of CPU with it and 0.17 s without. Some microseconds of it, the
    # time between two operators, spare 800 switches a page: 70 ms instead of 84 on idle cores, at the same CPU time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    infer = replace(infer_options(options), threads=threads)
    loaded = load_runtime(options.model, infer)
    return Infer(loaded.runtime, loaded.name, infer, divides_threads=divides_threads)


def preview_pages(
    pages: Iterable[Row],
    longer_side: int,
    limits: PageLimits,
    access: InputAccess = InputAccess(),  # noqa: B008
) -> list[Row]:
    """For each row of a page (`PAGE` and more) one of `PREVIEWED`, drawn in a process of their own.

    A page whose document cannot be had any more is a failed row: the results do not depend on its picture.
    """
    asked = [{name: page[name] for name in PAGE.names} for page in pages]
    sandbox, fetch = make_previewer(longer_side, limits, access.pdf_passwords), Fetch(access.s3)
    previewed: list[Row] = []
    try:
        for page in asked:
            try:
                previewed += sandbox(fetch([page]))
            except InfrastructureError as error:
                failed = {"preview": None, "status": "failed", "error_kind": error.kind, "error": error.message}
                previewed.append(page | failed)
        return previewed
    finally:
        sandbox.close()


def merge_step(options: ExtractOptions) -> StageFactory:
    """Merge, to the rows that are written; what the logits mean is read where it is called."""
    return partial(make_merge, options)


def make_merge(options: ExtractOptions) -> Merge:
    """Merge, with what the checkpoint says about its logits."""
    return Merge(merge_options(options), ("picture",) if options.keep_pictures else ())


def merge_options(options: ExtractOptions) -> MergeOptions:
    """What the logits mean is read from the checkpoint's configuration and its `decoding.json`."""
    labels = model_labels(options.model, options.task)
    several = load_config(options.model, options.task).problem_type == "multi_label_classification"
    decoding = load_model_decoding(options.model)
    if options.decode != "auto":
        decoding = replace(decoding, method=options.decode)
    return MergeOptions(options.task, labels, options.questions, several, options.min_read_quality, decoding)
