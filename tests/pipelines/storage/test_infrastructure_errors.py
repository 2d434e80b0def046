"""Faults of a disk, a mount, an S3 server or its credentials, told from those of one file or object."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions as boto
import pytest
from botocore.stub import Stubber

from pipelines.errors import InfrastructureError, ProcessingError
from pipelines.schema import Row
from pipelines.stages.fetch import Fetch
from pipelines.storage.files import Storage, join_uri
from pipelines.storage.local import check_readable
from pipelines.storage.s3 import S3Access
from tests.pipelines.storage.full_disk import DISK_BYTES, fill, small_disk, unmount
from tests.s3_proxy import Mode, start_s3_proxy
from tests.s3_server import S3Server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


def fetched(uri: str) -> Row:
    [row] = Fetch()([{"uri": uri}])
    return row


def test_a_full_disk_is_a_fault_and_leaves_no_part_of_a_file(disk: Path) -> None:
    filler = fill(disk)
    with pytest.raises(InfrastructureError, match="No space left on device; free space") as caught:
        Storage().write(str(disk / "a.parquet"), bytes(100_000))
    assert caught.value.fault == "disk_full"
    assert list(disk.iterdir()) == [filler]


def test_a_full_disk_for_temporary_files_fails_no_document(
    disk: Path, s3_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = join_uri(s3_prefix, "a.pdf")
    Storage().write(uri, bytes(DISK_BYTES // 4))
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    fetch = Fetch()
    filler = fill(disk)
    with pytest.raises(InfrastructureError) as caught:
        list(fetch([{"uri": uri}]))
    assert caught.value.fault == "disk_full"
    filler.unlink()
    [row] = fetch([{"uri": uri}])
    assert Path(row["path"]).stat().st_size == DISK_BYTES // 4


def test_a_document_that_is_larger_than_the_disk_fails_alone(
    disk: Path, s3_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = join_uri(s3_prefix, "a.pdf")
    Storage().write(uri, bytes(2 * DISK_BYTES))
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    assert fetched(uri)["error_kind"] == "too_large"


def test_files_of_a_mount_that_is_lost_meanwhile_fail_no_document(disk: Path) -> None:
    (disk / "forms").mkdir()
    (disk / "forms" / "a.pdf").write_bytes(b"x")
    fetch, row = Fetch(), {"uri": str(disk / "forms" / "a.pdf")}
    assert "path" in next(fetch([row]))
    unmount(disk)
    with pytest.raises(InfrastructureError, match=f"with {disk}/forms is not mounted any more") as caught:
        list(fetch([row]))
    assert caught.value.fault == "storage_unavailable"
    (disk / "another.pdf").touch()
    with pytest.raises(InfrastructureError):
        list(fetch([row]))


@pytest.mark.parametrize("name", ["a.pdf", "forms/a.pdf"])
def test_files_of_a_mount_that_was_lost_before_fail_no_document(name: str, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    assert fetched(str(mount / name))["error_kind"] == "not_found", "it has been emptied just now"
    os.utime(mount, (0, 0))
    with pytest.raises(InfrastructureError, match=f"now {mount} is empty; mount it again, or remove that folder"):
        fetched(str(mount / name))
    mount.rmdir()
    assert fetched(str(mount / name))["error_kind"] == "not_found"


@pytest.mark.parametrize("gone", ["forms/a.pdf", "forms"])
def test_a_file_or_folder_that_was_removed_is_not_found(tmp_path: Path, gone: str) -> None:
    (tmp_path / "forms").mkdir()
    for name in ("forms/a.pdf", "forms/b.pdf", "c.pdf"):
        (tmp_path / name).write_bytes(b"x")
    fetch, row = Fetch(), {"uri": str(tmp_path / "forms" / "a.pdf")}
    assert "path" in next(fetch([row]))
    path = tmp_path / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    for folder in (tmp_path, tmp_path / "forms"):
        if folder.exists():
            os.utime(folder, (0, 0))
    [missing] = fetch([row])
    assert missing["error_kind"] == "not_found"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_an_input_error_is_the_file_s_own_while_its_folder_answers(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"x")

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", fail)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(ProcessingError) as caught:
        Storage().read(str(path))
    assert caught.value.kind == "unreadable" and not isinstance(caught.value, InfrastructureError)
    check_readable(path, is_copy=False)
    with pytest.raises(InfrastructureError, match="check this machine's disk"):
        check_readable(path, is_copy=True)
    monkeypatch.setattr(os, "statvfs", fail)
    for read in (lambda: Storage().read(str(path)), lambda: check_readable(path, is_copy=False)):
        with pytest.raises(InfrastructureError, match="its folder does not answer") as fault:
            read()
        assert fault.value.fault == "storage_unavailable"


CODES = {
    "ExpiredToken": "credentials",
    "InvalidAccessKeyId": "credentials",
    "SignatureDoesNotMatch": "credentials",
    "RequestTimeTooSkewed": "credentials",
    "InvalidToken": "credentials",
    "TokenRefreshRequired": "credentials",
    "AccessDenied": None,
    "NoSuchKey": None,
    "NoSuchBucket": None,
    "InvalidObjectState": None,
}


@pytest.mark.parametrize("code", CODES)
def test_credentials_that_are_not_valid_are_a_fault_and_a_refused_object_is_not(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    access = S3Access()
    with Stubber(access.client) as stubber:
        stubber.add_client_error("get_object", code, http_status_code=403)
        with pytest.raises(ProcessingError, match=code) as caught:
            access.read("s3://bucket/a.pdf")
    fault = caught.value.fault if isinstance(caught.value, InfrastructureError) else None
    assert fault == CODES[code]


@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.PartialCredentialsError(provider="env", cred_var="x"),
        boto.CredentialRetrievalError(provider="process", error_msg="x"),
        boto.TokenRetrievalError(provider="sso", error_msg="x"),
    ],
)
def test_credentials_that_cannot_be_had_are_a_fault(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")

    def send() -> None:
        raise error

    with pytest.raises(InfrastructureError) as caught:
        S3Access().request("s3://bucket/a.pdf", send)
    assert (caught.value.fault, caught.value.kind) == ("credentials", "access_denied")


def test_a_server_that_does_not_know_the_key_any_more_fails_no_document(
    s3_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = join_uri(s3_prefix, "a.pdf")
    Storage().write(uri, b"x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "revoked")
    with pytest.raises(InfrastructureError, match="check the credentials") as caught:
        fetched(uri)
    assert caught.value.fault == "credentials"


@pytest.mark.parametrize("mode", ["down", "500", "503"])
def test_a_server_that_stays_out_of_reach_is_a_fault(
    mode: Mode, s3_server: S3Server, s3_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_s3_proxy(s3_server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        proxy.fail(mode)
        with pytest.raises(InfrastructureError, match="try again later") as caught:
            Storage(first_patience_seconds=0.1).read(join_uri(s3_prefix, "a.pdf"))
    assert caught.value.fault == "storage_unavailable"


def test_an_object_that_fails_for_long_on_a_server_that_answers_fails_alone(s3_prefix: str) -> None:
    access = S3Access(first_patience_seconds=0.1)

    def send() -> Any:
        raise boto.IncompleteReadError(actual_bytes=1, expected_bytes=2)

    with pytest.raises(ProcessingError) as caught:
        access.request(join_uri(s3_prefix, "a.pdf"), send)
    assert caught.value.kind == "unreadable" and not isinstance(caught.value, InfrastructureError)
