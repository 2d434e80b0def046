"""What an input can be, beside a folder or a prefix: a pattern, a list, an inventory of a bucket."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.batch.inputs import glob_to_regex, list_input, normalise_input
from pipelines.batch.listing import list_documents
from pipelines.errors import InfrastructureError, ProcessingError
from pipelines.storage.files import Storage, StoredObject, join_uri

NAMES = ["a.pdf", "b.pdf", "b.txt", "2026/c.pdf", "2026/june/d.pdf", "2026/june/e [1].tif", "old/f.pdf"]


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder with documents; both kinds of URI must behave alike."""
    root = str(tmp_path / "in") if request.param == "folder" else request.getfixturevalue("s3_prefix")
    storage = Storage()
    for name in NAMES:
        storage.write(join_uri(root, name), name.encode())
    return root


def names(uris: Iterable[StoredObject], root: str) -> list[str]:
    return sorted(stored.uri.removeprefix(root + "/") for stored in uris)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*.pdf", ["a.pdf", "b.pdf"]),
        ("?.pdf", ["a.pdf", "b.pdf"]),
        ("[!a].*", ["b.pdf", "b.txt"]),
        ("b.*", ["b.pdf", "b.txt"]),
        ("2026/**/*.pdf", ["2026/c.pdf", "2026/june/d.pdf"]),
        ("**/*.pdf", ["2026/c.pdf", "2026/june/d.pdf", "a.pdf", "b.pdf", "old/f.pdf"]),
        ("*/june/*", ["2026/june/d.pdf", "2026/june/e [1].tif"]),
        ("20*", ["2026/c.pdf", "2026/june/d.pdf", "2026/june/e [1].tif"]),
        ("2026/june/e [1].tif", ["2026/june/e [1].tif"]),
    ],
)
def test_a_pattern_lists_what_it_matches_once(root: str, pattern: str, matched: list[str]) -> None:
    assert names(list_documents([join_uri(root, pattern)], Storage()), root) == matched


def test_a_pattern_that_matches_nothing_is_an_error(root: str) -> None:
    with pytest.raises(ProcessingError, match="no documents under") as caught:
        next(list_documents([join_uri(root, "*.docx")], Storage()))
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("a.pdf", "aXpdf", False),
        ("*.pdf", "a/b.pdf", False),
        ("a*", "a/b/c.pdf", True),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("[a-c]", "b", True),
        ("[^]", "^", True),
        ("[]x]", "]", True),
        ("[x", "[x", True),
    ],
)
def test_a_pattern_is_that_of_a_shell(pattern: str, key: str, matches: bool) -> None:
    assert (re.fullmatch(glob_to_regex(pattern), key) is not None) == matches


def test_a_list_has_an_input_a_line(root: str, tmp_path: Path) -> None:
    lines = ["old", "a.pdf", "", "2026/**/*.pdf", "old/f.pdf", "2026/june/e [1].tif", "missing.pdf"]
    content = "\ufeff" + "\r\n".join(join_uri(root, line) if line else "" for line in lines)
    (tmp_path / "list.txt").write_text(content, encoding="utf-8", newline="")
    listed = list(list_documents([f"@{tmp_path}/list.txt"], Storage()))
    expected = ["old/f.pdf", "a.pdf", "2026/c.pdf", "2026/june/d.pdf", "2026/june/e [1].tif", "missing.pdf"]
    assert [stored.uri.removeprefix(root + "/") for stored in listed] == expected
    known = {stored.uri: stored for stored in Storage().list(root)}
    assert all(known[stored.uri] == stored for stored in listed[:-1]), "with size and etag"
    assert listed[-1] == StoredObject(join_uri(root, "missing.pdf"), 0, "")


def test_a_list_in_a_bucket_has_keys(s3_prefix: str) -> None:
    storage, bucket = Storage(), "/".join(s3_prefix.split("/")[:3])
    storage.write(join_uri(s3_prefix, "a.pdf"), b"x")
    key = join_uri(s3_prefix, "a.pdf").removeprefix(bucket + "/")
    storage.write(join_uri(s3_prefix, "keys.txt"), f"{key}\n/{key}\n{bucket}/{key}\n".encode())
    listed = list(list_documents([f"@{s3_prefix}/keys.txt"], storage))
    assert [stored.uri for stored in listed] == [join_uri(s3_prefix, "a.pdf")]


