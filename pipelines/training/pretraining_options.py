"""The options of a pre-training run. Neither PyTorch nor Ray is imported here, as in `options`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.training.initialization import ModelInit
from pipelines.training.options import LoopOptions
from pipelines.training.pretraining_inputs import OBJECTIVES, PretrainingObjective, PretrainingShares


@dataclass(frozen=True)
class PretrainingOptions(LoopOptions):
    """How a model is pre-trained; two runs with equal options on equal pages give equal weights.

    Attributes:
        objectives: what is learned.
        shares: how much is hidden for it.
        stride: tokens that neighbouring windows of a page share.
    """

    objectives: tuple[PretrainingObjective, ...] = OBJECTIVES
    shares: PretrainingShares = field(default_factory=PretrainingShares)
    stride: int = 128


@dataclass(frozen=True)
class PretrainOptions:
    """A whole run.

    Attributes:
        data: folders or prefixes, outputs of `jobs.extract --keep-pictures`.
        output: folder or prefix; an interrupted run with the same options continues there.
        start: the model that training starts from.
        held_out_fraction: share of the documents, 0 to below 1, whose pages are only measured on.
        held_out_pages: the most of these pages that an evaluation takes.
        workers: processes that train; each takes a GPU where the cluster has them.
        threads: of PyTorch in each worker; None shares a machine's cores.
        overwrite: remove what an earlier run wrote, whatever its options.
    """

    data: tuple[str, ...]
    output: str
    start: ModelInit
    training: PretrainingOptions
    held_out_fraction: float = 0.02
    held_out_pages: int = 512
    workers: int = 1
    threads: int | None = None
    overwrite: bool = False

    def result_options(self) -> dict[str, Any]:
        """The options that decide the weights, as plain JSON: a run continues only if they are equal.

        Micro batches are among them: each is a lane of its own through the pages.
        """
        training = asdict(self.training)
        for name in ("log_every", "checkpoint_every"):
            del training[name]
        own = {"data": self.data, "held_out_fraction": self.held_out_fraction, "held_out_pages": self.held_out_pages}
        return json.loads(json.dumps({**own, "start": self.start.described(), "training": training}))
