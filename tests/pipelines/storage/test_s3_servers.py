"""Buckets of servers that differ from Amazon's: every object is listed once, or the server's fault is an error."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ProcessingError
from pipelines.storage.files import S3Options, Storage
from tests.listing_server import CONTENT, ListingServer, start_listing_server

KEYS = [f"scans/{number:04d}.pdf" for number in range(230)]
URIS = [f"s3://b/{key}" for key in KEYS]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ListingServer]:
    """A server that new S3 clients reach, with credentials in the environment."""
    with start_listing_server([*KEYS, "scans-old/a.pdf"]) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.endpoint)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, "/nonexistent")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "a")
        yield started


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, server: ListingServer) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


def listed(**options: Any) -> list[str]:
    return [stored.uri for stored in Storage(1, S3Options(**options)).list("s3://b/scans")]


@pytest.mark.parametrize("order", ["name", "hash"])
@pytest.mark.parametrize("paging", ["tokens", "tokens only"])
def test_every_object_is_listed_once_whatever_the_order(server: ListingServer, order: Any, paging: Any) -> None:
    server.order, server.paging = order, paging
    assert sorted(listed()) == URIS


def test_a_server_without_tokens_is_paged_by_its_last_key_where_keys_are_in_order(server: ListingServer) -> None:
    server.paging = "start-after"
    assert listed() == URIS
    server.order = "hash"
    with pytest.raises(ProcessingError, match="does not say how the listing goes on") as caught:
        listed()
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("order", ["name", "hash"])
@pytest.mark.parametrize("paging", ["overlapping", "same page", "same token"])
def test_a_key_that_comes_twice_is_an_error_that_names_the_fault(
    server: ListingServer, order: Any, paging: Any
) -> None:
    server.order, server.paging = order, paging
    with pytest.raises(ProcessingError, match=r"lists \S+\.pdf twice, a fault of the server.*@FILE"):
        listed()


def test_a_public_bucket_is_read_unsigned_by_option(server: ListingServer, tmp_path: Path) -> None:
    server.refuses = "signed"
    with pytest.raises(ProcessingError, match="check the credentials"):
        listed()
    storage = pickle.loads(pickle.dumps(Storage(1, S3Options(sign_requests=False))))
    assert len(list(storage.list("s3://b/scans"))) == len(KEYS)
    assert storage.read(URIS[0]) == CONTENT


@pytest.mark.usefixtures("no_credentials")
def test_a_public_bucket_is_read_without_credentials(server: ListingServer) -> None:
    assert listed() == URIS and not any(server.signed)
    server.refuses = "unsigned"
    with pytest.raises(ProcessingError, match="no AWS credentials found") as caught:
        listed()
    assert caught.value.kind == "access_denied"


def test_a_requester_pays_bucket_is_read_by_option_and_its_refusal_names_it(
    server: ListingServer, tmp_path: Path
) -> None:
    server.refuses = "other payers"
    with pytest.raises(ProcessingError, match="--request-payer requester"):
        listed()
    with pytest.raises(ProcessingError, match="--request-payer requester"):
        Storage(1).exists(URIS[0])
    server.payers.clear()
    storage = pickle.loads(pickle.dumps(Storage(1, S3Options(request_payer=True))))
    assert len(list(storage.list("s3://b/scans"))) == len(KEYS)
    storage.download(URIS[0], tmp_path / "a.pdf")
    with storage.open(URIS[0]) as file:
        assert storage.read(URIS[0]) == file.read() == (tmp_path / "a.pdf").read_bytes() == CONTENT
    assert set(server.payers) == {"requester"}


def test_nobody_pays_for_an_unsigned_request() -> None:
    with pytest.raises(ValueError, match="--no-sign-request"):
        S3Options(sign_requests=False, request_payer=True)
