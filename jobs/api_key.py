"""Make an API key for jobs.serve and the digest that stands for it, or the digest of a key that exists.

Exit status: 0 done, 2 the options make no sense.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobs.cli import DONE, parse_options, run_job
from pipelines.serving.keys import key_digest

KEY_BYTES = 32


@dataclass(frozen=True)
class Options:
    """Options of `python -m jobs.api_key`."""

    digest_of: Path | None = None
    """File with a key, whose digest is printed; by default a new key is made, and printed before its digest."""

    def key(self) -> str:
        """The key.

        Raises:
            ValueError: the file cannot be read, or holds another number of keys than one.
        """
        if self.digest_of is None:
            return secrets.token_hex(KEY_BYTES)
        try:
            lines = self.digest_of.expanduser().read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--digest-of {self.digest_of} cannot be read: {type(error).__name__}") from None
        if len(lines) != 1:
            raise ValueError(f"--digest-of {self.digest_of} has {len(lines)} keys; it should have one")
        return lines[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a key and its digest; returns the exit status."""
    options = parse_options(Options, __doc__, arguments)
    return run_job(options.key, partial(show, is_new=options.digest_of is None), interrupted="interrupted")


def show(key: str, is_new: bool) -> int:
    """Print the digest, and before it the key if it is new; returns the exit status."""
    if is_new:
        print(key)
    print(key_digest(key))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
