"""Drawn forms as an OCR engine reads them: its words, with the labels and links of the words that were drawn.

A model that learns from perfect words meets others in use: misread, split, joined or missing. A page costs about half a
second of a CPU with Tesseract and two thirds with PP-OCR; drawing it costs a twentieth of that.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from PIL import Image

from model.ocr.boxes import shared_area
from model.ocr.engine import normalise_boxes
from model.ocr.page_reader import PageReader
from model.word_breaks import join_words
from pipelines.datasets.alignment import normalise_text
from pipelines.datasets.synthetic_forms.languages import form_language
from pipelines.datasets.synthetic_forms.page import DrawOptions
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.datasets.types import Box, LabelledPage, Question

COVERED = 0.6
"""A read word of whose box this share lies on an entity's words is one of them, whatever was read."""

TOUCHED = 0.2
"""So is one of which this share lies there, if its text is like theirs."""

ALIKE = 0.5
"""The least similarity of such texts, as `difflib.SequenceMatcher.ratio`, 0-1."""


@dataclass(frozen=True)
class _Entity:
    """Drawn words `first` to `last`, inclusive; `label` is empty for a word that belongs to none."""

    label: str
    first: int
    last: int


def read_drawn_pages(
    seeds: Iterable[int], reader: PageReader, options: DrawOptions | None = None, language: str = "en"
) -> Iterator[tuple[LabelledPage, bytes]]:
    """For each seed the page that was read and its PNG file; a page on which nothing was read is left out.

    Args:
        reader: of a language whose script it reads; `tesseract_language` names Tesseract's.
        language: of the forms, of two letters.

    Raises:
        RuntimeError: the engine failed.
        ValueError: forms are not drawn in the language.
        FileNotFoundError: no font of its script is installed.
    """
    for drawn, picture in drawn_pages(seeds, options, language):
        image = Image.open(io.BytesIO(picture))
        text = reader.read(image).text
        page = transferred(drawn, text.words, normalise_boxes(text.boxes, image.width, image.height))
        if page.words:
            yield page, picture


def tesseract_language(language: str) -> str:
    """Tesseract's name of a language of two letters: its trained data for it.

    Raises:
        ValueError: forms are not drawn in the language.
    """
    return form_language(language).tesseract


def transferred(drawn: LabelledPage, words: Sequence[str], boxes: Sequence[Sequence[int]]) -> LabelledPage:
    """A drawn page with other words, which take over the labels, links and questions of those that were drawn.

    The words of an entity stay together, as labels need it: an entity stands where its first word was read, and the
    words between its lines follow. Words that belong to no drawn word are O. Entities of which nothing was read are
    left out, and so are their links. The page's `document_id` ends in `-read`.

    Args:
        drawn: with words, boxes and labels.
        words, boxes: that were read, in reading order; boxes are x0 y0 x1 y1 from 0 to 1000.
    """
    entities = _entities(drawn)
    found = _matched(drawn, entities, words, boxes)
    members: dict[int, list[int]] = {}
    for index, entity in enumerate(found):
        if entity >= 0 and entities[entity].label:
            members.setdefault(entity, []).append(index)
    order: list[int] = []
    spans: dict[int, tuple[int, int]] = {}
    labels: list[str] = []
    for index, entity in enumerate(found):
        if entity not in members:
            order.append(index)
            labels.append("O")
        elif entity not in spans:
            spans[entity] = len(order), len(order) + len(members[entity]) - 1
            order += members[entity]
            label = entities[entity].label
            labels += [f"B-{label}", *[f"I-{label}"] * (len(members[entity]) - 1)]
    read = tuple(words[index] for index in order)
    begins = {entity.first: number for number, entity in enumerate(entities)}
    ends = [(begins[source], begins[target]) for source, target in drawn.links or ()]
    links = [(spans[source], spans[target]) for source, target in ends if source in spans and target in spans]
    return replace(
        drawn,
        document_id=f"{drawn.document_id}-read",
        words=read,
        boxes=tuple(_box(boxes[index]) for index in order),
        labels=tuple(labels),
        links=tuple((source[0], target[0]) for source, target in links),
        questions=tuple(
            Question(_text(read, source), (_text(read, target),), *target)
            for source, target in links
            if (labels[source[0]], labels[target[0]]) == ("B-QUESTION", "B-ANSWER")
        ),
    )


def _entities(drawn: LabelledPage) -> list[_Entity]:
    entities: list[_Entity] = []
    for index, label in enumerate(drawn.labels or ()):
        if label.startswith("I-"):
            entities[-1] = replace(entities[-1], last=index)
        else:
            entities.append(_Entity("" if label == "O" else label[2:], index, index))
    return entities


def _matched(
    drawn: LabelledPage, entities: Sequence[_Entity], words: Sequence[str], boxes: Sequence[Sequence[int]]
) -> list[int]:
    """For each read word the number of the entity whose words it covers most and best, -1 for none."""
    drawn_words, drawn_boxes = drawn.words or (), drawn.boxes or ()
    owner = [number for number, entity in enumerate(entities) for _ in range(entity.first, entity.last + 1)]
    found = []
    for word, box in zip(words, boxes, strict=True):
        area = max(1, (box[2] - box[0]) * (box[3] - box[1]))
        touched: dict[int, list[tuple[float, int]]] = {}
        for index, other in enumerate(drawn_boxes):
            shared = shared_area(box, other)
            if shared > 0:
                touched.setdefault(owner[index], []).append((shared / area, index))
        best, most = -1, 0.0
        for entity, parts in touched.items():
            share = min(1.0, sum(part for part, _ in parts))
            likeness = _likeness(word, [drawn_words[index] for _, index in parts])
            if (share >= COVERED or (share >= TOUCHED and likeness >= ALIKE)) and share + likeness > most:
                best, most = entity, share + likeness
        found.append(best)
    return found


def _likeness(word: str, drawn: Sequence[str]) -> float:
    """How like a read word is to drawn ones that it touches: all of them together, or the likest alone."""
    text = normalise_text(word) or word
    others = {normalise_text(other) or other for other in (*drawn, "".join(drawn))}
    return max(SequenceMatcher(None, text, other, autojunk=False).ratio() for other in others)


def _box(box: Sequence[int]) -> Box:
    x0, y0, x1, y1 = box
    return x0, y0, x1, y1


def _text(words: Sequence[str], span: tuple[int, int]) -> str:
    return join_words(words[span[0] : span[1] + 1])
