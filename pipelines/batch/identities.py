"""Identities of documents as numbers: 128 bits of a hash of the URI, which the tables show as 32 hexadecimal digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BYTES = 16
DIGITS = 2 * BYTES


def document_id(uri: str) -> str:
    """32 hexadecimal digits that identify a URI in all tables.

    Among a billion documents two have the same with a probability of 10^-21.
    """
    return hashlib.blake2b(_encoded(uri), digest_size=BYTES).hexdigest()


def uri_hash(uri: str) -> int:
    """Another hash of a URI, 64 bits: two URIs of one `document_id` are told apart by it."""
    return int.from_bytes(hashlib.blake2b(_encoded(uri), digest_size=8, person=b"uri").digest(), "big")


def _encoded(uri: str) -> bytes:
    return uri.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Identities:
    """Document identities in 16 bytes each.

    Attributes:
        high, low: uint64 [identities], the two halves of each.
    """

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, names: Sequence[str]) -> Identities:
        """Those of `document_id`s.

        Raises:
            ValueError: one of them is not 32 hexadecimal digits.
        """
        joined = "".join(names)
        if len(joined) != DIGITS * len(names) or any(len(name) != DIGITS for name in names):
            raise ValueError(f"a document_id has not {DIGITS} hexadecimal digits")
        return cls.from_bytes(bytes.fromhex(joined))

    @classmethod
    def from_bytes(cls, content: bytes) -> Identities:
        """The inverse of `to_bytes`."""
        halves = np.frombuffer(content, dtype=">u8").reshape(-1, 2).astype(np.uint64)
        return cls(np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]))

    @classmethod
    def concatenate(cls, parts: Iterable[Identities]) -> Identities:
        """Several one after another."""
        chosen = [cls.from_bytes(b""), *parts]
        return cls(np.concatenate([part.high for part in chosen]), np.concatenate([part.low for part in chosen]))

    def __len__(self) -> int:
        return len(self.high)

    def __getitem__(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> Identities:
        return Identities(self.high[chosen], self.low[chosen])

    def to_bytes(self) -> bytes:
        """16 bytes each, as in the tables' digits."""
        return np.stack([self.high, self.low], axis=1).astype(">u8").tobytes()

    def names(self) -> list[str]:
        """The `document_id` of each."""
        digits = self.to_bytes().hex()
        return [digits[start : start + DIGITS] for start in range(0, len(digits), DIGITS)]

    def order(self) -> npt.NDArray[np.int64]:
        """Positions that sort them; equal ones keep their order."""
        return np.lexsort((self.low, self.high))

    def differs_from_next(self) -> npt.NDArray[np.bool_]:
        """bool [identities], whether the next one is another; True for the last."""
        differs = np.ones(len(self), dtype=np.bool_)
        differs[:-1] = (self.high[1:] != self.high[:-1]) | (self.low[1:] != self.low[:-1])
        return differs

    def positions(self, wanted: Identities) -> npt.NDArray[np.int64]:
        """The position of each of `wanted` among these, which must be sorted; int64 [wanted], -1 if it is not there."""
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1, dtype=np.int64)
        positions = np.minimum(np.searchsorted(self.high, wanted.high), len(self) - 1).astype(np.int64)
        while True:  # different identities of the same first half stand beside each other
            same_half = self.high[positions] == wanted.high
            beyond = np.flatnonzero(same_half & (self.low[positions] != wanted.low) & (positions < len(self) - 1))
            if not len(beyond):
                return np.where(same_half & (self.low[positions] == wanted.low), positions, -1)
            positions[beyond] += 1
