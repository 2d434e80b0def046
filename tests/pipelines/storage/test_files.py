from __future__ import annotations

import os
import pickle
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import IncompleteReadError

from pipelines.errors import ProcessingError
from pipelines.schema import ANSWERS
from pipelines.stages.fetch import Fetch
from pipelines.storage.files import Storage, is_s3, join_uri, normalise_uri
from pipelines.storage.s3 import check_length
from pipelines.storage.tables import write_table
from tests.s3_proxy import Mode, S3Proxy, start_s3_proxy
from tests.s3_server import S3Server

FAILURE_SECONDS = 2.5
"""Longer than boto3's own attempts of one request last."""


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder to write to; both kinds of URI must behave alike."""
    if request.param == "folder":
        return str(tmp_path)
    return request.getfixturevalue("s3_prefix")


def test_what_is_written_is_read_and_listed(root: str) -> None:
    storage = Storage()
    storage.write(join_uri(root, "a", "one.pdf"), b"1")
    storage.write(join_uri(root, "a", "deeper", "two.pdf"), b"22")
    listed = {stored.uri: stored.size_bytes for stored in storage.list(root)}
    assert listed == {join_uri(root, "a", "one.pdf"): 1, join_uri(root, "a", "deeper", "two.pdf"): 2}
    assert storage.read(join_uri(root, "a", "deeper", "two.pdf")) == b"22"


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_name(root: str) -> None:
    storage = Storage()
    for name in ("forms/a", "forms-old/b"):
        storage.write(join_uri(root, name), b"x")
    assert [stored.uri for stored in storage.list(join_uri(root, "forms"))] == [join_uri(root, "forms/a")]


def test_one_file_can_be_listed_by_its_name(root: str) -> None:
    storage = Storage()
    storage.write(join_uri(root, "a.pdf"), b"x")
    storage.write(join_uri(root, "a.pdf.txt"), b"x")
    assert [stored.uri for stored in storage.list(join_uri(root, "a.pdf"))] == [join_uri(root, "a.pdf")]


def test_the_etag_changes_with_the_content(root: str) -> None:
    storage, uri = Storage(), join_uri(root, "a.pdf")
    storage.write(uri, b"one")
    (before,) = storage.list(uri)
    storage.write(uri, b"two")
    (after,) = storage.list(uri)
    assert before.etag != after.etag


def test_names_with_odd_characters_are_only_names(root: str) -> None:
    storage = Storage()
    names = ["with space.pdf", "100%.pdf", "a#b?c&d=e.pdf", "Vertrag für Müller.pdf", "日本.pdf", "a,b;c+d.pdf"]
    for name in names:
        storage.write(join_uri(root, name), name.encode())
    listed = {stored.uri for stored in storage.list(root)}
    assert listed == {join_uri(root, name) for name in names}
    assert all(storage.read(join_uri(root, name)) == name.encode() for name in names)


def test_what_is_not_there_is_not_found(root: str) -> None:
    storage = Storage()
    with pytest.raises(ProcessingError, match=r"missing\.pdf") as caught:
        storage.read(join_uri(root, "missing.pdf"))
    assert caught.value.kind == "not_found"
    assert not storage.exists(join_uri(root, "missing.pdf"))
    assert list(storage.list_existing(join_uri(root, "nowhere"))) == []


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(root: str) -> None:
    storage, uri = Storage(), join_uri(root, "a.pdf")
    storage.write(uri, b"x")
    assert storage.exists(uri)
    storage.delete(uri)
    storage.delete(uri)
    assert not storage.exists(uri)


def test_columns_of_a_table_are_read_without_the_rest(root: str) -> None:
    storage, uri = Storage(), join_uri(root, "table.parquet")
    write_table(storage, uri, ANSWERS.empty_table())
    with storage.open(uri) as file:
        assert pq.read_table(file, columns=["uri"]).column_names == ["uri"]


@pytest.fixture
def proxy(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """Between new S3 clients and the server."""
    with start_s3_proxy(s3_server.endpoint) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.endpoint)
        yield started


@pytest.mark.parametrize("mode", ["down", pytest.param("500", marks=pytest.mark.slow), "503", "cut"])
def test_s3_that_fails_for_a_while_is_waited_for(mode: Mode, proxy: S3Proxy, s3_prefix: str, tmp_path: Path) -> None:
    storage, uri, content = Storage(), join_uri(s3_prefix, "a.pdf"), bytes(range(256)) * 40
    storage.write(uri, content)
    attempts = (
        lambda: storage.write(join_uri(s3_prefix, "b.pdf"), content),
        lambda: storage.read(uri),
        lambda: storage.download(uri, tmp_path / "a.pdf"),
        lambda: list(storage.list(s3_prefix)),
    )
    proxy.fail(mode)
    threading.Timer(FAILURE_SECONDS, proxy.fail, ("pass",)).start()
    with ThreadPoolExecutor(len(attempts)) as pool:
        for attempt in [pool.submit(attempt) for attempt in attempts]:
            attempt.result()
            assert storage.exists(uri)
    assert storage.read(join_uri(s3_prefix, "b.pdf")) == storage.read(uri) == content
    assert (tmp_path / "a.pdf").read_bytes() == content


def test_s3_that_never_answered_is_given_up_and_reported_soon(proxy: S3Proxy, s3_prefix: str) -> None:
    proxy.fail("down")
    with pytest.raises(ProcessingError, match=re.escape(s3_prefix)) as caught:
        Storage(first_patience_seconds=1).read(join_uri(s3_prefix, "a.pdf"))
    assert caught.value.kind == "unreadable"


@pytest.mark.slow
def test_many_objects_are_listed_each_once(s3_prefix: str) -> None:
    storage = Storage()
    sizes = {join_uri(s3_prefix, f"{number:05d}"): number % 2 for number in range(1005)}  # S3 lists 1,000 at once
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda uri: storage.write(uri, bytes(sizes[uri])), sizes))
    listed = [(stored.uri, stored.size_bytes) for stored in storage.list(s3_prefix)]
    assert len(listed) == len(sizes) and dict(listed) == sizes


def test_a_document_is_fetched_into_a_file_where_it_is_not_one_already(root: str) -> None:
    storage, uri = Storage(), join_uri(root, "a.pdf")
    storage.write(uri, b"content")
    fetch = Fetch()
    rows = fetch([{"uri": uri}, {"uri": uri}, {"uri": join_uri(root, "gone.pdf")}])
    path = Path(next(rows)["path"])
    written = path.stat().st_mtime_ns
    assert path.read_bytes() == b"content" and (str(path) == uri) != root.startswith("s3://")
    assert next(rows)["path"] == str(path) and path.stat().st_mtime_ns == written, "it is not fetched again"
    gone = next(rows)
    assert (gone["status"], gone["error_kind"]) == ("failed", "not_found")
    assert path.exists() != root.startswith("s3://"), "nothing is left of what was fetched"


def test_a_storage_can_be_pickled(root: str) -> None:
    storage = Storage()
    storage.write(join_uri(root, "a"), b"x")
    assert pickle.loads(pickle.dumps(storage)).read(join_uri(root, "a")) == b"x"


def test_wrong_credentials_are_access_denied(s3_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ProcessingError, match="check the credentials") as caught:
        list(Storage().list(s3_prefix))
    assert caught.value.kind == "access_denied"


def test_a_bucket_that_does_not_exist_is_not_found(s3_prefix: str) -> None:
    with pytest.raises(ProcessingError) as caught:
        list(Storage().list("s3://no-such-bucket-here/x"))
    assert caught.value.kind == "not_found"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_access_denied(tmp_path: Path) -> None:
    (tmp_path / "secret.pdf").touch(mode=0)
    with pytest.raises(ProcessingError) as caught:
        Storage().read(str(tmp_path / "secret.pdf"))
    assert caught.value.kind == "access_denied"


def test_a_loop_of_links_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.pdf").write_bytes(b"x")
    (tmp_path / "inner" / "loop").symlink_to(tmp_path)
    assert [Path(stored.uri).name for stored in Storage().list(str(tmp_path))] == ["a.pdf"]


def test_a_broken_link_is_listed_and_not_found(tmp_path: Path) -> None:
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nothing")
    (stored,) = Storage().list(str(tmp_path))
    with pytest.raises(ProcessingError) as caught:
        Storage().read(stored.uri)
    assert caught.value.kind == "not_found"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ProcessingError):
        Storage().write(str(tmp_path / "taken"), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("uri", ["gs://bucket/x", "https://host/x", "s3://", "s3:///key"])
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="bucket"):
        normalise_uri(uri)


def test_local_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalise_uri("a/../b") == str(tmp_path / "b")
    assert normalise_uri(f"file://{tmp_path}/c") == str(tmp_path / "c")


def test_a_name_that_is_no_utf8_is_listed_and_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 100%E9.pdf")
    (tmp_path / name).write_bytes(b"x")
    (stored,) = Storage().list(str(tmp_path))
    assert stored.uri == f"{tmp_path}/caf%E9 100%E9.pdf"
    with pytest.raises(ProcessingError):  # a %E9 in the name and an escaped byte look the same
        Storage().read(stored.uri)
    (tmp_path / os.fsdecode(b"na\xefve.pdf")).write_bytes(b"y")
    assert Storage().read(f"{tmp_path}/na%EFve.pdf") == b"y"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    (stored,) = Storage().list(str(tmp_path))
    with pytest.raises(ProcessingError, match="not a regular file") as caught:
        Storage().read(stored.uri)
    assert caught.value.kind == "unsupported"


def test_a_link_to_itself_is_listed_and_unreadable(tmp_path: Path) -> None:
    (tmp_path / "self.pdf").symlink_to(tmp_path / "self.pdf")
    (stored,) = Storage().list(str(tmp_path))
    with pytest.raises(ProcessingError):
        Storage().read(stored.uri)


@pytest.mark.parametrize(("name", "value"), [("AWS_PROFILE", "nobody"), ("AWS_ENDPOINT_URL", "no url")])
def test_wrong_settings_are_processing_errors(
    s3_prefix: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ProcessingError):
        list(Storage().list(s3_prefix))


@pytest.mark.parametrize(
    ("length", "headers", "received", "whole"),
    [
        (5, {}, 5, True),
        (5, {}, 3, False),
        (None, {}, 0, False),  # the connection broke within the headers
        (None, {"transfer-encoding": "chunked"}, 5, True),
        (0, {}, 0, True),
    ],
)
def test_an_answer_that_has_not_arrived_whole_is_noticed(
    length: int | None, headers: dict[str, str], received: int, whole: bool
) -> None:
    answer = {"ContentLength": length, "ResponseMetadata": {"HTTPHeaders": headers}}
    with nullcontext() if whole else pytest.raises(IncompleteReadError):
        check_length(answer, received)


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(Path, "replace", lambda *paths: (calls.append("rename"), replace(*paths))[1])
    Storage().write(str(tmp_path / "a" / "b"), b"content")
    assert calls == ["fsync", "rename", "fsync"], "the file, its name, the folder that holds the name"


@pytest.fixture(params=["folder", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder, and an empty prefix in S3."""
    return str(tmp_path) if request.param == "folder" else request.getfixturevalue("s3_prefix")


