"""Damage to files as disks, networks and attackers do it: the same bytes for the same seed."""

from __future__ import annotations

import random
import re

NUMBER = re.compile(rb"(?<![\d.])\d{1,10}(?![\d.])")
NASTY_NUMBERS = (b"0", b"-1", b"1", b"65536", b"2147483647", b"-2147483648", b"4294967296", b"99999999999999999999")
NASTY_PIECES = (b"<<", b">>", b"[", b"]", b"(", b")", b"endobj", b"stream\n", b"endstream", b"null", b"\x00" * 64, b"%")


def mutate(content: bytes, others: list[bytes], seed: int) -> bytes:
    """`content` with one to a few hundred changes: bytes flipped, numbers and pieces put in, cut, doubled, spliced."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64, 300))):
        if not data:
            break
        position, kind = chance.randrange(len(data)), chance.random()
        if kind < 0.35:
            data[position] ^= 1 << chance.randrange(8)
        elif kind < 0.5:
            data[position] = chance.randrange(256)
        elif kind < 0.65:
            numbers = [match for match in NUMBER.finditer(data, position, position + 2000)][:1]
            for match in numbers:
                data[match.start() : match.end()] = chance.choice(NASTY_NUMBERS)
        elif kind < 0.75:
            data[position:position] = chance.choice(NASTY_PIECES)
        elif kind < 0.83:
            del data[position : position + chance.randrange(1, 200)]
        elif kind < 0.9:
            end = min(len(data), position + chance.randrange(1, 5000))
            data[position:position] = data[position:end]
        elif kind < 0.97:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            data[position : position + 500] = other[start : start + chance.randrange(1, 5000)]
        else:
            del data[position:]
    return bytes(data)
