"""Documents of public and requester-pays buckets, from the command line to the workers that fetch them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.extract import Options
from pipelines.extract import count_steps, read_steps
from pipelines.schema import Row
from tests.listing_server import ListingServer, start_listing_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ListingServer]:
    with start_listing_server(["a.pdf"]) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.endpoint)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "a")
        yield started


def fetched(options: Options) -> list[Row]:
    """The rows of one document after each `Fetch` of a run: the one that counts pages, and the one that reads them."""
    run = options.run_options()
    _, count_fetch, _ = count_steps(run.listing, run.extract.limits, run.extract.access)
    return [row for fetch in (count_fetch, read_steps(run.extract)[0]) for row in fetch()([{"uri": "s3://b/a.pdf"}])]


def test_workers_read_as_the_options_say(server: ListingServer, tmp_path: Path) -> None:
    plain = Options(input=("s3://b",), output=str(tmp_path), model="untrained")
    payer = Options(input=("s3://b",), output=str(tmp_path), model="untrained", request_payer="requester")
    public = Options(input=("s3://b",), output=str(tmp_path), model="untrained", no_sign_request=True)
    server.refuses = "other payers"
    assert [row["error_kind"] for row in fetched(plain)] == ["access_denied"] * 2
    assert not any("error_kind" in row for row in fetched(payer))
    server.refuses = "signed"
    assert [row["error_kind"] for row in fetched(plain)] == ["access_denied"] * 2
    assert not any("error_kind" in row for row in fetched(public))


def test_how_documents_are_reached_changes_no_row_and_is_in_no_record(tmp_path: Path) -> None:
    options = Options(input=("s3://b",), output=str(tmp_path), model="untrained", no_sign_request=True)
    result_options = options.run_options().result_options()
    assert "access" not in result_options["extract"] and "sign" not in json.dumps(result_options)
