"""A ruled table with a header row, for the sample documents."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.lib import colors
from reportlab.pdfgen.canvas import Canvas

LEFT = 48.0
"""Left edge of tables, the left margin of their pages, in points."""

PALE = colors.HexColor("#e6eff1")


def draw_table(
    canvas: Canvas,
    top: float,
    columns: Sequence[tuple[str, float, str]],
    rows: Sequence[Sequence[str]],
    height: float = 18,
) -> float:
    """Draw a ruled table; a column is (title, width, alignment). Returns the y of its bottom."""
    width = sum(column[1] for column in columns)
    canvas.setFillColor(PALE)
    canvas.rect(LEFT, top - height, width, height, stroke=0, fill=1)
    canvas.setFillColor(colors.black)
    canvas.setStrokeColor(colors.grey)
    canvas.setLineWidth(0.5)
    for index in range(len(rows) + 2):
        canvas.line(LEFT, top - index * height, LEFT + width, top - index * height)
    x = LEFT
    for number, (title, column_width, alignment) in enumerate(columns):
        canvas.line(x, top, x, top - (len(rows) + 1) * height)
        for index, text in enumerate([title, *(row[number] for row in rows)]):
            canvas.setFont("Helvetica-Bold" if index == 0 else "Helvetica", 8.5)
            baseline = top - (index + 1) * height + height * 0.32
            if alignment == "right":
                canvas.drawRightString(x + column_width - 5, baseline, text)
            else:
                canvas.drawString(x + 5, baseline, text)
        x += column_width
    canvas.line(x, top, x, top - (len(rows) + 1) * height)
    return top - (len(rows) + 1) * height
