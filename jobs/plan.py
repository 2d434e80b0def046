"""Plan a job: the nodes of each type, the hours and the cost for a number of pages before a deadline.

The plan comes from a simulation of the stages on fleets of different sizes; nothing is started. The last line of stdout
is one JSON object. Exit status: 0 planned, 1 no fleet meets the deadline, 2 invalid options.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.cli import parse_options, require_positive
from pipelines.planning.fleet import NodeType, Prices, Workload
from pipelines.planning.measured_files import GpuModel, MeasuredFiles, gpu_seconds, read_measured_files
from pipelines.planning.pretraining import WINDOWS_PER_SECOND, PretrainingWork
from pipelines.planning.search import Limits, ModelChoice, Planner
from pipelines.planning.stage_costs import (
    SHIPPED,
    StageCosts,
    on_faster_cores,
    stage_costs_of_run,
    with_gpu_seconds,
    with_measured_gpu,
)
from pipelines.planning.summary import plan_as_json, plan_as_text


@dataclass(frozen=True)
class Options:
    """Options of `python -m jobs.plan`. Prices and losses are examples: give those of your region and day."""

    pages: int
    """Pages of the whole job."""
    scanned_fraction: float
    """Share of the pages that OCR has to read, from 0 to 1."""
    deadline_hours: float
    """Time from the submission to the last page, in hours."""
    pages_per_document: float = 10.0
    """Mean number of pages a document."""
    pages_skew: float = 1.0
    """Sigma of the log-normal distribution of pages a document; with 0 all documents have equal length."""
    measured: tuple[Path, ...] = ()
    """Measured seconds: the run.json of an output (rendering, OCR, the model), the gpu.json of benchmarks.gpu (a GPU's
    seconds for a page, and what it learns), or both. What they lack was measured for this package, or is assumed."""
    gpu_model: GpuModel = "bundled"
    """The model of a gpu.json to plan for: bundled, or base, the sizes of the published base model."""
    gpu_page_seconds: float | None = None
    """Seconds of a GPU for a scanned page, as you know them; the default is measured, or else an assumption."""
    core_speed: float = 1.0
    """Speed of the ocr nodes' cores, relative to the measured ones."""
    ocr_node_cores: int = 16
    """Cores (virtual) of an ocr node."""
    ocr_node_price: float = 0.30
    """Price of an ocr node in US dollars an hour; the default is about that of a spot c7i.4xlarge."""
    ocr_losses_per_hour: float = 0.05
    """Mean number of times an hour that the cloud takes an ocr node back."""
    gpu_node_gpus: int = 1
    """GPUs of a gpu node."""
    gpu_node_price: float = 1.01
    """Price of a gpu node in US dollars an hour; the default is about that of a g5.xlarge on demand."""
    gpu_losses_per_hour: float = 0.0
    """Mean number of times an hour that the cloud takes a gpu node back."""
    head_price: float = 0.20
    """Price of the head node in US dollars an hour; the default is about that of an m7i.xlarge on demand."""
    head_gigabytes: float = 16.0
    """Memory of the head node, where the job's driver runs, in billions of bytes."""
    put_price: float = 0.005
    """US dollars for 1,000 objects written."""
    get_price: float = 0.0004
    """US dollars for 1,000 objects read."""
    node_start_seconds: float = 300.0
    """Time from the request for a node until Ray runs on it, installation included, in seconds."""
    idle_minutes: float = 5.0
    """How long a node without work is kept, in minutes."""
    max_ocr_nodes: int = 5000
    """The most ocr nodes of a fleet."""
    max_gpu_nodes: int = 1000
    """The most gpu nodes of a fleet."""
    model_on: ModelChoice = "auto"
    """gpu: on gpu nodes; cpu: on the ocr nodes' cores; auto: whichever is cheaper."""
    pretrain_epochs: float | None = None
    """Passes of jobs.pretrain over the pages once they are extracted; by default none is planned."""
    pretrain_gpus: int = 8
    """GPUs that pre-train together."""
    pretrain_windows_per_second: float | None = None
    """Windows that one GPU learns in a second, as metrics.jsonl has them; the default is that of a measured gpu.json,
    or else 200, an assumption for the sizes of the published base model in bfloat16."""
    pretrain_gpu_price: float = 2.50
    """Price of one of these GPUs in US dollars an hour, its share of the machine included; an example."""
    seed: int = 0
    """Seed of the simulation."""
    output: Path | None = None
    """Folder for plan.json, plan.txt and plan.png."""

    def workload(self) -> Workload:
        """The pages.

        Raises:
            ValueError: invalid options.
        """
        return Workload(self.pages, self.scanned_fraction, self.pages_per_document, self.pages_skew)

    def prices(self) -> Prices:
        """The node types and all prices.

        Raises:
            ValueError: invalid options.
        """
        require_positive(self, ("ocr_node_cores", "gpu_node_gpus", "core_speed", "deadline_hours", "head_gigabytes"))
        for name in ("price", "losses_per_hour", "seconds", "minutes"):
            for option in (field for field in self.__dataclass_fields__ if field.endswith(name)):
                value = getattr(self, option)
                if value is not None and not 0 <= value < float("inf"):
                    raise ValueError(f"--{option.replace('_', '-')} is {value:g}; it must not be negative")
        return Prices(
            ocr=NodeType(self.ocr_node_cores, self.ocr_node_price, self.node_start_seconds, self.ocr_losses_per_hour),
            gpu=NodeType(self.gpu_node_gpus, self.gpu_node_price, self.node_start_seconds, self.gpu_losses_per_hour),
            head_price=self.head_price,
            put_price=self.put_price,
            get_price=self.get_price,
            idle_seconds=60 * self.idle_minutes,
        )

    def measured_files(self) -> MeasuredFiles:
        """The content of --measured.

        Raises:
            ValueError, OSError: a file cannot be used.
        """
        return read_measured_files(self.measured)

    def costs(self, files: MeasuredFiles) -> StageCosts:
        """Seconds a page, by stage.

        Raises:
            ValueError: a measured file makes no sense.
        """
        costs = SHIPPED if files.run is None else stage_costs_of_run(files.run)
        if files.gpu is not None:
            costs = with_measured_gpu(costs, gpu_seconds(files.gpu, self.gpu_model))
        if self.gpu_page_seconds is not None:
            costs = with_gpu_seconds(costs, self.gpu_page_seconds)
        return on_faster_cores(costs, self.core_speed)

    def pretraining(self, files: MeasuredFiles) -> PretrainingWork | None:
        """The pre-training on the pages; None where none is planned.

        Raises:
            ValueError: invalid options.
        """
        require_positive(self, ("pretrain_epochs", "pretrain_gpus", "pretrain_windows_per_second"))
        if self.pretrain_epochs is None:
            return None
        speed, source = self.pretrain_windows_per_second, "given"
        if speed is None and files.gpu is not None:
            measured = gpu_seconds(files.gpu, self.gpu_model)
            speed, source = measured.windows_per_second, f"measured, {measured.source}; {measured.machine}"
        if speed is None:
            speed, source = WINDOWS_PER_SECOND, ""
        return PretrainingWork(
            self.pages, self.pretrain_epochs, self.pretrain_gpus, speed, self.pretrain_gpu_price, source
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    try:
        files = options.measured_files()
        workload, prices, costs = options.workload(), options.prices(), options.costs(files)
        pretraining = options.pretraining(files)
        limits = Limits(options.deadline_hours, options.max_ocr_nodes, options.max_gpu_nodes, options.model_on)
        plan = Planner(workload, costs, prices, limits, seed=options.seed).plan()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    summary = plan_as_json(plan, workload, costs, prices, limits, options.head_gigabytes)
    if pretraining is not None:
        summary["pretraining"] = pretraining.as_json()
    text = plan_as_text(summary)
    print(text)
    if options.output is not None:
        from pipelines.planning.plot import plot_plan

        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "plan.txt").write_text(text + "\n")
        (options.output / "plan.json").write_text(json.dumps(summary, indent=2) + "\n")
        title = f"{workload.pages:,} pages, {workload.scanned_fraction:.0%} scanned"
        plot_plan(plan, limits.hours, title, options.output / "plan.png")
        print(f"\nplan.json, plan.txt and plan.png are in {options.output}")
    print(json.dumps(summary))
    return 0 if plan.meets_deadline else 1


if __name__ == "__main__":
    sys.exit(main())
