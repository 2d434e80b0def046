"""Evaluation: a labelled corpus through the stages of the batch job, and what came out beside what is true.

    labelled pages -> [ read -> annotate -> tokenize ] -> [ infer ] -> [ merge ] -> scores, predictions, report

Pages are scored whole: the windows of a long page are merged back to words before anything is compared, and the answers
of a document's pages to answers of the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import nsmallest
from typing import Any

import pyarrow as pa
import ray
import ray.data

from model.decode import split_label
from model.ocr.engine import OcrEngine, OcrOptions
from pipelines.datasets.preprocess import EXAMPLE, GROUND_TRUTH, PreprocessOptions, example_steps
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import LABELLED_PAGE, Corpus, LabelledPage, labelled_row
from pipelines.errors import JobError
from pipelines.evaluation.metrics.scores import Scores, score_pages
from pipelines.evaluation.overlays import page_quality
from pipelines.evaluation.report import write_evaluation_report
from pipelines.extract import ExtractOptions, infer_steps, merge_options
from pipelines.runtime.cluster import pools_for_cluster
from pipelines.runtime.pools import Pools, cap_pools, pages_per_block
from pipelines.runtime.progress import Progress
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import INFERRED, Row, Task, page_schema
from pipelines.stages.base import rows_to_table
from pipelines.stages.infer import InferOptions
from pipelines.stages.merge import Merge
from pipelines.stages.model_loader import check_task, load_tokenizer, model_labels, model_name
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.ray_data import map_stage, map_stages
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import table_files, write_table

PROBLEMS_NAMED = 10
"""Problems of a corpus that are told one by one in the record; the rest is counted."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated on what.

    Attributes:
        dataset, data, split: see `read_corpus`.
        model: folder, hub id or s3:// URI of a checkpoint.
        task: what the model is asked.
        stride: tokens that neighbouring windows of a long page share.
        limit: take no more than the first so many pages of the split; None takes all.
        strict: a broken annotation ends the run.
        output: folder or prefix for metrics.json, report.html, pictures/ and predictions/; None writes nothing.
        predictions: write the page rows, with what is true in them, as Parquet.
        report_pages: pages drawn, the worst first.
        page_time_limit_seconds: the longest that OCR may take on one page.
        read_workers, model_workers: see `plan_pools`.
    """

    dataset: str
    data: str
    split: str
    model: str
    task: Task = "token-classification"
    stride: int = 128
    limit: int | None = None
    strict: bool = False
    output: str | None = None
    predictions: bool = False
    report_pages: int = 24
    page_time_limit_seconds: float = 120.0
    rasterize: RasterizeOptions = field(default_factory=RasterizeOptions)
    ocr: OcrOptions = field(default_factory=OcrOptions)
    infer: InferOptions = field(default_factory=InferOptions)
    read_workers: int | None = None
    model_workers: int | None = None

    @property
    def extract(self) -> ExtractOptions:
        """The same for the stages of the batch job."""
        return ExtractOptions(
            model=self.model,
            task=self.task,
            stride=self.stride,
            rasterize=self.rasterize,
            ocr=self.ocr,
            infer=self.infer,
        )

    @property
    def labelled(self) -> PreprocessOptions:
        """The same for the stages of labelled pages."""
        return PreprocessOptions(
            dataset=self.dataset,
            task=self.task,
            tokenizer=self.model,
            stride=self.stride,
            page_time_limit_seconds=self.page_time_limit_seconds,
            rasterize=self.rasterize,
            ocr=self.ocr,
        )


class EmptyCorpusError(JobError):
    """A corpus that says nothing of what the model is asked."""


class MissingPagesError(JobError):
    """Not every page came back from the cluster: figures over the others would be wrong."""


def read_split(options: EvaluateOptions) -> Corpus:
    """The pages to evaluate on; `read_corpus` tells their problems in the log.

    Raises:
        ValueError: there is no such data set or split, it does not serve the task or has no page, or the model's labels
            do not fit.
        ProcessingError: the data cannot be accessed.
        BrokenAnnotationError: a broken annotation, and `options.strict`.
        CheckpointError: the model cannot be read.
    """
    check_task(options.model, options.task)
    corpus = read_corpus(
        options.dataset, options.data, options.split, options.task, storage=Storage(), strict=options.strict
    )
    check_labels(options, corpus.labels)
    if any(page.words is None for page in corpus.pages) and options.rasterize.text != "layer":
        OcrEngine(options.ocr).close()
    longest = load_tokenizer(options.model).model_max_length
    if not 0 <= options.stride < longest // 2:
        raise ValueError(f"--stride is {options.stride}; it must be from 0 to {longest // 2 - 1}")
    return corpus


def check_labels(options: EvaluateOptions, labels: Sequence[str]) -> None:
    """Refuse a model that can never give some of the corpus's labels: its figures would say nothing.

    Labels of words are compared by their kinds, so that a model without `B-` and `I-`, or with the labels in another
    order, fits. Further labels of the model are let be: they count as mistakes.

    Raises:
        ValueError: the labels do not fit; the message names both sides.
    """
    of_model = model_labels(options.model, options.task)
    known, wanted = (_kinds(side, options.task) for side in (of_model, labels))
    missing = [label for label in wanted if label not in known]
    if missing:
        raise ValueError(
            f"{options.model} cannot give {len(missing)} of the {len(wanted)} labels of {options.dataset} "
            f"({', '.join(missing[:8])}{', ...' if len(missing) > 8 else ''}): the model's labels are "
            f"{', '.join(of_model)}; the data set's are {', '.join(labels)}. "
            "Give a model that was fine-tuned for this data set, or fine-tune it with jobs.finetune"
        )


def _kinds(labels: Sequence[str], task: Task) -> list[str]:
    if task != "token-classification":
        return list(labels)
    kinds = dict.fromkeys(split_label(label)[1] for label in labels)
    return [kind for kind in kinds if kind]


def predict_pages(pages: ray.data.Dataset, options: EvaluateOptions, pools: Pools) -> ray.data.Dataset:
    """What the model says of labelled pages, lazily: `extract_pages` for pages that bring their truth along.

    Args:
        pages: rows of `LABELLED_PAGE`, in blocks of at most 16.

    Returns:
        One row a page, in the same order, with the columns of `prediction_schema(options.task)`.
    """
    extract = options.extract
    pages.context.execution_options.preserve_order = True
    read = map_stages(pages, example_steps(options.labelled), EXAMPLE, pools, "read")
    inferred_schema = pa.schema([*INFERRED, *GROUND_TRUTH])
    inferred = map_stages(read, infer_steps(extract, pools.infer_threads), inferred_schema, pools, "infer")
    merge = partial(Merge, merge_options(extract), kept=tuple(column.name for column in GROUND_TRUTH))
    return map_stage(inferred, merge, prediction_schema(options.task), pools)


def prediction_schema(task: Task) -> pa.Schema:
    """The columns of `predictions/*.parquet`: those of the batch job's pages, and what is true."""
    return pa.schema([*page_schema(task), *GROUND_TRUTH])


