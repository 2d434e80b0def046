"""Sections in groups: rows under headings, lists in columns, signatures, wrapped keys, columns of fields."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import cell_text, field, key_text, value_text
from pipelines.datasets.synthetic_forms.stamps import signature


def row_groups(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A table whose rows stand in groups under headings: each value belongs to its row's and its column's key."""
    rng = canvas.rng
    count = rng.choice((1, 2, 2, 3)) if right - left < 420 else rng.choice((1, 2, 3, 4))
    heads = rng.sample(
        [head for head in canvas.language.heads if head[1] in ("number", "money", "percent", "decimal")], count
    )
    first = (right - left) * rng.uniform(0.25, 0.4)
    width = (right - left - first) / count * rng.choice((1.0, 0.8))
    font = canvas.key_font()
    bottom, questions = top, []
    for place, (text, _) in enumerate(heads):
        index, _, low = canvas.write(
            key_text(canvas, text, ""), left + first + place * width, top, QUESTION, font, width - 10, "center"
        )
        questions.append(index)
        bottom = max(bottom, low)
    y = bottom + rng.choice((2, 6))
    indent = rng.choice((0, 0, 10, 22))
    separator = rng.choice((":", "", ""))
    apart = rng.choice((0.0, 0.3, 0.8)) * canvas.line
    for group, rows in rng.sample(canvas.language.row_groups, rng.randint(2, 4)):
        if not canvas.fits(y, len(rows) + 1):
            break
        header, _, y = canvas.write(key_text(canvas, group, separator), left, y, HEADER, font, first - 8)
        for text in rows:
            row, _, low = canvas.write(
                key_text(canvas, text, ""), left + indent, y, QUESTION, canvas.text_font(), first - indent - 8
            )
            for place, (_, kind) in enumerate(heads):
                x = left + first + place * width
                value = cell_text(canvas, kind)
                answer, _, _ = canvas.write(value, x, y, ANSWER, canvas.value_font(), width - 10, "center")
                canvas.link(questions[place], answer)
                canvas.link(row, answer)
            y = max(low, y + canvas.line * 0.9)
        canvas.head(header)
        y += apart
    return y


