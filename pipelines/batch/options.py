"""The options of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.fields.acceptance import Acceptance
from pipelines.fields.records import RecordOptions
from pipelines.options import ExtractOptions
from pipelines.stages.count_pages import ListingOptions


@dataclass(frozen=True)
class RunOptions:
    """The options of a whole job.

    Attributes:
        inputs: folders, files, `s3://bucket/prefix`.
        output: folder or prefix; an earlier run's output of the same options is completed.
        limit: the most pages in all; None takes all.
        acceptance: which fields are accepted; None marks none. Pages do not depend on it: another run may have another.
        overwrite: remove what an earlier run wrote, whatever its options.
        retry_failed: do the failed documents and pages of an earlier run again. All options may differ from that run's
            except the model, the task and the questions; pages that it read stay as they are.
        keep_going: do not stop when page after page fails in the same way, see `FaultBurst`.
        report_pages: pages drawn in the report.
        records: what records are made of; None makes none. Pages do not depend on it: another run may have another.
        deduplicate: documents in S3 with the same bytes are read once, and written each.
        command: the command line of the run, from which the report derives commands that retry failures.
        read_workers, model_workers: see `plan_pools`.
        pages_per_round: the most pages in one execution of Ray Data; None takes the default of `pages_per_round`.
    """

    inputs: tuple[str, ...]
    output: str
    extract: ExtractOptions
    listing: ListingOptions = field(default_factory=ListingOptions)
    limit: int | None = None
    acceptance: Acceptance | None = None
    overwrite: bool = False
    retry_failed: bool = False
    keep_going: bool = False
    report_pages: int = 8
    records: RecordOptions | None = None
    deduplicate: bool = True
    command: tuple[str, ...] = ()
    read_workers: int | None = None
    model_workers: int | None = None
    pages_per_round: int | None = None

    def result_options(self) -> dict[str, Any]:
        """The options that determine the rows, as plain JSON: a run continues an output only if they are equal."""
        extract = asdict(self.extract)
        for name in ("device", "threads", "batch_tokens"):
            del extract["infer"][name]
        del extract["limits"], extract["access"]
        # Outputs of earlier versions have no such options, and are completed by the defaults.
        if self.extract.decode == "auto":  # what the checkpoint says
            del extract["decode"]
        if self.extract.infer.runtime == "auto":
            del extract["infer"]["runtime"]
        if not self.extract.keep_pictures:
            del extract["keep_pictures"]
        options = {"extract": extract, "listing": asdict(self.listing), "limit": self.limit}
        return json.loads(json.dumps(options))
