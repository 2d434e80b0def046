"""Sections of text: letters, terms, instructions, footnotes, paragraphs under headings, and answers of sentences."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, OTHER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import field, key_text


def _heading(canvas: Canvas, text: str, left: float, right: float, top: float) -> float:
    rng = canvas.rng
    text = text.upper() if rng.random() < 0.5 else text
    font = canvas.style.title_face.at(canvas.style.size, rng.random() < 0.7)
    _, end, y = canvas.write(text, left, top, HEADER, font, right - left, rng.choice(("left", "left", "center")))
    if rng.random() < 0.2:
        canvas.rule(left, y, end, y)
    return y + rng.choice((1, 4, 8))


def letter(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A letter that nobody labelled, but that a reference line may be a field."""
    rng = canvas.rng
    font = canvas.text_font()
    _, _, y = canvas.write(canvas.value("date"), left, top, OTHER, font, right - left, rng.choice(("left", "right")))
    if rng.random() < 0.6:
        y += canvas.line * 0.5
        for line in [canvas.value(kind) for kind in ("name", "company", "street", "place")]:
            _, _, y = canvas.write(line, left, y, OTHER, font, right - left)
    if rng.random() < 0.4:
        y += canvas.line * 0.5
        separator = canvas.language.captions["copies separators"][0]
        y = field(canvas, canvas.caption("reference"), canvas.value("phrase"), left, y, right, separator=separator)
    _, _, y = canvas.write(canvas.value("greeting"), left, y + canvas.line * 0.6, OTHER, font, right - left)
    for _ in range(rng.randint(1, 2)):
        y += canvas.line * 0.5
        if not canvas.fits(y, 4):
            return y
        _, _, y = canvas.write(
            canvas.language.paragraph(rng, 1, 3), left, y, OTHER, font, right - left, leading=canvas.line
        )
    x = left + (right - left) * rng.choice((0, 0, 0.5))
    closing = canvas.caption("closing")
    _, _, y = canvas.write(closing, x, y + canvas.line * 0.5, OTHER, font, right - x)
    _, _, y = canvas.write(canvas.value("name"), x, y + canvas.line, OTHER, font, right - x)
    return y


def terms(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A heading and clauses in small print, in one column or two."""
    rng = canvas.rng
    y = _heading(canvas, canvas.caption("heading"), left, right, top)
    font = canvas.small_font(rng.choice((1, 2, 3)))
    columns = 2 if rng.random() < 0.3 and right - left > 420 else 1
    width = (right - left) / columns
    numbers = rng.choice(canvas.language.clause_numbers)
    bottom, number = y, 0
    for column in range(columns):
        low = y
        for _ in range(rng.randint(1, 3)):
            number += 1
            if not canvas.fits(low, 3):
                break
            text = numbers.format(number) + canvas.language.paragraph(rng, 1, 2)
            _, _, low = canvas.write(text, left + column * width, low, OTHER, font, width - 10)
            low += 3
        bottom = max(bottom, low)
    return bottom


def footnotes(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Small notes with a mark before them."""
    rng = canvas.rng
    font = canvas.small_font(3)
    if rng.random() < 0.5:
        canvas.rule(left, top, left + (right - left) * 0.3, top)
        top += 4
    y = top
    marks = rng.choice((("*", "**", "***"), ("(1)", "(2)", "(3)"), ("a", "b", "c"), ("1)", "2)", "3)")))
    for mark in marks[: rng.randint(1, 3)]:
        text = rng.choice((canvas.value("one sentence"), canvas.caption("instruction"), canvas.value("phrase")))
        _, _, y = canvas.write(f"{mark} {text}", left, y, OTHER, font, right - left)
    return y


def instructions(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A heading and numbered instructions."""
    rng = canvas.rng
    y = top
    if rng.random() < 0.7:
        text = canvas.caption("instructions")
        y = _heading(canvas, text, left, right, top)
    indent = rng.choice((0, 12, 30))
    numbers = rng.choice(canvas.language.step_numbers)
    for number, text in enumerate(canvas.captions("instruction", rng.randint(2, 4)), 1):
        if not canvas.fits(y, 2):
            break
        text = f"{numbers.format(number)} {text}"
        _, _, y = canvas.write(text, left + indent, y, OTHER, canvas.text_font(), right - left - indent)
        y += rng.choice((0, 3))
    return y


def headed_paragraphs(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Paragraphs that nobody labelled, each under a heading or behind one that runs into it."""
    rng = canvas.rng
    y = top
    for text in canvas.captions("heading", rng.choice((1, 2, 2, 3))):
        if not canvas.fits(y, 4):
            break
        y = _heading(canvas, text, left, right, y)
        _, _, y = canvas.write(canvas.language.paragraph(rng, 1, 2), left, y, OTHER, canvas.text_font(), right - left)
        y += canvas.line * rng.choice((0.3, 0.8))
    return y


def declaration(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A sentence that nobody labelled, and under it a line to sign and to date."""
    rng = canvas.rng
    _, _, y = canvas.write(canvas.value("declaration"), left, top, OTHER, canvas.text_font(), right - left)
    y += canvas.line * rng.uniform(0.5, 1.5)
    middle = left + (right - left) * rng.uniform(0.5, 0.7)
    dated = rng.choice(canvas.language.dated)
    for text, kind, x, end in ((canvas.caption("signature"), "name", left, middle - 14), (*dated, middle, right)):
        signed = rng.random() < 0.5
        if rng.random() < 0.5:
            field(canvas, text, canvas.language.value(rng, kind) if signed else "", x, y, end, underlined=True)
            continue
        rule = y + canvas.style.size * 1.3
        canvas.rule(x, rule, end, rule)
        question, _, _ = canvas.write(
            key_text(canvas, text, ""),
            x,
            rule + 2,
            QUESTION,
            canvas.small_font(2),
            end - x,
            rng.choice(("left", "center")),
        )
        if signed:
            answer, _, _ = canvas.write(canvas.value(kind), x + 8, y - 2, ANSWER, canvas.value_font(), 10_000)
            canvas.link(question, answer)
    return y + canvas.style.size * 1.3 + canvas.line


def bulleted_answers(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A key, plain or in a bar, and answers of one or more lines under it, each paragraph an answer of its own."""
    rng = canvas.rng
    text = canvas.language.key(rng, canvas.domain)[0]
    question, _, y = canvas.write(key_text(canvas, text), left + 3, top + 1, QUESTION, canvas.key_font(), right - left)
    if rng.random() < 0.4:
        canvas.frame(left, top - 1, right, y + 1)
    y += rng.choice((2, 5, canvas.line * 0.5))
    mark, indent = rng.choice(("o", "-", "*", "", "", "", "", "#")), rng.choice((0, 12, 25, 50))
    apart = rng.choice((0.0, 2.0, 6.0, canvas.line * 0.5))
    font = canvas.value_font()
    for number in range(1, rng.randint(3, 5)):
        if not canvas.fits(y, 3):
            break
        body = canvas.language.paragraph(rng, 1, 1) if rng.random() < 0.7 else canvas.value("phrase")
        start = f"{number}." if mark == "#" else mark
        x = left + indent
        if start in ("o", "-", "*") and rng.random() < 0.6:
            radius, middle = rng.choice((1.5, 2, 2.5)), y + font.size * 0.6
            canvas.draw.ellipse((x, middle - radius, x + 2 * radius, middle + radius), fill=10)
            x += 16
            start = ""
        answer, _, y = canvas.write(f"{start} {body}".strip(), x, y, ANSWER, font, right - x)
        canvas.link(question, answer)
        y += apart
    return y