def evaluate(options: EvaluateOptions, corpus: Corpus) -> dict[str, Any]:
    """Run the model over a corpus on the Ray cluster that is connected, and write what was asked for.

    Rows are looked at as they come, and few are kept: memory does not grow with pictures or windows.

    Returns:
        The record that `metrics.json` holds: what was evaluated, `metric` (the name of the figure that counts), and all
        figures of `Scores.values`.

    Raises:
        MissingPagesError: a page was lost on the way.
        EmptyCorpusError: the corpus says nothing of what the task asks for.
        ProcessingError: the output cannot be written.
        ValueError: a page has not one true label a word.
    """
    pages = corpus.pages[: options.limit]
    pools = pools_for_cluster(options.read_workers, options.model_workers, options.infer.device)
    set_data_context()
    storage = Storage()
    blocks = list(labelled_blocks(pages, pages_per_block(len(pages), pools)))
    predicted = predict_pages(ray.data.from_blocks(blocks), options, cap_pools(pools, len(blocks)))
    tables: Iterable[pa.Table] = predicted.iter_batches(batch_size=None, batch_format="pyarrow")
    if options.output is not None and options.predictions:
        tables = _written(tables, storage, join_uri(options.output, "predictions"))
    worst = WorstPages(options.report_pages if options.output is not None else 0, options.task)
    scores = score_pages(options.dataset, options.task, worst.watch(_rows(tables, len(pages))))
    check_scores(options, scores, len(pages))
    record = evaluation_record(options, corpus, scores)
    if options.output is not None:
        storage.write(join_uri(options.output, "metrics.json"), (json.dumps(record, indent=2) + "\n").encode())
        write_evaluation_report(storage, options.output, options.task, record, worst.rows, worst.failed)
    return record


