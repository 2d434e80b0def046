"""A fine-tuning run: open the output, make the examples, train on Ray's workers, keep the best model.

OUTPUT/finetune.json   options, status and result      OUTPUT/examples/      labelled pages, read once
OUTPUT/metrics.jsonl   loss and dev metric by step     OUTPUT/checkpoints/   the best and the last
OUTPUT/curve.png       the same, drawn                 OUTPUT/model/         the best, for --model
"""

from __future__ import annotations

import json
import logging
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.fs
import ray
import ray.train
import ray.train.torch

from model.checkpoint_source import SAFETENSORS_FILES
from pipelines.datasets.preprocess import PreprocessOptions
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import Corpus
from pipelines.errors import JobError
from pipelines.runtime.cluster import pools_for_cluster
from pipelines.runtime.output_record import OutputConflictError, describe_differences
from pipelines.runtime.ray_data import set_data_context
from pipelines.storage.files import Storage, is_s3, join_uri
from pipelines.training.batch_plan import BatchPlan
from pipelines.training.dev_evaluation import DevSplit
from pipelines.training.example_cache import ExampleIndex, annotations_hash, prepare_examples
from pipelines.training.initialization import ModelInit, init_config, init_tokenizer
from pipelines.training.metrics_log import CURVE, METRICS, read_metrics
from pipelines.training.progress_monitor import monitor_progress
from pipelines.training.trainer import PROGRESS, STATE, TrainingJob, TrainingOptions, train

logger = logging.getLogger(__name__)

RECORD = "finetune.json"
CHECKPOINTS, MODEL, EXAMPLES, START = "checkpoints", "model", "examples", "start"

SNAPSHOT = "checkpoint_manager_snapshot.json"
"""Where Ray Train keeps the list of its checkpoints; there once there is one."""

WORKER_CPUS = 0.7
"""Of the cluster's CPUs, all workers together: the rest is for the tasks that load their batches."""

CPU_WORKER_ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "MALLOC_TOP_PAD_": str(2**28),
}
"""glibc hands large blocks back to the system after each step and faults them in again at the next one. Kept, they make
a step of a small model on two cores a quarter shorter (0.129 s a window for 0.180)."""

WORKER_FAILURES = 3
"""So often the workers are started again from the last checkpoint after one of them died."""

PROBLEMS_NAMED = 20
DIFFERENCES_NAMED = 5


@dataclass(frozen=True)
class FinetuneOptions:
    """A whole run.

    Attributes:
        data: folder or prefix of the corpus.
        output: folder or prefix; a run of the same options that was cut off goes on there.
        labelled: the corpus and how its pages are read; the run sets `tokenizer` itself.
        train_split: what is learned.
        dev_split: what checkpoints are compared by; empty for none.
        cache: folder or prefix for the examples, which other runs may share; None is `output`/examples.
        workers: processes that train; each takes a GPU where the cluster has them.
        threads: of PyTorch in each of them; None shares a machine's cores.
        strict: end at a broken annotation or a page that cannot be read.
        overwrite: remove what an earlier run wrote, whatever its options.
    """

    data: str
    output: str
    start: ModelInit
    labelled: PreprocessOptions
    training: TrainingOptions
    train_split: str = "train"
    dev_split: str = "dev"
    cache: str | None = None
    workers: int = 1
    threads: int | None = None
    strict: bool = False
    overwrite: bool = False

    def result_options(self) -> dict[str, Any]:
        """The options that decide the weights, as plain JSON: a run goes on only if they are equal."""
        labelled, training = asdict(self.labelled), asdict(self.training)
        for name in ("tokenizer", "page_time_limit_seconds"):
            del labelled[name]
        for name in ("log_every", "checkpoint_every"):
            del training[name]
        del training["batches"]["micro_batch_size"]
        own = {"data": self.data, "train_split": self.train_split, "dev_split": self.dev_split}
        return json.loads(
            json.dumps({**own, "start": self.start.described(), "labelled": labelled, "training": training})
        )


class TrainingError(JobError):
    """Training ended without a model; the message says why."""


