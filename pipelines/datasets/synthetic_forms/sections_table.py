"""Sections of tables, check boxes and questionnaires, and the marks about a form: letterhead, stamps, footers."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, OTHER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import key_text, value_text


def table(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Heads of columns, often heads of rows, and a cell for each, with or without rules and a totals row."""
    rng = canvas.rng
    size = canvas.style.size
    small = right - left < 380
    columns = rng.randint(2, 3) if small else rng.randint(2, 6)
    rows = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 9))
    row_heads = rng.random() < 0.6
    one_kind = rng.choice(("number", "money", "percent", "decimal")) if rng.random() < 0.4 else None
    heads = [rng.choice(canvas.language.heads) for _ in range(columns)]
    if one_kind:
        heads = [head for head in rng.choices(canvas.language.heads, k=60) if head[1] == one_kind][:columns] or heads
    columns = len(heads)
    first = (right - left) * rng.uniform(0.18, 0.36) if row_heads else 0.0
    width = (right - left - first) / columns
    font, cell_font = canvas.key_font(), canvas.value_font()
    if columns > 4:
        font, cell_font = canvas.small_font(2), canvas.style.value_face.at(max(9, size - 2))
    align = rng.choice(("left", "center", "right"))
    ruled = rng.choice(("none", "none", "head", "rows", "grid"))
    bottom = top
    headers = []
    if rng.random() < 0.15 and row_heads:
        for part in range(2):
            x = left + first + part * (right - left - first) / 2
            header, _, bottom = canvas.write(
                canvas.language.section_title(rng, canvas.domain),
                x,
                top,
                HEADER,
                canvas.key_font(),
                (right - left - first) / 2 - 8,
                "center",
            )
            headers.append(header)
    head_top = bottom
    questions = []
    corner = -1
    filled = rng.choice(("company", "name", "phrase", "code")) if rng.random() < 0.3 else ""
    if row_heads and (filled or rng.random() < 0.4):
        text = canvas.caption("corner")
        corner, _, _ = canvas.write(key_text(canvas, text, ""), left, head_top, QUESTION, font, first - 6)
    for column, (text, kind) in enumerate(heads):
        if rng.random() < 0.25:
            text = canvas.language.qualified(rng, text, kind)
        x = left + first + column * width
        index, _, low = canvas.write(key_text(canvas, text, ""), x + 3, head_top, QUESTION, font, width - 8, align)
        questions.append(index)
        if headers:
            canvas.link_header(headers[(2 * column + 1) // columns], index)
        bottom = max(bottom, low)
    if ruled != "none":
        canvas.rule(left, bottom, right, bottom)
    y = bottom + size * rng.uniform(0.1, 0.6)
    names = canvas.captions("row", rows)
    step = cell_font.size * rng.choice((1.25, 1.35, 1.6))
    lines = [top - 1, y - 1]
    for number in range(rows):
        if y + step > canvas.bottom:
            break
        low = y + step
        head = -1
        if row_heads:
            text = names[number] if number + 1 < rows or rng.random() < 0.6 else canvas.caption("total row")
            if rng.random() < 0.25:
                text = canvas.language.key(rng, canvas.domain)[0]
            text = canvas.value(filled) if filled else key_text(canvas, text, "")
            label = ANSWER if filled else QUESTION
            head, _, end = canvas.write(text, left + 2, y, label, cell_font if filled else font, first - 6)
            if filled:
                canvas.link(corner, head)
                head = -1
            low = max(low, end)
        for column, (_, kind) in enumerate(heads):
            value = value_text(canvas, "figure" if kind == "money" and rng.random() < 0.8 else kind)
            if not value:
                continue
            x = left + first + column * width
            answer, _, end = canvas.write(value, x + 3, y, ANSWER, cell_font, width - 8, align)
            canvas.link(questions[column], answer)
            canvas.link(head, answer)
            low = max(low, end)
        y = low
        lines.append(y)
    if ruled in ("rows", "grid"):
        for line in lines:
            canvas.rule(left, line, right, line)
    if ruled == "grid":
        edges = [
            left,
            *([left + first] if first else []),
            *(left + first + c * width for c in range(1, columns)),
            right,
        ]
        for edge in edges:
            canvas.rule(edge, lines[0], edge, lines[-1])
    return y + 4


def check_boxes(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Labels with a mark in front or behind, in a row or in columns, at times under a key of their own."""
    rng = canvas.rng
    size = canvas.style.size
    style = rng.choice(("square", "square", "line", "brackets", "parentheses"))
    behind = rng.random() < 0.2
    y = top
    x = left
    if rng.random() < 0.6:
        text = rng.choice((canvas.language.key(rng, canvas.domain)[0], canvas.caption("section")))
        _, end, low = canvas.write(key_text(canvas, text), left, y, QUESTION, canvas.key_font(), right - left)
        x, y = (end + size, y) if rng.random() < 0.6 and end < right - 160 else (left, low + 3)
    start = x
    options = canvas.captions("option", rng.choice((2, 2, 3, 3, 4, 5, 6, 9)))
    if rng.random() < 0.25:
        options = list(canvas.language.yes_no)
    marked = rng.randrange(len(options)) if rng.random() > canvas.style.empty * 0.5 else -1
    column = rng.choice((0, 0, 120, 170))
    mark_font = canvas.value_font()
    for number, text in enumerate(options):
        text = key_text(canvas, text, "")
        length = canvas.key_font().getlength(text)
        if x + length + 3 * size > right:
            x, y = start, y + canvas.line * 1.1
        if not canvas.fits(y, 2):
            break
        mark_x = x + length + size * 0.6 if behind else x
        text_x = x if behind else x + size * (1.7 if style != "line" else 2.6)
        if style == "square":
            canvas.frame(mark_x, y + 1, mark_x + size, y + size + 1)
        elif style == "line":
            canvas.rule(mark_x, y + size * 1.15, mark_x + size * 2.2, y + size * 1.15)
        else:
            canvas.draw.text((mark_x, y), "[  ]" if style == "brackets" else "(  )", fill=20, font=canvas.text_font())
        answer = -1
        if number == marked or rng.random() < 0.08:
            mark = rng.choice(("X", "X", "X", "x", "✓" if size < 0 else "X", "v"))
            answer, _, _ = canvas.write(mark, mark_x + size * 0.2, y, ANSWER, mark_font, 10_000)
        question, end, _ = canvas.write(text, text_x, y, QUESTION, canvas.key_font(), 10_000)
        canvas.link(question, answer)
        x = max(end, mark_x + size * 1.5) + size * 1.5
        if column:
            x = start + ((x - start) // column + 1) * column
    return y + canvas.line * 1.3


def questionnaire(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Numbered questions with written answers, or with options to mark."""
    rng = canvas.rng
    y = top
    first = rng.randint(1, 12)
    form = rng.choice(("{}.", "{}.", "({})", "{})", "Q{}.", "{}a."))
    for number in range(first, first + rng.randint(2, 5)):
        if not canvas.fits(y, 4):
            break
        text = f"{form.format(number)} {canvas.language.question(rng)}"
        text = text.upper() if canvas.style.key_capitals and rng.random() < 0.5 else text
        question, end, low = canvas.write(text, left, y, QUESTION, canvas.key_font(), right - left)
        if rng.random() < 0.3:
            x = left + 30
            marked = rng.randrange(5)
            for place, option in enumerate(canvas.language.options(rng, canvas.domain, rng.randint(2, 4))):
                if x > right - 90:
                    break
                index, end, _ = canvas.write(option, x, low, QUESTION, canvas.key_font(), 10_000)
                canvas.rule(end + 4, low + canvas.style.size * 1.1, end + 30, low + canvas.style.size * 1.1)
                if place == marked:
                    answer, _, _ = canvas.write("X", end + 10, low, ANSWER, canvas.value_font(), 10_000)
                    canvas.link(index, answer)
                x = end + 44
            low += canvas.line
        else:
            kind = rng.choice(("sentence", "sentence", "phrase", "yes", "number", "name", "date"))
            value = value_text(canvas, kind)
            answer, _, end = canvas.write(value, left + 25, low + 1, ANSWER, canvas.value_font(), right - left - 25)
            canvas.link(question, answer)
            low = max(end, low + canvas.line * 0.5)
        y = low + canvas.line * 0.3
    return y


def address_block(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A company's address, the answer to a key or nobody's."""
    rng = canvas.rng
    lines = [canvas.value(kind) for kind in ("company", "street", "place")]
    if rng.random() < 0.5:
        lines.insert(0, canvas.value("name"))
    if rng.random() < 0.3:
        lines.insert(1, canvas.caption("position"))
    keyed = rng.random() < 0.6
    question, x, y = -1, left, top
    if keyed:
        text = canvas.caption("address")
        question, end, low = canvas.write(key_text(canvas, text), left, y, QUESTION, canvas.key_font())
        x, y = (end + 10, top) if rng.random() < 0.6 else (left, low)
    font = canvas.value_font() if keyed else canvas.text_font()
    width = max([font.getlength(line) for line in lines]) + 2
    entity = -1
    for line in lines:
        index, _, y = canvas.write(line, x, y, ANSWER if keyed else OTHER, font, width)
        if entity >= 0 and index >= 0:
            canvas.merge_last(entity)
        else:
            entity = index
    canvas.link(question, entity)
    return y


def letterhead(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A company's name and address over the form: labelled by nobody, but the name may be a header."""
    rng = canvas.rng
    align = rng.choice(("left", "center", "right"))
    font = canvas.style.title_face.at(canvas.style.title_size + rng.choice((0, 2, 6)), True)
    name = canvas.value("company")
    label = HEADER if rng.random() < 0.35 else OTHER
    _, _, y = canvas.write(name.upper() if rng.random() < 0.6 else name, left, top, label, font, right - left, align)
    if rng.random() < 0.6:
        parts = [canvas.value("street"), canvas.value("place")]
        if rng.random() < 0.5:
            parts.append(f"{canvas.caption('telephone')} {canvas.value('phone')}")
        apart = f" {rng.choice(canvas.language.apart)} "
        for text in parts if rng.random() < 0.4 else (apart.join(parts),):
            _, _, y = canvas.write(text, left, y, OTHER, canvas.small_font(), right - left, align)
    if rng.random() < 0.3:
        canvas.rule(left, y + 2, right, y + 2, rng.choice((1, 2)))
        y += 5
    return y + canvas.line * 0.5


def title(canvas: Canvas, left: float, right: float, top: float) -> float:
    """The form's title, and now and then a line under it."""
    rng = canvas.rng
    text = canvas.language.title(rng, canvas.domain)
    bold = rng.random() < 0.5
    font = canvas.style.title_face.at(canvas.style.title_size, bold)
    align = rng.choice(("center", "center", "center", "left", "right"))
    if rng.random() < 0.45:
        text = canvas.language.long_title(rng, text)
    if rng.random() < 0.72:
        text = text.upper()
    narrow = rng.uniform(0.2, 0.3) * (right - left) if rng.random() < 0.3 else 0.0
    start = left if align == "left" else left + narrow if align == "center" else left + 2 * narrow
    _, end, y = canvas.write(text, start, top, HEADER, font, right - left - 2 * narrow, align)
    if rng.random() < 0.12:
        canvas.rule(left if align == "left" else left + (right - left) * 0.3, y + 1, end, y + 1)
    if rng.random() < 0.25:
        titled = rng.random() < 0.5
        text = canvas.language.title(rng, canvas.domain) if titled else canvas.value("company phrase")
        _, _, y = canvas.write(text, left, y + 2, HEADER, canvas.key_font(), right - left, align)
    if rng.random() < 0.12:
        _, _, y = canvas.write(
            canvas.caption("instruction"), left, y + 4, OTHER, canvas.small_font(2), right - left, align
        )
    return y + canvas.line * rng.uniform(0.4, 1.2)


def section_title(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A title over a section, plain, bold, underlined or framed."""
    rng = canvas.rng
    text = canvas.language.section_title(rng, canvas.domain)
    if rng.random() < 0.35:
        text = canvas.language.long_section_title(rng, text)
    text = text.upper() if rng.random() < 0.7 else text
    if rng.random() < 0.36:
        text += canvas.language.captions["copies separators"][0]
    font = canvas.style.title_face.at(canvas.style.size + rng.choice((0, 0, 0, 1, 2)), rng.random() < 0.5)
    align = rng.choice(("left", "left", "left", "center"))
    _, end, y = canvas.write(text, left, top, HEADER, font, right - left, align)
    form = rng.random()
    if form < 0.25:
        canvas.rule(left if align == "left" else (left + right) / 2 - (end - (left + right) / 2), y, end, y)
    elif form < 0.32:
        canvas.frame(left - 4, top - 2, right, y + 1)
    elif form < 0.38:
        canvas.rule(left, top - 3, right, top - 3)
    return y + canvas.style.size * rng.uniform(0.2, 0.7)


def foot(canvas: Canvas, left: float, right: float) -> None:
    """What stands at the edges: page number, form number, stamp with a number, notes."""
    rng = canvas.rng
    y = canvas.height * rng.uniform(0.945, 0.975)
    if rng.random() < 0.3:
        text = canvas.value("page number")
        canvas.write(text, left, y, OTHER, canvas.text_font(), right - left, rng.choice(("center", "right")))
    if rng.random() < 0.3:
        text = canvas.value("form number")
        canvas.write(text, left, y, OTHER, canvas.small_font(), right - left)
    if rng.random() < 0.55:
        stamp = str(rng.randint(10**6, 10**9)) if rng.random() < 0.8 else f"TX{rng.randint(10**5, 10**8)}"
        font = canvas.style.title_face.at(rng.choice((12, 14, 17, 20)), rng.random() < 0.5)
        canvas.write(
            stamp, rng.uniform(0.55, 0.82) * canvas.width, canvas.height * rng.uniform(0.90, 0.97), OTHER, font
        )
    _strays(canvas, left, right)


def _strays(canvas: Canvas, left: float, right: float) -> None:
    """Marks beside the form that belong to nothing: initials, numbers, stamped words and handwritten remarks."""
    rng = canvas.rng
    taken = [ink for entity in canvas.entities for ink in entity.inks]
    font = rng.choice(
        (
            canvas.style.title_face,
            canvas.style.key_face,
            *canvas.faces("hand"),
        )
    ).at(rng.randint(10, 20))
    wanted = rng.choice((0, 0, 0, 0, 1, 1, 1, 2, 4))
    for _ in range(wanted * 3):
        text = canvas.caption("stray") if rng.random() < 0.5 else canvas.value(rng.choice(("code", "small", "date")))
        if rng.random() < 0.15:
            text = canvas.value("phrase")
        text = text.upper() if rng.random() < 0.5 else text
        x, y = rng.uniform(4, canvas.width - 90), rng.uniform(8, canvas.height - 30)
        end, low = x + font.getlength(text) + 6, y + font.size * 1.4
        if end > canvas.width - 4 or any(x - 4 < b[2] and end > b[0] and y - 3 < b[3] and low > b[1] for b in taken):
            continue
        canvas.write(text, x, y, OTHER, font, 10_000)
        taken.append((x, y, end, low))
        wanted -= 1
        if wanted <= 0:
            break


def note(canvas: Canvas, left: float, right: float, top: float) -> float:
    """An instruction or a footnote."""
    font = canvas.small_font(canvas.rng.choice((0, 2, 3)))
    text = canvas.caption("instruction")
    text = text.upper() if canvas.rng.random() < 0.35 else text
    _, _, y = canvas.write(text, left, top, OTHER, font, right - left)
    return y
