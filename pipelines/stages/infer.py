"""Infer: the model over the windows of a block of pages.

On a GPU, windows of similar length share a batch. On a CPU, each core takes one page at a time: cores that share a page
wait for one another at every operator, and longer on a busy machine.

PyTorch is imported inside the functions: the many workers that read pages import this file and never run a model.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pipelines.schema import MODEL_IMAGE_SHAPE, Row, Task, mark_failed

if TYPE_CHECKING:
    import torch

    from model.pretrained import LayoutLMv2PreTrainedModel

DtypeChoice = Literal["auto", "float32", "bfloat16", "float16"]

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
        dtype: "auto" is bfloat16 on a GPU and float32 on a CPU.
        device: "auto" is the GPU if there is one.
        batch_tokens: maximum tokens of a batch, padding included; a batch holds at least one window, and on a CPU only
            windows of one page.
        threads: PyTorch's threads on a CPU, for all pages together; None keeps PyTorch's default.
    """

    task: Task = "token-classification"
    dtype: DtypeChoice = "auto"
    device: str = "auto"
    batch_tokens: int = 4096
    threads: int | None = None


class Infer:
    """Rows with the columns of `TOKENIZED` in, `INFERRED` out: the logits of each window.

    Attributes:
        pages_at_once: how many pages a call processes in parallel; more gain nothing. None on a GPU: no such limit.
    """

    def __init__(self, model: LayoutLMv2PreTrainedModel, model_name: str, options: InferOptions) -> None:
        """`model` has the head of `options.task`; `model_name` goes into the rows."""
        import torch

        self.options = options
        self.model_name = model_name
        device = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        self.device = torch.device(device)
        self.dtype = choose_dtype(options.dtype, self.device)
        self.model = model.eval().to(device=self.device, dtype=self.dtype)
        self._threads = options.threads or torch.get_num_threads()
        on_cpu = self.device.type == "cpu"
        self.answer = self.page_by_page if on_cpu else self.batch_by_batch
        self.pages_at_once = self._threads if on_cpu else None
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

    def answer_slice(self, row: Row, windows: list[WindowPosition]) -> Answers:
        """The answers to one of the parts that `slices` gives."""
        if self.pages_at_once is None:
            return self.batch_by_batch([row], windows)
        return self._in_lanes([row], [[window] for window in windows])

    def batch_by_batch(self, rows: list[Row], windows: list[WindowPosition]) -> Answers:
        """Batch windows of similar length across pages; used on a GPU."""
        answers: Answers = {}
        for batch in plan_batches(rows, windows, self.options.batch_tokens):
            answers |= self._answer_batch(rows, batch)
        return answers

    def page_by_page(self, rows: list[Row], windows: list[WindowPosition]) -> Answers:
        """Batch the windows of each page separately and run several pages in parallel; used on a CPU."""
        return self._in_lanes(rows, plan_page_batches(rows, windows, self.options.batch_tokens))

    def _in_lanes(self, rows: list[Row], batches: list[list[WindowPosition]]) -> Answers:
        """Run batches in parallel; with fewer of them than threads, the threads are divided among them."""
        import torch

        lanes = min(self._threads, len(batches))

        def answer_page(batch: list[WindowPosition]) -> Answers:
            torch.set_num_threads(self._threads // lanes)  # applies to the calling thread only
            return self._answer_batch(rows, batch)

        parts = map(answer_page, batches) if lanes <= 1 else self._lanes.map(answer_page, batches)
        return {position: answer for part in parts for position, answer in part.items()}

    def _answer_batch(self, rows: list[Row], batch: list[WindowPosition]) -> Answers:
        """Run a batch; if it fails, for example out of memory, retry window by window before its pages fail."""
        try:
            return dict(zip(batch, self._logits(rows, batch), strict=True))
        except Exception as error:
            if len(batch) == 1:
                return {batch[0]: error}
            return {position: self._answer_batch(rows, [position])[position] for position in batch}

    def _logits(self, rows: list[Row], batch: list[WindowPosition]) -> list[np.ndarray]:
        import torch

        windows = [rows[position.page]["windows"][position.window] for position in batch]
        pages = sorted({position.page for position in batch})  # the windows of a page share its image
        images = np.stack([np.frombuffer(rows[page]["model_image"], dtype=np.uint8) for page in pages])
        tensors = collate(windows, self.model.config.pad_token_id or 0)
        tensors["image"] = torch.from_numpy(images).view(-1, *MODEL_IMAGE_SHAPE)
        tensors["image_of_row"] = torch.tensor([pages.index(position.page) for position in batch])
        with torch.inference_mode():
            output = self.model(**{name: tensor.to(self.device) for name, tensor in tensors.items()})
        if self.options.task == "question-answering":
            stacked = torch.stack([output.start_logits, output.end_logits], dim=-1)
        else:
            stacked = output.logits
        by_window = stacked.float().cpu().numpy()
        if self.options.task == "sequence-classification":
            return list(by_window)
        return [logits[: len(window["input_ids"])] for logits, window in zip(by_window, windows, strict=True)]


def choose_dtype(choice: DtypeChoice, device: torch.device) -> torch.dtype:
    """The dtype for an option; "auto" is float32 on a CPU, bfloat16 on a GPU that supports it, float16 on others."""
    import torch

    if choice != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[choice]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


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


def plan_page_batches(rows: list[Row], windows: list[WindowPosition], batch_tokens: int) -> list[list[WindowPosition]]:
    """The batches of `plan_batches` for each page separately, those with the most tokens first."""
    by_page: dict[int, list[WindowPosition]] = {}
    for position in windows:
        by_page.setdefault(position.page, []).append(position)
    batches = [batch for positions in by_page.values() for batch in plan_batches(rows, positions, batch_tokens)]
    return sorted(batches, key=lambda batch: -sum(_tokens(rows, position) for position in batch))


def _tokens(rows: list[Row], position: WindowPosition) -> int:
    return len(rows[position.page]["windows"][position.window]["input_ids"])


def padded_length(tokens: int) -> int:
    """The length to which a batch is padded whose longest window has this many tokens."""
    return -(-tokens // LENGTH_MULTIPLE) * LENGTH_MULTIPLE


def collate(windows: list[Row], pad_token_id: int) -> dict[str, torch.Tensor]:
    """A batch of windows as int64 tensors [windows, tokens] (`bbox`: [windows, tokens, 4]), padded on the right."""
    import torch

    length = padded_length(max(len(window["input_ids"]) for window in windows))
    input_ids = np.full((len(windows), length), pad_token_id, dtype=np.int64)
    token_type_ids, attention_mask = np.zeros_like(input_ids), np.zeros_like(input_ids)
    bbox = np.zeros((len(windows), length, 4), dtype=np.int64)
    for index, window in enumerate(windows):
        count = len(window["input_ids"])
        input_ids[index, :count] = window["input_ids"]
        token_type_ids[index, :count] = window["token_type_ids"]
        attention_mask[index, :count] = 1
        bbox[index, :count] = np.asarray(window["bbox"]).reshape(count, 4)
    arrays = {"input_ids": input_ids, "token_type_ids": token_type_ids, "attention_mask": attention_mask, "bbox": bbox}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
