from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.stages.count_pages import CountPages, ListingOptions, pending_document
from tests.drawn_pdf import DrawnPage, draw_pdf, show


@pytest.mark.parametrize(
    ("claimed", "size_bytes", "status"),
    [(1_000_000, 1_100_000, "failed"), (20_000, 300_000, "failed"), (20_000, 500_000, "ok"), (9_000, 20_000, "ok")],
)
def test_a_count_of_more_pages_than_the_bytes_can_hold_is_wrong(
    claimed: int, size_bytes: int, status: str, tmp_path: Path
) -> None:
    content = draw_pdf(DrawnPage(show("A deed", 20, 200))).replace(b"/Count 1", f"/Count {claimed}".encode())
    path = tmp_path / "claims.pdf"
    path.write_bytes(content + b" " * (size_bytes - len(content)))
    listed = {"document_id": "0" * 32, "uri": str(path), "size_bytes": size_bytes, "etag": ""}
    [row] = CountPages(ListingOptions())([pending_document(listed) | {"path": str(path)}])
    assert row["status"] == status
    assert row["status"] == "ok" or (row["error_kind"] == "unreadable" and f"{claimed} pages" in row["error"])
