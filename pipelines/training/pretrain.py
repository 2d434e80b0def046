"""A pre-training run: open the output, index the pages, train on Ray's workers, keep the last model.

OUTPUT/pretrain.json   options, status and result      OUTPUT/checkpoints/   the last two
OUTPUT/metrics.jsonl   losses and held-out figures     OUTPUT/model/         the last, for --model of jobs.finetune
OUTPUT/curve.png       the same, drawn
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pipelines.runtime.output_record import now
from pipelines.runtime.ray_data import set_data_context
from pipelines.storage.files import Storage
from pipelines.training.errors import TrainingError
from pipelines.training.initialization import pretraining_config
from pipelines.training.metrics_log import Line, read_metrics
from pipelines.training.output import keep_best_model, open_output, write_record, write_start
from pipelines.training.pretraining_curve import draw_pretraining_curve, pretraining_progress
from pipelines.training.pretraining_objective import PretrainingJob, pretrain_worker
from pipelines.training.pretraining_options import PretrainOptions
from pipelines.training.pretraining_pages import PageIndex, index_pages
from pipelines.training.pretraining_plan import PretrainingPlan
from pipelines.training.progress_monitor import monitor_progress
from pipelines.training.ray_trainer import fit
from pipelines.training.resume import forget_removed_checkpoints
from pipelines.training.scaling import plan_scaling

logger = logging.getLogger(__name__)

RECORD = "pretrain.json"


def pretrain(options: PretrainOptions) -> dict[str, Any]:
    """Do the run on the connected Ray cluster; returns what `pretrain.json` holds.

    Raises:
        ProcessingError: the pages or the output cannot be accessed.
        CheckpointError: the checkpoint to start from cannot be read.
        OutputConflictError: the output was made with other options, or from other pages.
        TrainingError: no page has words and a picture, the loss is NaN, or the workers failed too often.
        ValueError: options that do not fit the cluster.
    """
    storage = Storage()
    pages = index_pages(storage, options.data, options.held_out_fraction)
    logger.info(
        "%d pages to learn and %d held out, in %d files; %d could not be read when they were extracted",
        len(pages.training),
        len(pages.held_out),
        len(set(pages.training.files) | set(pages.held_out.files)),
        pages.failed,
    )
    record: dict[str, Any] = {
        "status": "running",
        "started": now(),
        "options": options.result_options(),
        "corpus": pages.described(),
        "failed_pages": pages.failed,
        "damaged_files": list(pages.damaged),
    }
    if not options.overwrite:
        forget_removed_checkpoints(storage, options.output)
    earlier = open_output(storage, options.output, record, options.overwrite, RECORD)
    if earlier is not None and earlier["status"] == "done":
        logger.info("this run is finished already; --overwrite does it again")
        return earlier
    scaling = plan_scaling(options.workers)
    if options.training.synchronize_batch_norm and not scaling.use_gpu:
        raise ValueError("--synchronize-batch-norm needs GPUs, which this cluster has none of")
    set_data_context()
    tokenizer = write_start(storage, options.output, options.start, pretraining_config(options.start))
    plan = PretrainingPlan(pages.training, options.training.batches)
    steps = options.training.total_steps(plan.steps_per_epoch)
    logger.info("%d steps, %d an epoch", steps, plan.steps_per_epoch)
    job = PretrainingJob(
        options=options.training,
        start=options.start,
        tokenizer=tokenizer,
        output=options.output,
        storage=storage,
        pages=pages.training,
        held_out=measured_pages(pages.held_out, options.held_out_pages, options.training.seed),
        threads=options.threads,
    )
    title = f"pre-training on {len(pages.training)} pages"
    with monitor_progress(
        storage, options.output, steps, title, describe=pretraining_progress, draw=draw_pretraining_curve
    ):
        checkpoints = fit(partial(pretrain_worker, job), storage, options.output, scaling)
    lines = read_metrics(storage, options.output)
    check_learned(lines)
    kept = keep_best_model(storage, options.output, checkpoints)
    del kept["best"]  # it is the last
    held_out = [line["held_out"] for line in lines if "held_out" in line]
    lost = sum(line.get("lost_pages", 0) for line in lines)
    if lost:
        logger.warning("%d times a page could not be read and was left out; metrics.jsonl says why (lost)", lost)
    record |= {"status": "done", "finished": now(), **kept, "held_out": held_out[-1] if held_out else None}
    record["lost_pages"] = lost
    write_record(storage, options.output, record, RECORD)
    return record


def check_learned(lines: Sequence[Line]) -> None:
    """Refuse a run that never had a window to learn from.

    Args:
        lines: of metrics.jsonl.

    Raises:
        TrainingError: the message says what the pages lack.
    """
    if not any(line.get("windows_per_second") for line in lines):
        raise TrainingError(
            "nothing was learned: no page has words and a picture that can be read. jobs.extract reads the words of "
            "scanned pages by OCR, with --text auto or --text ocr; lost in metrics.jsonl names what cannot be read"
        )


def measured_pages(held_out: PageIndex, most: int, seed: int) -> PageIndex:
    """At most so many of the held-out pages, of as few row groups as possible, drawn by the seed."""
    return held_out.of_row_groups(np.random.default_rng(seed).permutation(held_out.row_groups), most)
