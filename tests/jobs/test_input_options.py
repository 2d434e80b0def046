"""How documents are reached: passwords from a file to the rows, and nowhere else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from jobs.extract import Options, main
from jobs.input_options import InputAccessOptions, read_passwords
from pipelines.storage.files import Storage
from pipelines.storage.tables import read_tables, table_files
from tests.kept_sandboxes import kept_sandboxes

__all__ = ["kept_sandboxes"]

SECRET = "sesame"
"""Of the sample `form-with-password.pdf`."""


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "passwords.txt"
    path.write_bytes(b"\xef\xbb\xbfwrong one\r\n\r\n" + SECRET.encode() + b"\r\n with spaces \r\nwrong one\r\n")
    return path


def test_a_password_is_a_line(password_file: Path) -> None:
    assert read_passwords(password_file) == ("wrong one", SECRET, " with spaces ")


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), (b"\n\r\n", "has no password"), (b"\xff\xfe\x00", "not UTF-8")]
)
def test_a_file_without_passwords_is_refused(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "passwords.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        read_passwords(path)


def test_passwords_are_in_no_text_of_the_options(password_file: Path) -> None:
    access = InputAccessOptions(pdf_passwords=password_file).input_access()
    assert SECRET in access.pdf_passwords and SECRET not in f"{access!r} {access}"
    options = Options(input=("a",), output="b", model="untrained", pdf_passwords=password_file).run_options()
    assert SECRET not in f"{options!r} {json.dumps(options.result_options())}"


def test_a_run_reads_with_the_passwords_and_writes_them_nowhere(
    samples_directory: Path, password_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    output = tmp_path / "out"
    arguments = ["--input", str(samples_directory / "form-with-password.pdf"), "--output", str(output)]
    arguments += ["--model", "untrained", "--text", "layer"]
    assert main(arguments) == 0
    assert json.loads((output / "run.json").read_text())["documents"]["by_error_kind"] == {"encrypted": 1}
    assert main([*arguments, "--pdf-passwords", str(password_file), "--retry-failed"]) == 0
    storage = Storage()
    rows = [
        row
        for _, table in read_tables(storage, table_files(storage, str(output), "pages"))
        for row in table.to_pylist()
    ]
    assert rows and all(row["status"] == "ok" and row["words"] for row in rows)
    written = b"".join(path.read_bytes() for path in output.rglob("*") if path.is_file())
    assert SECRET.encode() not in written and SECRET not in caplog.text
    assert b"data:image/jpeg" in (output / "report.html").read_bytes(), "the report draws the page"
