"""Opening documents: in the driver and on Ray Data, with the same rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipelines.batch import opening
from pipelines.batch.listing import list_documents, listed_row
from pipelines.batch.opening import open_documents
from pipelines.batch.options import RunOptions
from pipelines.extract import ExtractOptions
from pipelines.runtime.cluster import Cluster
from pipelines.schema import DOCUMENTS, Row
from pipelines.stages.count_pages import ListingOptions
from pipelines.storage.files import Storage

SIZE_LIMIT = 100_000
SAMPLES = (
    "agreement-cut-short.pdf",
    "fax-two-pages.tiff",
    "form-with-password.pdf",
    "invoice.png",
    "supplier-form.pdf",
)


@pytest.fixture
def listed(samples_directory: Path, tmp_path: Path) -> list[Row]:
    """Documents that open, two that do not, one over the size limit, and one that is gone after it was listed."""
    for name in SAMPLES:
        shutil.copy(samples_directory / name, tmp_path / name)
    (tmp_path / "large.pdf").write_bytes(bytes(SIZE_LIMIT + 1))
    (tmp_path / "gone.pdf").write_bytes(b"%PDF-1.4")
    rows = [listed_row(stored) for stored in list_documents([str(tmp_path)], Storage())]
    (tmp_path / "gone.pdf").unlink()
    return rows


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    limits = ListingOptions(SIZE_LIMIT, max_pages_per_document=2)
    return RunOptions((str(tmp_path),), str(tmp_path / "out"), ExtractOptions("untrained"), limits)


def parsers() -> set[psutil.Process]:
    """Sandbox processes of this one."""
    return {child for child in psutil.Process().children() if "pipelines.stages.sandbox_worker" in child.cmdline()}


def refuse(*arguments: object) -> list[Row]:
    raise AssertionError("documents are opened in the wrong place")


@pytest.mark.xdist_group("ray of its own")
@pytest.mark.usefixtures("ray_cluster")
def test_the_driver_and_ray_data_give_the_same_rows_in_the_order_of_the_listing(
    listed: list[Row], options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "DOCUMENTS_PER_BLOCK", 2)
    monkeypatch.setattr(opening, "MAX_DRIVER_DOCUMENTS", len(listed) - 1)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "open_in_driver", refuse)
        on_cluster = list(open_documents(listed, options, Cluster(None)))
    monkeypatch.setattr(opening, "MAX_DRIVER_DOCUMENTS", len(listed))
    monkeypatch.setattr(opening, "open_on_cluster", refuse)
    in_driver = list(open_documents(listed, options, Cluster(None)))
    assert in_driver == on_cluster
    assert [row["uri"] for row in in_driver] == [row["uri"] for row in listed]
    assert {Path(row["uri"]).name: row["error_kind"] or row["pages_selected"] for row in in_driver} == {
        "agreement-cut-short.pdf": "unreadable",
        "fax-two-pages.tiff": 2,
        "form-with-password.pdf": "encrypted",
        "gone.pdf": "not_found",
        "invoice.png": 1,
        "large.pdf": "too_large",
        "supplier-form.pdf": 2,
    }
    assert all(tuple(row) == tuple(DOCUMENTS.names) for row in in_driver)


def test_documents_of_many_bytes_are_left_to_the_cluster(
    listed: list[Row], options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(rows: list[Row], *arguments: object) -> list[Row]:
        return rows

    monkeypatch.setattr(opening, "MAX_DRIVER_BYTES", sum(row["size_bytes"] for row in listed) - 1)
    monkeypatch.setattr(opening, "open_in_driver", refuse)
    monkeypatch.setattr(opening, "open_on_cluster", record)
    assert open_documents(listed, options, Cluster(None)) == listed


@pytest.fixture(scope="module", autouse=True)
def kept_sandboxes() -> None:
    """These tests look at the processes of a run, which are its own."""


@pytest.mark.parametrize("end", [lambda rows: rows.close(), list], ids=["given up", "read to the end"])
def test_the_driver_leaves_no_process_behind(
    listed: list[Row], options: RunOptions, end: Callable[[object], object]
) -> None:
    others = parsers()  # which other tests share
    rows = open_documents(listed, options, Cluster(None))
    assert next(rows)["status"] == "failed"
    assert parsers() - others
    end(rows)
    assert not parsers() - others
