"""How documents are reached: the options of the jobs that read them from S3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from pipelines.options import InputAccess
from pipelines.storage.files import S3Options


@dataclass(frozen=True)
class InputAccessOptions:
    """Options of a job that reads documents from S3."""

    no_sign_request: tyro.conf.FlagCreatePairsOff[bool] = False
    """Read documents from S3 without signing the requests, as public buckets allow. Without AWS credentials this is so
    by itself."""
    request_payer: Literal["requester"] | None = None
    """requester: this account pays for what is read from requester-pays buckets."""
    pdf_passwords: Path | None = None
    """File with a password a line, tried in turn on PDFs that need one. They are in no log and no output."""

    def input_access(self) -> InputAccess:
        """How documents are reached.

        Raises:
            ValueError: the options make no sense.
        """
        passwords = () if self.pdf_passwords is None else read_passwords(self.pdf_passwords)
        return InputAccess(S3Options(not self.no_sign_request, self.request_payer is not None), passwords)


def read_passwords(path: Path) -> tuple[str, ...]:
    """The lines of a file, each once, without empty ones; spaces belong to a password.

    Raises:
        ValueError: it cannot be read, is not UTF-8, or has no password.
    """
    try:
        lines = path.expanduser().read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise ValueError(f"--pdf-passwords {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        # Not chained: the error holds the content of the file.
        raise ValueError(f"--pdf-passwords {path} is not UTF-8 text") from None
    passwords = tuple(dict.fromkeys(line.removesuffix("\r") for line in lines if line.removesuffix("\r")))
    if not passwords:
        raise ValueError(f"--pdf-passwords {path} has no password; it should have one a line")
    return passwords
