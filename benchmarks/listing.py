"""What does a corpus of millions of pages cost the driver? Seconds, requests to the storage and peak memory.

    python -m benchmarks.listing --pages 1000000 10000000

The script makes an output that has all pages of a made-up corpus except a few, and then, each in a process of its own:

- `resume`: what a run does before its first page: compares the listing, which is made up too, with the documents of the
  output, and finds the pages to do;
- `audit`: what a run does after its last page;
- `resume, blocks` and `audit, blocks`: the same where nothing was compacted: a file for each block of pages, and no
  manifests;
- `arrow`: answers the question of `resume` in the plain way, for comparison: reads the columns of the tables
  `documents` and `pages` whole, and joins them with PyArrow's left anti-join.

Two more steps need real documents, of which `--documents` are made: `list` reads the listing of a folder, and `open`
opens the first `--open` documents in a new output, with Ray.

Requests are what S3 would be asked: a thousand names are one, a whole object is one, an object of which parts are read
is one and one for each part. Memory is the peak of the process minus what it held when it began to work, in MB.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import tyro
from PIL import Image

from pipelines.batch import discovery
from pipelines.batch.audit import audit_output
from pipelines.batch.discovery import MAX_DOCUMENTS_PER_ROUND, discover_documents
from pipelines.batch.identities import document_id
from pipelines.batch.listing import list_documents
from pipelines.batch.manifest import Manifest, WrittenPages, write_manifest
from pipelines.batch.options import RunOptions
from pipelines.batch.ownership import Claim, claim_output
from pipelines.batch.record import new_record, new_run_id
from pipelines.batch.written_pages import find_damaged, pages_to_do, read_document_index, read_pages_done
from pipelines.extract import ExtractOptions
from pipelines.runtime.cluster import Cluster
from pipelines.runtime.pools import PAGES_PER_BLOCK
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import DOCUMENTS
from pipelines.storage.files import Storage, StoredObject
from pipelines.storage.tables import write_table

ROWS_PER_FILE = 100_000
"""Pages of a compacted file."""

FILES_PER_FOLDER = 1_000
ROW_OPTIONS = {"model": "untrained"}
PAGES_TABLE = pa.schema(
    [
        ("document_id", pa.string()),
        ("uri", pa.string()),
        ("page_index", pa.int32()),
        ("status", pa.string()),
        ("text_source", pa.string()),
        ("read_quality", pa.float32()),
    ]
)
"""Of the rows of pages, the columns that a run looks at; words and boxes would only make the files larger."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.listing`."""

    pages: tuple[int, ...] = (1_000_000, 10_000_000)
    """Pages of each corpus."""
    pages_per_document: int = 10
    """Pages of each document."""
    left: int = 100
    """Documents whose last page is still to do."""
    documents: int = 100_000
    """Real documents, for the steps `list` and `open`; 0 leaves both out."""
    open: int = 10_000
    """Documents that are opened with Ray."""
    step: str | None = None
    """Run only this step, in this process."""
    folder: str = ""
    """Where the corpus of `--step` is."""


class CountingFile(io.FileIO):
    """A file that counts its reads, as an object in S3 would have requests."""

    def __init__(self, path: str, storage: CountingStorage) -> None:
        super().__init__(path)
        self._storage = storage

    def read(self, size: int | None = -1) -> bytes:
        self._storage.requests += 1
        return super().read(-1 if size is None else size)


class CountingStorage(Storage):
    """Folders, with a count of the requests that a bucket would get."""

    requests = 0

    def list(self, uri: str) -> Iterator[StoredObject]:
        for number, stored in enumerate(super().list(uri)):
            self.requests += number % 1_000 == 0
            yield stored

    def read(self, uri: str) -> bytes:
        self.requests += 1
        return super().read(uri)

    def read_versioned(self, uri: str) -> tuple[bytes, str] | None:
        self.requests += 1
        return super().read_versioned(uri)

    def open(self, uri: str) -> pa.NativeFile:
        self.requests += 1  # its size
        return pa.PythonFile(CountingFile(uri, self), mode="r")

    def write(self, uri: str, content: bytes) -> None:
        self.requests += 1
        super().write(uri, content)


def stored_object(number: int) -> StoredObject:
    """A document of the made-up listing."""
    return StoredObject(f"s3://a-bucket/scans/{number // 1000:06d}/{number:09d}.pdf", 1_000 + number, f"{number:032x}")


