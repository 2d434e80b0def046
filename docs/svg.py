"""SVG by hand: rectangles, text and arrows, and how wide a text will be where no font can be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"
MONOSPACE = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"

NARROW, WIDE = "fijlrtI.,:;'|()[]/ \u00a0·", "mwMWABCDGHNOQRSUV_@"


def text_width(text: str, size: float) -> float:
    """An upper estimate of a text's width in pixels: of the wide sans-serif fonts, for narrower ones fit as well."""
    return size * sum(0.38 if sign in NARROW else 0.78 if sign in WIDE else 0.62 for sign in text)


def wrap(text: str, width: float, size: float) -> list[str]:
    """A text in lines of at most `width` pixels, broken at spaces."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


class Svg:
    """A picture that is written from back to front.

    Attributes:
        height: may be set until `finish`.
    """

    def __init__(self, width: float, height: float, data: Mapping[str, Any]) -> None:
        """`data` goes into the picture as JSON."""
        self.width, self.height = width, height
        self._data = data
        self._elements: list[str] = []

    def rectangle(
        self, x: float, y: float, width: float, height: float, *, fill: str, stroke: str = "#c3c9d2", radius: float = 5
    ) -> None:
        """A rectangle with round corners."""
        self._elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}" fill="{fill}" '
            f'stroke="{stroke}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 11.5,
        weight: int = 400,
        colour: str = "#1c2430",
        anchor: str = "start",
        mono: bool = False,
    ) -> None:
        """A line of text; `y` is its base line."""
        family = f' font-family="{MONOSPACE}"' if mono else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}"{family}>{escape(text)}</text>'
        )

    def label(self, x: float, y: float, text: str) -> None:
        """A small text with a halo, to be read over lines."""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="#37588c" text-anchor="middle" stroke="#f6f7f9" '
            f'stroke-width="4" paint-order="stroke">{escape(text)}</text>'
        )

    def arrow(self, points: Sequence[tuple[float, float]]) -> None:
        """An arrow that leaves and arrives vertically, through points two by two: between them it bends."""
        (x, y), *others = points
        path = [f"M{x:.1f} {y:.1f}"]
        for number, (next_x, next_y) in enumerate(others):
            if (number % 2 and number < len(others) - 1) or next_x == x:
                path.append(f"L{next_x:.1f} {next_y:.1f}")
            else:
                middle = (y + next_y) / 2
                path.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}")
            x, y = next_x, next_y
        self._elements.append(
            f'<path d="{" ".join(path)}" fill="none" stroke="#6c7f9c" stroke-width="1.3" marker-end="url(#tip)"/>'
        )

    def open_frame(self, x: float, y: float, width: float, fill: str, stroke: str) -> tuple[int, str]:
        """A frame behind what is drawn next, whose height is known when it is closed."""
        self._elements.append("")
        frame = (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{{}}" rx="7" fill="{fill}" stroke="{stroke}"/>'
        )
        return len(self._elements) - 1, f"{y} {frame}"

    def close_frame(self, frame: tuple[int, str], bottom: float) -> None:
        """Give a frame its height."""
        index, (top, element) = frame[0], frame[1].split(" ", 1)
        self._elements[index] = element.format(f"{bottom - float(top):.1f}")

    def finish(self) -> str:
        """The whole file."""
        width, height = round(self.width), round(self.height)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                f'height="{height}" font-family="{FONT}">',
                f"<metadata>{escape(json.dumps(self._data, indent=1))}</metadata>",
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto"><path d="M0 0L8 4L0 8z" fill="#6c7f9c"/></marker></defs>',
                f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
                *self._elements,
                "</svg>",
                "",
            ]
        )
