"""Sections of invoices and receipts: parties, document data, tables of items with totals, and lines of a receipt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.datasets.synthetic_forms import phrases
from pipelines.datasets.synthetic_forms import vocabulary_trades as trades
from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, OTHER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import key_text
from pipelines.datasets.synthetic_forms.trade_values import (
    amount,
    amounts,
    day,
    email,
    identifier,
    small_amount,
    tax_number,
    terms_of_payment,
)

_PARTIES = ("Bill To", "Ship To", "Invoice To", "Deliver To", "Sold To", "Customer", "From", "Supplier", "Remit To")
_DATA: tuple[tuple[str, Callable[..., str]], ...] = (
    ("Invoice No.", identifier), ("Invoice Date", day), ("Due Date", day), ("Order No.", identifier), ("Date", day),
    ("Customer No.", identifier), ("P.O. Number", identifier), ("Terms", terms_of_payment),
    ("VAT No.", tax_number), ("Delivery Date", day), ("Reference", identifier),
    ("Salesperson", phrases.name), ("Page", lambda rng: f"{rng.randint(1, 3)} of 3"), ("Contact", email),
    ("Amount Due", amount), ("Ship Via", lambda rng: rng.choice(("UPS", "Courier", "Own truck", "Post"))),
)  # fmt: skip
_TOTALS = ("Subtotal", "Sub-Total", "VAT 19%", "Tax (8.25%)", "Discount", "Shipping", "Freight", "Total", "TOTAL DUE",
           "Amount Due", "Net Amount", "Grand Total", "Balance Due", "Paid", "Deposit", "Rounding")  # fmt: skip


@dataclass(frozen=True)
class _Column:
    """A column of items: its key, its width relative to others, its alignment, and how a cell is made."""

    keys: tuple[str, ...]
    width: float
    align: str
    value: Callable[..., str]


_DESCRIPTION = _Column(
    ("Description", "Item", "Article", "Product", "Service", "Details"), 4, "left", lambda rng: rng.choice(trades.ITEMS)
)
_COLUMNS = (
    _Column(("Qty", "Quantity", "Hours", "Units", "QTY."), 1, "right", lambda rng: str(rng.randint(1, 40))),
    _Column(("Unit Price", "Price", "Rate", "Unit Cost", "Price each"), 1.5, "right", small_amount),
    _Column(("VAT", "Tax", "VAT %", "Disc."), 1, "right", lambda rng: rng.choice(("19%", "7%", "20 %", "0%", "8.25%"))),
    _Column(("Unit", "UoM", "U/M"), 0.9, "left", lambda rng: rng.choice(("pcs", "ea", "kg", "h", "box", "m"))),
)
_FRONT = (
    _Column(("No.", "Pos.", "#", "Line"), 0.6, "left", lambda rng: str(rng.randint(1, 20))),
    _Column(("Item No.", "Code", "SKU", "Art. No."), 1.5, "left", identifier),
    _Column(("Date", "Service Date"), 1.5, "left", day),
)
_AMOUNT = _Column(("Amount", "Total", "Line Total", "Net", "Extension", "Value"), 1.5, "right", amount)


def parties(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Addresses side by side: each under its key, or the sender's, which nobody labels."""
    rng = canvas.rng
    count = 2 if right - left < 480 else rng.choice((1, 2, 2, 3))
    width = (right - left) / max(2, count)
    bottom = top
    framed = rng.random() < 0.25
    for place, text in enumerate(rng.sample(_PARTIES, count)):
        x = left + place * width
        keyed = rng.random() < 0.85
        y, question = top, -1
        if keyed:
            question, _, y = canvas.write(key_text(canvas, text), x + 3, top, QUESTION, canvas.key_font(), width - 12)
        lines = [phrases.company(rng), phrases.street(rng), phrases.place(rng)]
        if rng.random() < 0.4:
            lines.insert(rng.randint(0, 1), phrases.name(rng))
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
            key, end, low = canvas.write(
                rng.choice(("Tel.", "Phone:", "Fax:", "Tel:")), x + 3, y, QUESTION, font, width - 12
            )
            answer, _, low = canvas.write(phrases.phone(rng), end + 5, y, ANSWER, font, width - 15)
            canvas.link(key, answer)
            y = max(y, low)
        if framed:
            canvas.frame(x, top - 2, x + width - 6, y + 2)
        bottom = max(bottom, y)
    return bottom + 3


