"""Rows that are equal but for rounding: a model rounds otherwise with another number of threads."""

from __future__ import annotations

from typing import Any

import pytest

ROUNDING = 1e-5


def differences(one: Any, other: Any, place: str = "rows") -> list[str]:
    """Where two values of rows differ by more than rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return [f"{place}: {list(one)} and {list(other)}"]
        return [found for key in one for found in differences(one[key], other[key], f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return [f"{place}: {len(one)} and {len(other)} values"]
        pairs = zip(one, other, strict=True)
        return [found for index, pair in enumerate(pairs) for found in differences(*pair, f"{place}[{index}]")]
    equal = one == pytest.approx(other, abs=ROUNDING) if isinstance(one, float) else one == other
    return [] if equal else [f"{place}: {one!r} and {other!r}"]
