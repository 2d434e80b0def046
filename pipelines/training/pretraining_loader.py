"""The data loader of pre-training: the buffers of a worker's lanes as micro batches, through Ray Data.

buffers of the plan -> [ read row groups -> tokenize -> mask, cover, replace -> collate ] -> MICRO_BATCH -> tensors
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from model.preprocessing.layout_tokenizer import LayoutTokenizer
from pipelines.schema import MODEL_IMAGE_SHAPE, Row
from pipelines.stages.infer import collate, padded_length
from pipelines.stages.model_loader import load_tokenizer
from pipelines.stages.tokenize import TokenizeOptions, page_windows
from pipelines.storage.files import Storage
from pipelines.training.augment import AugmentedVocabulary
from pipelines.training.dataloader import augmented_vocabulary
from pipelines.training.load_ahead import load_ahead
from pipelines.training.micro_batch import array_fields, flat_arrays, micro_batch_table, model_tensors
from pipelines.training.pretraining_buffer import BufferedPages, UnreadablePageError
from pipelines.training.pretraining_inputs import (
    OBJECTIVES,
    PretrainingExample,
    PretrainingObjective,
    PretrainingShares,
    PretrainingWindow,
    blank_picture,
    lines_of_page,
    pretraining_example,
)
from pipelines.training.pretraining_plan import Buffer, PretrainingPlan
from pipelines.training.targets import IGNORED_TARGET

if TYPE_CHECKING:
    import torch

PLANNED = pa.schema(
    [
        ("epoch", pa.int32()),
        ("lane", pa.int32()),
        ("first_step", pa.int64()),
        ("starts", pa.list_(pa.int32())),
        ("pages", pa.list_(pa.int64())),
        ("files", pa.list_(pa.string())),
        ("row_groups", pa.list_(pa.int32())),
        ("row_group_of_page", pa.list_(pa.int32())),
        ("row_of_page", pa.list_(pa.int32())),
    ]
)
"""A buffer of which some steps are wanted, from `first_step`: micro batch i has the pages from `starts[i]` to
`starts[i + 1]`, and the other pages of the buffer lend their pictures. `files` and `row_groups` are what is read; each
page is a row of one of these."""

ARRAYS: dict[str, npt.DTypeLike] = {
    "input_ids": np.int32,
    "token_type_ids": np.int8,
    "attention_mask": np.int8,
    "bbox": np.int16,
    "labels": np.int32,
    "alignment_labels": np.int8,
    "matching_labels": np.int8,
    "image": np.uint8,
}
LABELS: dict[PretrainingObjective, str] = {
    "masked-words": "labels",
    "alignment": "alignment_labels",
    "matching": "matching_labels",
}
"""The argument of the model that holds the targets of each objective."""

MICRO_BATCH = pa.schema(
    [
        ("step", pa.int64()),
        ("micro_batch_index", pa.int32()),
        ("windows", pa.int32()),
        ("rows", pa.int32()),
        ("lost", pa.list_(pa.string())),
        *array_fields(ARRAYS),
    ]
)
"""A loaded micro batch: flat arrays under the names of the model's arguments; labels of objectives that are left out
are null. `windows` is the number of windows with targets; without any, `rows` is 1 all the same, a window to compute
without learning from it. `lost`: for each page that could not be read, why."""


@dataclass(frozen=True)
class LoaderOptions:
    """What is loaded, and how.

    Attributes:
        tokenizer: folder or prefix.
        pad_token_id: of the model.
        objectives, shares: see `pretraining_example`.
        seed: of what is drawn for a page, together with the epoch and the page.
        stride: tokens that neighbouring windows of a page share.
    """

    tokenizer: str
    pad_token_id: int = 0
    objectives: tuple[PretrainingObjective, ...] = OBJECTIVES
    shares: PretrainingShares = field(default_factory=PretrainingShares)
    seed: int = 0
    stride: int = 128


@dataclass(frozen=True)
class PretrainingBatch:
    """A micro batch for the model: `tensors` are its keyword arguments, including the targets.

    Attributes:
        own_windows: number of windows that are learned from.
        lost: for each page that could not be read, why.
    """

    step: int
    micro_batch_index: int
    own_windows: int
    lost: tuple[str, ...]
    tensors: dict[str, torch.Tensor]

    def targets(self, objective: PretrainingObjective) -> int:
        """The number of targets of an objective."""
        return int((self.tensors[LABELS[objective]] != IGNORED_TARGET).sum())


def iter_batches(
    plan: PretrainingPlan,
    first: int,
    end: int,
    rank: int,
    workers: int,
    storage: Storage,
    options: LoaderOptions,
    tasks: int,
) -> Iterator[PretrainingBatch]:
    """One worker's micro batches of the steps from `first` to `end` (excluded), in order, loaded ahead of their use.

    Args:
        tasks: that load at a time.
    """
    spans = list(plan.spans(first, end))
    blocks_of_spans = (_planned_blocks(plan, start, stop, rank, workers) for start, stop in spans)
    load = partial(load_buffers, storage=storage, options=options)
    for (start, stop), references in zip(spans, load_ahead(blocks_of_spans, load, tasks), strict=True):
        lanes = [ray.get(reference) for reference in references]
        for number in range(stop - start):
            for lane in lanes:
                yield training_batch(lane.slice(number, 1))


def _planned_blocks(plan: PretrainingPlan, start: int, stop: int, rank: int, workers: int) -> Iterator[pa.Table]:
    """The buffers of a worker's lanes for the steps of one span, a table each."""
    for buffer in plan.buffers(start, rank, workers):
        yield pa.Table.from_pylist([planned_row(plan, buffer, start, stop)], schema=PLANNED)


