"""HTML reports: one file with everything in it, from a template that lies beside the code of each report."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from zlib import crc32

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_COLORS = ("#2563eb55", "#16a34a55", "#dc262655", "#d9770655", "#9333ea55", "#0891b255", "#be185d55", "#4d7c0f55")
_KNOWN = {"QUESTION": 0, "ANSWER": 1, "HEADER": 2}


def render_report(template: Path, **values: object) -> str:
    """The HTML of a report.

    Everything that a template inserts is escaped, and an undefined name is an error. Templates extend
    `base_report.html` and have the filters `count` (`1,234`), `label_color` and `jpeg_source` (bytes of a JPEG as a
    `data:` URI).

    Args:
        template: path of the template.
        values: its variables.
    """
    return _environment(template.parent).get_template(template.name).render(values)


@cache
def _environment(folder: Path) -> Environment:
    """Of the templates in a folder; each is compiled once, which takes longer than to render a short report."""
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "label_color": label_color, "jpeg_source": _jpeg_source}
    return environment


def label_color(label: str) -> str:
    """A translucent color for a label, the same in every report."""
    return _COLORS[_KNOWN.get(label.upper(), crc32(label.encode()) % len(_COLORS))]


def _count(number: int) -> str:
    return f"{number:,}"


def _jpeg_source(content: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()
