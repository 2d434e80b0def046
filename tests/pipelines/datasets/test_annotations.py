"""Images and JSON of which anything may be wrong."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets.annotations import HEAD_BYTES, coordinates, image_size, require_field, shortened, skip_if_broken
from pipelines.errors import InfrastructureError, ProcessingError
from pipelines.storage.files import Storage, join_uri


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_the_size_of_an_image_is_read_from_its_header(ending: str, tmp_path: Path) -> None:
    Image.new("L", (31, 47)).save(tmp_path / f"a.{ending}")
    assert image_size(Storage(), str(tmp_path / f"a.{ending}")) == (31, 47)


def test_a_header_that_stands_far_behind_is_found(tmp_path: Path) -> None:
    profile = random.Random(0).randbytes(2 * HEAD_BYTES)
    Image.new("RGB", (31, 47)).save(tmp_path / "a.jpg", icc_profile=profile)
    assert image_size(Storage(), str(tmp_path / "a.jpg")) == (31, 47)


def test_of_an_image_in_a_bucket_the_size_is_the_same(s3_prefix: str, tmp_path: Path) -> None:
    Image.new("L", (31, 47)).save(tmp_path / "a.png")
    uri = join_uri(s3_prefix, "a.png")
    Storage().write(uri, (tmp_path / "a.png").read_bytes())
    assert image_size(Storage(), uri) == (31, 47)


@pytest.mark.parametrize(("content", "kind"), [(None, "not_found"), (b"", "unreadable"), (b"\x89PNG", "unreadable")])
def test_what_is_no_image_has_no_size(content: bytes | None, kind: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ProcessingError) as raised:
        image_size(Storage(), str(tmp_path / "a.png"))
    assert raised.value.kind == kind


def test_a_broken_annotation_is_reported_and_the_run_goes_on() -> None:
    told: list[tuple[str, str]] = []
    for uri, content in (("a", "{"), ("b", b"\xff{"), ("c", "[" * 100_000), ("d", "[]")):
        with skip_if_broken(uri, lambda *issue: told.append(issue)):
            require_field(json.loads(content), "form", list)
    assert [uri for uri, _ in told] == ["a", "b", "c", "d"]
    assert all(message.startswith("left out: ") for _, message in told)


def test_a_mistake_of_the_program_is_not_taken_for_a_broken_annotation() -> None:
    with pytest.raises(AttributeError), skip_if_broken("a", lambda uri, message: None):
        raise AttributeError("no such name")


@pytest.mark.parametrize("value", [None, 7, [1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, True], [0, 0, 0, float("nan")]])
def test_what_is_no_box_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"4 numbers are expected|is no coordinate"):
        coordinates(value, 4)


def test_numbers_too_large_for_a_page_are_refused() -> None:
    with pytest.raises(ValueError, match="is no coordinate"):
        coordinates([0, 0, 10**400, 1], 4)


def test_long_values_are_shortened_in_messages() -> None:
    assert shortened(["x"] * 100).endswith("...") and len(shortened(["x"] * 100)) == 60


@pytest.mark.parametrize(
    "error", [InfrastructureError("credentials", "expired"), OSError(28, "No space left on device")]
)
def test_an_annotation_is_not_left_out_where_the_machine_is_at_fault(error: Exception) -> None:
    reported: list[str] = []
    with pytest.raises(InfrastructureError), skip_if_broken("a.json", lambda uri, _: reported.append(uri)):
        raise error
    assert not reported
    with skip_if_broken("a.json", lambda uri, _: reported.append(uri)):
        raise ProcessingError("not_found", "a.json")
    assert reported == ["a.json"]
