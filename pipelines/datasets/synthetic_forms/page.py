"""A whole drawn form: sections down the sheet, entities in an annotator's order, and scanning noise."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from pipelines.datasets.synthetic_forms import sections_key_value as sections
from pipelines.datasets.synthetic_forms import sections_office as office_sections
from pipelines.datasets.synthetic_forms import sections_table as more_sections
from pipelines.datasets.synthetic_forms import stamps
from pipelines.datasets.synthetic_forms import vocabulary as words
from pipelines.datasets.synthetic_forms.annotation_order import reading_order
from pipelines.datasets.synthetic_forms.canvas import OTHER, Canvas, draw_style
from pipelines.datasets.synthetic_forms.noise import scanned, turned

Box = tuple[int, int, int, int]
Section = Callable[[Canvas, float, float, float], float]


def side_by_side(canvas: Canvas, left: float, right: float, top: float) -> float:
    """Two narrow sections side by side, both with titles or both without."""
    middle = (left + right) / 2
    titled = canvas.rng.random() < 0.6
    kinds = ("key_rows", "key_rows", "ledger", "table", "answer_paragraph", "underlined_rows", "address_block")
    bottom = top
    for x0, x1 in ((left, middle - 10), (middle + 10, right)):
        y = more_sections.section_title(canvas, x0, x1, top) if titled else top
        bottom = max(bottom, SECTIONS[canvas.rng.choice(kinds)](canvas, x0, x1, y))
    return bottom


SECTIONS: dict[str, Section] = {
    "key_rows": sections.key_rows,
    "underlined_rows": sections.underlined_rows,
    "boxed_grid": sections.boxed_grid,
    "memo_head": sections.memo_head,
    "fax_head": sections.fax_head,
    "signature_lines": sections.signature_lines,
    "answer_paragraph": sections.answer_paragraph,
    "running_text": sections.running_text,
    "bullet_list": sections.bullet_list,
    "ledger": sections.ledger,
    "table": more_sections.table,
    "check_boxes": more_sections.check_boxes,
    "questionnaire": more_sections.questionnaire,
    "address_block": more_sections.address_block,
    "note": more_sections.note,
    "side_by_side": side_by_side,
    "grouped_columns": office_sections.grouped_columns,
    "grouped_options": office_sections.grouped_options,
    "copies": office_sections.copies,
    "listed_answers": office_sections.listed_answers,
    "ruled_answer": office_sections.ruled_answer,
    "keys_over_values": office_sections.keys_over_values,
    "office_use": office_sections.office_use,
    "notice": office_sections.notice,
}

_WEIGHTS = {
    "key_rows": 9, "underlined_rows": 5, "boxed_grid": 3, "memo_head": 1, "fax_head": 1, "signature_lines": 3,
    "answer_paragraph": 6, "running_text": 2, "bullet_list": 0.7, "ledger": 3, "table": 5, "check_boxes": 4,
    "questionnaire": 3, "address_block": 2, "note": 4, "side_by_side": 2.5, "grouped_columns": 1.6,
    "grouped_options": 2.5, "copies": 2, "listed_answers": 2, "ruled_answer": 2.5,
    "keys_over_values": 2, "office_use": 1, "notice": 3.5,
}  # fmt: skip


@dataclass(frozen=True)
class DrawOptions:
    """The variation of drawn forms.

    Attributes:
        kinds: names of `SECTIONS` to choose from; empty for all.
        misspelt: probability that a word is spelt as by bad OCR.
        skew: the largest rotation of a page, in degrees.
        noise: whether pages have scanning noise; without it they are clean and straight.
        jitter: the largest error of a box's sides, in thousandths of the page.
    """

    kinds: tuple[str, ...] = ()
    misspelt: float = 0.04
    skew: float = 2.0
    noise: bool = True
    jitter: int = 4

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(SECTIONS))
        if unknown:
            raise ValueError(f"no sections named {', '.join(unknown)}; take some of {', '.join(SECTIONS)}")


@dataclass(frozen=True)
class DrawnForm:
    """A drawn form.

    Attributes:
        words: in the order of the entities; the words of an entity follow each other.
        boxes: one a word, x0 y0 x1 y1 from 0 to 1000, ordered.
        labels: one a word: O, or B- or I- with HEADER, QUESTION or ANSWER.
        image: the scanned sheet, mode "L".
        links: for each linked question and answer, the first and last word (inclusive) of both.
        entities: first word, word after the last, and header, question, answer or other.
        sections: names of the kinds of section on the page, from the top.
        width, height: of the image in pixels.
    """

    words: tuple[str, ...]
    boxes: tuple[Box, ...]
    labels: tuple[str, ...]
    image: Image.Image
    links: tuple[tuple[int, int, int, int], ...]
    entities: tuple[tuple[int, int, str], ...]
    sections: tuple[str, ...]
    width: int
    height: int


def draw_form(seed: int, options: DrawOptions | None = None) -> DrawnForm:
    """Draw a form. Equal seeds give equal forms if the installed fonts and Pillow are equal."""
    options = options or DrawOptions()
    rng = random.Random(f"drawn form {seed}")
    height = 1000
    canvas = Canvas(
        rng, draw_style(rng, options.misspelt), rng.choice(tuple(words.KEYS)), rng.randint(740, 785), height
    )
    drawn = _fill(canvas, options)
    return _finished(canvas, drawn, options)


def _fill(canvas: Canvas, options: DrawOptions) -> tuple[str, ...]:
    rng = canvas.rng
    left = canvas.width * rng.uniform(0.04, 0.14)
    right = canvas.width * rng.uniform(0.86, 0.96)
    y = canvas.height * rng.uniform(0.03, 0.1)
    canvas.bottom = canvas.height * rng.choice((0.65, 0.85, 0.92, 0.92, 0.94, 0.94))
    if rng.random() < 0.15:
        stamps.fax_line(canvas)
    if rng.random() < 0.3:
        y = more_sections.letterhead(canvas, left, right, y)
    if rng.random() < 0.93:
        y = (stamps.stacked_title if rng.random() < 0.35 else more_sections.title)(canvas, left, right, y)
    kinds = options.kinds or tuple(SECTIONS)
    weights = [_WEIGHTS[kind] for kind in kinds]
    first = rng.random()
    chosen = rng.choices(kinds, weights, k=rng.choice((4, 5, 6, 7, 8, 9, 10, 12)))
    if not options.kinds and first < 0.3:
        chosen[0] = "memo_head" if first < 0.15 else "fax_head"
    gap = canvas.line * rng.choice((0.4, 0.8, 1.2, 2.0, 3.0))
    drawn: list[str] = []
    max_words = rng.choice((60, 100, 135, 165, 190, 230, 280, 350))
    for number, kind in enumerate(chosen, 1):
        canvas.section = number
        used = sum(len(entity.words) for entity in canvas.entities)
        if drawn and (not canvas.fits(y, 3) or used > max_words):
            break
        if number > 1 and rng.random() < 0.38 and kind not in ("side_by_side", "note"):
            y = more_sections.section_title(canvas, left, right, y)
        y = SECTIONS[kind](canvas, left, right, y) + gap
        drawn.append(kind)
    canvas.section = len(chosen) + 1
    more_sections.foot(canvas, left, right)
    if rng.random() < 0.25:
        stamps.vertical_number(canvas)
    if rng.random() < 0.1:
        stamps.received_stamp(canvas)
    return tuple(drawn)


def _finished(canvas: Canvas, drawn: tuple[str, ...], options: DrawOptions) -> DrawnForm:
    rng = canvas.rng
    order = reading_order(canvas.entities, canvas.links, rng)
    degrees = rng.gauss(0, options.skew / 3) if options.noise and rng.random() < 0.5 else 0.0
    degrees = min(options.skew, max(-options.skew, degrees))
    image, matrix = turned(canvas.image, degrees)
    image = scanned(image, rng) if options.noise else image
    found: list[str] = []
    boxes: list[Box] = []
    labels: list[str] = []
    entities: list[tuple[int, int, str]] = []
    spans: dict[int, tuple[int, int]] = {}
    for index in order:
        entity = canvas.entities[index]
        start = len(found)
        found += entity.words
        for ink in entity.inks:
            boxes.append(_box(ink, matrix, canvas, options.jitter))
        inside = [entity.label] if entity.label == OTHER else [f"B-{entity.label}", f"I-{entity.label}"]
        labels += [inside[0], *[inside[-1]] * (len(entity.words) - 1)]
        spans[index] = (start, len(found) - 1)
        entities.append((start, len(found), "other" if entity.label == OTHER else entity.label.lower()))
    return DrawnForm(
        words=tuple(found),
        boxes=tuple(boxes),
        labels=tuple(labels),
        image=image,
        links=tuple((*spans[question], *spans[answer]) for question, answer in canvas.links),
        entities=tuple(entities),
        sections=drawn,
        width=canvas.width,
        height=canvas.height,
    )


def _box(
    ink: tuple[float, float, float, float], matrix: tuple[float, float, float, float], canvas: Canvas, jitter: int
) -> Box:
    """The upright box around a rotated word, in thousandths; each side is moved at random, mostly outwards."""
    a, b, c, d = matrix
    across, down = canvas.width / 2, canvas.height / 2
    x, y = (ink[0] + ink[2]) / 2 - across, (ink[1] + ink[3]) / 2 - down
    x, y = a * x + b * y + across, c * x + d * y + down
    half_width = (ink[2] - ink[0]) / 2
    half_height = (ink[3] - ink[1]) / 2 + abs(b) * half_width * 0.7
    random_side = canvas.rng.randint

    def side(value: float, whole: float, outwards: int) -> int:
        moved = 1000 * value / whole + outwards * random_side(-jitter // 4, jitter) if jitter else 1000 * value / whole
        return min(1000, max(0, round(moved)))

    x0, x1 = side(x - half_width, canvas.width, -1), side(x + half_width, canvas.width, 1)
    y0, y1 = side(y - half_height, canvas.height, -1), side(y + half_height, canvas.height, 1)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
