"""Evaluation: a labelled corpus through the stages of the batch job, and the predictions beside the ground truth.

    labelled pages -> [ read -> align labels -> tokenize ] -> [ infer ] -> [ merge ] -> scores, predictions, report

Square brackets are operators of Ray Data; without a GPU all three are one, as in the batch job.

Pages are scored whole: the windows of a long page are merged back to words before anything is compared, and the answers
of a document's pages to answers of the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from heapq import nsmallest
from typing import Any

import pyarrow as pa
import ray.data

from pipelines.datasets.preprocess import EXAMPLE, GROUND_TRUTH, example_steps
from pipelines.datasets.types import LABELLED_PAGE, Corpus, LabelledPage, labelled_row
from pipelines.evaluation.corpus import check_scores
from pipelines.evaluation.metrics.scores import Scores, score_pages
from pipelines.evaluation.options import EvaluateOptions
from pipelines.evaluation.overlays import page_quality
from pipelines.evaluation.report import write_evaluation_report
from pipelines.extract import ExtractOptions, infer_steps, merge_options
from pipelines.runtime.cluster import pools_for_cluster
from pipelines.runtime.pools import Pools, cap_pools, pages_per_block
from pipelines.runtime.progress import Progress
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import INFERRED, Row, Task, page_schema
from pipelines.stages.base import StageFactory, rows_to_table
from pipelines.stages.merge import Merge
from pipelines.stages.model_loader import model_name, weights_bytes
from pipelines.stages.ray_data import map_stage, map_stages
from pipelines.stages.runtime_choice import worker_device
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import table_files, write_table

KEPT = tuple(column.name for column in GROUND_TRUTH)
"""Columns of the ground truth, which all stages keep."""

PROBLEMS_NAMED = 10
"""Problems of a corpus that the record lists; the others are only counted."""


def predict_pages(pages: ray.data.Dataset, options: EvaluateOptions, pools: Pools) -> ray.data.Dataset:
    """The model's predictions for labelled pages, lazily: `extract_pages` for pages with ground truth.

    Args:
        pages: rows of `LABELLED_PAGE`, in blocks of at most 32.

    Returns:
        One row a page, in the same order, with the columns of `prediction_schema(options.task)`.
    """
    merge = partial(Merge, merge_options(extract_options(options)), kept=KEPT)
    schema = prediction_schema(options.task)
    if pools.whole_pages:
        return _map_whole_pages(pages, options, pools, schema, merge)
    return map_stage(infer_labelled(pages, options, pools), merge, schema, pools)


def infer_labelled(pages: ray.data.Dataset, options: EvaluateOptions, pools: Pools) -> ray.data.Dataset:
    """The logits of the model for labelled pages, lazily: `predict_pages` before its last stage.

    Returns:
        One row a page, in the same order, with the columns of `INFERRED` and the ground truth.
    """
    schema = pa.schema([*INFERRED, *GROUND_TRUTH])
    if pools.whole_pages:
        return _map_whole_pages(pages, options, pools, schema)
    pages.context.execution_options.preserve_order = True
    read = map_stages(pages, example_steps(options.preprocess), EXAMPLE, pools, "read")
    return map_stages(read, infer_steps(extract_options(options), pools.infer_threads), schema, pools, "infer")


def _map_whole_pages(
    pages: ray.data.Dataset, options: EvaluateOptions, pools: Pools, schema: pa.Schema, *last: StageFactory
) -> ray.data.Dataset:
    pages.context.execution_options.preserve_order = True
    infer = infer_steps(extract_options(options), pools.page_threads)
    return map_stages(pages, (*example_steps(options.preprocess), *infer, *last), schema, pools, "whole pages")


def extract_options(options: EvaluateOptions) -> ExtractOptions:
    """The options of the stages that infer and merge."""
    return ExtractOptions(options.model, options.task, decode=options.decode, infer=options.infer)


def prediction_schema(task: Task) -> pa.Schema:
    """The columns of `predictions/*.parquet`: those of the batch job's pages, and the ground truth."""
    return pa.schema([*page_schema(task), *GROUND_TRUTH])


