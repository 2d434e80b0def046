from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipelines.batch.identities import document_id
from pipelines.batch.listing import list_documents
from pipelines.errors import ProcessingError
from pipelines.extract import count_steps
from pipelines.schema import Row
from pipelines.stages.count_pages import ListingOptions
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.storage.files import Storage


def listed(path: Path) -> list[Row]:
    return [
        {
            "document_id": document_id(stored.uri),
            "uri": stored.uri,
            "size_bytes": stored.size_bytes,
            "etag": stored.etag,
        }
        for stored in list_documents([str(path)], Storage())
    ]


def count(path: Path, **options: int) -> dict[str, Row]:
    return {Path(row["uri"]).name: row for row in counted(listed(path), **options)}


def counted(rows: Iterable[Row], **options: int) -> Iterable[Row]:
    for make in count_steps(ListingOptions(**options), PageLimits()):
        rows = make()(rows)
    return rows


def test_an_identity_is_of_the_uri_alone_and_stays() -> None:
    assert document_id("s3://b/a.pdf") == document_id("s3://b/a.pdf") != document_id("s3://b/b.pdf")
    assert len(document_id("/x")) == 32 and document_id("/a.pdf") == "84f8d1de8f6404c1ffa301a19ade611f"


def test_inputs_that_overlap_give_each_document_once(samples_directory: Path, tmp_path: Path) -> None:
    uris = [
        stored.uri
        for stored in list_documents([str(samples_directory), str(samples_directory / "invoice.png")], Storage())
    ]
    assert len(uris) == len(set(uris)) and str(samples_directory / "invoice.png") in uris
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/f\xe9")
    os.mkdir(odd)
    Path(odd, "x.pdf").touch()
    assert len(list(list_documents([str(tmp_path), odd], Storage()))) == 1


def test_an_empty_input_is_an_error_before_the_first_document_is_listed(
    samples_directory: Path, tmp_path: Path
) -> None:
    with pytest.raises(ProcessingError, match=f"no documents under {tmp_path}"):
        next(list_documents([str(samples_directory), str(tmp_path)], Storage()))


def test_documents_get_their_type_by_content_and_their_pages(samples_directory: Path) -> None:
    rows = count(samples_directory)
    found = {name: (row["media_type"], row["page_count"], row["pages_selected"]) for name, row in rows.items()}
    assert found["supplier-form.pdf"] == ("application/pdf", 3, 3)
    assert found["fax-two-pages.tiff"] == ("image/tiff", 2, 2)
    assert found["receipt-photo.jpg"] == ("image/jpeg", 1, 1)
    assert found["invoice.png"] == ("image/png", 1, 1)


def test_what_cannot_be_opened_is_a_row_with_its_reason(samples_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_text("<!doctype html><p>Please log in")
    rows = count(samples_directory) | count(tmp_path)
    assert (rows["form-with-password.pdf"]["status"], rows["form-with-password.pdf"]["error_kind"]) == (
        "failed",
        "encrypted",
    )
    assert rows["agreement-cut-short.pdf"]["error_kind"] == "unreadable"
    assert rows["page.pdf"]["error_kind"] == "unsupported"
    for row in rows.values():
        assert (row["status"] == "failed") == (row["error"] is not None)
        if row["status"] == "failed":
            assert row["pages_selected"] == 0


def test_a_cap_takes_the_first_pages_and_the_count_stays_true(samples_directory: Path) -> None:
    row = count(samples_directory / "annual-report.pdf", max_pages_per_document=4)["annual-report.pdf"]
    assert (row["page_count"], row["pages_selected"]) == (30, 4)


def test_a_document_over_the_size_limit_is_not_opened(samples_directory: Path) -> None:
    row = count(samples_directory / "invoice.png", max_document_bytes=100)["invoice.png"]
    assert row["error_kind"] == "too_large" and "100 bytes" in row["error"]


def test_a_document_that_vanished_after_the_listing_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    rows = listed(tmp_path)
    (tmp_path / "a.pdf").unlink()
    (row,) = counted(rows)
    assert row["error_kind"] == "not_found"


def test_an_input_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match="missing"):
        list(list_documents([str(tmp_path / "missing")], Storage()))
