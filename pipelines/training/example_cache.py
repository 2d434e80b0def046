"""The example cache: labelled pages are read, rendered and tokenized once, and kept as Parquet for all epochs and runs.

    labelled pages -> [ read -> align labels -> tokenize ] -> FOLDER/pages/*.parquet: a file a block, a row group a page

`FOLDER/examples.json` records what the examples were made from. A second call makes only missing ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import ray.data

from pipelines.datasets.page_images import file_of
from pipelines.datasets.preprocess import EXAMPLE, PreprocessOptions, example_steps
from pipelines.datasets.types import LABELLED_PAGE, BrokenAnnotationError, Corpus, LabelledPage, labelled_row
from pipelines.runtime.pools import Pools, cap_pools, pages_per_block
from pipelines.runtime.progress import Progress
from pipelines.schema import PageKey, Row, Task, page_key
from pipelines.stages.base import StageFactory, StageRunner, rows_to_table
from pipelines.stages.model_loader import load_tokenizer
from pipelines.stages.ray_data import map_blocks, map_stages
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.tables import read_tables, table_files
from pipelines.training.targets import count_targets

logger = logging.getLogger(__name__)

RECORD = "examples.json"
TABLE = "pages"
PROBLEMS_NAMED = 20
MAX_PAGES_IN_PROCESS = 8
"""For so few pages workers would take longer to start than to read them."""

OPEN_FILES = 64
"""Files that a reader keeps open."""

COUNTS = [pa.field("window_tokens", pa.list_(pa.int32())), pa.field("window_targets", pa.list_(pa.int32()))]
COUNTED_EXAMPLE = pa.schema([*EXAMPLE, *COUNTS])
"""An example, and for each window its tokens and targets (`count_targets`), so that an index of many pages is read
without their windows."""

INDEX_COLUMNS = ("document_id", "page_index", "uri", "status", "error_kind", "error", "window_tokens", "window_targets")


class PagePosition(NamedTuple):
    """Where a page lies: the index of its file in `ExampleIndex.files`, and its row group in the file."""

    file: int
    row_group: int


@dataclass(frozen=True)
class ExampleIndex:
    """Where the examples of a split lie, in the order of the corpus.

    Attributes:
        files: URIs.
        pages: positions of the pages that could be read.
        page: int32 [windows], the index of each window's page in `pages`.
        window: int32 [windows], its index within the page.
        tokens: int32 [windows], its length.
        targets: int32 [windows], its number of targets in the loss; a window with 0 is not trained on.
        failed: URI and reason of each page that could not be read.
    """

    files: tuple[str, ...]
    pages: tuple[PagePosition, ...]
    page: npt.NDArray[np.int32]
    window: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    failed: tuple[tuple[str, str], ...] = ()


class CountTargets:
    """Rows of `EXAMPLE` in, `COUNTED_EXAMPLE` out."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, rows: Iterable[Row]) -> Any:
        for row in rows:
            if row["status"] != "ok":
                yield row
                continue
            tokens = [len(window["input_ids"]) for window in row["windows"]]
            yield {**row, "window_tokens": tokens, "window_targets": count_targets(row, self.task)}


def prepare_examples(
    storage: Storage,
    cache: str,
    corpus: Corpus,
    options: PreprocessOptions,
    pools: Pools,
    *,
    strict: bool = False,
    max_pages_in_process: int = MAX_PAGES_IN_PROCESS,
) -> ExampleIndex:
    """Make the missing examples of a split, many of them on the connected Ray cluster, and index all.

    Pages that cannot be read are logged and left out.

    Args:
        cache: folder or prefix of all examples; each corpus, split and set of options has its own folder in it.
        strict: refuse a split with pages that cannot be read.
        max_pages_in_process: if no more pages than this are missing, they are read in this process.

    Raises:
        BrokenAnnotationError: `strict`, and a page cannot be read.
        ProcessingError: the folder cannot be read or written.
        ValueError: no page can be read.
    """
    rows = [labelled_row(page) for page in corpus.pages]
    folder = _open_folder(storage, cache, _record(storage, rows, options))
    cached = _cached_pages(storage, folder)
    missing = [row for row in rows if page_key(row) not in cached]
    if missing:
        write_examples = _write_in_process if len(missing) <= max_pages_in_process else _write_on_ray
        write_examples(storage, folder, missing, options, pools)
    else:
        logger.info("%s holds all %d pages already", folder, len(rows))
    index = read_index(storage, folder, rows)
    if index.failed:
        named = [f"{uri}: {reason}" for uri, reason in index.failed[:PROBLEMS_NAMED]]
        message = f"{len(index.failed)} of {len(rows)} pages cannot be read: " + "; ".join(named)
        if strict:
            raise BrokenAnnotationError(message)
        logger.warning("%s; they are left out (remove %s to read them again)", message, folder)
    if not index.pages:
        raise ValueError(f"none of the {len(rows)} pages can be read" if rows else "there is no page")
    return index