def name_columns(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A key and short values in several columns below it or beside it, each an answer of its own."""
    rng = canvas.rng
    text, kind = rng.choice(canvas.language.listed_keys)
    question, end, low = canvas.write(key_text(canvas, text), left, top, QUESTION, canvas.key_font(), right - left)
    x, y = (left + rng.choice((0, 20, 40)), low + 2) if rng.random() < 0.6 else (end + 12, top)
    font = canvas.value_font()
    columns = max(1, min(rng.choice((2, 2, 3, 4)), int((right - x) / 125)))
    width = (right - x) / columns
    bottom = y
    for column in range(columns):
        line = y
        for _ in range(rng.randint(1, 6)):
            if not canvas.fits(line):
                break
            answer, _, line = canvas.write(
                canvas.value(kind).upper() if canvas.style.value_capitals else canvas.value(kind),
                x + column * width, line, ANSWER, font, width - 8,
            )  # fmt: skip
            canvas.link(question, answer)
        bottom = max(bottom, line)
    return bottom


def blank_table(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A heading and keys over a grid with few or no values."""
    rng = canvas.rng
    title = rng.choice((canvas.language.section_title(rng, canvas.domain), canvas.value("phrase")))
    title = title.upper() if rng.random() < 0.6 else title
    header, _, y = canvas.write(
        title, left, top, HEADER, canvas.key_font(), right - left, rng.choice(("left", "center"))
    )
    found = rng.sample(canvas.language.heads, rng.randint(2, 3 if right - left < 400 else 5))
    shares = [rng.choice((1, 1, 2, 3)) for _ in found]
    edges = [left]
    for share in shares:
        edges.append(edges[-1] + (right - left) * share / sum(shares))
    bottom, questions, start = y, [], y + 2
    for place, (text, _) in enumerate(found):
        index, _, low = canvas.write(
            key_text(canvas, text, ""), edges[place] + 4, start + 1, QUESTION, canvas.small_font(1),
            edges[place + 1] - edges[place] - 8, "center",
        )  # fmt: skip
        questions.append(index)
        bottom = max(bottom, low)
    canvas.head(header)
    step = canvas.line * rng.uniform(1.0, 1.5)
    rows = rng.randint(2, 7)
    filled = rng.choice((0, 0, 1, 1, 2))
    y = bottom + 2
    lines = [start, y]
    for row in range(rows):
        if y + step > canvas.bottom:
            break
        for place, (_, kind) in enumerate(found):
            if row < filled:
                value = canvas.cut(value_text(canvas, kind), edges[place + 1] - edges[place] - 8)
                answer, _, _ = canvas.write(value, edges[place] + 4, y + 2, ANSWER, canvas.value_font(), 10_000)
                canvas.link(questions[place], answer)
        y += step
        lines.append(y)
    for line in lines:
        canvas.rule(left, line, right, line)
    for edge in edges:
        canvas.rule(edge, start, edge, y)
    return y + 3


def signature_block(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A heading over posts, each with a line to sign; some are signed."""
    rng = canvas.rng
    text = canvas.caption("signatures")
    header, _, y = canvas.write(key_text(canvas, text), left, top, HEADER, canvas.key_font(), right - left)
    first = len(canvas.entities)
    offset = (right - left) * rng.uniform(0.3, 0.5)
    dated = rng.random() < 0.4
    for post in canvas.captions("post", rng.randint(2, 5)):
        if not canvas.fits(y, 2):
            break
        question, end, low = canvas.write(key_text(canvas, post, ""), left, y, QUESTION, canvas.key_font(), offset)
        x = max(left + offset, end + 8)
        stop = x + (right - x) * (0.6 if dated else 0.9)
        canvas.rule(x, y + canvas.style.size * 1.2, stop, y + canvas.style.size * 1.2)
        if rng.random() > canvas.style.empty + 0.3:
            if rng.random() < 0.4:
                signature(canvas, x + 6, y - 4, min(150, stop - x), canvas.style.size * 1.3)
            name = canvas.cut(canvas.value("name"), stop - x)
            answer, _, _ = canvas.write(name, x + 4, y, ANSWER, canvas.value_font(), 10_000)
            canvas.link(question, answer)
        if dated:
            key, end, _ = canvas.write(canvas.caption("date"), stop + 6, y, QUESTION, canvas.key_font(), 10_000)
            canvas.rule(end + 4, y + canvas.style.size * 1.2, right, y + canvas.style.size * 1.2)
            if rng.random() < 0.4:
                date = canvas.cut(canvas.value("date"), right - end - 4)
                answer, _, _ = canvas.write(date, end + 6, y, ANSWER, canvas.value_font(), 10_000)
                canvas.link(key, answer)
        y = max(low, y + canvas.line) + canvas.line * rng.choice((0.1, 0.5))
    canvas.head(header, first)
    return y


def wrapped_keys(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Keys of several lines in a narrow column, or in ruled cells, and values of one or several lines beside them."""
    rng = canvas.rng
    width = (right - left) * rng.uniform(0.16, 0.3)
    ruled = rng.random() < 0.5
    middle = rng.random() < 0.3
    y, start = top, top
    lines = [top]
    for _ in range(rng.randint(2, 6)):
        if not canvas.fits(y, 4):
            break
        text, kind = canvas.language.key(rng, canvas.domain)
        if rng.random() < 0.5:
            text = canvas.language.joined_keys(rng, text, canvas.domain)
        question, _, low = canvas.write(key_text(canvas, text), left + 4, y + 2, QUESTION, canvas.key_font(), width - 8)
        value = value_text(canvas, rng.choice((kind, kind, "sentence", "address")))
        down = (low - y) * 0.3 if middle else 2
        answer, _, end = canvas.write(
            value, left + width + 6, y + down, ANSWER, canvas.value_font(), right - left - width - 12
        )
        canvas.link(question, answer)
        y = max(low, end, y + canvas.line) + (3 if ruled else canvas.line * rng.choice((0.1, 0.4)))
        lines.append(y)
    if ruled:
        for line in lines:
            canvas.rule(left, line, right, line)
        for x in (left, left + width, right):
            canvas.rule(x, start, x, y)
    return y + 3


def field_columns(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Two to four columns of short fields, each under a sub-heading of its own."""
    rng = canvas.rng
    columns = 2 if right - left < 420 else rng.choice((2, 3, 3, 4))
    width = (right - left) / columns
    framed = rng.random() < 0.3
    bottom = top
    titles = rng.sample(canvas.language.row_groups, columns) if rng.random() < 0.3 else None
    for column in range(columns):
        x, end = left + column * width + 3, left + (column + 1) * width - 9
        text = titles[column][0] if titles else canvas.language.section_title(rng, canvas.domain)
        text = text.upper() if rng.random() < 0.5 else text
        header, _, y = canvas.write(
            text, x, top + 2, HEADER, canvas.key_font(), end - x, rng.choice(("left", "center"))
        )
        first = len(canvas.entities)
        count = rng.randint(2, 5)
        found = (
            [(text, "number") for text in titles[column][1]]
            if titles
            else canvas.language.keys(rng, canvas.domain, count)
        )
        for text, kind in found:
            if not canvas.fits(y, 2):
                break
            y = field(canvas, text, value_text(canvas, "phrase" if kind == "sentence" else kind), x, y, end)
        canvas.head(header, first)
        bottom = max(bottom, y)
    if framed:
        for column in range(columns):
            canvas.frame(left + column * width, top, left + (column + 1) * width, bottom + 3)
    return bottom + 5
