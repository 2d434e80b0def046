"""A fine-tuning run: open the output, make the examples, train on Ray's workers, keep the best model.

OUTPUT/finetune.json   options, status and result      OUTPUT/examples/      labelled pages, read once
OUTPUT/metrics.jsonl   loss and dev metric by step     OUTPUT/checkpoints/   the best two and the last
OUTPUT/curve.png       the same, drawn                 OUTPUT/model/         the best, for --model
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from model.checkpoint_source import DECODING_NAME
from model.decoding import decoding_json
from pipelines.datasets.preprocess import check_ocr
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import Corpus
from pipelines.runtime.cluster import pools_for_cluster
from pipelines.runtime.output_record import now
from pipelines.runtime.ray_data import set_data_context
from pipelines.storage.files import Storage, join_uri
from pipelines.training.batch_plan import BatchPlan
from pipelines.training.dev_evaluation import DevSplit
from pipelines.training.example_cache import ExampleIndex, annotations_hash, prepare_examples
from pipelines.training.initialization import inherited_decoding, init_config
from pipelines.training.options import FinetuneOptions, TrainingOptions
from pipelines.training.output import EXAMPLES, keep_best_model, open_output, write_record, write_start
from pipelines.training.progress_monitor import monitor_progress
from pipelines.training.ray_trainer import fit
from pipelines.training.resume import forget_removed_checkpoints
from pipelines.training.scaling import plan_scaling
from pipelines.training.trainer import TrainingJob, train

logger = logging.getLogger(__name__)


def finetune(options: FinetuneOptions) -> dict[str, Any]:
    """Do the run on the connected Ray cluster; returns what `finetune.json` holds.

    Raises:
        ProcessingError: the corpus or the output cannot be accessed.
        BrokenAnnotationError: a broken annotation or page, and `options.strict`.
        CheckpointError: the checkpoint to start from cannot be read.
        OcrUnavailableError: words have to be read, and OCR is not installed.
        OutputConflictError: the output was made with other options.
        TrainingError: the loss is NaN, a worker refuses the model or the data, or the workers failed too often.
        ValueError: options that do not fit the corpus or the cluster.
    """
    storage = Storage()
    splits = {split: read_split(storage, options, split) for split in (options.train_split, options.dev_split) if split}
    _check_disjoint(splits, options)
    labels = splits[options.train_split].labels if options.training.task != "question-answering" else ()
    record: dict[str, Any] = {
        "status": "running",
        "started": now(),
        "options": options.result_options(),
        "corpus": {split: annotations_hash(corpus.pages) for split, corpus in splits.items()},
        "labels": list(labels),
    }
    if not options.overwrite:
        forget_removed_checkpoints(storage, options.output)
    earlier = open_output(storage, options.output, record, options.overwrite)
    if earlier is not None and earlier["status"] == "done":
        logger.info("this run is finished already; --overwrite does it again")
        return earlier
    scaling = plan_scaling(options.workers)
    if options.training.synchronize_batch_norm and not scaling.use_gpu:
        raise ValueError("--synchronize-batch-norm needs GPUs, which this cluster has none of")
    set_data_context()
    config = init_config(options.start, options.training.task, labels)
    tokenizer = write_start(storage, options.output, options.start, config)
    examples = {split: _examples(storage, options, split, corpus, tokenizer) for split, corpus in splits.items()}
    plan = BatchPlan(_counted(examples[options.train_split], options.training), options.training.batches)
    steps = options.training.total_steps(plan.steps_per_epoch)
    sizes = ", ".join(
        f"{len(index.pages)} pages in {len(index.page)} windows for {split}" for split, index in examples.items()
    )
    logger.info("%s; %d steps an epoch, padding %.1f%%", sizes, plan.steps_per_epoch, 100 * plan.padding_share())
    dev = DevSplit(options.preprocess.dataset, examples[options.dev_split]) if options.dev_split else None
    job = TrainingJob(
        options=options.training,
        start=options.start,
        labels=labels,
        tokenizer=tokenizer,
        output=options.output,
        storage=storage,
        examples=plan.index,
        dev=dev,
        stride=options.preprocess.stride,
        threads=options.threads,
    )
    with monitor_progress(storage, options.output, steps, f"{options.preprocess.dataset} {options.train_split}"):
        checkpoints = fit(partial(train, job), storage, options.output, scaling)
    record |= {"status": "done", "finished": now(), **keep_best_model(storage, options.output, checkpoints)}
    decoding = inherited_decoding(options.start, options.training.task, labels)
    if decoding is not None:
        storage.write(join_uri(record["model"], DECODING_NAME), decoding_json(decoding).encode())
    write_record(storage, options.output, record)
    return record


def read_split(storage: Storage, options: FinetuneOptions, split: str) -> Corpus:
    """The labelled pages of a split; `read_corpus` logs their problems."""
    read = options.preprocess
    corpus = read_corpus(
        read.dataset,
        options.data,
        split,
        read.task,
        language=options.language,
        storage=storage,
        strict=options.strict,
    )
    check_ocr(corpus.pages, read)
    return corpus


def _check_disjoint(splits: Mapping[str, Corpus], options: FinetuneOptions) -> None:
    """Refuse to compare checkpoints by pages that they learn."""
    if not options.dev_split:
        return
    learned, compared = (
        {(page.document_id, page.page_index) for page in splits[split].pages}
        for split in (options.train_split, options.dev_split)
    )
    shared = len(learned & compared)
    if shared:
        raise ValueError(
            f"{shared} of the {len(compared)} pages of --dev-split {options.dev_split} are in --train-split "
            f"{options.train_split} too, and would be measured after they are learned: give --dev-split '' or another"
        )


def _counted(examples: ExampleIndex, training: TrainingOptions) -> ExampleIndex:
    """The examples with the targets of the objective: of hidden words, about this many of each window's tokens."""
    if training.objective == "labels":
        return examples
    hidden = np.ceil(examples.tokens * training.augment.mask_words).astype(np.int32)
    return replace(examples, targets=hidden)


def _examples(storage: Storage, options: FinetuneOptions, split: str, corpus: Corpus, tokenizer: str) -> ExampleIndex:
    folder = options.cache or join_uri(options.output, EXAMPLES)
    pools = pools_for_cluster(None, None, "cpu")
    preprocess = replace(options.preprocess, tokenizer=tokenizer)
    return prepare_examples(storage, folder, corpus, preprocess, pools, strict=options.strict)
