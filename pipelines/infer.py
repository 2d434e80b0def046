"""Infer: the model over the windows of a block of pages, windows of like length together.

PyTorch is imported when a model is: the workers that read pages know this file, and are many.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pipelines.page import PICTURE_SHAPE, Row, Task, mark_failed

if TYPE_CHECKING:
    import torch

    from model.pretrained import LayoutLMv2PreTrainedModel

DtypeChoice = Literal["auto", "float32", "bfloat16", "float16"]

LENGTH_MULTIPLE = 8
"""Windows of a batch are padded to the longest of them, up to a multiple of this: kernels like even sizes."""


class WindowPlace(NamedTuple):
    """Which window of which row of a block."""

    page: int
    window: int


@dataclass(frozen=True)
class InferOptions:
    """How the model is run.

    Attributes:
        task: which head.
        dtype: "auto" is bfloat16 on a GPU and float32 on a CPU.
        device: "auto" is the GPU if there is one.
        batch_tokens: tokens of one batch, padding included; a batch holds at least one window.
        threads: of PyTorch on a CPU; None leaves PyTorch's own choice.
    """

    task: Task = "token-classification"
    dtype: DtypeChoice = "auto"
    device: str = "auto"
    batch_tokens: int = 4096
    threads: int | None = None


class Infer:
    """Rows with the columns of `TOKENIZED` in, `INFERRED` out: the logits of each window."""

    def __init__(self, model: LayoutLMv2PreTrainedModel, model_name: str, options: InferOptions) -> None:
        """`model` has the head of `options.task`; `model_name` goes into the rows."""
        import torch

        self.options = options
        self.model_name = model_name
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        device = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        self.device = torch.device(device)
        self.dtype = choose_dtype(options.dtype, self.device)
        self.model = model.eval().to(device=self.device, dtype=self.dtype)

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        rows = list(rows)
        started = time.perf_counter()
        windows = [
            WindowPlace(page, index) for page, row in enumerate(rows) for index in range(len(row["windows"] or ()))
        ]
        answers: dict[WindowPlace, np.ndarray] = {}
        failures: dict[int, BaseException] = {}
        for batch in plan_batches(rows, windows, self.options.batch_tokens):
            self._run_batch(rows, batch, answers, failures)
        seconds_per_window = (time.perf_counter() - started) / max(1, len(windows))
        for page, row in enumerate(rows):
            result = {name: value for name, value in row.items() if name != "picture"} | {"model": self.model_name}
            if page in failures:
                result = mark_failed(result, failures[page])
            elif row["status"] == "ok":
                count = len(row["windows"])
                result["window_logits"] = [answers[WindowPlace(page, index)].reshape(-1) for index in range(count)]
                result["seconds"] = {**row["seconds"], "infer": seconds_per_window * count}
            else:
                result["window_logits"] = None
            yield result

    def _run_batch(
        self,
        rows: list[Row],
        batch: list[WindowPlace],
        answers: dict[WindowPlace, np.ndarray],
        failures: dict[int, BaseException],
    ) -> None:
        """Answers of a batch; one that fails (memory, say) is tried again window by window before its pages fail."""
        try:
            answers.update(zip(batch, self._logits(rows, batch), strict=True))
        except Exception as error:
            if len(batch) == 1:
                failures[batch[0].page] = error
                return
            for place in batch:
                self._run_batch(rows, [place], answers, failures)

    def _logits(self, rows: list[Row], batch: list[WindowPlace]) -> list[np.ndarray]:
        import torch

        windows = [rows[place.page]["windows"][place.window] for place in batch]
        pages = sorted({place.page for place in batch})  # the windows of a page share its picture
        pictures = np.stack([np.frombuffer(rows[page]["picture"], dtype=np.uint8) for page in pages])
        tensors = collate(windows, self.model.config.pad_token_id or 0)
        tensors["image"] = torch.from_numpy(pictures).view(-1, *PICTURE_SHAPE)
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


def plan_batches(rows: list[Row], windows: list[WindowPlace], batch_tokens: int) -> list[list[WindowPlace]]:
    """Windows of like length together: sorted by length, cut where the padded batch would pass `batch_tokens`."""
    lengths = {place: len(rows[place.page]["windows"][place.window]["input_ids"]) for place in windows}
    batches: list[list[WindowPlace]] = []
    for place in sorted(windows, key=lambda place: (-lengths[place], place)):
        longest = padded_length(lengths[batches[-1][0]]) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


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
