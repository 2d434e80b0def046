"""A slice of documents that stands for the corpus: what any run of blocks costs, without drawing each of its pages."""

from __future__ import annotations

import numpy as np

from pipelines.planning.fleet import ModelPlace, Workload
from pipelines.planning.stage_costs import StageCosts

SLICE_DOCUMENTS = 20_000
"""Documents that are drawn; a larger corpus is this slice over and over."""

PAGE_VARIATION = 0.5
"""Standard deviation of a page's seconds as a share of their mean, as FUNSD's forms have it."""


class CorpusSample:
    """Drawn documents laid end to end, with the number of scanned pages up to each document's end."""

    def __init__(self, workload: Workload, figures: StageCosts, model_on: ModelPlace, seed: int) -> None:
        self.workload, self.figures, self.model_on = workload, figures, model_on
        self._chance = np.random.default_rng(seed)
        count = min(SLICE_DOCUMENTS, workload.documents)
        sizes = self._chance.lognormal(0.0, workload.skew, count)
        sizes = np.maximum(1, np.round(sizes * workload.pages_per_document / sizes.mean()))
        scanned = self._scanned(sizes)
        self._ends = np.concatenate([[0.0], np.cumsum(sizes)])
        self._scanned_ends = np.concatenate([[0.0], np.cumsum(sizes * scanned)])

    def _scanned(self, sizes: np.ndarray) -> np.ndarray:
        """Which documents are scanned: at random, until their pages are the wanted share."""
        order = self._chance.permutation(len(sizes))
        before = np.cumsum(sizes[order]) - sizes[order]
        scanned = np.zeros(len(sizes))
        left = self.workload.scanned_fraction * sizes.sum() - before
        scanned[order] = np.clip(left / sizes[order], 0, 1)  # one document is scanned in part, so that the share fits
        return scanned

    def scanned_pages(self, first: int, count: int) -> float:
        """Scanned pages among `count` from page `first` of the corpus on."""
        return self._scanned_before(first + count) - self._scanned_before(first)

    def seconds(self, first: int, count: int) -> tuple[float, float]:
        """Seconds of a core for reading and of a core or GPU for the model, of `count` pages from page `first` on."""
        scanned = self.scanned_pages(first, count)
        pages = ((scanned, self.figures.scanned), (count - scanned, self.figures.layer))
        varied = max(0.2, 1 + PAGE_VARIATION * self._chance.standard_normal() / count**0.5)
        blocks = count / self.workload.pages_per_block
        read = sum(number * page.read for number, page in pages) * varied + blocks * self.figures.block
        name = "infer_gpu" if self.model_on == "gpu" else "infer_cpu"
        return read, sum(number * getattr(page, name) for number, page in pages)

    def _scanned_before(self, page: int) -> float:
        rounds, rest = divmod(page, self._ends[-1])
        return float(rounds * self._scanned_ends[-1] + np.interp(rest, self._ends, self._scanned_ends))


def mean_seconds(workload: Workload, figures: StageCosts, model_on: ModelPlace) -> tuple[float, float]:
    """The same of the whole workload, by its means; listing its documents is part of reading."""
    scanned = workload.pages * workload.scanned_fraction
    pages = ((scanned, figures.scanned), (workload.pages - scanned, figures.layer))
    name = "infer_gpu" if model_on == "gpu" else "infer_cpu"
    read = sum(number * page.read for number, page in pages)
    read += workload.blocks * figures.block + workload.documents * figures.document
    return read, sum(number * getattr(page, name) for number, page in pages)
