"""Sections of invoices and receipts: parties, document data, tables of items with totals, and lines of a receipt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, OTHER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import key_text


@dataclass(frozen=True)
class _Column:
    """A column of items: the caption of its key, its width relative to others, its alignment, its values' kind."""

    key: str
    width: float
    align: str
    kind: str


_DESCRIPTION = _Column("item column", 4, "left", "item")
_COLUMNS = (
    _Column("quantity column", 1, "right", "quantity"),
    _Column("price column", 1.5, "right", "small_amount"),
    _Column("tax column", 1, "right", "tax rate"),
    _Column("unit column", 0.9, "left", "unit"),
)
_FRONT = (
    _Column("position column", 0.6, "left", "position"),
    _Column("item number column", 1.5, "left", "identifier"),
    _Column("date column", 1.5, "left", "day"),
)
_AMOUNT = _Column("amount column", 1.5, "right", "amount")


def parties(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Addresses side by side: each under its key, or the sender's, which nobody labels."""
    rng = canvas.rng
    count = 2 if right - left < 480 else rng.choice((1, 2, 2, 3))
    width = (right - left) / max(2, count)
    bottom = top
    framed = rng.random() < 0.25
    for place, text in enumerate(canvas.captions("party", count)):
        x = left + place * width
        keyed = rng.random() < 0.85
        y, question = top, -1
        if keyed:
            question, _, y = canvas.write(key_text(canvas, text), x + 3, top, QUESTION, canvas.key_font(), width - 12)
        lines = [canvas.value(kind) for kind in ("company", "street", "place")]
        if rng.random() < 0.4:
            lines.insert(rng.randint(0, 1), canvas.value("name"))
        entity, single = -1, rng.random() < 0.25
        font = canvas.value_font() if keyed else canvas.text_font()
        for line in lines:
            index, _, y = canvas.write(line, x + 3, y, ANSWER if keyed else OTHER, font, width - 12)
            if index >= 0 and entity >= 0 and not single:
                canvas.merge_last(entity)
            elif index >= 0:
                entity = index
                canvas.link(question, index)
        if rng.random() < 0.3:
            key, end, low = canvas.write(canvas.caption("party telephone"), x + 3, y, QUESTION, font, width - 12)
            answer, _, low = canvas.write(canvas.value("phone"), end + 5, y, ANSWER, font, width - 15)
            canvas.link(key, answer)
            y = max(y, low)
        if framed:
            canvas.frame(x, top - 2, x + width - 6, y + 2)
        bottom = max(bottom, y)
    return bottom + 3


def document_data(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Number, date and terms of an invoice: a block at the right edge, or a table of keys over values."""
    rng = canvas.rng
    found = rng.sample(canvas.language.document_data, rng.randint(3, 6))
    if rng.random() < 0.4:
        found = [(text, kind) for text, kind in found if kind != "email"]  # it fits into no cell
        width = (right - left) / len(found)
        bottom = top
        for place, (text, kind) in enumerate(found):
            x = left + place * width
            question, _, low = canvas.write(
                key_text(canvas, text, ""), x + 3, top + 2, QUESTION, canvas.small_font(2), width - 8
            )
            answer, _, low = canvas.write(
                canvas.value(kind), x + 3, max(low, top + canvas.line), ANSWER, canvas.value_font(), width - 8
            )
            canvas.link(question, answer)
            bottom = max(bottom, low)
        if rng.random() < 0.6:
            for place in range(len(found)):
                canvas.frame(left + place * width, top, left + (place + 1) * width, bottom + 3)
        return bottom + 5
    start = left + (right - left) * rng.choice((0, 0.45, 0.55, 0.6))
    separator = rng.choice((":", ":", "", canvas.style.separator))
    widest = max(canvas.key_font().getlength(key_text(canvas, text, separator)) for text, _ in found)
    align = rng.choice(("left", "left", "right"))
    y = top
    for text, kind in found:
        if not canvas.fits(y):
            break
        question, end, low = canvas.write(
            key_text(canvas, text, separator), start, y, QUESTION, canvas.key_font(), widest + 2, align
        )
        x = max(end, start + widest) + canvas.style.size
        answer, _, end = canvas.write(canvas.value(kind), x, y, ANSWER, canvas.value_font(), max(60.0, right - x))
        canvas.link(question, answer)
        y = max(low, end, y + canvas.line)
    return y


def item_table(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Keys of columns, a row for each item, and totals whose keys stand before the amounts of the last column."""
    rng = canvas.rng
    columns = [_DESCRIPTION, *rng.sample(_COLUMNS, rng.randint(1, 3 if right - left > 450 else 1)), _AMOUNT]
    if rng.random() < 0.5:
        columns.insert(0, rng.choice(_FRONT))
    if rng.random() < 0.15:
        columns.remove(_DESCRIPTION)
        columns.insert(1, _DESCRIPTION)
    whole = sum(column.width for column in columns)
    price = canvas.language.amounts(rng)
    font = canvas.value_font() if len(columns) < 5 else canvas.style.value_face.at(max(9, canvas.style.size - 2))
    edges = [left]
    for column in columns:
        edges.append(edges[-1] + (right - left) * column.width / whole)
    questions, bottom = [], top
    heads = rng.choice(("same", "same", "left", "center"))
    for place, column in enumerate(columns):
        align = column.align if heads == "same" else heads
        index, _, low = canvas.write(
            key_text(canvas, canvas.caption(column.key), ""),
            edges[place] + 3,
            top + 2,
            QUESTION,
            canvas.small_font(1),
            edges[place + 1] - edges[place] - 8,
            align,
        )
        questions.append(index)
        bottom = max(bottom, low)
    ruled = rng.choice(("none", "head", "head", "rows", "grid"))
    if ruled != "none":
        canvas.rule(left, bottom + 1, right, bottom + 1)
    y, lines = bottom + 3, [top, bottom + 1]
    for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5, 7, 9))):
        if not canvas.fits(y, 4):
            break
        low = y
        for place, column in enumerate(columns):
            text = price(rng) if column is _AMOUNT else canvas.value(column.kind)
            if column is _DESCRIPTION and rng.random() < 0.3:
                text = f"{text}{canvas.language.listed}{canvas.value('item detail')}"
            if column is not _DESCRIPTION and rng.random() < 0.05:
                continue
            text = text.upper() if canvas.style.value_capitals else text
            answer, _, end = canvas.write(
                text, edges[place] + 3, y, ANSWER, font, edges[place + 1] - edges[place] - 8, column.align
            )
            canvas.link(questions[place], answer)
            low = max(low, end)
        y = max(low, y + canvas.line * 0.9)
        lines.append(y)
    if ruled in ("rows", "grid"):
        for line in lines:
            canvas.rule(left, line, right, line)
    if ruled == "grid":
        for edge in edges:
            canvas.rule(edge, top, edge, y)
    elif ruled == "head":
        canvas.rule(left, y, right, y)
    return _totals(canvas, right, y + 3, edges[-2] - rng.uniform(70, 170), price)