def finetune(options: FinetuneOptions) -> dict[str, Any]:
    """Do the run on the Ray cluster that is connected; returns what `finetune.json` holds.

    Raises:
        ProcessingError: the corpus or the output cannot be accessed.
        BrokenAnnotationError: with `strict`.
        CheckpointError: the checkpoint to start from cannot be read.
        OutputConflictError: the output was made with other options.
        TrainingError: the loss is no number any more, or a worker refuses the model or the data.
        TrainingFailedError: the workers failed too often; it is Ray Train's, with what they raised.
        ValueError: options that do not fit the corpus or the cluster.
    """
    storage = Storage()
    splits = {split: read_split(storage, options, split) for split in (options.train_split, options.dev_split) if split}
    _check_apart(splits, options)
    labels = splits[options.train_split].labels if options.training.task != "question-answering" else ()
    record: dict[str, Any] = {
        "status": "running",
        "started": _now(),
        "options": options.result_options(),
        "corpus": {split: annotations_hash(corpus.pages) for split, corpus in splits.items()},
        "labels": list(labels),
    }
    earlier = open_output(storage, options, record)
    if earlier is not None and earlier["status"] == "done":
        logger.info("this run is finished already; --overwrite does it again")
        return earlier
    scaling = plan_scaling(options.workers)
    if options.training.synchronize_batch_norm and not scaling.use_gpu:
        raise ValueError("--synchronize-batch-norm needs GPUs, which this cluster has none of")
    set_data_context()
    tokenizer = write_start(storage, options, labels)
    examples = {split: _examples(storage, options, split, corpus, tokenizer) for split, corpus in splits.items()}
    plan = BatchPlan(_counted(examples[options.train_split], options.training), options.training.batches)
    steps = options.training.total_steps(plan.steps_per_epoch)
    told = ", ".join(
        f"{len(index.pages)} pages in {len(index.page)} windows for {split}" for split, index in examples.items()
    )
    logger.info("%s; %d steps an epoch, padding %.1f%%", told, plan.steps_per_epoch, 100 * plan.padding_share())
    dev = DevSplit(options.labelled.dataset, examples[options.dev_split]) if options.dev_split else None
    job = TrainingJob(
        options=options.training,
        start=options.start,
        labels=labels,
        tokenizer=tokenizer,
        output=options.output,
        storage=storage,
        examples=plan.index,
        dev=dev,
        stride=options.labelled.stride,
        threads=options.threads,
    )
    with monitor_progress(storage, options.output, steps, f"{options.labelled.dataset} {options.train_split}"):
        result = fit(job, options.output, scaling)
    if result.return_value is not None:
        raise TrainingError(str(result.return_value))
    record |= _finish(storage, options.output, result)
    write_record(storage, options.output, record)
    return record


def _check_apart(splits: Mapping[str, Corpus], options: FinetuneOptions) -> None:
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
    """The examples with what counts in the loss: where words are hidden, about so many of each window's tokens."""
    if training.objective == "labels":
        return examples
    hidden = np.ceil(examples.tokens * training.augment.mask_words).astype(np.int32)
    return replace(examples, targets=hidden)


def read_split(storage: Storage, options: FinetuneOptions, split: str) -> Corpus:
    """The labelled pages of a split; what is wrong with them goes to the log."""
    labelled = options.labelled
    corpus = read_corpus(labelled.dataset, options.data, split, labelled.task, storage=storage, strict=options.strict)
    if corpus.problems:
        logger.warning("%s: %d annotations could not be taken as they stand", split, len(corpus.problems))
        for problem in corpus.problems[:PROBLEMS_NAMED]:
            logger.warning("  %s: %s", problem.uri, problem.message)
    if not corpus.pages:
        raise ValueError(f"{options.data} has no pages in the split {split!r} of {labelled.dataset}")
    return corpus


def open_output(storage: Storage, options: FinetuneOptions, record: dict[str, Any]) -> dict[str, Any] | None:
    """Refuse an output of other options, or clear it; returns the record of the run that this one goes on with.

    A run that came to no checkpoint is nothing to go on with, nor to lose.

    Raises:
        OutputConflictError: the difference is named.
    """
    uri = join_uri(options.output, RECORD)
    earlier: dict[str, Any] | None = json.loads(storage.read(uri)) if storage.exists(uri) else None
    has_checkpoints = storage.exists(join_uri(options.output, CHECKPOINTS, SNAPSHOT))
    if options.overwrite:
        for name in (METRICS, CURVE):
            storage.delete(join_uri(options.output, name))
        for folder in (CHECKPOINTS, MODEL, START):
            for stored in list(storage.list_existing(join_uri(options.output, folder))):
                storage.delete(stored.uri)
        earlier, has_checkpoints = None, False
    if has_checkpoints and earlier is None:
        raise OutputConflictError(
            f"{options.output} holds checkpoints and no {RECORD} that says of what: choose another --output, or "
            "--overwrite to remove what is there"
        )
    if earlier is not None and (has_checkpoints or earlier["status"] == "done"):
        kept = ("options", "corpus", "labels")
        differences = describe_differences(*({name: made.get(name) for name in kept} for made in (earlier, record)))
        if differences:
            raise OutputConflictError(
                f"{options.output} was made with other options ({'; '.join(differences[:DIFFERENCES_NAMED])}): choose "
                "another --output, or --overwrite to remove what is there"
            )
        return earlier
    write_record(storage, options.output, record)
    return None


def write_record(storage: Storage, output: str, record: dict[str, Any]) -> None:
    """Write `finetune.json`."""
    storage.write(join_uri(output, RECORD), (json.dumps(record, indent=2) + "\n").encode())