def test_a_list_that_is_wrong_says_where(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.pdf\ngs://bucket/b.pdf\n")
    with pytest.raises(ProcessingError, match=r"list\.txt, line 2"):
        list(list_input(f"@{tmp_path}/list.txt", Storage()))
    with pytest.raises(ProcessingError, match=r"the list of inputs .*none\.txt"):
        next(list_documents([f"@{tmp_path}/none.txt"], Storage()))


def test_paths_of_inputs_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalise_input("@keys.txt") == f"@{tmp_path}/keys.txt"
    assert normalise_input("*.pdf") == f"{tmp_path}/*.pdf"
    assert normalise_input("@s3://b/keys.txt") == "@s3://b/keys.txt"
    with pytest.raises(ValueError, match="gs://"):
        normalise_input("@gs://b/keys.txt")


ROWS: list[dict[str, Any]] = [
    {"bucket": "b", "key": "in/a b.pdf", "version_id": "", "is_latest": True, "size": 7, "e_tag": "e1"},
    {"bucket": "b", "key": "in/ä+1.pdf", "version_id": "", "is_latest": True, "size": 8, "e_tag": "e2"},
    {"bucket": "b", "key": "in/old.pdf", "version_id": "1", "is_latest": False, "size": 9, "e_tag": "e3"},
    {"bucket": "b", "key": "in/folder/", "version_id": "", "is_latest": True, "size": 0, "e_tag": "e4"},
]
EXPECTED = [StoredObject("s3://b/in/a b.pdf", 7, "e1"), StoredObject("s3://b/in/ä+1.pdf", 8, "e2")]


def write_inventory(root: str, file_format: str, *, data_folder: str, data: bytes | None = None) -> str:
    """An inventory of `ROWS` with its data in `data_folder`, below `root`; returns the URI of its manifest."""
    if file_format == "CSV":
        schema, name = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag", "1.csv.gz"
        keys = ["in/a+b.pdf", "in/%C3%A4%2B1.pdf", "in/old.pdf", "in/folder/"]
        lines = [
            ",".join(f'"{field}"' for field in ("b", key, "", str(row["is_latest"]).lower(), "", row["size"], tag))
            for row, key in zip(ROWS, keys, strict=True)
            for tag in [row["e_tag"]]
        ]
        lines.append('"b","in/gone.pdf","2","true","true","",""')
        content = gzip.compress("\n".join(lines).encode())
    else:
        schema, name = "message s3.inventory { required binary bucket (STRING); }", "1.parquet"
        deleted = {"bucket": "b", "key": "in/gone.pdf", "is_latest": True, "is_delete_marker": True}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist([{"is_delete_marker": None, **ROWS[0]}, *ROWS[1:], deleted]), sink)
        content = sink.getvalue().to_pybytes()
    bucket = "/".join(root.split("/")[:3]) if root.startswith("s3://") else root
    key = f"{root.removeprefix(bucket)}/{data_folder}/{name}".lstrip("/")
    Storage().write(join_uri(root, data_folder, name), content if data is None else data)
    manifest = {
        "sourceBucket": "b",
        "destinationBucket": "arn:aws:s3:::elsewhere",
        "fileFormat": file_format,
        "fileSchema": schema,
        "files": [{"key": key, "size": len(content)}],
    }
    uri = join_uri(root, "2026-06-01T00-00Z", "manifest.json")
    Storage().write(uri, json.dumps(manifest).encode())
    return uri


@pytest.mark.parametrize("file_format", ["CSV", "Parquet"])
@pytest.mark.parametrize("data_folder", ["data", "2026-06-01T00-00Z", "2026-06-01T00-00Z/data"])
def test_an_inventory_lists_its_objects(tmp_path: Path, file_format: str, data_folder: str) -> None:
    uri = write_inventory(str(tmp_path), file_format, data_folder=data_folder)
    assert list(list_documents([uri], Storage())) == EXPECTED


@pytest.mark.parametrize("file_format", ["CSV", "Parquet"])
def test_an_inventory_is_read_in_its_bucket(s3_prefix: str, file_format: str) -> None:
    uri = write_inventory(s3_prefix, file_format, data_folder="data")
    assert list(list_documents([uri], Storage())) == EXPECTED


@pytest.mark.parametrize(
    ("file_format", "data"), [("CSV", b"\x1f\x8bdamaged"), ("Parquet", b"PAR1"), ("CSV", b'"b"\n')]
)
def test_a_damaged_inventory_is_unreadable(tmp_path: Path, file_format: str, data: bytes) -> None:
    uri = write_inventory(str(tmp_path), file_format, data_folder="data", data=data)
    with pytest.raises(ProcessingError, match=r"manifest\.json: its files are damaged") as caught:
        list(list_input(uri, Storage()))
    assert caught.value.kind == "unreadable"


def test_an_inventory_in_another_format_is_unsupported(tmp_path: Path) -> None:
    uri = write_inventory(str(tmp_path), "CSV", data_folder="data")
    Path(uri).write_text(Path(uri).read_text().replace('"CSV"', '"ORC"'))
    with pytest.raises(ProcessingError, match="ORC") as caught:
        list(list_input(uri, Storage()))
    assert caught.value.kind == "unsupported"


def test_another_manifest_is_a_file_like_others(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (stored,) = list_input(str(tmp_path / "manifest.json"), Storage())
    assert stored.uri == str(tmp_path / "manifest.json")


def test_names_that_are_no_utf8_are_listed_by_a_list(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/f\xe9.pdf")
    Path(odd).write_bytes(b"x")
    (tmp_path / "list.txt").write_bytes(os.fsencode(odd) + b"\n")
    (stored,) = list_input(f"@{tmp_path}/list.txt", Storage())
    assert Storage().read(stored.uri) == b"x"


@pytest.mark.parametrize(
    ("error", "is_listed"),
    [
        (ProcessingError("access_denied", "not this object"), True),
        (InfrastructureError("credentials", "expired"), False),
    ],
)
def test_a_document_of_a_list_that_may_not_be_looked_up_is_listed_unless_it_is_for_the_credentials(
    error: ProcessingError, is_listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list").write_text("s3://bucket/a.pdf\n")

    def refuse(storage: Storage, uri: str) -> None:
        raise error

    monkeypatch.setattr(Storage, "find", refuse)
    with nullcontext() if is_listed else pytest.raises(InfrastructureError, match="expired"):
        listed = list_documents([f"@{tmp_path}/list"], Storage())
        assert [stored.uri for stored in listed] == ["s3://bucket/a.pdf"]