def make_output(folder: Path, pages: int, options: Options) -> None:
    """Make the output of an interrupted run, compacted and as blocks."""
    documents, storage, run_id = pages // options.pages_per_document, Storage(), new_run_id(1)
    for start in range(0, documents, MAX_DOCUMENTS_PER_ROUND):
        numbers = range(start, min(documents, start + MAX_DOCUMENTS_PER_ROUND))
        rows = [document_row(stored_object(number), options.pages_per_document) for number in numbers]
        name = f"part-{run_id}-{start // MAX_DOCUMENTS_PER_ROUND:05d}.parquet"
        table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
        for output in ("compacted", "blocks"):
            write_table(storage, str(folder / output / "documents" / name), table)
    for number, table in enumerate(page_tables(documents, ROWS_PER_FILE, options)):
        name = f"part-{run_id}-c00000001-{number:05d}.parquet"
        size = write_table(storage, str(folder / "compacted" / "pages" / name), table)
        starts = range(0, len(table), PAGES_PER_BLOCK)
        blocks = tuple(f"part-{run_id}-{document_id(f'{number} {start}')}-000000.parquet" for start in starts)
        manifest = Manifest(WrittenPages.of(table, name, size), blocks, ROW_OPTIONS)
        write_manifest(storage, str(folder / "compacted"), manifest)
        if number < 10:  # as many blocks as a million pages have
            for start in range(0, len(table), PAGES_PER_BLOCK):
                block = table.slice(start, PAGES_PER_BLOCK)
                first = f"{block['document_id'][0]}-{block['page_index'][0].as_py():06d}"
                write_table(storage, str(folder / "blocks" / "pages" / f"part-{run_id}-{first}.parquet"), block)


def document_row(stored: StoredObject, pages: int) -> dict[str, object]:
    """A row of `documents`."""
    return {
        "document_id": document_id(stored.uri),
        "uri": stored.uri,
        "size_bytes": stored.size_bytes,
        "etag": stored.etag,
        "media_type": "application/pdf",
        "page_count": pages,
        "pages_selected": pages,
        "status": "ok",
    }


