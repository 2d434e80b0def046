"""Infer: the model over the windows of a block of pages.

On a GPU, windows of similar length share a batch. On a CPU, each core takes one window at a time: a batch would cost
its padding and gain nothing, and cores that share a window wait for one another at every operator, and longer on a busy
machine. All windows of a page share its visual features.

No runtime is imported here: the many workers that read pages import this file and never run a model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from model.runtimes.runtime import DtypeChoice, Runtime, RuntimeChoice
from pipelines.runtime.machine import available_cores
from pipelines.schema import MODEL_IMAGE_SHAPE, Row, Task, mark_failed

LENGTH_MULTIPLE = 8
"""The windows of a batch are padded to the longest one, rounded up to a multiple of this: aligned sizes are faster."""


class WindowPosition(NamedTuple):
    """The index of a row in its block, and of a window in that row."""

    page: int
    window: int


Answers = dict[WindowPosition, "np.ndarray | Exception"]
"""The logits of each window, or the exception that prevented them."""


@dataclass(frozen=True)
class InferOptions:
    """How the model is run.

    Attributes:
        task: which head.
        dtype: of PyTorch; "auto" is as in `choose_dtype`.
        device: of PyTorch; "auto" is the GPU if there is one.
        batch_tokens: maximum tokens of a batch on a GPU, padding included; a batch holds at least one window.
        runtime: what runs the model; "auto" is what it is made for.
        threads: threads on a CPU, for all pages together; None is as many as the process has cores.
    """

    task: Task = "token-classification"
    dtype: DtypeChoice = "auto"
    device: str = "auto"
    batch_tokens: int = 4096
    threads: int | None = None
    runtime: RuntimeChoice = "auto"


class PageFeatures:
    """The visual features of pages, computed when they are first needed, and only once."""

    def __init__(self, rows: Sequence[Row], pages: Sequence[int]) -> None:
        """`pages` are the indices of rows whose status is "ok"."""
        self.pages = list(pages)
        self._images = [rows[page]["model_image"] for page in pages]
        self._lock = threading.Lock()
        self._features: Any = None

    def get(self, runtime: Runtime) -> Any:
        """What the runtime computes from the pages' images; each page has its index in `pages`."""
        with self._lock:
            if self._features is None:
                images = np.stack([np.frombuffer(image, dtype=np.uint8) for image in self._images])
                self._features = runtime.image_features(images.reshape(-1, *MODEL_IMAGE_SHAPE))
            return self._features


class Infer:
    """Rows with the columns of `TOKENIZED` in, `INFERRED` out: the logits of each window.

    Attributes:
        pages_at_once: how many pages a call processes in parallel; more gain nothing. None on a GPU: no such limit.
    """

    def __init__(
        self, runtime: Runtime, model_name: str, options: InferOptions, *, divides_threads: bool = False
    ) -> None:
        """
        Args:
            runtime: runs a model with the head of `options.task`.
            model_name: goes into the rows.
            divides_threads: on a CPU, windows that are fewer than the threads get several each. A lone page is then
                answered sooner, and its logits are rounded otherwise than beside other pages. By default each window
                has one thread, so that a page's row depends on the page alone.
        """
        self._divides_threads = divides_threads
        self.runtime = runtime
        self.options = options
        self.model_name = model_name
        self._threads = options.threads or available_cores()
        self.answer = self.batch_by_batch if runtime.on_gpu else self.window_by_window
        self.pages_at_once = None if runtime.on_gpu else self._threads
        self._lanes = ThreadPoolExecutor(self._threads, thread_name_prefix="infers")

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        rows = list(rows)
        started = time.perf_counter()
        answers = self.answer(rows, window_positions(rows))
        yield from self.results(rows, answers, time.perf_counter() - started)

    def results(self, rows: list[Row], answers: Answers, seconds: float) -> Iterator[Row]:
        """`INFERRED` from the answers to all windows of `rows`, which took `seconds` together."""
        seconds_per_window = seconds / max(1, len(answers))
        for page, row in enumerate(rows):
            result = {name: value for name, value in row.items() if name != "model_image"} | {"model": self.model_name}
            result["window_logits"] = None
            if row["status"] == "ok":
                own = [answers[WindowPosition(page, index)] for index in range(len(row["windows"]))]
                errors = [answer for answer in own if isinstance(answer, Exception)]
                if errors:
                    result = mark_failed(result, errors[0])
                else:
                    result["window_logits"] = [answer.reshape(-1) for answer in own if isinstance(answer, np.ndarray)]
                    result["seconds"] = {**row["seconds"], "infer": seconds_per_window * len(own)}
            yield result

    def slices(self, row: Row) -> list[list[WindowPosition]]:
        """The windows of one page in parts that take little time, so that other pages can come between them.

        On a GPU, a part is a batch; on a CPU, one window a thread.
        """
        windows = window_positions([row])
        if self.pages_at_once is None:
            return plan_batches([row], windows, self.options.batch_tokens)
        return [windows[first : first + self._threads] for first in range(0, len(windows), self._threads)]

    def answer_slice(self, row: Row, windows: list[WindowPosition], features: PageFeatures) -> Answers:
        """The answers to one of the parts that `slices` gives; all parts share `features`, those of `row`."""
        if self.pages_at_once is None:
            return self._answer_batch([row], windows, features)
        return self._in_lanes([row], windows, {0: features})

    def batch_by_batch(self, rows: list[Row], windows: list[WindowPosition]) -> Answers:
        """Batch windows of similar length across pages; used on a GPU."""
        answers: Answers = {}
        features = PageFeatures(rows, sorted({position.page for position in windows}))
        for batch in plan_batches(rows, windows, self.options.batch_tokens):
            answers |= self._answer_batch(rows, batch, features)
        return answers

    def window_by_window(self, rows: list[Row], windows: list[WindowPosition]) -> Answers:
        """Run windows in parallel, those of the page with the most tokens first; used on a CPU."""
        features = {page: PageFeatures(rows, [page]) for page in {position.page for position in windows}}
        return self._in_lanes(rows, longest_page_first(rows, windows), features)

    def _in_lanes(self, rows: list[Row], windows: list[WindowPosition], features: dict[int, PageFeatures]) -> Answers:
        """Run windows in parallel, each on one thread or on its share of them."""
        lanes = min(self._threads, len(windows))
        threads = self._threads // lanes if self._divides_threads and lanes else 1

        def answer(window: WindowPosition) -> Answers:
            self.runtime.set_threads(threads)
            return self._answer_batch(rows, [window], features[window.page])

        parts = map(answer, windows) if lanes <= 1 else self._lanes.map(answer, windows)
        return {position: answer for part in parts for position, answer in part.items()}

    def _answer_batch(self, rows: list[Row], batch: list[WindowPosition], features: PageFeatures) -> Answers:
        """Run a batch; if it fails, for example out of memory, retry window by window before its pages fail."""
        try:
            return dict(zip(batch, self._logits(rows, batch, features), strict=True))
        except Exception as error:
            if len(batch) == len(features.pages) == 1:
                return {batch[0]: error}
            alone = {page: features for page in features.pages}
            if len(features.pages) > 1:  # together, their images may be what failed
                alone = {page: PageFeatures(rows, [page]) for page in {position.page for position in batch}}
            return {
                position: self._answer_batch(rows, [position], alone[position.page])[position] for position in batch
            }

    def _logits(self, rows: list[Row], batch: list[WindowPosition], features: PageFeatures) -> list[np.ndarray]:
        windows = [rows[position.page]["windows"][position.window] for position in batch]
        image_of_row = np.array([features.pages.index(position.page) for position in batch], dtype=np.int64)
        logits = self.runtime.logits(collate(windows), features.get(self.runtime), image_of_row)
        if self.options.task == "sequence-classification":
            return list(logits)
        return [scores[: len(window["input_ids"])] for scores, window in zip(logits, windows, strict=True)]