def planned_row(plan: PretrainingPlan, buffer: Buffer, start: int, stop: int) -> Row:
    """A row of `PLANNED`: the steps of a buffer from `start` to `stop` (excluded)."""
    index = plan.index
    row_groups = np.searchsorted(index.starts, buffer.pages, side="right") - 1
    read, row_group_of_page = np.unique(row_groups, return_inverse=True)
    limits = [buffer.of_step(step).start for step in range(start, stop + 1)]
    return {
        "epoch": buffer.epoch,
        "lane": buffer.lane,
        "first_step": start,
        "starts": np.minimum(limits, len(buffer.pages)),
        "pages": buffer.pages,
        "files": [index.files[file] for file in index.file[read]],
        "row_groups": index.row_group[read],
        "row_group_of_page": row_group_of_page.reshape(-1),
        "row_of_page": index.rows[buffer.pages],
    }


def load_buffers(block: pa.Table, storage: Storage, options: LoaderOptions) -> pa.Table:
    """Rows of `PLANNED` in, `MICRO_BATCH` out: the wanted micro batches of each buffer."""
    rows = [row for planned in block.to_pylist() for row in _micro_batches(planned, storage, options)]
    return micro_batch_table(rows, MICRO_BATCH)


def _micro_batches(planned: Row, storage: Storage, options: LoaderOptions) -> Iterator[Row]:
    row_groups = list(zip(planned["files"], planned["row_groups"], strict=True))
    rows = list(zip(planned["row_group_of_page"], planned["row_of_page"], strict=True))
    pages = BufferedPages(storage, row_groups, rows)
    for number, (start, end) in enumerate(pairwise(planned["starts"])):
        lost: list[str] = []
        examples: list[PretrainingExample] = []
        for position in range(start, end):
            try:
                example = _example(
                    pages, position, [options.seed, planned["epoch"], planned["pages"][position]], options
                )
            except UnreadablePageError as error:
                lost.append(str(error))
                continue
            if example is not None:
                examples.append(example)
        arrays = model_arguments(examples or [_empty_example(options)], options)
        yield {
            "step": planned["first_step"] + number,
            "micro_batch_index": planned["lane"],
            "windows": len(examples),
            "rows": max(1, len(examples)),
            "lost": lost,
            **flat_arrays(arrays, ARRAYS),
        }


