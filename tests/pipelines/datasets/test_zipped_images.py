"""Images in zip archives, also in archives that were made to harm."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from pipelines.datasets import zipped_images
from pipelines.datasets.page_images import file_of, is_inside_file, read_image_file
from pipelines.datasets.zipped_images import read_zipped_image, zipped_files
from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage, join_uri


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


def refused(uri: str) -> ProcessingError:
    with pytest.raises(ProcessingError) as caught:
        read_zipped_image(Storage(), uri)
    return caught.value


def test_a_member_is_addressed_by_archive_and_name(tmp_path: Path) -> None:
    uri = write_zip(tmp_path / "de.train.zip", {"a.jpg": b"first", "folder/b#1.jpg": b"second", "folder/": b""})
    assert zipped_files(Storage(), uri) == [f"{uri}#a.jpg", f"{uri}#folder/b#1.jpg"]
    assert [read_image_file(Storage(), member) for member in zipped_files(Storage(), uri)] == [b"first", b"second"]
    assert is_inside_file(f"{uri}#a.jpg") and file_of(f"{uri}#folder/b#1.jpg") == uri
    assert not is_inside_file("/a/b#1.jpg") and file_of("/a/b#1.jpg") == "/a/b#1.jpg"


def test_an_archive_in_a_bucket_is_the_same(tmp_path: Path, s3_prefix: str) -> None:
    local = write_zip(tmp_path / "a.zip", {"a.jpg": b"first"})
    uri = join_uri(s3_prefix, "a.zip")
    Storage().write(uri, Path(local).read_bytes())
    assert zipped_files(Storage(), uri) == [f"{uri}#a.jpg"]
    assert read_zipped_image(Storage(), f"{uri}#a.jpg") == b"first"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    uri = write_zip(tmp_path / "a.zip", {"a.jpg": b"first"})
    assert refused(f"{uri}#b.jpg").kind == "not_found"
    assert refused(f"{tmp_path}/b.zip#b.jpg").kind == "not_found"


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x05\x06" + bytes(10)])
def test_a_file_that_is_no_archive_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert refused(f"{tmp_path}/a.zip#a.jpg").kind == "unreadable"


def test_a_damaged_member_is_said(tmp_path: Path) -> None:
    uri = write_zip(tmp_path / "a.zip", {"a.jpg": bytes(range(256)) * 20})
    content = bytearray(Path(uri).read_bytes())
    content[60:80] = bytes(20)
    Path(uri).write_bytes(content)
    assert refused(f"{uri}#a.jpg").kind == "unreadable"


def test_an_archive_that_unfolds_to_too_much_is_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped_images, "MAX_IMAGE_BYTES", 1_000_000)
    uri = write_zip(tmp_path / "a.zip", {"a.jpg": bytes(1_000_001), "b.jpg": bytes(1_000_000)})
    error = refused(f"{uri}#a.jpg")
    assert error.kind == "too_large" and "the image has more than 1 MB" in error.message
    assert len(read_zipped_image(Storage(), f"{uri}#b.jpg")) == 1_000_000


def test_an_archive_that_lies_of_its_sizes_is_no_way_around_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped_images, "MAX_IMAGE_BYTES", 1_000_000)
    uri = write_zip(tmp_path / "a.zip", {"a.jpg": bytes(5_000_000)})
    content = Path(uri).read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 10))
    Path(uri).write_bytes(content)
    assert refused(f"{uri}#a.jpg").kind == "unreadable"  # ten bytes have another checksum


def test_methods_without_an_upper_bound_are_refused(tmp_path: Path) -> None:
    uri = write_zip(tmp_path / "a.zip", {"a.jpg": bytes(1000)}, zipfile.ZIP_BZIP2)
    error = refused(f"{uri}#a.jpg")
    assert error.kind == "unsupported" and "unzip it" in error.message


def test_an_encrypted_member_is_refused_and_not_listed(tmp_path: Path) -> None:
    content = bytearray(Path(write_zip(tmp_path / "a.zip", {"a.jpg": b"x"})).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert zipped_files(Storage(), f"{tmp_path}/a.zip") == []
    assert refused(f"{tmp_path}/a.zip#a.jpg").kind == "encrypted"


def test_a_directory_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    name = "a" * 60_000
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(1 + zipped_images.MAX_DIRECTORY_BYTES // len(name)):
            archive.writestr(f"{number:05d}{name}", b"")
    (tmp_path / "a.zip").write_bytes(content.getvalue())
    with pytest.raises(ProcessingError, match="the archive's directory is too long; unzip it"):
        zipped_files(Storage(), f"{tmp_path}/a.zip")
