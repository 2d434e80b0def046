"""A whole drawn form: sections down the sheet, entities in an annotator's order, and scanning noise."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from pipelines.datasets.synthetic_forms import sections_groups as groups
from pipelines.datasets.synthetic_forms import sections_invoice as invoices
from pipelines.datasets.synthetic_forms import sections_key_value as sections
from pipelines.datasets.synthetic_forms import sections_marks as marks
from pipelines.datasets.synthetic_forms import sections_office as office_sections
from pipelines.datasets.synthetic_forms import sections_table as more_sections
from pipelines.datasets.synthetic_forms import sections_text as texts
from pipelines.datasets.synthetic_forms import stamps
from pipelines.datasets.synthetic_forms.annotation_order import LINE_ORDERS, ORDERS, reading_order
from pipelines.datasets.synthetic_forms.canvas import OTHER, Canvas, draw_style
from pipelines.datasets.synthetic_forms.languages import form_language
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
        kind = canvas.rng.choice(kinds)
        low = titled_section(canvas, kind, x0, x1, top) if titled else SECTIONS[kind](canvas, x0, x1, top)
        bottom = max(bottom, low)
    return bottom


def titled_section(canvas: Canvas, kind: str, left: float, right: float, top: float) -> float:
    """A section under a title, which is the header of its questions that have none of their own."""
    first = len(canvas.entities)
    y = more_sections.section_title(canvas, left, right, top)
    header = first if len(canvas.entities) > first else -1
    y = SECTIONS[kind](canvas, left, right, y)
    canvas.head(header)
    return y


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
    "row_groups": groups.row_groups,
    "name_columns": groups.name_columns,
    "blank_table": groups.blank_table,
    "signature_block": groups.signature_block,
    "wrapped_keys": groups.wrapped_keys,
    "field_columns": groups.field_columns,
    "marked_options": marks.marked_options,
    "yes_no_lines": marks.yes_no_lines,
    "values_before_keys": marks.values_before_keys,
    "ruled_lines": marks.ruled_lines,
    "letter": texts.letter,
    "terms": texts.terms,
    "footnotes": texts.footnotes,
    "instructions": texts.instructions,
    "headed_paragraphs": texts.headed_paragraphs,
    "declaration": texts.declaration,
    "bulleted_answers": texts.bulleted_answers,
    "parties": invoices.parties,
    "document_data": invoices.document_data,
    "item_table": invoices.item_table,
    "totals": invoices.totals,
    "receipt": invoices.receipt,
}

_WEIGHTS = {
    "key_rows": 9, "underlined_rows": 5, "boxed_grid": 3, "memo_head": 1, "fax_head": 1, "signature_lines": 3,
    "answer_paragraph": 6, "running_text": 2, "bullet_list": 0.7, "ledger": 3, "table": 5, "check_boxes": 4,
    "questionnaire": 3, "address_block": 2, "note": 4, "side_by_side": 2.5, "grouped_columns": 1.6,
    "grouped_options": 2.5, "copies": 2, "listed_answers": 2, "ruled_answer": 2.5,
    "keys_over_values": 2, "office_use": 1, "notice": 3.5, "row_groups": 1.8, "name_columns": 1.2, "blank_table": 1.6,
    "signature_block": 1.8, "wrapped_keys": 2, "field_columns": 1.2, "marked_options": 2.5, "yes_no_lines": 1.2,
    "values_before_keys": 1.8, "ruled_lines": 2.5, "letter": 0.4, "terms": 0.6, "footnotes": 1, "instructions": 0.8,
    "headed_paragraphs": 0.6, "declaration": 0.8, "bulleted_answers": 2, "parties": 0.4, "document_data": 0.3,
    "item_table": 0.5, "totals": 0.3, "receipt": 0.1,
}  # fmt: skip

_UNTITLED = frozenset(
    {"side_by_side", "note", "footnotes", "letter", "headed_paragraphs", "receipt", "terms", "instructions"}
)

_PAGES = {"office": 0.62, "trade": 0.24, "invoice": 0.1, "receipt": 0.015, "letter": 0.025}
"""The kinds of pages, with their shares: forms of an office, forms of other trades, and business papers."""


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
        language: of two letters.
        words: in the order of the entities; the words of an entity follow each other.
        boxes: one a word, x0 y0 x1 y1 from 0 to 1000, ordered.
        labels: one a word: O, or B- or I- with HEADER, QUESTION or ANSWER.
        image: the scanned sheet, mode "L".
        links: for each linked question and answer, the first and last word (inclusive) of both. A cell of a table is
            linked with the question of its row and with that of its column.
        header_links: for each linked header and question, the first and last word (inclusive) of both. A question has
            one header at most: the nearest heading over its group.
        entities: first word, word after the last, and header, question, answer or other.
        sections: names of the kinds of section on the page, from the top.
        width, height: of the image in pixels.
    """

    language: str
    words: tuple[str, ...]
    boxes: tuple[Box, ...]
    labels: tuple[str, ...]
    image: Image.Image
    links: tuple[tuple[int, int, int, int], ...]
    header_links: tuple[tuple[int, int, int, int], ...]
    entities: tuple[tuple[int, int, str], ...]
    sections: tuple[str, ...]
    width: int
    height: int


