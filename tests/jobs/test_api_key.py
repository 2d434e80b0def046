from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jobs.api_key import main
from jobs.cli import BAD_OPTIONS, DONE
from pipelines.serving.keys import read_keys


def test_a_new_key_is_admitted_by_its_digest(capsys: pytest.CaptureFixture[str]) -> None:
    keys = set()
    for _ in range(3):
        assert main([]) == DONE
        key, digest = capsys.readouterr().out.split()
        assert len(key) == 64 and read_keys(None, None, [digest]).admit(f"Bearer {key}")
        keys.add(key)
    assert len(keys) == 3


def test_the_digest_of_a_key_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text("a-key\n")
    assert main(["--digest-of", str(tmp_path / "key")]) == DONE
    assert capsys.readouterr().out == "sha256:" + hashlib.sha256(b"a-key").hexdigest() + "\n"


@pytest.mark.parametrize("content", ["", "two keys\n", None], ids=["empty", "two", "absent"])
def test_a_file_without_one_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    assert main(["--digest-of", str(tmp_path / "key")]) == BAD_OPTIONS
    assert "--digest-of" in capsys.readouterr().err