def _example(pages: BufferedPages, position: int, seed: list[int], options: LoaderOptions) -> PretrainingExample | None:
    """What a page becomes, one of its windows; None if it has no words or no picture.

    Args:
        seed: of all that is drawn.

    Raises:
        UnreadablePageError: the page is damaged.
    """
    page, picture = pages.row(position), pages.picture(position)
    if not page["words"] or picture is None:
        return None
    random = np.random.default_rng(seed)
    tokenizer = _tokenizer(options.tokenizer)
    cut = TokenizeOptions(max_length=tokenizer.model_max_length, stride=options.stride)
    windows = page_windows(tokenizer, page["words"], page["boxes"], cut)
    window = windows[random.integers(len(windows))]
    other = pages.picture_of_another(position, random)
    size = (page["width"], page["height"])
    lines = lines_of_page(page["boxes"], size[0] / size[1]) if all(size) else lines_of_page(page["boxes"])
    return pretraining_example(
        PretrainingWindow(
            np.asarray(window["input_ids"], dtype=np.int64),
            np.asarray(window["token_type_ids"], dtype=np.int64),
            np.asarray(window["bbox"], dtype=np.int64).reshape(-1, 4),
            np.asarray(window["word_indices"], dtype=np.int64),
            picture,
        ),
        picture if other is None else other,
        lines,
        augmented_vocabulary_of(options.tokenizer),
        random,
        options.shares,
        options.objectives,
    )


def _empty_example(options: LoaderOptions) -> PretrainingExample:
    """A window without targets, so that a worker whose lane has no page takes part in the step."""
    tokenizer = _tokenizer(options.tokenizer)
    picture = blank_picture(MODEL_IMAGE_SHAPE)
    ids = np.array([tokenizer.cls_token_id, tokenizer.sep_token_id], dtype=np.int64)
    ignored = np.full(len(ids), IGNORED_TARGET)
    boxes = np.zeros((len(ids), 4), dtype=np.int64)
    return PretrainingExample(ids, np.zeros_like(ids), boxes, picture, ignored, ignored, IGNORED_TARGET)


@cache
def _tokenizer(source: str) -> LayoutTokenizer:
    return load_tokenizer(source)  # once a process, not once a task


@cache
def augmented_vocabulary_of(source: str) -> AugmentedVocabulary:
    """The token ids for masked tokens, of the tokenizer in a folder."""
    return augmented_vocabulary(_tokenizer(source))


def model_arguments(examples: list[PretrainingExample], options: LoaderOptions) -> dict[str, npt.NDArray[Any]]:
    """The arguments of the model for these examples, padded on the right to the longest."""
    shape = len(examples), padded_length(max(len(example.input_ids) for example in examples))
    arrays: dict[str, npt.NDArray[Any]] = collate(
        [example._asdict() for example in examples], options.pad_token_id, shape[1]
    )
    arrays["image"] = np.stack([example.picture for example in examples])
    names = [LABELS[objective] for objective in options.objectives if objective != "matching"]
    arrays |= {name: np.full(shape, IGNORED_TARGET) for name in names}
    for row, example in enumerate(examples):
        for name in names:
            arrays[name][row, : len(example.input_ids)] = getattr(example, name)
    if "matching" in options.objectives:
        arrays["matching_labels"] = np.array([example.matching_label for example in examples])
    return arrays


def training_batch(row: pa.Table) -> PretrainingBatch:
    """One row of `MICRO_BATCH` as int64 tensors; the images are uint8."""
    (record,) = row.combine_chunks().to_batches()
    columns = ("step", "micro_batch_index", "windows", "rows", "lost")
    (numbers,) = record.select(columns).to_pylist()
    tensors = model_tensors(record, ARRAYS, numbers["rows"])
    return PretrainingBatch(
        numbers["step"], numbers["micro_batch_index"], numbers["windows"], tuple(numbers["lost"]), tensors
    )
