"""The result of `benchmarks.gpu` as text: a Markdown table a section, with shares of the ceilings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {
    "ceilings": "The two ceilings",
    "correctness": "How right is it, beside float64?",
    "pages": "Real pages, from memory to memory",
    "parts": "Where does the time go?",
    "training": "Training",
    "inference": "Windows a second",
    "pictures": "Where are pictures made small?",
    "reading": "PP-OCR",
    "compile": "Windows a second, compiled",
}


def report_as_text(result: Mapping[str, Any]) -> str:
    """All sections, then what was left out.

    Args:
        result: the content of `gpu.json`.
    """
    machine = ", ".join(f"{name} {value}" for name, value in result["machine"].items()) or "nothing was measured"
    lines = [f"{machine}; {result['finished']}; {result['seconds']} s{', quick' if result['quick'] else ''}", ""]
    for name, counted in result["operations"].items():
        parts = ", ".join(f"{part} {value / 1e9:.2f}" for part, value in counted.items())
        lines.append(f"Operations of a full window, {name}, in 10^9 multiplications with additions: {parts}")
    ceilings = ceilings_of(result)
    for section, rows in result["rows"].items():
        if rows:
            lines += ["", f"## {TITLES[section]}", "", *table([with_shares(row, ceilings) for row in rows])]
    if result["left_out"]:
        lines += ["", "## Left out", "", *table(result["left_out"])]
    return "\n".join(lines)


def ceilings_of(result: Mapping[str, Any]) -> dict[str, float]:
    """The ceilings by what they limit: a dtype's name in 10^12 operations a second, "copy" in 10^9 bytes a second."""
    found: dict[str, float] = {}
    for row in result["rows"].get("ceilings", ()):
        if row["what"].startswith("matrix product "):
            found[row["what"].removeprefix("matrix product ")] = row["teraflops"]
        elif row["what"] == "copy on the device":
            found["copy"] = row["gigabytes_per_second"]
    return found


def with_shares(row: Mapping[str, Any], ceilings: Mapping[str, float]) -> dict[str, Any]:
    """A row with the shares of the ceilings that it has figures for; of the dtype that it names."""
    shown = dict(row)
    product = ceilings.get(row.get("dtype", ""))
    if row.get("teraflops") and "model" in row and product:
        shown["share_of_products"] = f"{row['teraflops'] / product:.0%}"
    if row.get("gigabytes_per_second") and "model" in row and "copy" in ceilings:
        shown["share_of_copies"] = f"{row['gigabytes_per_second'] / ceilings['copy']:.0%}"
    return shown


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as a Markdown table with all columns that any of them has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(_cell(row.get(name)) for name in columns) + " |" for row in rows]


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) and value > 9999 else str(value)