def window_positions(rows: Sequence[Row]) -> list[WindowPosition]:
    """The positions of all windows of a block."""
    return [WindowPosition(page, index) for page, row in enumerate(rows) for index in range(len(row["windows"] or ()))]


def plan_batches(rows: list[Row], windows: list[WindowPosition], batch_tokens: int) -> list[list[WindowPosition]]:
    """Batches of windows of similar length: sorted by length, cut before a padded batch exceeds `batch_tokens`."""
    lengths = {position: _tokens(rows, position) for position in windows}
    batches: list[list[WindowPosition]] = []
    for position in sorted(windows, key=lambda position: (-lengths[position], position)):
        longest = padded_length(lengths[batches[-1][0]]) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(position)
        else:
            batches.append([position])
    return batches


def longest_page_first(rows: list[Row], windows: list[WindowPosition]) -> list[WindowPosition]:
    """Windows page by page, so that few pages' features are in memory; the pages with the most tokens come first."""
    tokens: dict[int, int] = {}
    for position in windows:
        tokens[position.page] = tokens.get(position.page, 0) + _tokens(rows, position)
    return sorted(windows, key=lambda position: (-tokens[position.page], position.page, -_tokens(rows, position)))


def _tokens(rows: list[Row], position: WindowPosition) -> int:
    return len(rows[position.page]["windows"][position.window]["input_ids"])


def padded_length(tokens: int) -> int:
    """The length to which a batch is padded whose longest window has this many tokens."""
    return -(-tokens // LENGTH_MULTIPLE) * LENGTH_MULTIPLE


def collate(
    windows: Sequence[Mapping[str, Any]], pad_token_id: int = 0, length: int | None = None
) -> dict[str, np.ndarray]:
    """A batch of windows as int64 arrays [windows, tokens] (`bbox`: [windows, tokens, 4]), padded on the right.

    Args:
        windows: with `input_ids`, `token_type_ids` and `bbox`, lists or arrays.
        pad_token_id: of the padding, which `attention_mask` hides; 0 is an id of every model.
        length: in tokens; None is the `padded_length` of the longest, and one window is not padded.
    """
    lengths = [len(window["input_ids"]) for window in windows]
    if length is None:
        length = lengths[0] if len(windows) == 1 else padded_length(max(lengths))
    input_ids = np.full((len(windows), length), pad_token_id, dtype=np.int64)
    token_type_ids, attention_mask = (np.zeros(input_ids.shape, dtype=np.int64) for _ in range(2))
    bbox = np.zeros((len(windows), length, 4), dtype=np.int64)
    for index, window in enumerate(windows):
        count = lengths[index]
        input_ids[index, :count] = window["input_ids"]
        token_type_ids[index, :count] = window["token_type_ids"]
        attention_mask[index, :count] = 1
        bbox[index, :count] = np.asarray(window["bbox"]).reshape(count, 4)
    return {"input_ids": input_ids, "token_type_ids": token_type_ids, "attention_mask": attention_mask, "bbox": bbox}