def evaluate(options: EvaluateOptions, corpus: Corpus) -> dict[str, Any]:
    """Run the model over a corpus on the connected Ray cluster, and write what the options ask for.

    Rows are scored as they come, and few are kept: memory does not grow with images or windows.

    Returns:
        The record that `metrics.json` holds: what was evaluated, `metric` (the name of the main figure), all figures
        of `Scores.values`, and `calibration`.

    Raises:
        MissingPagesError: a page was lost on the way.
        EmptyCorpusError: no page has ground truth for the task.
        ProcessingError: the output cannot be written.
        ValueError: a page's number of true labels is not that of its words.
    """
    pages = corpus.pages[: options.limit]
    storage = Storage()
    dataset, pools = labelled_dataset(pages, options)
    predicted = predict_pages(dataset, options, pools)
    tables: Iterable[pa.Table] = predicted.iter_batches(batch_size=None, batch_format="pyarrow")
    if options.output is not None and options.predictions:
        tables = _written(tables, storage, join_uri(options.output, "predictions"))
    worst = WorstPages(options.report_pages if options.output is not None else 0, options.task)
    rows = worst.observe(page_rows(tables, len(pages)))
    scores = score_pages(options.dataset, options.task, rows, words_read=options.words == "ocr")
    check_scores(options, scores, len(pages))
    record = evaluation_record(options, corpus, scores)
    if options.output is not None:
        storage.write(join_uri(options.output, "metrics.json"), (json.dumps(record, indent=2) + "\n").encode())
        write_evaluation_report(storage, options.output, options.task, record, worst.rows, worst.failed)
    return record


def labelled_dataset(pages: Sequence[LabelledPage], options: EvaluateOptions) -> tuple[ray.data.Dataset, Pools]:
    """Pages as rows of `LABELLED_PAGE`, in blocks that suit the connected cluster, and the workers for them."""
    device = worker_device(options.model, options.infer)
    pools = pools_for_cluster(options.read_workers, options.model_workers, device, weights_bytes(options.model))
    set_data_context()
    blocks = list(labelled_blocks(pages, pages_per_block(len(pages), pools)))
    return ray.data.from_blocks(blocks), cap_pools(pools, len(blocks))


def labelled_blocks(pages: Sequence[LabelledPage], size: int) -> Iterator[pa.Table]:
    """Pages as tables of `LABELLED_PAGE`, `size` rows in each but the last."""
    for start in range(0, len(pages), size):
        yield rows_to_table(map(labelled_row, pages[start : start + size]), LABELLED_PAGE)


def evaluation_record(options: EvaluateOptions, corpus: Corpus, scores: Scores) -> dict[str, Any]:
    """What was evaluated and all figures, ready for JSON."""
    return {
        "task": options.task,
        "dataset": options.dataset,
        "split": options.split,
        **({} if options.language is None else {"language": options.language}),
        "data": options.data,
        "model": model_name(options.model),
        "words_from": options.words,
        "metric": scores.main_name,
        **scores.values,
        "calibration": scores.calibration,
        "problems": len(corpus.problems),
        "first_problems": [
            {"uri": problem.uri, "message": problem.message} for problem in corpus.problems[:PROBLEMS_NAMED]
        ],
    }


class WorstPages:
    """Keeps the rows worth drawing while all rows pass: the worst of the pages that were read, and failed ones."""

    def __init__(self, limit: int, task: Task) -> None:
        """`limit`: rows to keep of each kind."""
        self.limit, self.task = limit, task
        self.rows: list[Row] = []
        self.failed: list[Row] = []

    def observe(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, unchanged. Of the failed ones the first `limit` are kept."""
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


def page_rows(tables: Iterable[pa.Table], total: int) -> Iterator[Row]:
    """The rows of tables, while a line on the terminal tells how many of `total` pages are done."""
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