def totals(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Keys and amounts at the right edge."""
    start = left + (right - left) * canvas.rng.uniform(0.45, 0.65)
    return _totals(canvas, right, top, start, canvas.language.amounts(canvas.rng))


def _totals(canvas: Canvas, right: float, top: float, start: float, price: Callable[[random.Random], str]) -> float:
    rng = canvas.rng
    middle = max(start + 60, right - canvas.style.size * rng.uniform(6, 9))
    separator, align = rng.choice(("", "", ":", canvas.style.separator)), rng.choice(("left", "right", "right"))
    y = top
    for text in canvas.captions("total", rng.choice((1, 2, 3, 3, 4))):
        if not canvas.fits(y):
            break
        question, _, low = canvas.write(
            key_text(canvas, text, separator), start, y, QUESTION, canvas.key_font(), middle - start - 6, align
        )
        value = "" if rng.random() < canvas.style.empty * 0.5 else price(rng)
        answer, _, end = canvas.write(value, middle, y, ANSWER, canvas.value_font(), right - middle, "right")
        canvas.link(question, answer)
        y = max(low, end, y + canvas.line * 0.9)
    if rng.random() < 0.3:
        canvas.rule(start, y, right, y, rng.choice((1, 2)))
    return y + 3


def receipt(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A narrow till receipt: the shop, items with their prices, totals and a line of thanks."""
    rng = canvas.rng
    width = min(right - left, rng.uniform(230, 340))
    x = left + (right - left - width) * rng.choice((0.0, 0.5, 0.5, 1.0))
    end = x + width
    font = canvas.value_font()
    label = HEADER if rng.random() < 0.4 else OTHER
    _, _, y = canvas.write(canvas.value("company").upper(), x, top, label, canvas.key_font(), width, "center")
    for text in [canvas.value(kind) for kind in ("street", "place")]:
        _, _, y = canvas.write(text, x, y, OTHER, font, width, "center")
    colon = canvas.language.captions["copies separators"][0]
    for text, kind in rng.sample(canvas.language.receipt_data, rng.randint(1, 3)):
        question, stop, _ = canvas.write(f"{text}{colon}", x, y, QUESTION, font, width)
        answer, _, y = canvas.write(canvas.value(kind), stop + 8, y, ANSWER, font, end - stop - 8)
        canvas.link(question, answer)
    y += canvas.line * 0.5
    keys = []
    middle = end - canvas.style.size * 6
    if rng.random() < 0.5:
        low = y
        for text, start, room, align in (
            (canvas.caption("receipt item"), x, middle - x, "left"),
            (canvas.caption("receipt price"), middle, end - middle, "right"),
        ):
            index, _, bottom = canvas.write(text, start, y, QUESTION, font, room, align)
            keys.append(index)
            low = max(low, bottom)
        y = low
    for text in canvas.captions("item", rng.randint(2, 7)):
        if not canvas.fits(y, 4):
            break
        text = f"{rng.randint(1, 4)} {text}" if rng.random() < 0.4 else text
        name, _, low = canvas.write(text, x, y, ANSWER if keys else QUESTION, font, middle - x - 6)
        price, _, bottom = canvas.write(canvas.value("small_amount"), middle, y, ANSWER, font, end - middle, "right")
        if keys:
            canvas.link(keys[0], name)
            canvas.link(keys[1], price)
        else:
            canvas.link(name, price)
        y = max(low, bottom)
    y = _totals(canvas, end, y + 3, x, canvas.language.values["small_amount"])
    thanks = canvas.caption("thanks")
    _, _, y = canvas.write(thanks, x, y + 2, OTHER, font, width, "center")
    return y