def page_tables(documents: int, rows: int, options: Options) -> Iterator[pa.Table]:
    """The pages of all documents, without the last pages of the first ones, in tables of so many rows."""
    each = options.pages_per_document
    for start in range(0, documents, rows // each):
        stored = [stored_object(number) for number in range(start, min(documents, start + rows // each))]
        ids, uris = np.array([document_id(one.uri) for one in stored]), np.array([one.uri for one in stored])
        index = np.tile(np.arange(each, dtype=np.int32), len(stored))
        owner = np.repeat(np.arange(len(stored)), each)
        kept = (index < each - 1) | (owner + start >= options.left)
        count = int(kept.sum())
        columns = [
            pa.array(ids[owner[kept]]),
            pa.array(uris[owner[kept]]),
            pa.array(index[kept]),
            pa.array(["ok"] * count),
            pa.array(["ocr"] * count),
            pa.array(np.full(count, 0.95, dtype=np.float32)),
        ]
        table = pa.Table.from_arrays(columns, schema=PAGES_TABLE)
        yield table.append_column("seconds", pa.nulls(count)).append_column("error_kind", pa.nulls(count, pa.string()))


def claim(storage: Storage, output: str) -> Claim:
    """Claim the output for this run, which checks that it owns it."""
    return claim_output(storage, output, new_record("untrained", [], {}), overwrite=False, retry_failed=False)


def do_resume(output: str, options: Options, storage: Storage) -> int:
    """Find the pages to do as a run does."""
    documents = read_document_index(storage, output)

    def listing(*_: object, **__: object) -> Iterator[StoredObject]:
        return map(stored_object, range(len(documents)))

    discovery.list_documents = listing
    owner = claim(storage, output)
    discover_documents(
        storage, RunOptions(("s3://a-bucket",), output, ExtractOptions("untrained")), Cluster(None), owner
    )
    documents = read_document_index(storage, output)
    assert not find_damaged(storage, output)
    done = read_pages_done(storage, output, documents)
    return sum(1 for _ in pages_to_do(storage, output, done))


def do_audit(output: str, options: Options, storage: Storage) -> int:
    """Count the pages that are missing."""
    return len(audit_output(storage, output).missing)


def do_arrow(output: str, options: Options, storage: Storage) -> int:
    """Find the pages to do with whole tables."""
    documents = pq.read_table(f"{output}/documents", columns=["document_id", "etag", "pages_selected"])
    pages = pq.read_table(f"{output}/pages", columns=["document_id", "page_index"])
    known = dict(zip(documents["document_id"].to_pylist(), documents["etag"].to_pylist(), strict=True))
    listing = map(stored_object, range(len(documents)))
    assert all(known.get(document_id(stored.uri)) == stored.etag for stored in listing)
    counts = documents["pages_selected"].to_numpy()
    expected = pa.table(
        {
            "document_id": documents["document_id"]
            .combine_chunks()
            .take(pa.array(np.repeat(np.arange(len(counts)), counts))),
            "page_index": pa.array(np.concatenate([np.arange(count, dtype=np.int32) for count in counts])),
        }
    )
    return expected.join(pages, ["document_id", "page_index"], join_type="left anti").num_rows


def do_list(folder: str, options: Options, storage: Storage) -> int:
    """Read the listing of a folder."""
    return sum(1 for _ in list_documents([f"{folder}/in"], storage))


def do_open(folder: str, options: Options, storage: Storage) -> int:
    """Open documents in a new output."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        set_data_context()
        run = RunOptions((f"{folder}/in",), output, ExtractOptions("untrained"), limit=options.open)
        discover_documents(storage, run, Cluster(None), claim(storage, output))
        return int(read_document_index(storage, output).pages.sum())


STEPS: dict[str, tuple[Callable[[str, Options, Storage], int], str]] = {
    "resume": (do_resume, "compacted"),
    "audit": (do_audit, "compacted"),
    "arrow": (do_arrow, "compacted"),
    "resume, blocks": (do_resume, "blocks"),
    "audit, blocks": (do_audit, "blocks"),
    "list": (do_list, ""),
    "open": (do_open, ""),
}
"""Each with the folder that it works on."""


def make_documents(folder: Path, documents: int) -> None:
    """Make real documents, images of a page."""
    sample = io.BytesIO()
    Image.new("1", (64, 64), 1).save(sample, "png")
    for number in range(documents):
        path = folder / "in" / f"{number // FILES_PER_FOLDER:05d}" / f"{number:08d}.png"
        if number % FILES_PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(sample.getvalue())


def measured(step: str, folder: str, options: Options) -> str:
    """Run a step and return its part of a row: pages or documents, seconds, those of CPU, requests, MB."""
    if step == "open":
        ray.init(log_to_driver=False)
    storage = CountingStorage() if step != "open" else Storage()
    rss_before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    started, used = time.monotonic(), time.process_time()
    do, subfolder = STEPS[step]
    count = do(str(Path(folder, subfolder)), options, storage)
    seconds, cpu = time.monotonic() - started, time.process_time() - used
    status = Path("/proc/self/status").read_text()
    (peak,) = (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    requests = f"{storage.requests:,}" if isinstance(storage, CountingStorage) and step != "arrow" else ""
    return f"{count:,} | {seconds:.1f} | {cpu:.1f} | {requests} | {(peak - rss_before) / 1e6:.0f} |"


def print_row(step: str, name: str, folder: str, options: Options) -> None:
    """Run a step in a process of its own and print its row of the table."""
    command = [sys.executable, "-m", "benchmarks.listing", "--step", step, "--folder", folder]
    command += ["--pages-per-document", str(options.pages_per_document), "--open", str(options.open)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"| {step} | {name} | {done}", flush=True)


def main() -> None:
    """Make the corpora, do the steps, print the table."""
    options = tyro.cli(Options, description=__doc__)
    if options.step is not None:
        print(measured(options.step, options.folder, options))
        return
    print(f"load average at the start: {os.getloadavg()[0]:.1f}\n")
    print("| step | of | found | seconds | CPU seconds | requests | MB beyond the start |\n|" + "---|" * 7)
    for pages in options.pages:
        with tempfile.TemporaryDirectory() as folder:
            make_output(Path(folder), pages, options)
            for step, (_, subfolder) in STEPS.items():
                if subfolder == "compacted" or (subfolder == "blocks" and pages <= 10 * ROWS_PER_FILE):
                    print_row(step, f"{pages:,} pages", folder, options)
    if options.documents:
        with tempfile.TemporaryDirectory() as folder:
            make_documents(Path(folder), options.documents)
            for step in ("list", "open"):
                print_row(step, f"{options.documents:,} documents", folder, options)
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
