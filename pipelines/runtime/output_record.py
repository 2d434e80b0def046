"""What every output records of how it was made: when, with which options, and how these differ from other options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pipelines.errors import JobError


class OutputConflictError(JobError):
    """The output holds the result of other options; the message names them."""


def now() -> str:
    """The time as ISO 8601, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Difference:
    """A value that differs between two records; None stands for one that is absent.

    Attributes:
        name: of the value; names of nested values are joined with dots, as in `extract.stride`.
    """

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name} was {self.old!r} and is {self.new!r}"


def find_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The values, of nested records too, that are not equal in two records, sorted by name."""
    flat_old, flat_new = _flatten(old), _flatten(new)
    names = sorted(flat_old.keys() | flat_new.keys())
    differences = (Difference(name, flat_old.get(name), flat_new.get(name)) for name in names)
    return [difference for difference in differences if difference.old != difference.new]


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """`name was ... and is ...` for each difference between two records."""
    return [str(difference) for difference in find_differences(old, new)]


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