def test_a_conditional_write_of_another_version_writes_nothing(folder: str) -> None:
    storage, uri = Storage(), join_uri(folder, "record")
    assert storage.read_versioned(uri) is None
    assert storage.write_if(uri, b"1", "no version of it") is None
    first = storage.write_if(uri, b"1", None)
    assert first is not None and storage.write_if(uri, b"2", None) is None
    second = storage.write_if(uri, b"2", first)
    assert second is not None and storage.write_if(uri, b"3", first) is None
    assert storage.read_versioned(uri) == (b"2", second)
    assert [stored.uri for stored in storage.list(folder)] == [uri], "the lock is not listed"


def test_a_large_file_is_written_in_place_and_one_whose_writer_fails_is_not_there(folder: str) -> None:
    storage, uri = Storage(), join_uri(folder, "large")
    with pytest.raises(RuntimeError), storage.written_file(uri) as path:
        path.write_bytes(b"half")
        raise RuntimeError
    assert not list(storage.list_existing(folder)) and not path.exists()
    content = b"0123456789abcdef" * 1_000_000
    with storage.written_file(uri) as path:
        path.write_bytes(content)
    assert storage.read(uri) == content and (not is_s3(folder) or not path.exists())
    storage.move(uri, join_uri(folder, "aside", "large"))
    assert [stored.uri for stored in storage.list(folder)] == [join_uri(folder, "aside", "large")]


def test_files_that_killed_writers_left_are_removed_when_they_are_old(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".a.parquet.0123.partial", ".b.parquet.4567.partial", "c.partial"))
    for path in (old, new, other):
        path.touch()
        os.utime(path, (1, 1) if path is not new else None)
    Storage().remove_partial_files(str(tmp_path))
    Storage().remove_partial_files(str(tmp_path / "missing"))
    assert sorted(tmp_path.iterdir()) == [new, other]
