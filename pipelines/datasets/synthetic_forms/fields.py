"""A key and its value: the piece of which most sections of a form are made."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms import phrases
from pipelines.datasets.synthetic_forms.canvas import ANSWER, QUESTION, Paper


def key_text(paper: Paper, text: str, separator: str | None = None) -> str:
    """The key in the capitals and with the separator of this form."""
    separator = paper.style.separator if separator is None else separator
    text = text.upper() if paper.style.key_capitals else text
    return text if text.endswith("?") else text.rstrip(".") + separator if separator == "." else text + separator


def value_text(paper: Paper, kind: str) -> str:
    """A value of the kind in the capitals of this form; empty as often as the form's style says."""
    if paper.rng.random() < paper.style.empty:
        return ""
    text = phrases.value(paper.rng, kind)
    return text.upper() if paper.style.value_capitals else text


def field(
    paper: Paper,
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
    """Draws a key at x and its value behind it or at `value_x`, wrapped before `right`; gives the bottom.

    A value that would have less than a fifth of the width begins on the line below.
    """
    rng, style = paper.rng, paper.style
    if len(value.split()) > 8 and right - x < 260 and rng.random() < 0.8:
        value = " ".join(value.split()[: rng.randint(2, 6)]).rstrip(".,;")
    underlined = rng.random() < style.underlined if underlined is None else underlined
    room = right - x if value_x is None or rng.random() < 0.5 else max(value_x - x - 4, 60.0)
    question, end, bottom = paper.write(key_text(paper, text, separator), x, y, QUESTION, paper.key_font(), room)
    start = end + style.size * rng.uniform(0.4, 1.2) if value_x is None else max(value_x, end + 5)
    line = bottom - style.size * 1.25 if room == right - x else y
    if right - start < 0.22 * (right - x):
        start, line = x + style.size, bottom
    if underlined:
        paper.rule(start, line + style.size * 1.15, right, line + style.size * 1.15)
    if value:
        answer, _, low = paper.write(value, start, line, trailing, paper.value_font(), right - start)
        paper.link(question, answer)
        bottom = max(bottom, low)
    return max(bottom, y + paper.line)
