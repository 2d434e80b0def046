"""Is inference on a CPU faster with one window per core, or with batches of pages on all cores?

    python -m benchmarks.infer [--pages 8] [--rounds 5]

Runs the bundled model over copies of two sample pages, alternating both methods, first alone and then beside a process
that uses a core for 10 of every 40 ms, like the rest of a pipeline. Prints the median wall and CPU time per page.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import cast

import tyro

from benchmarks.plan import SAMPLES
from model.checkpoint_source import BUNDLED_FORMS
from pipelines.extract import ExtractOptions, infer_steps, read_steps
from pipelines.schema import Row
from pipelines.stages.infer import Infer

PAGES = {"text layer": ("supplier-form.pdf", "application/pdf"), "scan": ("invoice.png", "image/png")}

BUSY = """
import time
while True:
    started = time.perf_counter()
    while time.perf_counter() - started < 0.01:
        pass
    time.sleep(0.03)
"""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.infer`."""

    pages: int = 8
    """Pages per call."""
    rounds: int = 5
    """Calls, of which the median is reported."""


def read_page(name: str, media_type: str, options: ExtractOptions) -> Row:
    """The first page of a sample, preprocessed for the model."""
    uri = str(SAMPLES / name)
    size = os.path.getsize(uri)
    rows: list[Row] = [
        {"document_id": name, "uri": uri, "media_type": media_type, "page_index": 0, "page_count": 1}
        | {"size_bytes": size, "etag": None, "modified": None}
    ]
    for make in read_steps(options):
        rows = list(make()(rows))
    (row,) = rows
    assert row["status"] == "ok", row["error"]
    return row


@contextmanager
def busy_process() -> Iterator[None]:
    """Run a process that uses a core intermittently."""
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        try:
            yield
        finally:
            process.kill()


def main() -> None:
    """Print the table."""
    options = tyro.cli(Options, description=__doc__)
    cores = len(os.sched_getaffinity(0))
    extract = ExtractOptions(model=BUNDLED_FORMS)
    (make_infer,) = infer_steps(extract, cores)
    infer = cast(Infer, make_infer())  # before anything else loads PyTorch, because it sets how its threads wait
    methods = {"batches on all cores": infer.batch_by_batch, "a window on each core": infer.window_by_window}
    print("| page | beside | method | ms per page | CPU ms per page |\n| --- | --- | --- | --- | --- |")
    for kind, (name, media_type) in PAGES.items():
        rows = [read_page(name, media_type, extract)] * options.pages
        for beside, context in (("nothing", nullcontext()), ("a busy process", busy_process())):
            times: dict[str, list[tuple[float, float]]] = {method: [] for method in methods}
            with context:
                for _ in range(options.rounds + 1):
                    for method, answer in methods.items():
                        infer.answer = answer
                        wall, cpu = time.perf_counter(), time.process_time()
                        list(infer(rows))
                        times[method].append((time.perf_counter() - wall, time.process_time() - cpu))
            for method, rounds in times.items():
                cells = [
                    f"{1000 * statistics.median(column) / len(rows):.0f}" for column in zip(*rounds[1:], strict=True)
                ]
                print(f"| {kind} | {beside} | {method} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