def read_index(storage: Storage, folder: str, rows: Sequence[Row]) -> ExampleIndex:
    """The index of the examples in `folder` that belong to `rows`.

    Args:
        rows: with document_id and page_index, in the order of the corpus.
    """
    order = {page_key(row): index for index, row in enumerate(rows)}
    files: list[str] = []
    found: dict[int, tuple[PagePosition, Row]] = {}
    for uri, table in read_tables(storage, table_files(storage, folder, TABLE), INDEX_COLUMNS):
        for row_group, row in enumerate(table.to_pylist()):
            order_index = order.get(page_key(row))
            if order_index is not None:
                found[order_index] = PagePosition(len(files), row_group), row
        files.append(uri)
    pages: list[PagePosition] = []
    failed: list[tuple[str, str]] = []
    columns: list[tuple[int, int, int, int]] = []
    for order_index in sorted(found):
        page_position, row = found[order_index]
        if row["status"] != "ok":
            failed.append((f"{row['uri']} page {row['page_index']}", f"{row['error_kind']}: {row['error']}"))
            continue
        counts = zip(row["window_tokens"], row["window_targets"], strict=True)
        columns += [(len(pages), window, tokens, targets) for window, (tokens, targets) in enumerate(counts)]
        pages.append(page_position)
    page, window, tokens, targets = np.asarray(columns, dtype=np.int32).reshape(-1, 4).T.copy()
    return ExampleIndex(tuple(files), tuple(pages), page, window, tokens, targets, tuple(failed))


class ExampleReader:
    """Reads single pages. The last files stay open with their footers, so that only the page's own bytes are read."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._open: OrderedDict[str, pq.ParquetFile] = OrderedDict()

    def read(self, uri: str, row_group: int) -> Row:
        """One page, with the columns of `COUNTED_EXAMPLE`."""
        if uri not in self._open:
            self._open[uri] = pq.ParquetFile(self.storage.open(uri), pre_buffer=True)
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(uri)
        return self._open[uri].read_row_group(row_group).to_pylist()[0]


def _record(storage: Storage, rows: Sequence[Row], options: PreprocessOptions) -> dict[str, Any]:
    """What the examples are made from: the examples of a folder are used only if its record is equal."""
    tokenizer = load_tokenizer(options.tokenizer)
    result_options = asdict(replace(options, tokenizer=_hash(tokenizer.to_json())))
    del result_options["limits"]
    return json.loads(
        json.dumps(
            {
                "options": {**result_options, "max_length": tokenizer.model_max_length},
                "columns": COUNTED_EXAMPLE.names,
                "pages": len(rows),
                "annotations": _hash(json.dumps(rows)),
                "files": _hash(json.dumps(_versions(storage, {file_of(row["uri"]) for row in rows}))),
            }
        )
    )


def annotations_hash(pages: Sequence[LabelledPage]) -> str:
    """A hash of all annotations of these pages."""
    return _hash(json.dumps([labelled_row(page) for page in pages]))


def _versions(storage: Storage, uris: set[str]) -> list[tuple[str, str]]:
    """URI and etag of each file that exists."""
    if not uris:
        return []
    folders = [uri.rpartition("/")[0].split("/") for uri in uris]
    depth = next((depth for depth, names in enumerate(zip(*folders, strict=False)) if len(set(names)) > 1), None)
    folder = "/".join(folders[0][: min(map(len, folders)) if depth is None else depth])
    return sorted((stored.uri, stored.etag) for stored in storage.list_existing(folder) if stored.uri in uris)


def _open_folder(storage: Storage, cache: str, record: dict[str, Any]) -> str:
    """The folder of the examples with exactly this record."""
    content = json.dumps(record, indent=2) + "\n"
    folder = join_uri(cache, _hash(content)[:16])
    if not storage.exists(join_uri(folder, RECORD)):
        storage.write(join_uri(folder, RECORD), content.encode())
    return folder


def _cached_pages(storage: Storage, folder: str) -> set[PageKey]:
    cached: set[PageKey] = set()
    for _, table in read_tables(storage, table_files(storage, folder, TABLE), ("document_id", "page_index")):
        cached.update(zip(table["document_id"].to_pylist(), table["page_index"].to_pylist(), strict=True))
    return cached


def _write_in_process(storage: Storage, folder: str, rows: list[Row], options: PreprocessOptions, _: Pools) -> None:
    make = StageRunner(_steps(options), COUNTED_EXAMPLE)
    with Progress(len(rows), "pages") as progress:
        for row in rows:
            block = make(rows_to_table([row], LABELLED_PAGE))
            _report(progress, write_example_block(block, storage, join_uri(folder, TABLE)).to_pylist())


def _write_on_ray(storage: Storage, folder: str, rows: list[Row], options: PreprocessOptions, pools: Pools) -> None:
    size = pages_per_block(len(rows), pools)
    blocks = [rows_to_table(rows[start : start + size], LABELLED_PAGE) for start in range(0, len(rows), size)]
    pages, pools = ray.data.from_blocks(blocks), cap_pools(pools, len(blocks))
    examples = map_stages(pages, _steps(options), COUNTED_EXAMPLE, pools, "read")
    write = partial(write_example_block, storage=storage, folder=join_uri(folder, TABLE))
    with Progress(len(rows), "pages") as progress:
        _report(progress, map_blocks(examples, write, pools).iter_rows())


def _steps(options: PreprocessOptions) -> tuple[StageFactory, ...]:
    return (*example_steps(options), partial(CountTargets, options.task))


def _report(progress: Progress, summaries: Iterable[Row]) -> None:
    for summary in summaries:
        progress.add(summary["pages"], summary["failed"])


def write_example_block(block: pa.Table, storage: Storage, folder: str) -> pa.Table:
    """Write a block of `COUNTED_EXAMPLE` to a file named by its first page: a retried task writes the same file.

    Returns:
        One row: `pages` of the block, and how many of them `failed`.
    """
    buffer = io.BytesIO()
    pq.write_table(block, buffer, row_group_size=1, compression="zstd")
    first = f"{_hash(block['document_id'][0].as_py())[:16]}-{block['page_index'][0].as_py():06d}"
    storage.write(join_uri(folder, f"part-{first}.parquet"), buffer.getvalue())
    failed = sum(status != "ok" for status in block["status"].to_pylist())
    return pa.table({"pages": [block.num_rows], "failed": [failed]})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