def plan_scaling(workers: int) -> ray.train.ScalingConfig:
    """What Ray books for the workers: a GPU each where the cluster has GPUs, else a share of its CPUs.

    Raises:
        ValueError: more workers than GPUs.
    """
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), resources.get("CPU", 0)
    if gpus and workers > gpus:
        raise ValueError(f"--workers is {workers} and the cluster has {gpus} GPUs: each worker takes one")
    share = min(1.0, int(WORKER_CPUS * cpus / workers * 1000) / 1000)
    return ray.train.ScalingConfig(
        num_workers=workers, use_gpu=gpus > 0, resources_per_worker={"CPU": share} | ({"GPU": 1} if gpus else {})
    )


def write_start(storage: Storage, options: FinetuneOptions, labels: tuple[str, ...]) -> str:
    """Write the configuration and the tokenizer of the model to train, for every worker; returns where they are."""
    uri = join_uri(options.output, START)
    config = init_config(options.start, options.training.task, labels)
    with tempfile.TemporaryDirectory() as folder:
        init_tokenizer(options.start, config).save_pretrained(folder)
        Path(folder, "config.json").write_text(config.to_json_string(), encoding="utf-8")
        _copy(storage, Path(folder), uri)
    return uri


def _examples(storage: Storage, options: FinetuneOptions, split: str, corpus: Corpus, tokenizer: str) -> ExampleIndex:
    folder = options.cache or join_uri(options.output, EXAMPLES)
    pools = pools_for_cluster(None, None, "cpu")
    labelled = replace(options.labelled, tokenizer=tokenizer)
    return prepare_examples(storage, folder, corpus, labelled, pools, strict=options.strict)


def fit(job: TrainingJob, output: str, scaling: ray.train.ScalingConfig) -> Any:
    """Train, from the last checkpoint under `output` if there is one; returns Ray Train's `Result`.

    Raises:
        TrainingFailedError: the workers failed too often; it is Ray Train's, with what they raised.
    """
    filesystem, path = storage_filesystem(job.storage, output)
    loop: Any = partial(train, job)
    environment: Any = {} if scaling.use_gpu else {"worker_runtime_env": {"env_vars": CPU_WORKER_ENVIRONMENT}}
    trainer = ray.train.torch.TorchTrainer(
        loop,
        scaling_config=scaling,
        run_config=ray.train.RunConfig(
            name=CHECKPOINTS,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=ray.train.FailureConfig(max_failures=WORKER_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="score"),
            **environment,
        ),
    )
    with _interrupts_as_usual():
        return trainer.fit()


@contextmanager
def _interrupts_as_usual() -> Iterator[None]:
    """Ray Train handles Ctrl-C itself, ends the process with status 0, and leaves its handler behind."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def storage_filesystem(storage: Storage, uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """Where Ray Train puts checkpoints: the same folder or bucket, through the same endpoint, as `Storage` reaches."""
    if not is_s3(uri):
        return pyarrow.fs.LocalFileSystem(), uri
    client = storage.client
    endpoint = str(client.meta.endpoint_url)
    custom = None if ".amazonaws.com" in endpoint else endpoint
    region = client.meta.region_name or "us-east-1"
    return pyarrow.fs.S3FileSystem(endpoint_override=custom, region=region), uri.removeprefix("s3://").rstrip("/")


def _finish(storage: Storage, output: str, result: Any) -> dict[str, Any]:
    """Copy the best checkpoint to `model/`, without what only training needs; returns what the record says of it."""
    checkpoints = result.best_checkpoints or []
    if not checkpoints:
        raise TrainingError("training ended without a checkpoint")
    checkpoint, metrics = max(checkpoints, key=lambda each: (each[1]["score"], -each[1]["step"]))
    model = join_uri(output, MODEL)
    with checkpoint.as_directory() as folder:
        _copy(storage, Path(folder), model, leave_out=(STATE, PROGRESS))
    best: dict[str, Any] = {"step": metrics["step"]}
    lines = read_metrics(storage, output)
    for line in lines:
        if "dev" in line and line["step"] == metrics["step"]:
            best |= {"metric": line["dev_name"], "dev": line["dev"], "values": line["dev_values"]}
    return {"status": "done", "finished": _now(), "steps": lines[-1]["step"], "best": best, "model": model}


def _copy(storage: Storage, folder: Path, uri: str, leave_out: tuple[str, ...] = ()) -> None:
    """The files of a folder, weights last but one and `config.json` last: what has one is whole."""
    order = (SAFETENSORS_FILES[0], "config.json")
    names = [path.name for path in folder.iterdir() if path.is_file() and path.name not in leave_out]
    for name in sorted(names, key=lambda name: (order.index(name) + 1 if name in order else 0, name)):
        storage.write(join_uri(uri, name), (folder / name).read_bytes())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
