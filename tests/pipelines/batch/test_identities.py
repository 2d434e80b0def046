from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.batch import listing
from pipelines.batch.identities import Identities, document_id, uri_hash
from pipelines.batch.listing import list_documents
from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.errors import ProcessingError
from pipelines.options import ExtractOptions
from pipelines.storage.files import Storage

NAMES = st.lists(st.sampled_from([f"{high:016x}{low:016x}" for high in (0, 1, 2**64 - 1) for low in (0, 5, 2**64 - 1)]))


def test_a_uri_has_128_bits_and_another_64_to_compare() -> None:
    assert len(document_id("s3://b/a.pdf")) == 32
    assert document_id("s3://b/a.pdf")[:16] != f"{uri_hash('s3://b/a.pdf'):016x}"


@given(NAMES)
def test_names_come_back(names: list[str]) -> None:
    identities = Identities.of(names)
    assert identities.names() == names
    assert Identities.from_bytes(identities.to_bytes()).names() == names


@given(NAMES, NAMES)
def test_identities_are_found_where_they_are(known: list[str], wanted: list[str]) -> None:
    """Many have the same first half, as two documents of a billion would."""
    known = sorted(set(known))
    positions = Identities.of(known).positions(Identities.of(wanted)).tolist()
    assert positions == [known.index(name) if name in known else -1 for name in wanted]


@given(NAMES)
def test_they_are_sorted_as_their_names_are(names: list[str]) -> None:
    identities = Identities.of(names)
    order = identities.order()
    assert identities[order].names() == sorted(names)
    unique = identities[order][identities[order].differs_from_next()]
    assert unique.names() == sorted(set(names))
    assert order.dtype == np.int64


@pytest.mark.parametrize("names", [["0" * 31], ["0" * 16], ["0" * 31, "0" * 33], ["x" * 32]])
def test_other_names_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        Identities.of(names)


@pytest.fixture
def colliding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with two documents that have one identity."""
    monkeypatch.setattr(listing, "document_id", lambda uri: "0" * 32)
    for name in ("a.png", "b.png"):
        Storage().write(str(tmp_path / "in" / name), b"")
    return tmp_path / "in"


def test_two_documents_of_one_identity_are_an_error_within_a_listing(colliding: Path) -> None:
    with pytest.raises(ProcessingError, match=r"b\.png and .* same document_id"):
        list(list_documents([str(colliding), str(colliding / "a.png")], Storage()))


@pytest.mark.parametrize("in_two_runs", [False, True])
def test_two_documents_of_one_identity_are_an_error_in_an_output(
    in_two_runs: bool, colliding: Path, tmp_path: Path
) -> None:
    options = RunOptions((str(colliding),), str(tmp_path / "out"), ExtractOptions("untrained"), report_pages=0)
    if in_two_runs:
        (colliding / "b.png").rename(tmp_path / "b.png")
        assert run(options, lambda: None)["documents"]["listed"] == 1
        (tmp_path / "b.png").rename(colliding / "b.png")
    with pytest.raises(ProcessingError, match=r"b\.png.* same document_id"):
        run(options, lambda: None)


def test_two_documents_of_one_identity_are_an_error_in_different_rounds(
    colliding: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.batch.discovery.MAX_DOCUMENTS_PER_ROUND", 1)
    options = RunOptions((str(colliding),), str(tmp_path / "out"), ExtractOptions("untrained"), report_pages=0)
    with pytest.raises(ProcessingError, match="same document_id"):
        run(options, lambda: None)