def document_data(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Number, date and terms of an invoice: a block at the right edge, or a table of keys over values."""
    rng = canvas.rng
    found = rng.sample(_DATA, rng.randint(3, 6))
    if rng.random() < 0.4:
        found = [(text, make) for text, make in found if make is not email]  # it fits into no cell
        width = (right - left) / len(found)
        bottom = top
        for place, (text, make) in enumerate(found):
            x = left + place * width
            question, _, low = canvas.write(
                key_text(canvas, text, ""), x + 3, top + 2, QUESTION, canvas.small_font(2), width - 8
            )
            answer, _, low = canvas.write(
                make(rng), x + 3, max(low, top + canvas.line), ANSWER, canvas.value_font(), width - 8
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
    for text, make in found:
        if not canvas.fits(y):
            break
        question, end, low = canvas.write(
            key_text(canvas, text, separator), start, y, QUESTION, canvas.key_font(), widest + 2, align
        )
        x = max(end, start + widest) + canvas.style.size
        answer, _, end = canvas.write(make(rng), x, y, ANSWER, canvas.value_font(), max(60.0, right - x))
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
    price = amounts(rng)
    font = canvas.value_font() if len(columns) < 5 else canvas.style.value_face.at(max(9, canvas.style.size - 2))
    edges = [left]
    for column in columns:
        edges.append(edges[-1] + (right - left) * column.width / whole)
    questions, bottom = [], top
    heads = rng.choice(("same", "same", "left", "center"))
    for place, column in enumerate(columns):
        align = column.align if heads == "same" else heads
        index, _, low = canvas.write(
            key_text(canvas, rng.choice(column.keys), ""),
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
            text = price(rng) if column is _AMOUNT else column.value(rng)
            if column is _DESCRIPTION and rng.random() < 0.3:
                text = f"{text}, {rng.choice((phrases.phrase(rng).lower(), phrases.code(rng), phrases.measure(rng)))}"
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
    return _totals(canvas, right, top, start, amounts(canvas.rng))


def _totals(canvas: Canvas, right: float, top: float, start: float, price: Callable[[random.Random], str]) -> float:
    rng = canvas.rng
    middle = max(start + 60, right - canvas.style.size * rng.uniform(6, 9))
    separator, align = rng.choice(("", "", ":", canvas.style.separator)), rng.choice(("left", "right", "right"))
    y = top
    for text in rng.sample(_TOTALS, rng.choice((1, 2, 3, 3, 4))):
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
    _, _, y = canvas.write(phrases.company(rng).upper(), x, top, label, canvas.key_font(), width, "center")
    for text in (phrases.street(rng), phrases.place(rng)):
        _, _, y = canvas.write(text, x, y, OTHER, font, width, "center")
    for text, make in rng.sample((("Date", day), ("Time", phrases.time), ("Receipt No.", identifier),
                                  ("Cashier", phrases.name), ("Table", phrases.small)), rng.randint(1, 3)):  # fmt: skip
        question, stop, _ = canvas.write(f"{text}:", x, y, QUESTION, font, width)
        answer, _, y = canvas.write(make(rng), stop + 8, y, ANSWER, font, end - stop - 8)
        canvas.link(question, answer)
    y += canvas.line * 0.5
    keys = []
    middle = end - canvas.style.size * 6
    if rng.random() < 0.5:
        low = y
        for text, start, room, align in (
            (rng.choice(("Item", "Description", "Article")), x, middle - x, "left"),
            (rng.choice(("Price", "Amount", "EUR", "Total")), middle, end - middle, "right"),
        ):
            index, _, bottom = canvas.write(text, start, y, QUESTION, font, room, align)
            keys.append(index)
            low = max(low, bottom)
        y = low
    for text in rng.sample(trades.ITEMS, rng.randint(2, 7)):
        if not canvas.fits(y, 4):
            break
        text = f"{rng.randint(1, 4)} {text}" if rng.random() < 0.4 else text
        name, _, low = canvas.write(text, x, y, ANSWER if keys else QUESTION, font, middle - x - 6)
        price, _, bottom = canvas.write(small_amount(rng), middle, y, ANSWER, font, end - middle, "right")
        if keys:
            canvas.link(keys[0], name)
            canvas.link(keys[1], price)
        else:
            canvas.link(name, price)
        y = max(low, bottom)
    y = _totals(canvas, end, y + 3, x, small_amount)
    thanks = rng.choice(("Thank you!", "THANK YOU FOR YOUR VISIT", "Please come again", "Goods may be exchanged"))
    _, _, y = canvas.write(thanks, x, y + 2, OTHER, font, width, "center")
    return y
