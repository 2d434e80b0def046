"""Sections of boxes to mark and of values before their keys: options as keys or as answers, with boxes as words."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, QUESTION, Canvas
from pipelines.datasets.synthetic_forms.fields import key_text, value_text


def _mark(canvas: Canvas, form: str, x: float, y: float, ticked: bool) -> str:
    """The word that an annotator writes for a box; a square one is drawn too."""
    size = canvas.style.size
    if form == "square":
        canvas.frame(x, y + 2, x + size - 2, y + size)
        if ticked:
            canvas.rule(x, y + 2, x + size - 2, y + size)
            canvas.rule(x, y + size, x + size - 2, y + 2)
        return "☑" if ticked else "☐"
    if form == "brackets":
        return "[X]" if ticked else "[ ]"
    return "(X)" if ticked else "( )"


def marked_options(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Options with boxes: keys under a heading, the box a part of the key, or the answers of a key."""
    rng = canvas.rng
    form = rng.choice(("square", "square", "square", "brackets", "parentheses"))
    options_answer = rng.random() < 0.3
    font, size = canvas.key_font(), canvas.style.size
    boxed_word = rng.random() < 0.6
    stacked = rng.random() < 0.3
    y = top
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not canvas.fits(y, 3):
            break
        text = canvas.language.key(rng, canvas.domain)[0]
        title, end, low = canvas.write(
            key_text(canvas, text), left, y, QUESTION if options_answer else HEADER, font, (right - left) * 0.45
        )
        first = len(canvas.entities)
        start = x = left + 25 if stacked else max(end + size, left + (right - left) * rng.choice((0, 0.3)))
        y = low + 2 if stacked else y
        options = list(canvas.language.yes_no)
        if rng.random() >= 0.3:
            options = canvas.language.options(rng, canvas.domain, rng.randint(2, 5))
        ticked = rng.randrange(-1, len(options))
        for place, option in enumerate(options):
            option = key_text(canvas, option, "")
            if x > start and (stacked or x + font.getlength(option) + size * 2 > right):
                x, y = start, y + canvas.line
            if not canvas.fits(y):
                break
            x, low = _option(canvas, form, option, x, y, place == ticked, title if options_answer else -1, boxed_word)
            x += size * rng.uniform(1, 3)
        if not options_answer:
            canvas.head(title, first)
        y = max(low, y + canvas.line) + canvas.line * rng.choice((0, 0.3))
    return y


def _option(
    canvas: Canvas, form: str, text: str, x: float, y: float, ticked: bool, question: int, boxed_word: bool
) -> tuple[float, float]:
    """Draw one option; the answer of a question, or a question whose mark, where it has one, is its answer."""
    size, font = canvas.style.size, canvas.key_font()
    label = QUESTION if question < 0 else ANSWER
    if form != "square":
        mark = _mark(canvas, form, x, y, ticked)
        parts = mark.split()
        width = font.getlength(mark) + 5
        if ticked and question < 0:
            answer, _, _ = canvas.write(mark, x, y, ANSWER, font, 10_000)
            index, end, low = canvas.write(text, x + width, y, label, font, 10_000)
            canvas.link(index, answer)
            return end, low
        if len(parts) == 1 and boxed_word:
            index, end, low = canvas.write(f"{mark} {text}", x, y, label, font, 10_000)
        else:
            canvas.draw.text((x, y), mark, fill=10, font=font)
            index, end, low = canvas.write(text, x + width, y, label, font, 10_000)
        canvas.link(question, index)
        return end, low
    mark = _mark(canvas, form, x, y, ticked and (boxed_word or question >= 0))
    index, end, low = canvas.write(text, x + size + 3, y, label, font, 10_000)
    if boxed_word and index >= 0:
        canvas.entities[index].words.insert(0, mark)
        canvas.entities[index].inks.insert(0, (x, y + 2, x + size - 2, y + size))
    elif ticked and question < 0:
        answer, _, _ = canvas.write(
            canvas.rng.choice(("X", "x", "X", "V")), x + 2, y, ANSWER, canvas.value_font(), 10_000
        )
        canvas.link(index, answer)
    canvas.link(question, index)
    return end, low


