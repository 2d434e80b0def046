from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.serving.keys import ApiKeys, read_keys


def test_every_key_is_admitted_and_nothing_else_is() -> None:
    keys = ApiKeys.of(["first", "second"])
    assert keys.are_required
    for header in ("Bearer first", "bearer second", "Bearer  first "):
        assert keys.admit(header), header
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        "first",
        "Basic first",
        "Bearer firs",
        "Bearer first,second",
        "Bearer ü",
        "Bäärer first",
    ):
        assert not keys.admit(header), header


def test_without_keys_everyone_is_admitted() -> None:
    keys = read_keys(" , ", None)
    assert not keys.are_required and keys.admit(None) and keys.admit("Bearer anything")


def test_a_file_adds_keys_and_may_have_comments(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# for the scanner\nthird\n\n  fourth\n")
    keys = read_keys("first", str(file))
    assert all(keys.admit(f"Bearer {key}") for key in ("first", "third", "fourth"))
    assert not keys.admit("Bearer # for the scanner")


def test_a_file_without_keys_or_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# none yet\n")
    for name in ("empty", "absent"):
        with pytest.raises(ValueError, match="--api-keys-file"):
            read_keys("", str(tmp_path / name))


def test_no_representation_shows_a_key() -> None:
    keys = ApiKeys.of(["a-secret"])
    assert "a-secret" not in repr(keys) + str(vars(keys)) and keys.digests[0] not in repr(keys)
