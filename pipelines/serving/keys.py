"""API keys: compared in constant time, and kept as digests only, so that no log or status page can show one.

`python -m jobs.api_key` prints digests, which may stand wherever a key may.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SCHEME = "Bearer"

DIGEST_MARK = "sha256:"
"""Begins a digest where a key is expected; 64 hexadecimal digits follow."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ApiKeys:
    """The keys of the endpoint; without any, it is open to all.

    Attributes:
        digests: SHA-256 of each key, in hexadecimal.
    """

    digests: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, keys: Iterable[str]) -> ApiKeys:
        """From keys in plain text or their digests (`sha256:...`); empty ones are ignored.

        Raises:
            ValueError: a digest is malformed.
        """
        return cls(tuple(sorted({_digest_of(key.strip()) for key in keys if key.strip()})))

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

    def __or__(self, others: ApiKeys) -> ApiKeys:
        """The keys of both."""
        return ApiKeys(tuple(sorted({*self.digests, *others.digests})))


def read_keys(listed: str | None, file: str | None, digests: Iterable[str] = ()) -> ApiKeys:
    """Keys from all their sources; without any source, the endpoint is open.

    Args:
        listed: keys in plain text or their digests, with commas; None if there is no such list.
        file: with one of them a line, where `#` begins a comment line.
        digests: `sha256:...`.

    Raises:
        ValueError: a source holds no key, the file cannot be read, or a digest is malformed.
    """
    keys = []
    if listed is not None:
        keys += _some([key.strip() for key in listed.split(",")], "LAYOUTLMV2_API_KEYS is set and")
    if file is not None:
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--api-keys-file cannot be read: {error}") from error
        keys += _some([line for line in lines if not line.lstrip().startswith("#")], f"--api-keys-file {file}")
    for digest in digests:
        if not digest.startswith(DIGEST_MARK):
            raise ValueError(f"--api-key-digests wants {DIGEST_MARK}..., as `python -m jobs.api_key` prints")
        keys.append(digest)
    return ApiKeys.of(keys)


def key_digest(key: str) -> str:
    """What stands for a key where others can read it: `sha256:` and 64 hexadecimal digits."""
    return DIGEST_MARK + _digest(key)


def _some(keys: list[str], source: str) -> list[str]:
    if not any(key.strip() for key in keys):
        raise ValueError(f"{source} holds no key; the endpoint would be open, for which there is --no-api-keys")
    return keys


def _digest_of(key: str) -> str:
    """The digest of a key, or that which it is itself."""
    if not key.startswith(DIGEST_MARK):
        return _digest(key)
    digest = key.removeprefix(DIGEST_MARK).lower()
    if not _DIGEST.fullmatch(digest):
        raise ValueError(
            f"a digest of an API key is {DIGEST_MARK} and 64 hexadecimal digits, and one has {len(digest)}"
        )
    return digest


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
