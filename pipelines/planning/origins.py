"""Where the figures of a plan come from: measured, in proportion to measured ones, given, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

OriginKind = Literal["measured", "shipped", "in proportion", "given", "assumed"]

TITLES: dict[OriginKind, str] = {
    "measured": "measured",
    "shipped": "measured for this package",
    "in proportion": "in proportion to what was measured",
    "given": "given",
    "assumed": "assumed, not measured",
}

PAGE_KINDS = ("scanned", "layer")


@dataclass(frozen=True)
class Origin:
    """Where a figure comes from.

    Attributes:
        kind: how it was come by. "shipped" is measured for this package, on another machine than that of a plan.
        source: the run, or the measurement, with its day.
        machine: that it was measured on.
    """

    kind: OriginKind
    source: str
    machine: str = ""


Origins = Mapping[str, Origin]
"""By figure: a field of `StageCosts`, or that of a kind of page, as `scanned.ocr`."""


def both_kinds(*fields: str) -> tuple[str, ...]:
    """The figures of these fields of a page, for both kinds of pages."""
    return tuple(f"{kind}.{field}" for field in fields for kind in PAGE_KINDS)


def with_speed(origins: Origins, speed: float, unchanged: str) -> Origins:
    """The origins with a remark that the figures are of other cores, but for figures of the field `unchanged`."""
    remark = f", divided by {speed:g} for other cores"
    return {
        name: origin if name.endswith(unchanged) else replace(origin, source=origin.source + remark)
        for name, origin in origins.items()
    }


def grouped(origins: Origins) -> list[dict[str, Any]]:
    """The figures by origin as JSON, measured ones first; `figures` has `ocr` where both kinds of pages have it."""
    groups: dict[Origin, list[str]] = {}
    for name, origin in origins.items():
        groups.setdefault(origin, []).append(name)
    ordered = sorted(groups, key=lambda origin: list(TITLES).index(origin.kind))
    return [
        {"kind": one.kind, "figures": _short(groups[one]), "source": one.source, "machine": one.machine}
        for one in ordered
    ]


def origins_as_text(groups: list[dict[str, Any]]) -> list[str]:
    """The result of `grouped` as lines."""
    return [
        f"{TITLES[group['kind']]}: {', '.join(group['figures'])} ("
        + "; ".join(filter(None, (group["source"], group["machine"])))
        + ")"
        for group in groups
    ]


def _short(names: list[str]) -> list[str]:
    fields = dict.fromkeys(name.partition(".")[2] or name for name in names)
    shortened = []
    for field in fields:
        kinds = [name for name in names if name in both_kinds(field)]
        shortened += [field] if len(kinds) != 1 else kinds
    return shortened
