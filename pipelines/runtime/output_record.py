"""What every output records about its making: when, with which options, and how those differ from another output's."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from pipelines.errors import JobError


class OutputConflictError(JobError):
    """The output holds the result of other options; the message names them."""


def now() -> str:
    """The time as records tell it: ISO 8601, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def describe_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """`name was ... and is ...` for each value, of nested ones too, that is not equal in two records."""
    flat_old, flat_new = _flat(old), _flat(new)
    return [
        f"{name} was {flat_old.get(name)!r} and is {flat_new.get(name)!r}"
        for name in sorted(flat_old.keys() | flat_new.keys())
        if flat_old.get(name) != flat_new.get(name)
    ]


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
