"""A key and its value: the building block of most sections of a form."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.word_breaks import CLAUSE_ENDS, pieces


def key_text(canvas: Canvas, text: str, separator: str | None = None) -> str:
    """The key in the capitals and with the separator of this form."""
    separator = canvas.style.separator if separator is None else separator
    text = text.upper() if canvas.style.key_capitals else text
    return text if text.endswith("?") else text.rstrip(".") + separator if separator == "." else text + separator


def value_text(canvas: Canvas, kind: str) -> str:
    """A value of the kind in the capitals of this form; empty with the probability of the form's style."""
    if canvas.rng.random() < canvas.style.empty:
        return ""
    text = canvas.language.value(canvas.rng, kind)
    return text.upper() if canvas.style.value_capitals else text


def cell_text(canvas: Canvas, kind: str) -> str:
    """A value for a narrow cell."""
    return canvas.language.cell(value_text(canvas, kind))


def field(
    canvas: Canvas,
    text: str,
    value: str,
    x: float,
    y: float,
    right: float,
    value_x: float | None = None,
    underlined: bool | None = None,
    separator: str | None = None,
    trailing: str = ANSWER,
) -> float:
    """Draw a key at x and its value after it or at `value_x`, wrapped before `right`; returns the bottom.

    A value with less than a fifth of the width left starts on the next line.
    """
    rng, style = canvas.rng, canvas.style
    parts = pieces(value)
    if len(parts) > 8 and right - x < 260 and rng.random() < 0.8:
        value = "".join(parts[: rng.randint(2, 6)]).rstrip(CLAUSE_ENDS)
    underlined = rng.random() < style.underlined if underlined is None else underlined
    room = right - x if value_x is None or rng.random() < 0.5 else max(value_x - x - 4, 60.0)
    question, end, bottom = canvas.write(key_text(canvas, text, separator), x, y, QUESTION, canvas.key_font(), room)
    start = end + style.size * rng.uniform(0.4, 1.2) if value_x is None else max(value_x, end + 5)
    line = bottom - style.size * 1.25 if room == right - x else y
    if right - start < 0.22 * (right - x):
        start, line = x + style.size, bottom
    if underlined:
        canvas.rule(start, line + style.size * 1.15, right, line + style.size * 1.15)
    if value:
        lift = style.raised - (style.size - style.key_size) // 2 if line == y else 0
        answer, _, low = canvas.write(value, start, line - lift, trailing, canvas.value_font(), right - start)
        canvas.link(question, answer)
        bottom = max(bottom, low)
    return max(bottom, y + canvas.line)
