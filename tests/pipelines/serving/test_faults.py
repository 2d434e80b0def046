"""Faults of a server's machine: refused with 503, read by another replica, and told without paths of the server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jobs.serve import Options
from pipelines.errors import FAULTS, Fault, InfrastructureError
from pipelines.schema import Row
from pipelines.serving.document_reader import DocumentReader, OpenResult, ReadRequest
from pipelines.serving.errors import server_fault
from pipelines.serving.options import ServeOptions
from pipelines.serving.upload_files import UploadFiles
from tests.pipelines.serving.test_gateway import FakeReader, extract, with_gateway
from tests.pipelines.storage.full_disk import DISK_BYTES, fill, small_disk

FULL = InfrastructureError("disk_full", "/secret/uploads-1: No space left on device")


class FullReader(FakeReader):
    """Has no disk space for the first `failures` calls."""

    failures = 0

    def fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise FULL

    async def open(self, request: ReadRequest, content: bytes) -> OpenResult:
        self.fail()
        return await super().open(request, content)

    async def read(self, request: ReadRequest, page: Row, content: bytes) -> Row:
        self.fail()
        return await super().read(request, page, content)


@pytest.fixture(scope="module")
def options() -> ServeOptions:
    return Options().serve_options(cpus=1, gpus=0)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The disk for temporary files."""
    with small_disk(tmp_path / "disk") as mounted:
        monkeypatch.setattr(tempfile, "tempdir", str(mounted))
        yield mounted


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_without_what_is_the_servers_own(fault: Fault) -> None:
    error = server_fault(InfrastructureError(fault, "/secret"))
    assert error.status == 503 and error.retry_after and "/secret" not in error.message


def test_a_fault_of_one_replica_is_met_by_another(options: ServeOptions) -> None:
    reader = FullReader(page_count=2, readable=2)
    reader.failures = 1

    async def use(client: httpx.AsyncClient) -> None:
        answer = await extract(client)
        assert answer.status_code == 200
        assert [page["status"] for page in answer.json()["pages"]] == ["ok", "ok"]

    with_gateway(options, reader, use)
    assert not reader.failures


def test_a_document_that_no_replica_has_room_for_is_refused_until_later(options: ServeOptions) -> None:
    reader = FullReader(page_count=2, readable=2)
    reader.failures = 100

    async def use(client: httpx.AsyncClient) -> None:
        answer = await extract(client)
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        assert "disk for temporary files is full" in answer.json()["error"] and "secret" not in answer.text

    with_gateway(options, reader, use)


def test_an_upload_that_the_gateway_has_no_room_for_is_refused_until_later(options: ServeOptions, disk: Path) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/extract", files={"file": ("deed.pdf", bytes(2 * DISK_BYTES))})
        assert answer.status_code == 503 and "disk for temporary files is full" in answer.json()["error"]

    with_gateway(options, FakeReader(page_count=1, readable=1), use)
    assert not list(disk.iterdir())


def test_a_part_of_a_document_is_never_taken_for_the_whole(disk: Path) -> None:
    files = UploadFiles()
    filler = fill(disk)
    with pytest.raises(OSError, match="No space left"), files.open("a1", bytes(100_000)):
        pass
    filler.unlink()
    with files.open("a1", bytes(100_000)) as path:
        assert path.stat().st_size == 100_000


def test_a_reader_without_room_gives_no_row(disk: Path, options: ServeOptions) -> None:
    reader = DocumentReader(options)
    fill(disk)
    listed = {"document_id": "d", "uri": "deed.pdf", "size_bytes": 1, "etag": None}
    page = {"document_id": "d", "uri": "deed.pdf", "media_type": "application/pdf", "page_index": 0, "page_count": 1}
    with pytest.raises(InfrastructureError) as caught:
        reader.read_page(ReadRequest("a1", listed, "layoutlmv2-forms-small"), page, bytes(100_000))
    assert caught.value.fault == "disk_full"
