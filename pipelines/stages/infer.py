"""Infer: the model over the windows of a block of pages.

A GPU takes windows of like length together. A CPU takes a page at a time on each of its cores: cores that share a page
wait for one another at every operator, the longer the busier the machine is.

PyTorch is imported when a model is: the workers that read pages know this file, and are many.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
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
"""Windows of a batch are padded to the longest of them, up to a multiple of this: kernels like even sizes."""


class WindowPosition(NamedTuple):
    """Which window of which row of a block."""

    page: int
    window: int


Answers = dict[WindowPosition, "np.ndarray | Exception"]
"""Of each window its logits, or why there are none."""


@dataclass(frozen=True)
class InferOptions:
    """How the model is run.

    Attributes:
        task: which head.
        dtype: "auto" is bfloat16 on a GPU and float32 on a CPU.
        device: "auto" is the GPU if there is one.
        batch_tokens: tokens of one batch, padding included; a batch holds at least one window, and on a CPU no more
            than those of one page.
        threads: of PyTorch on a CPU, for all pages together; None leaves PyTorch's own choice.
    """

    task: Task = "token-classification"
    dtype: DtypeChoice = "auto"
    device: str = "auto"
    batch_tokens: int = 4096
    threads: int | None = None


class Infer:
    """Rows with the columns of `TOKENIZED` in, `INFERRED` out: the logits of each window.

    Attributes:
        pages_at_once: beyond which more pages in a call gain nothing; None on a GPU, where they do.
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
        windows = [
            WindowPosition(page, index) for page, row in enumerate(rows) for index in range(len(row["windows"] or ()))
        ]
        answers = self.answer(rows, windows)
        seconds_per_window = (time.perf_counter() - started) / max(1, len(windows))
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

    def batch_by_batch(self, rows: list[Row], windows: list[WindowPosition]) -> Answers:
        """Windows of like length together, whichever pages they are of: what a GPU likes."""
        answers: Answers = {}
        for batch in plan_batches(rows, windows, self.options.batch_tokens):
            answers |= self._answer_batch(rows, batch)
        return answers

    def page_by_page(self, rows: list[Row], windows: list[WindowPosition]) -> Answers:
        """A page alone, but several at a time: what a CPU likes. Threads left over are shared out among them."""
        import torch

        batches = plan_page_batches(rows, windows, self.options.batch_tokens)
        lanes = min(self._threads, len(batches))

        def answer_page(batch: list[WindowPosition]) -> Answers:
            torch.set_num_threads(self._threads // lanes)  # of the thread that calls it
            return self._answer_batch(rows, batch)

        parts = map(answer_page, batches) if lanes <= 1 else self._lanes.map(answer_page, batches)
        return {place: answer for part in parts for place, answer in part.items()}

    def _answer_batch(self, rows: list[Row], batch: list[WindowPosition]) -> Answers:
        """One that fails (memory, say) is tried again window by window before its pages fail."""
        try:
            return dict(zip(batch, self._logits(rows, batch), strict=True))
        except Exception as error:
            if len(batch) == 1:
                return {batch[0]: error}
            return {place: self._answer_batch(rows, [place])[place] for place in batch}

    def _logits(self, rows: list[Row], batch: list[WindowPosition]) -> list[np.ndarray]:
        import torch

        windows = [rows[place.page]["windows"][place.window] for place in batch]
        pages = sorted({place.page for place in batch})  # the windows of a page share its picture
        pictures = np.stack([np.frombuffer(rows[page]["model_image"], dtype=np.uint8) for page in pages])
        tensors = collate(windows, self.model.config.pad_token_id or 0)
        tensors["image"] = torch.from_numpy(pictures).view(-1, *MODEL_IMAGE_SHAPE)
        tensors["image_of_row"] = torch.tensor([pages.index(place.page) for place in batch])
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
    """The dtype that an option names; "auto" is bfloat16 on a GPU that has it, float16 on an older one."""
    import torch

    if choice != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[choice]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def plan_batches(rows: list[Row], windows: list[WindowPosition], batch_tokens: int) -> list[list[WindowPosition]]:
    """Windows of like length together: sorted by length, cut where the padded batch would pass `batch_tokens`."""
    lengths = {place: _tokens(rows, place) for place in windows}
    batches: list[list[WindowPosition]] = []
    for place in sorted(windows, key=lambda place: (-lengths[place], place)):
        longest = padded_length(lengths[batches[-1][0]]) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def plan_page_batches(rows: list[Row], windows: list[WindowPosition], batch_tokens: int) -> list[list[WindowPosition]]:
    """The windows of each page together, as `plan_batches` cuts them; those with the most tokens first."""
    by_page: dict[int, list[WindowPosition]] = {}
    for place in windows:
        by_page.setdefault(place.page, []).append(place)
    batches = [batch for places in by_page.values() for batch in plan_batches(rows, places, batch_tokens)]
    return sorted(batches, key=lambda batch: -sum(_tokens(rows, place) for place in batch))


def _tokens(rows: list[Row], place: WindowPosition) -> int:
    return len(rows[place.page]["windows"][place.window]["input_ids"])


def padded_length(tokens: int) -> int:
    """The length to which a window of so many tokens is padded where it is the longest of its batch."""
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
