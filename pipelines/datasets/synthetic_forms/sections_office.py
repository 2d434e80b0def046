"""Sections as offices lay them out: grouped columns, options under a heading, lists of copies, notices.

Drawn like those in `sections`. Headings over groups (of options, of columns, of fields) are headers, as annotators of
scanned forms mostly label them; what stands right over its values, or before them, is a question.
"""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, OTHER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import cell_text, field, key_text, value_text
from pipelines.datasets.synthetic_forms.word_breaks import pieces


def grouped_columns(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A table whose columns stand in groups: a header over each group, the same questions under all of them."""
    rng = canvas.rng
    groups = 2 if right - left < 450 else rng.choice((2, 3, 3, 4, 5))
    inner = [text for text, _ in rng.sample(canvas.language.heads, rng.choice((1, 2, 2, 3) if groups < 4 else (1, 2)))]
    kind = rng.choice(("decimal", "percent", "number", "figure", "small"))
    first = (right - left) * rng.uniform(0.2, 0.32)
    width = (right - left - first) / groups
    cell = width / len(inner)
    small = canvas.small_font(2)
    values = canvas.style.value_face.at(round(small.size))
    bottom = top
    headers = []
    for number, text in enumerate(canvas.captions("row", groups)):
        x = left + first + number * width
        header, _, low = canvas.write(key_text(canvas, text, ""), x, top, HEADER, small, width - 6, "center")
        headers.append(header)
        bottom = max(bottom, low)
    head_top = bottom + 2
    columns = []
    for number in range(groups):
        for place, text in enumerate(inner):
            x = left + first + number * width + place * cell
            index, _, low = canvas.write(
                key_text(canvas, text, ""), x + 2, head_top, QUESTION, small, cell - 6, "center"
            )
            columns.append((x, index))
            canvas.link_header(headers[number], index)
            bottom = max(bottom, low)
    if rng.random() < 0.4:
        canvas.rule(left, bottom + 1, right, bottom + 1)
    y = bottom + 4
    for text in canvas.captions("row", rng.randint(2, 8)):
        if not canvas.fits(y, 2):
            break
        if rng.random() < 0.2:
            text = f"{text} ({canvas.caption('row unit')})"
        head, _, low = canvas.write(key_text(canvas, text, ""), left, y, QUESTION, small, first - 8)
        for x, index in columns:
            answer, _, _ = canvas.write(cell_text(canvas, kind), x + 2, y, ANSWER, values, cell - 6, "center")
            canvas.link(index, answer)
            canvas.link(head, answer)
        y = max(low, y + small.size * 1.4)
    return y


def grouped_options(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Headings, each with options in a row to mark or to fill in: the heading a header, the options questions."""
    rng = canvas.rng
    font = canvas.key_font()
    offset = (right - left) * rng.uniform(0.25, 0.45)
    y = top
    for _ in range(rng.randint(1, 4)):
        if not canvas.fits(y, 2):
            break
        text = rng.choice((canvas.caption("section"), canvas.language.key(rng, canvas.domain)[0]))
        header, end, low = canvas.write(key_text(canvas, text), left, y, HEADER, font, offset)
        x = max(left + offset, end + 12)
        options = list(canvas.language.yes_no)
        if rng.random() >= 0.45:
            options = canvas.language.options(rng, canvas.domain, rng.randint(2, 4))
        chosen = rng.randrange(-1, len(options))
        box_first = rng.random() < 0.5
        for place, option in enumerate(options):
            option = key_text(canvas, option, "")
            if x + font.getlength(option) + 40 > right:
                x, low = left + offset, low + canvas.line
                y = low - canvas.line
            mark_x = x if box_first else x + font.getlength(option) + 6
            text_x = x + 30 if box_first else x
            canvas.rule(mark_x, y + font.size * 1.1, mark_x + 24, y + font.size * 1.1)
            question, end, _ = canvas.write(option, text_x, y, QUESTION, font, 10_000)
            canvas.link_header(header, question)
            if place == chosen:
                mark = rng.choice(("X", "X", "x", "XX", "v"))
                answer, _, _ = canvas.write(mark, mark_x + 7, y, ANSWER, canvas.value_font(), 10_000)
                canvas.link(question, answer)
            x = max(end, mark_x + 24) + canvas.style.size * rng.uniform(1, 2.5)
        y = max(low, y + canvas.line) + canvas.line * rng.choice((0, 0.3))
    return y


def copies(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Who gets a copy: a key, and the names below each other as answers of their own or as one."""
    rng = canvas.rng
    text = canvas.caption("copies")
    question, end, _ = canvas.write(
        f"{text}{canvas.caption('copies separators')}", left, top, QUESTION, canvas.key_font()
    )
    x = max(end + 10, left + rng.choice((0, 60, 100)))
    lines = [canvas.value(rng.choice(("name", "name", "department", "company"))) for _ in range(rng.randint(1, 6))]
    return _lines(canvas, lines, x, right, top, question, one_entity=rng.random() < 0.4)


def listed_answers(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A key over a list of short answers, each its own entity."""
    rng = canvas.rng
    text, kind = canvas.language.key(rng, canvas.domain)
    question, _, low = canvas.write(key_text(canvas, text), left, top, QUESTION, canvas.key_font(), right - left)
    kind = kind if kind in ("phrase", "name", "company", "measure") else "phrase"
    mark = rng.choice(("", "", "{}. ", "({}) ", "- "))
    lines = [mark.format(number) + canvas.language.value(rng, kind) for number in range(1, rng.randint(3, 7))]
    return _lines(
        canvas, lines, left + rng.choice((0, 20, 60)), right, low + 2, question, one_entity=rng.random() < 0.2
    )


def _lines(
    canvas: Canvas, lines: list[str], x: float, right: float, top: float, question: int, one_entity: bool
) -> float:
    """Writes lines as answers of a question, merged into one where asked."""
    y, entity = top, -1
    for line in lines:
        if not canvas.fits(y):
            break
        index, _, y = canvas.write(line, x, y, ANSWER, canvas.value_font(), right - x)
        if one_entity and entity >= 0 and index >= 0:
            canvas.merge_last(entity)
        elif index >= 0:
            entity = index
            canvas.link(question, index)
    return max(y, top + canvas.line)


def ruled_answer(canvas: Canvas, left: float, right: float, top: float) -> float:
    """An answer on ruled lines that begins behind its key: the part on the key's line is a separate entity."""
    rng = canvas.rng
    text, _ = canvas.language.key(rng, canvas.domain)
    key, font = canvas.key_font(), canvas.value_font()
    step = font.size * rng.uniform(1.4, 1.8)
    question, end, _ = canvas.write(key_text(canvas, text), left, top, QUESTION, key, (right - left) * 0.7)
    body = list(pieces(canvas.language.paragraph(rng, 1, 3)))
    x = end + 10
    head: list[str] = []
    while body and x + font.getlength("".join([*head, body[0]])) < right:
        head.append(body.pop(0))
    answer, _, _ = canvas.write("".join(head), x, top, ANSWER, font, 10_000)
    canvas.link(question, answer)
    rest, _, low = canvas.write("".join(body).lstrip(), left, top + step, ANSWER, font, right - left, leading=step)
    canvas.link(question, rest)
    canvas.rule(x, top + font.size * 1.15, right, top + font.size * 1.15)
    y = top + step
    while y < min(low, canvas.bottom) + rng.choice((0, 0, step)):
        canvas.rule(left, y + font.size * 1.15, right, y + font.size * 1.15)
        y += step
    return max(low, y)


def keys_over_values(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A few keys in a row, the value of each centred under it, now and then on more rows."""
    rng = canvas.rng
    count = rng.randint(2, 3) if right - left < 400 else rng.randint(3, 6)
    found = canvas.language.keys(rng, canvas.domain, count)
    width = (right - left) / len(found)
    align = rng.choice(("center", "left"))
    bottom, heads = top, []
    for place, (text, _) in enumerate(found):
        x = left + place * width
        index, _, low = canvas.write(key_text(canvas, text, ""), x, top, QUESTION, canvas.key_font(), width - 10, align)
        heads.append(index)
        bottom = max(bottom, low)
    y = bottom + canvas.style.size * rng.uniform(0.1, 0.6)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        low = y + canvas.line
        for place, (_, kind) in enumerate(found):
            kind = "phrase" if kind == "sentence" else kind
            value, x = value_text(canvas, kind), left + place * width
            answer, _, end = canvas.write(value, x, y, ANSWER, canvas.value_font(), width - 10, align)
            canvas.link(heads[place], answer)
            low = max(low, end)
        y = low
    return y


def office_use(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A framed box at one side with a header and a few keys, mostly not filled in."""
    rng = canvas.rng
    x = left + (right - left) * rng.choice((0, 0, 0.4, 0.55))
    end = x + (right - left) * 0.45
    title = canvas.caption("office use")
    header, _, y = canvas.write(
        key_text(canvas, title, ""), x + 6, top + 3, HEADER, canvas.key_font(), end - x - 12, "center"
    )
    for text, kind in canvas.language.keys(rng, canvas.domain, rng.randint(2, 5)):
        if not canvas.fits(y, 2):
            break
        value = value_text(canvas, "code" if kind == "sentence" else kind) if rng.random() < 0.4 else ""
        y = field(canvas, text, value, x + 6, y, end - 6)
    canvas.head(header)
    canvas.frame(x, top, end, y + 4, rng.choice((1, 2)))
    return y + 8


def notice(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A warning in capitals or a framed paragraph, which nobody labels; after NOTE: it is an answer."""
    rng = canvas.rng
    body = canvas.language.paragraph(rng, 1, 3)
    body = body.upper() if rng.random() < 0.6 else body
    font = canvas.small_font(rng.choice((0, 1, 2)))
    if rng.random() < 0.35:
        text = canvas.caption("note")
        question, end, _ = canvas.write(text, left, top, QUESTION, font, 10_000)
        answer, _, y = canvas.write(body, end + 8, top, ANSWER, font, right - end - 8)
        canvas.link(question, answer)
        return y
    align = rng.choice(("left", "center"))
    _, _, y = canvas.write(body, left + 5, top + 3, OTHER, font, right - left - 10, align)
    if rng.random() < 0.3:
        canvas.frame(left, top, right, y + 3)
    return y + 4