def draw_form(seed: int, options: DrawOptions | None = None, language: str = "en") -> DrawnForm:
    """Draw a form in a language. Equal seeds give equal forms if the installed fonts and Pillow are equal.

    Args:
        language: of two letters, a key of `languages.LANGUAGES`.

    Raises:
        ValueError: there is no such language.
        FileNotFoundError: no font of its script is installed.
    """
    options = options or DrawOptions()
    spoken = form_language(language)
    rng = random.Random(f"drawn form {seed}" if language == "en" else f"drawn form {seed} {language}")
    page = rng.choices(tuple(_PAGES), tuple(_PAGES.values()))[0]
    domain = rng.choice(spoken.domains[0] if page == "office" else spoken.domains[1])
    style = draw_style(rng, options.misspelt, spoken)
    canvas = Canvas(rng, style, spoken, domain, rng.randint(740, 785), 1000)
    drawn = _fill(canvas, options, page)
    return _finished(canvas, drawn, options)


def _planned(rng: random.Random, options: DrawOptions, page: str) -> list[str]:
    """The sections of a page from the top down; more than it can hold."""
    if options.kinds or page in ("office", "trade"):
        kinds = options.kinds or tuple(SECTIONS)
        chosen = rng.choices(kinds, [_WEIGHTS[kind] for kind in kinds], k=rng.choice((5, 6, 7, 8, 9, 10, 12, 14)))
        first = rng.random()
        if not options.kinds and page == "office" and first < 0.3:
            chosen[0] = "memo_head" if first < 0.15 else "fax_head"
        return chosen
    ends = ("note", "footnotes", "terms", "declaration", "key_rows", "underlined_rows", "notice", "totals")
    if page == "receipt":
        return ["receipt", *rng.sample(ends, rng.randint(0, 1))]
    if page == "letter":
        return [*rng.choices(("letter", "headed_paragraphs", "terms", "instructions", "key_rows"), k=2), "declaration"]
    heads = ["parties", "document_data"]
    rng.shuffle(heads)
    return [*heads[: rng.choice((1, 2, 2))], "item_table", *rng.sample(ends, rng.randint(1, 3))]


def _fill(canvas: Canvas, options: DrawOptions, page: str) -> tuple[str, ...]:
    rng = canvas.rng
    left = canvas.width * rng.uniform(0.04, 0.14)
    right = canvas.width * rng.uniform(0.86, 0.96)
    y = canvas.height * rng.uniform(0.03, 0.1)
    canvas.bottom = canvas.height * rng.choice((0.65, 0.85, 0.92, 0.92, 0.94, 0.94))
    if rng.random() < 0.15:
        stamps.fax_line(canvas)
    top = y - 6
    if rng.random() < (0.3 if page in ("office", "trade") else 0.7):
        y = more_sections.letterhead(canvas, left, right, y)
    if rng.random() < (0.5 if page == "letter" else 0.93):
        title = rng.choices((more_sections.title, stamps.stacked_title, stamps.title_bar), (0.58, 0.34, 0.08))[0]
        y = title(canvas, left, right, y)
    chosen = _planned(rng, options, page)
    gap = canvas.line * rng.choice((0.4, 0.8, 1.2, 2.0, 3.0))
    drawn: list[str] = []
    max_words = rng.choice((70, 110, 140, 165, 190, 230, 280, 350))
    for number, kind in enumerate(chosen, 1):
        canvas.section = number
        used = sum(len(entity.words) for entity in canvas.entities)
        if drawn and (not canvas.fits(y, 3) or used > max_words):
            break
        titled = number > 1 and rng.random() < 0.35 and kind not in _UNTITLED
        y = (titled_section(canvas, kind, left, right, y) if titled else SECTIONS[kind](canvas, left, right, y)) + gap
        drawn.append(kind)
    if rng.random() < 0.1:
        stamps.sheet_frame(canvas, left, right, top, min(y, canvas.height - 4))
    canvas.section = len(chosen) + 1
    more_sections.foot(canvas, left, right)
    if rng.random() < 0.25:
        stamps.vertical_number(canvas)
    if rng.random() < 0.1:
        stamps.received_stamp(canvas)
    return tuple(drawn)


def _finished(canvas: Canvas, drawn: tuple[str, ...], options: DrawOptions) -> DrawnForm:
    rng = canvas.rng
    order = reading_order(
        canvas.entities, canvas.links, rng, orders=ORDERS if canvas.language.annotators else LINE_ORDERS
    )
    links, header_links = dict.fromkeys(canvas.links), dict.fromkeys(canvas.header_links)
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
        language=canvas.language.code,
        words=tuple(found),
        boxes=tuple(boxes),
        labels=tuple(labels),
        image=image,
        links=tuple((*spans[question], *spans[answer]) for question, answer in links),
        header_links=tuple((*spans[header], *spans[question]) for header, question in header_links),
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
