"""What does a corpus of a million documents cost the driver? Time and peak memory of finding the pages to do.

    python -m benchmarks.listing --documents 1000000

The script makes a folder of one-page documents, and an output that has all their pages except a few. Then, each in a
process of its own:

- `list`: reads the listing, as a run reads an input;
- `resume`: what a run does before its first page: compares the listing with the documents of the output, and finds the
  pages to do;
- `arrow`: answers the same question in the plain way, for comparison: reads the tables `documents` and `pages` whole,
  holds the listing as a list, and joins the tables with PyArrow's left anti-join;
- `open`: opens the first `--open` documents in a new output, with Ray.

Memory is the peak of the process minus what it held when it began to work, in MB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import tyro
from PIL import Image

from pipelines.batch.discovery import MAX_DOCUMENTS_PER_ROUND, discover_documents
from pipelines.batch.listing import document_id, list_documents
from pipelines.batch.manifest import pages_to_do, read_document_index, read_pages_done
from pipelines.batch.options import RunOptions
from pipelines.extract import ExtractOptions
from pipelines.runtime.cluster import Cluster
from pipelines.runtime.pools import PAGES_PER_BLOCK
from pipelines.runtime.ray_data import set_data_context
from pipelines.schema import DOCUMENTS, page_schema
from pipelines.storage.files import Storage
from pipelines.storage.tables import table_files, write_table

RUN = "20260101T000000-000000"
FILES_PER_FOLDER = 1_000


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.listing`."""

    documents: int = 1_000_000
    """Documents of the corpus, a page each."""
    left: int = 100
    """Pages that are still to do."""
    open: int = 20_000
    """Documents that are opened with Ray."""
    folder: str | None = None
    """Where corpus and output are kept; by default they are made and removed."""
    step: str | None = None
    """Run only this step, in this process: list, resume, arrow or open."""


def make_corpus(folder: Path, options: Options) -> None:
    """Make documents, and the output of an interrupted run over them."""
    sample = folder / "page.png"
    Image.new("1", (64, 64), 1).save(sample)
    content, storage = sample.read_bytes(), Storage()
    for number in range(options.documents):
        path = folder / "in" / f"{number // FILES_PER_FOLDER:05d}" / f"{number:08d}.png"
        if number % FILES_PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(content)
    listing = list_documents([str(folder / "in")], storage)
    page_rows = page_schema("token-classification")
    for number in range(0, options.documents, MAX_DOCUMENTS_PER_ROUND):
        rows = [
            {
                "document_id": document_id(stored.uri),
                "uri": stored.uri,
                "size_bytes": stored.size_bytes,
                "etag": stored.etag,
                "media_type": "image/png",
                "page_count": 1,
                "pages_selected": 1,
                "status": "ok",
            }
            for stored in islice(listing, MAX_DOCUMENTS_PER_ROUND)
        ]
        documents = pa.Table.from_pylist(rows, schema=DOCUMENTS)
        write_table(storage, f"{folder}/out/documents/part-{RUN}-{number:08d}.parquet", documents)
        done = rows if number + len(rows) < options.documents else rows[: -options.left]
        for start in range(0, len(done), PAGES_PER_BLOCK):
            pages = [
                {**{name: row[name] for name in ("document_id", "uri", "status")}, "page_index": 0, "page_count": 1}
                for row in done[start : start + PAGES_PER_BLOCK]
            ]
            table = pa.Table.from_pylist(pages, schema=page_rows)
            write_table(storage, f"{folder}/out/pages/part-{RUN}-{number + start:08d}.parquet", table)


def claim(output: str) -> None:
    """Claim the output for this run, which checks that it owns it."""
    Path(output).mkdir(exist_ok=True)
    Path(output, "run.json").write_text(json.dumps({"run_id": RUN}))


def run_options(folder: str, output: str, limit: int | None = None) -> RunOptions:
    """Options of a run over the corpus."""
    return RunOptions((f"{folder}/in",), f"{folder}/{output}", ExtractOptions(model="untrained"), limit=limit)


def do_list(folder: str, options: Options) -> int:
    """Read the listing."""
    return sum(1 for _ in list_documents([f"{folder}/in"], Storage()))


def do_resume(folder: str, options: Options) -> int:
    """Find the pages to do as a run does."""
    storage, output = Storage(), f"{folder}/out"
    claim(output)
    discover_documents(storage, run_options(folder, "out"), Cluster(None), RUN)
    done = read_pages_done(storage, output, read_document_index(storage, output))
    return sum(1 for _ in pages_to_do(storage, output, done))


def do_arrow(folder: str, options: Options) -> int:
    """Find the pages to do with whole tables."""
    storage = Storage()
    listing = list(list_documents([f"{folder}/in"], storage))
    documents = pa.concat_tables(pq.read_table(file) for file in table_files(storage, f"{folder}/out", "documents"))
    pages = pq.read_table(f"{folder}/out/pages", columns=["document_id", "page_index"])
    known = dict(zip(documents["document_id"].to_pylist(), documents["etag"].to_pylist(), strict=True))
    assert all(known.get(document_id(stored.uri)) == stored.etag for stored in listing)
    return documents.select(["document_id"]).join(pages, "document_id", join_type="left anti").num_rows


def do_open(folder: str, options: Options) -> int:
    """Open documents in a new output."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        set_data_context()
        claim(output)
        run = run_options(folder, Path(output).name, limit=options.open)
        discover_documents(Storage(), run, Cluster(None), RUN)
        return int(read_document_index(Storage(), run.output).pages.sum())


STEPS: dict[str, Callable[[str, Options], int]] = {
    "list": do_list,
    "resume": do_resume,
    "arrow": do_arrow,
    "open": do_open,
}


def measured(step: str, folder: str, options: Options) -> str:
    """Run a step and return its row of the table: documents or pages, seconds, MB."""
    if step == "open":
        ray.init(log_to_driver=False)
    rss_before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    started = time.monotonic()
    count = STEPS[step](folder, options)
    seconds = time.monotonic() - started
    status = Path("/proc/self/status").read_text()
    (peak,) = (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return f"| {step} | {count:,} | {seconds:.1f} | {(peak - rss_before) / 1e6:.0f} |"


def steps_in_processes(folder: str, options: Options) -> Iterator[str]:
    """The rows of all steps, each from a process of its own."""
    for step in STEPS:
        command = [sys.executable, "-m", "benchmarks.listing", "--step", step, "--folder", folder]
        command += ["--documents", str(options.documents), "--left", str(options.left), "--open", str(options.open)]
        yield subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Make the corpus, do the steps, print the table."""
    options = tyro.cli(Options, description=__doc__)
    if options.step is not None:
        assert options.folder is not None
        print(measured(options.step, options.folder, options))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        if not Path(folder, "in").exists():
            make_corpus(Path(folder), options)
        print(f"{options.documents:,} documents, {options.left} of their pages to do\n")
        print("| step | found | seconds | MB beyond the start |\n|---|---|---|---|")
        for row in steps_in_processes(folder, options):
            print(row, flush=True)


if __name__ == "__main__":
    main()
