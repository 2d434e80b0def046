"""The dev metric during training: the pages are shared among the workers, and go through the batch job's stages."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed

from model.runtimes.dtype_choice import choose_dtype
from model.runtimes.torch_runtime import TorchRuntime
from pipelines.datasets.preprocess import GROUND_TRUTH
from pipelines.schema import Row, Task
from pipelines.stages.infer import Infer, InferOptions
from pipelines.stages.merge import Merge, MergeOptions
from pipelines.storage.files import Storage
from pipelines.training.example_cache import ExampleIndex, ExampleReader

if TYPE_CHECKING:
    from pipelines.evaluation.metrics.scores import Scores

PAGES_AT_ONCE = 16


@dataclass(frozen=True)
class DevSplit:
    """The split to evaluate: its examples, and the name of the data set, which decides the metric."""

    dataset: str
    examples: ExampleIndex


def predict_share(
    model: Any, storage: Storage, dev: DevSplit, task: Task, labels: tuple[str, ...], rank: int, workers: int
) -> list[Row]:
    """The rows of one worker's share of the pages, with predictions and ground truth."""
    dtype = choose_dtype("auto", model.device)
    if dtype != torch.float32:
        model = copy.deepcopy(model)
    infer = Infer(TorchRuntime(model, task, model.device, dtype, shared=True), "", InferOptions(task=task))
    merge = Merge(MergeOptions(task, labels))
    reader = ExampleReader(storage)
    results: list[Row] = []
    positions = dev.examples.pages[rank::workers]
    for start in range(0, len(positions), PAGES_AT_ONCE):
        pages = [
            reader.read(dev.examples.files[position.file], position.row_group)
            for position in positions[start : start + PAGES_AT_ONCE]
        ]
        for page, result in zip(pages, merge(infer(pages)), strict=True):
            results.append({**result, **{field.name: page[field.name] for field in GROUND_TRUTH}})
    return results


def score_all_ranks(rows: list[Row], dev: DevSplit, task: Task, rank: int, workers: int) -> Scores:
    """The scores over the rows of all workers, on every worker."""
    from pipelines.evaluation.metrics.scores import score_pages

    if workers == 1:
        return score_pages(dev.dataset, task, rows)
    shares: list[Any] | None = [None] * workers if rank == 0 else None
    torch.distributed.gather_object(rows, shares)
    scores: list[Any] = [None]
    if shares is not None:
        scores = [score_pages(dev.dataset, task, [row for share in shares for row in share])]
    torch.distributed.broadcast_object_list(scores)
    return scores[0]