def check_scores(options: EvaluateOptions, scores: Scores, promised: int) -> None:
    """Refuse figures that are not those of all pages, or of nothing.

    Raises:
        MissingPagesError: a page was lost on the way.
        EmptyCorpusError: the corpus says nothing of what the task asks for.
    """
    if scores.values["pages"] != promised:
        raise MissingPagesError(f"{promised} pages went in and {scores.values['pages']} came out; run it again")
    if scores.values["pages_without_truth"] == promised:
        raise EmptyCorpusError(f"{options.dataset} says of none of its {promised} pages what {options.task} asks for")


def labelled_blocks(pages: Sequence[LabelledPage], size: int) -> Iterator[pa.Table]:
    """Pages as tables of `LABELLED_PAGE`, so many in each."""
    for start in range(0, len(pages), size):
        yield rows_to_table(map(labelled_row, pages[start : start + size]), LABELLED_PAGE)


def evaluation_record(options: EvaluateOptions, corpus: Corpus, scores: Scores) -> dict[str, Any]:
    """What was evaluated and all figures, ready for JSON."""
    return {
        "task": options.task,
        "dataset": options.dataset,
        "split": options.split,
        "data": options.data,
        "model": model_name(options.model),
        "metric": scores.main_name,
        **scores.values,
        "problems": len(corpus.problems),
        "first_problems": [
            {"uri": problem.uri, "message": problem.message} for problem in corpus.problems[:PROBLEMS_NAMED]
        ],
    }


class WorstPages:
    """Keeps the rows that are worth drawing while all of them pass: the worst of those that were read."""

    def __init__(self, limit: int, task: Task) -> None:
        self.limit, self.task = limit, task
        self.rows: list[Row] = []
        self.failed: list[Row] = []

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows; of the failed ones the first `limit` are kept beside."""
        for row in rows:
            if row["status"] == "ok" and self.limit:
                self.rows.append(row)
                if len(self.rows) > 2 * self.limit:
                    self._trim()
            elif row["status"] != "ok" and len(self.failed) < self.limit:
                self.failed.append(row)
            yield row
        self._trim()

    def _trim(self) -> None:
        self.rows = nsmallest(self.limit, self.rows, key=lambda row: page_quality(row, self.task))


def _rows(tables: Iterable[pa.Table], total: int) -> Iterator[Row]:
    with Progress(total, "pages") as progress:
        for table in tables:
            rows = table.to_pylist()
            yield from rows
            progress.add(len(rows), sum(row["status"] == "failed" for row in rows))


def _written(tables: Iterable[pa.Table], storage: Storage, folder: str) -> Iterator[pa.Table]:
    """The same tables, each written as a file; what an earlier evaluation wrote there is removed first."""
    for uri in table_files(storage, *folder.rsplit("/", 1)):
        if uri.rsplit("/", 1)[-1].startswith("part-"):
            storage.delete(uri)
    for index, table in enumerate(tables):
        write_table(storage, join_uri(folder, f"part-{index:06d}.parquet"), table)
        yield table
