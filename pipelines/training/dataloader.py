"""The data loader: one worker's micro batches as tensors, in the order of the batch plan, through Ray Data.

micro batches of the plan -> [ load pages -> mix -> augment -> collate ] -> rows of MICRO_BATCH -> tensors
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.tokenizer_choice import load_page_tokenizer
from pipelines.schema import MODEL_IMAGE_SHAPE, Row, Task
from pipelines.stages.infer import collate, padded_length
from pipelines.stages.tokenize import TokenizeOptions, page_windows
from pipelines.storage.files import Storage
from pipelines.training.augment import AugmentedVocabulary, AugmentOptions, WindowArrays, augment_window
from pipelines.training.batch_plan import BatchPlan, micro_batches_for_rank
from pipelines.training.example_cache import ExampleReader
from pipelines.training.load_ahead import load_ahead
from pipelines.training.micro_batch import array_fields, flat_arrays, micro_batch_table, model_tensors
from pipelines.training.page_mixing import LabelledWords, PageMixingOptions, mix_pages
from pipelines.training.targets import IGNORED_TARGET, Objective, answer_span, hidden_words, token_targets

if TYPE_CHECKING:
    import torch

WINDOWS_PER_TASK = 16
WINDOWS_PER_DATASET = 512
"""Windows that one Dataset loads, about 90 MB; the next Dataset loads while they are used."""

PLANNED = pa.schema(
    [
        ("step", pa.int64()),
        ("micro_batch_index", pa.int32()),
        ("epoch", pa.int32()),
        ("targets", pa.int64()),
        ("idle", pa.bool_()),
        ("window_ids", pa.list_(pa.int64())),
        ("files", pa.list_(pa.string())),
        ("row_groups", pa.list_(pa.int32())),
        ("windows", pa.list_(pa.int32())),
        ("other_files", pa.list_(pa.string())),
        ("other_row_groups", pa.list_(pa.int32())),
    ]
)
"""A micro batch of the plan, and for each window another page to mix its page with. An `idle` one has no windows of its
own: it computes another window with weight 0, so that every worker takes part in every step."""

ARRAYS: dict[str, npt.DTypeLike] = {
    "input_ids": np.int32,
    "token_type_ids": np.int8,
    "attention_mask": np.int8,
    "bbox": np.int16,
    "labels": np.int32,
    "start_positions": np.int32,
    "end_positions": np.int32,
    "image": np.uint8,
    "image_of_row": np.int32,
}

MICRO_BATCH = pa.schema(
    [
        ("step", pa.int64()),
        ("micro_batch_index", pa.int32()),
        ("epoch", pa.int32()),
        ("targets", pa.int64()),
        ("own_targets", pa.int64()),
        ("rows", pa.int32()),
        *array_fields(ARRAYS),
    ]
)
"""A loaded micro batch: flat arrays under the names of the model's arguments; those of other tasks are null.
`own_targets` counts the targets of this micro batch, 0 for an idle one."""


@dataclass(frozen=True)
class DataLoaderOptions:
    """What is loaded, and how.

    Attributes:
        task: decides the targets, if the objective is "labels".
        label_ids: ids of the labels of words or pages; empty for question answering.
        pad_token_id: of the tokenizer.
        vocabulary: for masked words.
        tokenizer: folder or prefix of the tokenizer, with which mixed pages are cut into windows.
        objective: "masked-words" makes the words that `augment` hides the targets.
        seed: of augmentation and mixing.
        augment: how much a window is changed, differently in every epoch.
        page_mixing: how much a page is mixed with another one.
        stride: tokens that neighbouring windows share.
    """

    task: Task
    label_ids: Mapping[str, int]
    pad_token_id: int
    vocabulary: AugmentedVocabulary
    tokenizer: str
    objective: Objective = "labels"
    seed: int = 0
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    page_mixing: PageMixingOptions = field(default_factory=PageMixingOptions)
    stride: int = 128

    @property
    def labels_tokens(self) -> bool:
        """Whether each token has its own target."""
        return self.objective == "masked-words" or self.task == "token-classification"


@dataclass(frozen=True)
class TrainingBatch:
    """A micro batch for the model: `tensors` are its keyword arguments, including the targets.

    Attributes:
        targets: number of targets in the whole step.
        own_targets: number of targets in this micro batch.
    """

    step: int
    micro_batch_index: int
    epoch: int
    targets: int
    own_targets: int
    tensors: dict[str, torch.Tensor]

    @property
    def own_windows(self) -> int:
        """Windows that are learned from."""
        return len(self.tensors["input_ids"]) if self.own_targets else 0


def iter_batches(
    plan: BatchPlan, first: int, end: int, rank: int, workers: int, storage: Storage, options: DataLoaderOptions
) -> Iterator[TrainingBatch]:
    """One worker's micro batches of the steps from `first` to `end` (excluded), in order, loaded ahead of their use."""
    steps = max(1, WINDOWS_PER_DATASET // plan.options.batch_size)
    size = max(1, WINDOWS_PER_TASK // plan.options.micro_batch_size)
    spans = (
        _planned_blocks(planned_rows(plan, start, min(end, start + steps), rank, workers), size)
        for start in range(first, end, steps)
    )
    for blocks in load_ahead(spans, partial(load_micro_batches, storage=storage, options=options)):
        while blocks:
            block = ray.get(blocks.pop(0))
            for row in range(block.num_rows):
                yield training_batch(block.slice(row, 1))


def _planned_blocks(rows: Iterator[Row], size: int) -> Iterator[pa.Table]:
    """Rows of `PLANNED` in tables of `size`."""
    while chunk := list(islice(rows, size)):
        yield pa.Table.from_pylist(chunk, schema=PLANNED)


def planned_rows(plan: BatchPlan, first: int, end: int, rank: int, workers: int) -> Iterator[Row]:
    """Rows of `PLANNED` for one worker."""
    index = plan.index
    for step in plan.steps(first, end):
        some_window = next(batch.windows[:1] for batch in step if len(batch.windows))
        for batch in micro_batches_for_rank(step, rank, workers):
            windows = batch.windows if len(batch.windows) else some_window
            positions = [index.pages[page] for page in index.page[windows]]
            others = [index.pages[page] for page in _other_pages(windows, batch.epoch, plan)]
            yield {
                "step": batch.step,
                "micro_batch_index": batch.micro_batch_index,
                "epoch": batch.epoch,
                "targets": batch.targets,
                "idle": not len(batch.windows),
                "window_ids": windows,
                "files": [index.files[position.file] for position in positions],
                "row_groups": [position.row_group for position in positions],
                "windows": index.window[windows],
                "other_files": [index.files[position.file] for position in others],
                "other_row_groups": [position.row_group for position in others],
            }


def _other_pages(windows: npt.NDArray[np.int64], epoch: int, plan: BatchPlan) -> list[int]:
    """For each window the index of the page to mix its page with, drawn anew in every epoch."""
    seed = plan.options.seed
    return [int(np.random.default_rng([seed, epoch, window, 1]).integers(len(plan.index.pages))) for window in windows]


def load_micro_batches(block: pa.Table, storage: Storage, options: DataLoaderOptions) -> pa.Table:
    """Rows of `PLANNED` in, `MICRO_BATCH` out."""
    reader = ExampleReader(storage)
    rows = [_load(row, reader, options) for row in block.to_pylist()]
    return micro_batch_table(rows, MICRO_BATCH)


def _load(planned: Row, reader: ExampleReader, options: DataLoaderOptions) -> Row:
    pages: dict[tuple[str, int], Row] = {}

    def page_at(uri: str, row_group: int) -> Row:
        if (uri, row_group) not in pages:
            page = reader.read(uri, row_group)
            model_image = np.frombuffer(page["model_image"], dtype=np.uint8).reshape(MODEL_IMAGE_SHAPE)
            pages[uri, row_group] = {**page, "model_image": model_image}
        return pages[uri, row_group]

    windows: list[WindowArrays] = []
    types: list[npt.NDArray[np.int64]] = []
    targets: list[Any] = []
    sources = zip(
        *(planned[name] for name in ("files", "row_groups", "windows", "other_files", "other_row_groups")), strict=True
    )
    for identity, (uri, row_group, index, *other) in zip(planned["window_ids"], sources, strict=True):
        random = np.random.default_rng([options.seed, planned["epoch"], identity])
        page = page_at(uri, row_group)
        if not options.page_mixing.changes_nothing:
            page = mixed_page(page, page_at(*other), options, random)
            index %= len(page["windows"])
        window = load_window(page, index, options, random)
        windows.append(window)
        types.append(np.asarray(page["windows"][index]["token_type_ids"]))
        if options.objective == "masked-words":
            targets.append(hidden_words(np.asarray(page["windows"][index]["input_ids"]), window.input_ids))
        else:
            targets.append(window_targets(page, index, options))
    arrays = model_arguments(windows, types, targets, options)
    own = 0 if planned["idle"] else _count(arrays)
    kept = {name: planned[name] for name in ("step", "micro_batch_index", "epoch", "targets")}
    return {**kept, "own_targets": own, "rows": len(windows), **flat_arrays(arrays, ARRAYS)}


def mixed_page(page: Row, other: Row, options: DataLoaderOptions, random: np.random.Generator) -> Row:
    """A page mixed with another one and cut into windows again, with the columns that a labelled window needs."""
    mixed = mix_pages(_labelled_words(page), _labelled_words(other), random, options.page_mixing)
    tokenizer = _tokenizer(options.tokenizer)
    cut = TokenizeOptions(options.task, max_length=tokenizer.model_max_length, stride=options.stride)
    boxes: list[Any] = [list(box) for box in mixed.boxes]
    windows = page_windows(tokenizer, mixed.words, boxes, cut)
    return {"words": mixed.words, "true_labels": mixed.labels, "model_image": mixed.model_image, "windows": windows}


def _labelled_words(page: Row) -> LabelledWords:
    labels = page["true_labels"] or [None] * len(page["words"])
    return LabelledWords(page["words"], [tuple(box) for box in page["boxes"]], labels, page["model_image"])


@cache
def _tokenizer(source: str) -> LayoutTokenizer:
    return load_page_tokenizer(source)  # once a process, not once a task: a task loads few pages


def load_window(page: Row, index: int, options: DataLoaderOptions, random: np.random.Generator) -> WindowArrays:
    """A window and the image of its page, with random augmentation if the options ask for it."""
    window = page["windows"][index]
    arrays = WindowArrays(
        input_ids=np.asarray(window["input_ids"], dtype=np.int64),
        bbox=np.asarray(window["bbox"], dtype=np.int64).reshape(-1, 4),
        word_indices=np.asarray(window["word_indices"], dtype=np.int64),
        model_image=page["model_image"],
    )
    return augment_window(arrays, options.vocabulary, random, options.augment)


def window_targets(page: Row, index: int, options: DataLoaderOptions) -> Any:
    """The targets of a window: label ids int64 [tokens], a `Span`, or the id of the page's class."""
    if options.task == "token-classification":
        return token_targets(page, index, options.label_ids)
    if options.task == "question-answering":
        return answer_span(page, index)
    return options.label_ids[page["true_label"]]


def model_arguments(
    windows: list[WindowArrays], types: list[npt.NDArray[np.int64]], targets: list[Any], options: DataLoaderOptions
) -> dict[str, npt.NDArray[Any]]:
    """The arguments of the model for these windows, padded on the right to the longest.

    Windows of one page share its image: `image_of_row` is the index of each window's image.
    """
    shape = len(windows), padded_length(max(len(window.input_ids) for window in windows))
    inputs = [
        {"input_ids": window.input_ids, "token_type_ids": token_types, "bbox": window.bbox}
        for window, token_types in zip(windows, types, strict=True)
    ]
    arrays: dict[str, npt.NDArray[Any]] = collate(inputs, options.pad_token_id, shape[1])
    if options.labels_tokens:
        arrays["labels"] = np.full(shape, IGNORED_TARGET)
        for row, labels in enumerate(targets):
            arrays["labels"][row, : len(labels)] = labels
    elif options.task == "question-answering":
        arrays["start_positions"], arrays["end_positions"] = np.asarray(targets).T
    else:
        arrays["labels"] = np.asarray(targets)
    images = {id(window.model_image): window.model_image for window in windows}
    arrays["image"] = np.stack(list(images.values()))
    arrays["image_of_row"] = np.asarray([list(images).index(id(window.model_image)) for window in windows])
    return arrays


def _count(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    if "labels" in arrays:
        return int((arrays["labels"] != IGNORED_TARGET).sum())
    return len(arrays["start_positions"])


def training_batch(row: pa.Table) -> TrainingBatch:
    """One row of `MICRO_BATCH` as int64 tensors; the images are uint8."""
    (record,) = row.combine_chunks().to_batches()
    (numbers,) = record.select(["step", "micro_batch_index", "epoch", "targets", "own_targets", "rows"]).to_pylist()
    rows = numbers.pop("rows")
    return TrainingBatch(**numbers, tensors=model_tensors(record, ARRAYS, rows))


def augmented_vocabulary(tokenizer: LayoutTokenizer) -> AugmentedVocabulary:
    """The token ids for masked words: the mask's, and the longest run of ids without special or unused ones.

    Raises:
        ValueError: the vocabulary has no such ids.
    """
    reserved = sorted(index for index in tokenizer.reserved_ids if index < tokenizer.vocab_size)
    runs = list(zip([-1, *reserved], [*reserved, tokenizer.vocab_size], strict=True))
    before, end = max(runs, key=lambda run: run[1] - run[0])
    if before + 1 >= end:
        raise ValueError("the tokenizer's vocabulary holds no words")
    return AugmentedVocabulary(tokenizer.mask_token_id, before + 1, end)
