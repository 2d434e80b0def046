"""Blocks of a form as FUNSD and XFUND annotate them: words with boxes, a kind, and links to other blocks.

Labels, boxes and their order are those of LayoutLMv2 (paper, section 4.1; published code `funsd.py` of layoutlmft):
seven BIO labels, a box for each word, `int(1000 * x / width)`; "other" is O; words without text are dropped, and
entities of such words; the order is that of the annotation. Links are those from a header to its questions and from a
question to its answers, whichever way they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from model.word_breaks import join_words
from pipelines.datasets.annotations import coordinates, require_field, shortened
from pipelines.datasets.types import Box, BoxRepairs, PixelWord, Question, Report, bio_labels

FORM_LABELS = bio_labels(("HEADER", "QUESTION", "ANSWER"))

_KINDS = ("header", "question", "answer", "other")
_LINKED_KINDS = (("header", "question"), ("question", "answer"))


class FormAnnotation(NamedTuple):
    """What the blocks of a form say, as in `LabelledPage`: words, boxes, labels, questions and links."""

    words: tuple[str, ...]
    boxes: tuple[Box, ...]
    labels: tuple[str, ...]
    questions: tuple[Question, ...]
    links: tuple[tuple[int, int], ...]


class _Entity(NamedTuple):
    """One annotated entity with at least one word: words `first` to `last` of the page."""

    kind: str
    first: int
    last: int


def block_words(block: Any, repairs: BoxRepairs) -> list[PixelWord]:
    """The words of a block that have text, with boxes of four numbers.

    Raises:
        ValueError: the words are not as they should be.
    """
    words = []
    for word in require_field(block, "words", list):
        text = require_field(word, "text", str)
        if text.strip():
            x0, y0, x1, y1 = coordinates(word.get("box"), 4)
            words.append(PixelWord(text, (x0, y0, x1, y1)))
    return words


def read_blocks(
    blocks: list[Any],
    size: tuple[float, float],
    uri: str,
    report: Report,
    words_of: Callable[[Any, BoxRepairs], list[PixelWord]] = block_words,
) -> FormAnnotation:
    """The annotation of a form. Its questions are the "question" entities with linked answers.

    Args:
        blocks: objects with `label`, `words`, and perhaps `id` and `linking`.
        size: width and height of the page in pixels.
        uri: of the annotation, for what is reported.
        words_of: the words of a block; what it mends in boxes it counts.

    Raises:
        ValueError: a block is not as it should be.
    """
    words: list[str] = []
    boxes: list[Box] = []
    labels: list[str] = []
    entities: dict[Any, _Entity | None] = {}
    repairs = BoxRepairs()
    for number, block in enumerate(blocks):
        kind, first, identity = require_field(block, "label", str), len(words), block.get("id", number)
        if not isinstance(identity, int):
            raise ValueError(f"'id' is {shortened(identity)}, and not a number")
        if kind not in _KINDS:
            report(uri, f"block {identity} has the label {kind!r}, which is none of {', '.join(_KINDS)}: read as other")
            kind = "other"
        for text, box in words_of(block, repairs):
            inside = "I" if len(words) > first else "B"
            words.append(text)
            boxes.append(repairs.box(*box, *size))
            labels.append("O" if kind == "other" else f"{inside}-{kind.upper()}")
        has_words = len(words) > first
        if identity in entities:
            report(uri, f"several blocks have the id {identity}: its links are those of the last")
        entities[identity] = _Entity(kind, first, len(words) - 1) if has_words else None
    repairs.report(uri, report)
    links = _links(blocks, entities, uri, report)
    questions = tuple(_questions(entities, links, words))
    return FormAnnotation(tuple(words), tuple(boxes), tuple(labels), questions, _first_words(entities, links))


def _links(
    blocks: list[Any], entities: Mapping[Any, _Entity | None], uri: str, report: Report
) -> list[tuple[Any, Any]]:
    """The pairs of linked entities; any other link is reported."""
    links: list[tuple[Any, Any]] = []
    broken: list[Any] = []
    for block in blocks:
        linking = block.get("linking") or []
        for link in linking if isinstance(linking, list) else [linking]:
            if (
                isinstance(link, list)
                and len(link) == 2
                and all(isinstance(end, int) and end in entities for end in link)
            ):
                links.append((link[0], link[1]))
            else:
                broken.append(link)
    if broken:
        report(uri, f"{len(broken)} links that are no pair of the form's blocks are ignored: {shortened(broken)}")
    return links


def _first_words(entities: Mapping[Any, _Entity | None], links: list[tuple[Any, Any]]) -> tuple[tuple[int, int], ...]:
    """The links from headers to questions and from questions to answers, by the first words of both, each once.

    Links are stored in either direction, at either entity or at both; those of other kinds, and those of entities
    without words, are left out.
    """
    found: dict[tuple[int, int], None] = {}
    for pair in links:
        for source, target in ((entities[pair[0]], entities[pair[1]]), (entities[pair[1]], entities[pair[0]])):
            if source and target and (source.kind, target.kind) in _LINKED_KINDS:
                found.setdefault((source.first, target.first))
    return tuple(found)


def _questions(
    entities: Mapping[Any, _Entity | None], links: list[tuple[Any, Any]], words: list[str]
) -> Iterator[Question]:
    """One question for each "question" entity that is linked to answers.

    Answers that follow each other without a gap are one answer of several lines. Of separate answers (the cells of a
    column) each counts as right, and the position is that of the first. Links are stored in either direction, at either
    entity or at both, and some lead to entities without words.
    """
    answers: dict[Any, set[tuple[int, int]]] = {}
    for pair in links:
        for source, target in (pair, pair[::-1]):
            question, answer = entities[source], entities[target]
            if question and answer and (question.kind, answer.kind) == ("question", "answer"):
                answers.setdefault(source, set()).add((answer.first, answer.last))
    for identity, entity in entities.items():
        if entity is None or identity not in answers:
            continue
        runs: list[tuple[int, int]] = []
        for first, last in sorted(answers[identity]):
            if runs and runs[-1][1] + 1 == first:
                runs[-1] = runs[-1][0], last
            else:
                runs.append((first, last))
        yield Question(
            text=join_words(words[entity.first : entity.last + 1]),
            answers=tuple(join_words(words[first : last + 1]) for first, last in runs),
            first_word=runs[0][0],
            last_word=runs[0][1],
        )
