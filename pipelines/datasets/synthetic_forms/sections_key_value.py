"""Sections of keys and values: rows, underlined fields, boxed cells, memo and fax heads, signatures, paragraphs.

Every section is drawn by a function of the paper, its left and right edge and its top, all in pixels, which gives the
y at which it ends.
"""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, OTHER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import field, key_text, value_text


def key_rows(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Rows of keys and values in one to three columns, values behind the keys or aligned."""
    rng = canvas.rng
    columns = rng.choice((1, 1, 1, 2, 2, 3)) if right - left > 380 else 1
    count = rng.randint(2, 7) * columns
    found = canvas.language.keys(rng, canvas.domain, count)
    width = (right - left) / columns
    aligned = rng.random() < 0.55
    font = canvas.key_font()
    longest = max((font.getlength(key_text(canvas, text)) for text, _ in found), default=0.0)
    offset = min(longest + canvas.style.size * rng.uniform(0.6, 4), width * 0.6)
    numbered = rng.random() < 0.06
    y = top
    for start in range(0, len(found), columns):
        if not canvas.fits(y, 2):
            break
        bottom = y
        for column, (text, kind) in enumerate(found[start : start + columns]):
            x = left + column * width
            if numbered:
                text = f"{start + column + 1}. {text}"
            value = value_text(canvas, kind)
            low = field(canvas, text, value, x, y, x + width - 10, x + offset if aligned else None)
            bottom = max(bottom, low)
        y = bottom + rng.choice((0, 0, 0, canvas.line * 0.4))
    return y


def underlined_rows(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Fields on ruled lines, one or several in a row of uneven widths."""
    rng = canvas.rng
    y = top
    for _ in range(rng.randint(2, 6)):
        if not canvas.fits(y, 2):
            break
        shares = rng.choice(((1.0,), (1.0,), (0.6, 0.4), (0.5, 0.5), (0.4, 0.3, 0.3), (0.7, 0.3)))
        if right - left < 350:
            shares = (1.0,)
        x, bottom = left, y
        for share, (text, kind) in zip(shares, canvas.language.keys(rng, canvas.domain, len(shares)), strict=False):
            end = x + share * (right - left)
            bottom = max(bottom, field(canvas, text, value_text(canvas, kind), x, y, end - 10, underlined=True))
            x = end
        y = bottom + canvas.style.size * rng.uniform(0.1, 0.8)
    return y


def boxed_grid(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Boxes with a small key in the upper left corner and the value below it."""
    rng = canvas.rng
    small = canvas.small_font(rng.choice((1, 2, 3)))
    height = small.size * 1.3 + canvas.style.size * rng.uniform(1.5, 2.2)
    y = top
    for _ in range(rng.randint(2, 6)):
        if y + height > canvas.bottom:
            break
        shares = rng.choice(((1.0,), (0.5, 0.5), (0.6, 0.4), (0.34, 0.33, 0.33), (0.25, 0.25, 0.25, 0.25), (0.3, 0.7)))
        if right - left < 350:
            shares = (1.0,)
        x = left
        for share, (text, kind) in zip(shares, canvas.language.keys(rng, canvas.domain, len(shares)), strict=False):
            end = x + share * (right - left)
            canvas.frame(x, y, end, y + height)
            separator = canvas.style.separator if rng.random() < 0.3 else ""
            question, _, low = canvas.write(
                key_text(canvas, text, separator), x + 4, y + 2, QUESTION, small, end - x - 8
            )
            value = value_text(canvas, "phrase" if kind == "sentence" else kind)
            value = canvas.cut(value, end - x - 10)
            if value and low + canvas.style.size < y + height + 2:
                answer, _, _ = canvas.write(value, x + 8, low, ANSWER, canvas.value_font(), 10_000, leading=10)
                canvas.link(question, answer)
            x = end
        y += height
    return y


def memo_head(canvas: Canvas, left: float, right: float, top: float) -> float:
    """To, From, Date and Subject, in one or two columns."""
    rng = canvas.rng
    names = (("memo to", "name"), ("memo from", "name"), ("memo date", "date"), ("memo subject", "phrase"))
    heads = [(canvas.caption(name), kind) for name, kind in names]
    if rng.random() < 0.5:
        heads.insert(rng.randint(1, 3), (canvas.caption("memo copies"), "name"))
    if rng.random() < 0.3:
        rng.shuffle(heads)
    separator = canvas.caption("memo separators")
    upper = rng.random() < 0.6
    columns = 2 if rng.random() < 0.25 and right - left > 380 else 1
    width = (right - left) / columns
    offset = canvas.style.size * rng.uniform(5, 8)
    y = top
    for start in range(0, len(heads), columns):
        bottom = y
        for column, (text, kind) in enumerate(heads[start : start + columns]):
            value = value_text(canvas, kind) if kind != "name" else _names(canvas)
            x = left + column * width
            text = text.upper() if upper else text
            bottom = max(bottom, field(canvas, text, value, x, y, x + width - 10, x + offset, separator=separator))
        y = bottom + canvas.line * rng.choice((0, 0.3, 0.6))
    if rng.random() < 0.4:
        canvas.rule(left, y, right, y)
        y += 6
    return y


def _names(canvas: Canvas) -> str:
    count = canvas.rng.choice((1, 1, 1, 1, 2, 3))
    return canvas.language.listed.join(canvas.value("name") for _ in range(count))


def fax_head(canvas: Canvas, left: float, right: float, top: float) -> float:
    """The head of a fax: to and from, each with company, fax and telephone, pages and subject."""
    rng = canvas.rng
    sides = [
        [(canvas.caption(name), kind) for name, kind in side]
        for side in (
            (("memo to", "name"), ("fax company", "company"), ("fax number", "phone")),
            (("memo from", "name"), ("fax phone", "phone"), ("memo date", "date")),
        )
    ]
    if rng.random() < 0.5:
        sides[0].append(canvas.language.key(rng, "fax"))
    sides[1].append((canvas.caption("fax pages"), "small"))
    if rng.random() < 0.6:
        sides[1].append((canvas.caption("fax subject"), "phrase"))
    two = rng.random() < 0.4 and right - left > 380
    offset = canvas.style.size * rng.uniform(6, 11)
    y = bottom = top
    for number, side in enumerate(sides):
        x = left + (right - left) / 2 * number if two else left
        end = x + (right - left) / 2 - 8 if two else right
        y = top if two else bottom
        for text, kind in side:
            y = field(canvas, text, value_text(canvas, kind), x, y, end, x + offset)
            y += canvas.line * (canvas.style.leading - 1.2)
        bottom = max(bottom, y)
    return bottom


def signature_lines(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Lines to sign on, with a name or a date: the key before the line or under it."""
    rng = canvas.rng
    y = top
    under = rng.random() < 0.4
    for _ in range(rng.randint(1, 4)):
        if not canvas.fits(y, 3):
            break
        middle = left + (right - left) * rng.uniform(0.5, 0.72)
        pairs = (
            (canvas.caption("signed"), "name", left, middle - 12),
            (*rng.choice(canvas.language.signed_on), middle, right),
        )
        bottom = y
        for text, kind, x, end in pairs:
            value = value_text(canvas, kind)
            if under:
                rule = y + canvas.style.size * 1.4
                canvas.rule(x, rule, end, rule)
                question, _, low = canvas.write(
                    key_text(canvas, text, ""), x, rule + 2, QUESTION, canvas.key_font(), end - x
                )
                answer, _, _ = canvas.write(
                    canvas.cut(value, end - x - 8, least=1), x + 8, y, ANSWER, canvas.value_font(), 10_000
                )
                canvas.link(question, answer)
            else:
                low = field(canvas, text, value, x, y, end, underlined=True)
            bottom = max(bottom, low)
        y = bottom + canvas.line * 0.4
    return y


def answer_paragraph(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A key and an answer of several lines, below it or beginning behind it."""
    rng = canvas.rng
    keys = [text for text, kind in canvas.language.keys(rng, canvas.domain, 12) if kind == "sentence"]
    text = keys[0] if keys else canvas.caption("paragraph key")
    question, end, bottom = canvas.write(key_text(canvas, text), left, top, QUESTION, canvas.key_font(), right - left)
    if rng.random() < canvas.style.empty * 0.5:
        for _ in range(rng.randint(1, 4)):
            bottom += canvas.line
            canvas.rule(left, bottom, right, bottom)
        return bottom
    body = canvas.language.paragraph(rng, 1, 5)
    font = canvas.value_font()
    leading = font.size * rng.choice((1.2, 1.25, 1.5))
    if rng.random() < 0.35 and end + 60 < right:
        answer, _, bottom = canvas.write(
            body,
            end + 8,
            top,
            ANSWER,
            font,
            right - end - 8,
            leading=leading,
            hanging=left if rng.random() < 0.5 else None,
        )
    else:
        indent = rng.choice((0, 0, 20, 50))
        answer, _, bottom = canvas.write(
            body, left + indent, bottom + 2, ANSWER, font, right - left - indent, leading=leading
        )
    canvas.link(question, answer)
    return bottom


def running_text(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Paragraphs that nobody labelled."""
    rng = canvas.rng
    y = top
    font = canvas.text_font() if rng.random() < 0.7 else canvas.small_font(2)
    for _ in range(rng.choice((1, 1, 1, 2))):
        if canvas.fits(y, 3):
            text = canvas.language.paragraph(rng, 1, 4)
            text = text.upper() if rng.random() < 0.15 else text
            _, _, y = canvas.write(text, left, y, OTHER, font, right - left)
            y += canvas.line * 0.6
    return y


def bullet_list(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Running text as a list."""
    rng = canvas.rng
    mark = rng.choice(canvas.language.bullets)
    y = top
    for number in range(1, rng.randint(3, 5)):
        if not canvas.fits(y, 3):
            break
        start = f"{number}." if mark == "#" else mark
        _, _, y = canvas.write(
            f"{start} {canvas.value('one sentence')}", left + 20, y, OTHER, canvas.text_font(), right - left - 20
        )
        y += 3
    return y


def ledger(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Keys at the left and amounts at the right, dots between them, a total at the end."""
    rng = canvas.rng
    kinds = rng.choice((("money", "figure"), ("percent",), ("number",), ("decimal", "measure")))
    found = [(text, rng.choice(kinds)) for text in canvas.language.amount_keys(rng, canvas.domain, rng.randint(3, 8))]
    if rng.random() < 0.5:
        found.append((canvas.caption("ledger total"), rng.choice(kinds)))
    x = left + (right - left) * rng.uniform(0.5, 0.8)
    y = top
    for text, kind in found:
        if not canvas.fits(y, 2):
            break
        question, _, bottom = canvas.write(
            key_text(canvas, text, ""), left, y, QUESTION, canvas.key_font(), x - left - 10
        )
        value = value_text(canvas, kind)
        answer, _, low = canvas.write(
            value, x, y, ANSWER, canvas.value_font(), right - x, rng.choice(("right", "left"))
        )
        canvas.link(question, answer)
        if rng.random() < canvas.style.underlined:
            canvas.rule(x, y + canvas.style.size * 1.2, right, y + canvas.style.size * 1.2)
        y = max(bottom, low, y + canvas.line)
    return y