def yes_no_lines(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Statements or questions in a column, each with Yes and No at the right edge, often under keys of their own."""
    rng = canvas.rng
    columns = rng.choice(canvas.language.answer_columns)
    x = right - canvas.style.size * 4.2 * len(columns)
    font = canvas.key_font()
    over = rng.random() < 0.5
    as_header = not over and rng.random() < 0.5
    form = rng.choice(("square", "line", "none"))
    y = top
    heads = []
    if over:
        for place, text in enumerate(columns):
            index, _, y = canvas.write(text, x + place * canvas.style.size * 4.2, top, QUESTION, font, 10_000)
            heads.append(index)
    for _ in range(rng.randint(2, 6)):
        if not canvas.fits(y, 3):
            break
        text = canvas.language.statement(rng, canvas.domain)
        row, _, low = canvas.write(
            key_text(canvas, text, ""), left, y, HEADER if as_header else QUESTION, font, x - left - 12
        )
        ticked = rng.randrange(-1, len(columns))
        first = len(canvas.entities)
        for place, option in enumerate(columns):
            start = x + place * canvas.style.size * 4.2
            if form == "square":
                canvas.frame(start, y + 2, start + canvas.style.size - 2, y + canvas.style.size)
            elif form == "line":
                canvas.rule(start, y + canvas.style.size * 1.15, start + 22, y + canvas.style.size * 1.15)
            answer = -1
            if place == ticked and rng.random() > canvas.style.empty:
                mark = rng.choice(("X", "X", "x"))
                answer, _, _ = canvas.write(mark, start + 3, y, ANSWER, canvas.value_font(), 10_000)
            if over:
                canvas.link(heads[place], answer)
                canvas.link(row, answer)
                continue
            index, _, _ = canvas.write(option, start + (25 if form == "line" else 16), y, QUESTION, font, 10_000)
            canvas.link(index, answer)
        if as_header:
            canvas.head(row, first)
        y = max(low, y + canvas.line)
    return y


def values_before_keys(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Values on ruled lines with the key at the right end or under the line, in one to three columns."""
    rng = canvas.rng
    columns = rng.choice((1, 2, 2, 3)) if right - left > 420 else 1
    width = (right - left) / columns
    under = rng.random() < 0.65
    small = canvas.small_font(rng.choice((0, 1, 2, 3)))
    align = rng.choice(("left", "left", "center"))
    y = top
    for _ in range(rng.randint(1, 4)):
        if not canvas.fits(y, 3):
            break
        bottom = y
        for column, (text, kind) in enumerate(canvas.language.keys(rng, canvas.domain, columns)):
            x, end = left + column * width, left + (column + 1) * width - 14
            key = key_text(canvas, text, "" if under else rng.choice(("", "", canvas.style.separator)))
            value = value_text(canvas, "phrase" if kind == "sentence" else kind)
            stop = end if under else max(x + (end - x) * 0.4, end - small.getlength(key) - 8)
            value = canvas.cut(value, stop - x - 6)
            answer, _, _ = canvas.write(value, x + 4, y - 1, ANSWER, canvas.value_font(), stop - x, align)
            rule = y + canvas.style.size * 1.25
            canvas.rule(x, rule, stop, rule)
            question, _, low = canvas.write(
                key, x if under else stop + 6, rule + 2 if under else y, QUESTION, small,
                end - (x if under else stop + 6), align if under else "left",
            )  # fmt: skip
            canvas.link(question, answer)
            bottom = max(bottom, low, rule + 3)
        y = bottom + canvas.line * rng.choice((0.1, 0.4, 0.8))
    return y


def ruled_lines(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A key and ruled lines below it: empty, with an answer on each, or with one answer over all of them."""
    rng = canvas.rng
    text = canvas.language.key(rng, canvas.domain)[0]
    font = canvas.value_font()
    step = font.size * rng.uniform(1.5, 2.1)
    question, _, y = canvas.write(key_text(canvas, text), left, top, QUESTION, canvas.key_font(), right - left)
    stop = left + (right - left) * rng.choice((1, 1, 0.6, 0.45))
    count = rng.randint(2, 6)
    form = rng.random()
    lines = [
        canvas.language.value(rng, rng.choice(("phrase", "name", "company", "phrase")))
        for _ in range(rng.randint(1, count))
    ]
    if form < 0.3:
        lines = []
    elif form < 0.6:
        answer, _, _ = canvas.write(
            canvas.language.paragraph(rng, 1, 2), left + 4, y, ANSWER, font, stop - left - 6, leading=step
        )
        canvas.link(question, answer)
        lines = []
        last = max((ink[3] for ink in canvas.entities[answer].inks), default=y) if answer >= 0 else y
        count = max(count, round((last - y) / step))
    start = left + rng.choice((4, 4, 30))
    for number in range(count):
        if y + step > canvas.bottom:
            break
        if number < len(lines):
            found = canvas.cut(lines[number], stop - start)
            answer, _, _ = canvas.write(found, start, y, ANSWER, font, 10_000)
            canvas.link(question, answer)
        canvas.rule(left, y + font.size * 1.2, stop, y + font.size * 1.2)
        y += step
    return y + 3
