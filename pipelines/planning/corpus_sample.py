"""A sample of documents that stands for the corpus: the seconds of any run of pages, without drawing every page."""

from __future__ import annotations

import numpy as np

from pipelines.planning.fleet import ModelDevice, Workload
from pipelines.planning.stage_costs import StageCosts

SAMPLE_DOCUMENTS = 20_000
"""Documents that are drawn; a larger corpus repeats this sample."""

PAGE_VARIATION = 0.5
"""Standard deviation of a page's seconds relative to their mean, measured on FUNSD's forms."""


class CorpusSample:
    """Drawn documents end to end, with the number of scanned pages up to the end of each."""

    def __init__(self, workload: Workload, costs: StageCosts, model_on: ModelDevice, seed: int) -> None:
        self.workload, self.costs, self.model_on = workload, costs, model_on
        self._random = np.random.default_rng(seed)
        count = min(SAMPLE_DOCUMENTS, workload.documents)
        sizes = self._random.lognormal(0.0, workload.skew, count)
        sizes = np.maximum(1, np.round(sizes * workload.pages_per_document / sizes.mean()))
        scanned = self._scanned(sizes)
        self._ends = np.concatenate([[0.0], np.cumsum(sizes)])
        self._scanned_ends = np.concatenate([[0.0], np.cumsum(sizes * scanned)])

    def _scanned(self, sizes: np.ndarray) -> np.ndarray:
        """The scanned share of each document, float64 [documents]: of random ones 1, until their pages are enough."""
        order = self._random.permutation(len(sizes))
        before = np.cumsum(sizes[order]) - sizes[order]
        scanned = np.zeros(len(sizes))
        left = self.workload.scanned_fraction * sizes.sum() - before
        scanned[order] = np.clip(left / sizes[order], 0, 1)  # one document is scanned in part, to hit the share exactly
        return scanned

    def scanned_pages(self, first: int, count: int) -> float:
        """The number of scanned pages among the `count` pages from page `first` of the corpus."""
        return self._scanned_before(first + count) - self._scanned_before(first)

    def seconds(self, first: int, count: int) -> tuple[float, float]:
        """Seconds of a core for reading, and of a core or GPU for the model, for `count` pages from page `first`."""
        scanned = self.scanned_pages(first, count)
        pages = ((scanned, self.costs.scanned), (count - scanned, self.costs.layer))
        varied = max(0.2, 1 + PAGE_VARIATION * self._random.standard_normal() / count**0.5)
        blocks = count / self.workload.pages_per_block
        read = sum(number * page.read for number, page in pages) * varied + blocks * self.costs.of_block(self.model_on)
        name = "infer_gpu" if self.model_on == "gpu" else "infer_cpu"
        return read, sum(number * getattr(page, name) for number, page in pages)

    def _scanned_before(self, page: int) -> float:
        rounds, rest = divmod(page, self._ends[-1])
        return float(rounds * self._scanned_ends[-1] + np.interp(rest, self._ends, self._scanned_ends))


def mean_seconds(workload: Workload, costs: StageCosts, model_on: ModelDevice) -> tuple[float, float]:
    """Expected seconds for reading and for the model, of the whole workload; reading includes the listing."""
    scanned = workload.pages * workload.scanned_fraction
    pages = ((scanned, costs.scanned), (workload.pages - scanned, costs.layer))
    name = "infer_gpu" if model_on == "gpu" else "infer_cpu"
    read = sum(number * page.read for number, page in pages)
    read += workload.blocks * costs.of_block(model_on) + workload.documents * costs.document
    return read, sum(number * getattr(page, name) for number, page in pages)
