from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.growth import Corpus, Options, PageCounter, Run, corpora, measure, run_job
from benchmarks.memory import write_tiny_model

JOB = """
import pathlib, sys, time
import pyarrow, pyarrow.parquet
print("4 pages are there already, 8 to do", file=sys.stderr, flush=True)
folder = pathlib.Path(sys.argv[1], "pages")
folder.mkdir(parents=True, exist_ok=True)
for number in range(3):
    pyarrow.parquet.write_table(pyarrow.table({"page": [0, 1, 2, 3]}), folder / f"{number}.parquet")
    time.sleep(0.1)
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[3]))
"""


def job(output: Path, then_seconds: float, status: int) -> list[str]:
    return [sys.executable, "-c", JOB, str(output), str(then_seconds), str(status)]


def test_the_pages_of_an_output_are_counted_while_its_files_change(tmp_path: Path) -> None:
    counter = PageCounter(tmp_path)
    assert counter.count() == 0
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, rows in (("a", 3), ("b", 4)):
        pq.write_table(pa.table({"page": list(range(rows))}), folder / f"{name}.parquet")
    (folder / "unfinished.parquet").write_bytes(b"PAR1")
    assert counter.count() == 7
    (folder / "a.parquet").unlink()
    assert counter.count() == 4


def test_a_run_is_interrupted_when_half_of_its_pages_are_written(tmp_path: Path) -> None:
    run = run_job(job(tmp_path, 60, 0), tmp_path, half=8)
    assert run.interrupted and run.written[-1][1] >= 8
    assert run.known_seconds is not None and run.known_cpu is not None
    assert run.driver_megabytes > 0 and sum(run.cpu.values()) > 0


def test_a_run_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3:\n4 pages are there already"):
        run_job(job(tmp_path, 0, 3), tmp_path)


def test_the_rate_leaves_out_the_start_and_what_was_there_before() -> None:
    written = [(0.0, 100), (10.0, 100), (12.0, 120), (16.0, 160), (17.0, 160)]
    assert Run(written=written).pages_per_second == 10.0
    assert Run(written=[(0.0, 0), (1.0, 50)]).pages_per_second is None
    assert Run().pages_per_second is None


def test_corpora_are_of_equal_documents_and_of_other_shapes() -> None:
    chosen = list(corpora(Options(pages=(200, 400), pages_per_document=100, shapes=("10x5000", "50000x1"))))
    assert chosen == [Corpus(2, 100), Corpus(4, 100), Corpus(10, 5000), Corpus(50_000, 1)]
    assert chosen[2].pages == chosen[3].pages


@pytest.mark.parametrize(("pages", "shapes"), [((150,), ()), ((0,), ()), ((100,), ("10",)), ((100,), ("0x5",))])
def test_corpora_that_cannot_be_made_are_refused(pages: tuple[int, ...], shapes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"--(pages|shapes) has"):
        list(corpora(Options(pages=pages, shapes=shapes)))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_corpus_goes_through_all_runs(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    row = measure(Corpus(documents=6, pages_per_document=5), tmp_path)
    assert row["documents"] == "6" and row["pages"] == "30"
    assert float(row["driver, MB"]) > 0 and float(row["all done: s"]) > 0 and float(row["CPU s for 1,000 pages"]) > 0
