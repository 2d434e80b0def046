"""API keys: compared in constant time, and kept as digests only, so that no log or status page can show one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SCHEME = "Bearer"


@dataclass(frozen=True)
class ApiKeys:
    """The keys of the endpoint; without any, it is open to all.

    Attributes:
        digests: SHA-256 of each key, in hexadecimal.
    """

    digests: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, keys: Iterable[str]) -> ApiKeys:
        """From keys in plain text; empty ones are ignored."""
        return cls(tuple(sorted({_digest(key.strip()) for key in keys if key.strip()})))

    @property
    def are_required(self) -> bool:
        """Whether requests need a key."""
        return bool(self.digests)

    def admit(self, authorization: str | None) -> bool:
        """Whether the value of an `Authorization` header holds one of the keys, or none is required.

        Every key is compared even if an earlier one matches, so that the time taken reveals nothing about them.
        """
        if not self.are_required:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self.digests]
        return any(matches) and scheme.lower() == SCHEME.lower()


def read_keys(listed: str, file: str | None) -> ApiKeys:
    """Keys from a comma-separated list and from a file with one key a line, where `#` begins a comment line.

    Raises:
        ValueError: the file cannot be read, or holds no key.
    """
    keys = listed.split(",")
    if file is not None:
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--api-keys-file cannot be read: {error}") from error
        found = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not found:
            raise ValueError(f"--api-keys-file {file} holds no key, and the endpoint would be open")
        keys += found
    return ApiKeys.of(keys)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
