"""Text around a form that is no answer: vertical numbers, fax lines, stamps; titles of several lines."""

from __future__ import annotations

from PIL import Image, ImageDraw

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, OTHER, QUESTION, Canvas, Entity


def vertical_number(canvas: Canvas) -> None:
    """A document's number, stamped along the right edge from the bottom up or from the top down."""
    rng = canvas.rng
    font = canvas.style.title_face.at(rng.choice((13, 15, 17)), rng.random() < 0.5)
    text = str(rng.randint(10**7, 10**9))
    left, top, right, bottom = (round(side) for side in font.getbbox(text, anchor="ls"))
    strip = Image.new("L", (right - left + 2, bottom - top + 2), 255)
    ImageDraw.Draw(strip).text((1 - left, 1 - top), text, fill=10, font=font, anchor="ls")
    strip = strip.rotate(rng.choice((90, -90)), expand=True)
    x = round(canvas.width * rng.uniform(0.9, 0.96))
    y = round(canvas.height * rng.uniform(0.55, 0.97)) - strip.height
    area = (x - 3, y - 3, x + strip.width + 3, y + strip.height + 3)
    taken = (ink for entity in canvas.entities for ink in entity.inks)
    if any(area[0] < b[2] and area[2] > b[0] and area[1] < b[3] and area[3] > b[1] for b in taken):
        return
    canvas.image.paste(strip, (x, y))
    canvas.entities.append(Entity(OTHER, canvas.section, [text], [(x, y, x + strip.width, y + strip.height)]))


def fax_line(canvas: Canvas) -> None:
    """The line that a fax machine prints along the upper edge, in parts wide apart."""
    rng = canvas.rng
    font = canvas.small_font(rng.choice((0, 1, 2)))
    parts = [
        f"{canvas.value('date').upper()} {canvas.value('time')}",
        rng.choice((canvas.value("company").upper(), canvas.value("phone"), f"FAX {canvas.value('phone')}")),
        rng.choice(
            (
                f"P.{rng.randint(1, 9):02d}",
                f"{rng.randint(1, 9):03d}/{rng.randint(9, 20):03d}",
                canvas.caption("page 1"),
            )
        ),
    ]
    x, y = canvas.width * rng.uniform(0.03, 0.12), rng.uniform(4, 14)
    for text in parts:
        _, end, _ = canvas.write(text, x, y, OTHER, font, 10_000)
        x = end + rng.uniform(30, 120)


def received_stamp(canvas: Canvas) -> None:
    """RECEIVED over a date, where there is room for it."""
    rng = canvas.rng
    font = canvas.style.title_face.at(rng.randint(14, 20))
    word = canvas.caption("stamp")
    x, y = canvas.width * rng.uniform(0.5, 0.8), canvas.height * rng.uniform(0.04, 0.9)
    area = (x - 4, y - 4, x + font.getlength(word) + 40, y + font.size * 3.2)
    taken = (ink for entity in canvas.entities for ink in entity.inks)
    if any(area[0] < b[2] and area[2] > b[0] and area[1] < b[3] and area[3] > b[1] for b in taken):
        return
    keyed = rng.random() < 0.5
    question, _, low = canvas.write(word, x, y, QUESTION if keyed else OTHER, font, 10_000)
    answer, _, _ = canvas.write(canvas.value("date").upper(), x, low, ANSWER if keyed else OTHER, font, 10_000)
    if keyed:
        canvas.link(question, answer)


def stacked_title(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A title of two to four lines that is one header, such as a company, a department and the form's name."""
    rng = canvas.rng
    lines = [canvas.language.title(rng, canvas.domain)]
    for kind in ("company", "department", "title", "phrase"):
        if len(lines) < 4 and rng.random() < 0.45:
            place = rng.randint(0, len(lines))
            text = canvas.language.title(rng, canvas.domain) if kind == "title" else canvas.value(kind)
            lines.insert(place, f"({text})" if kind == "phrase" else text)
    if len(lines) == 1:
        lines.append(canvas.language.section_title(rng, canvas.domain))
    capitals, align = rng.random() < 0.75, rng.choice(("center", "center", "center", "left"))
    sizes = [canvas.style.title_size] * len(lines)
    if rng.random() < 0.4:
        sizes[0] += rng.choice((2, 4))
    bold, gap, y, whole = rng.random() < 0.5, rng.choice((0, 2, 10)), top, -1
    for size, line in zip(sizes, lines, strict=True):
        line = line.upper() if capitals else line
        index, _, y = canvas.write(line, left, y, HEADER, canvas.style.title_face.at(size, bold), right - left, align)
        y += gap
        if whole >= 0 and index >= 0:
            canvas.merge_last(whole)
        elif index >= 0:
            whole = index
    return y + canvas.line * rng.uniform(0.3, 1.0)


def signature(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    """A scribble of pen strokes that stands for a signature; it is no word."""
    rng = canvas.rng
    points, pen = [], x
    while pen < x + width:
        points.append((pen, y + height * rng.uniform(-0.1, 1.1)))
        pen += rng.uniform(2, 9)
    if len(points) > 1:
        canvas.draw.line(points, fill=rng.randint(0, 60), width=rng.choice((1, 1, 2)), joint="curve")


def sheet_frame(canvas: Canvas, left: float, right: float, top: float, bottom: float) -> None:
    """A frame around the form."""
    canvas.frame(left - 12, top, right + 12, bottom, canvas.rng.choice((1, 2, 3)))


def title_bar(canvas: Canvas, left: float, right: float, top: float) -> float:
    """A title on a dotted grey bar."""
    rng = canvas.rng
    font = canvas.style.title_face.at(canvas.style.title_size, True)
    height = round(font.size * rng.uniform(1.5, 2.4))
    step = rng.choice((3, 4, 5))
    grey = rng.randint(130, 215)
    if rng.random() < 0.5:
        canvas.draw.rectangle((left, top, right, top + height), fill=max(grey, 190), outline=20)
    else:
        for y in range(round(top), round(top + height), step):
            for x in range(round(left), round(right), step):
                canvas.draw.point((x, y), fill=60)
    text = canvas.language.title(rng, canvas.domain)
    text = text.upper() if rng.random() < 0.7 else text
    align = rng.choice(("left", "center", "center"))
    _, _, low = canvas.write(
        text, left + 6, top + (height - font.size * 1.2) / 2, HEADER, font, right - left - 12, align
    )
    return max(low, top + height) + canvas.line * rng.uniform(0.3, 0.8)
