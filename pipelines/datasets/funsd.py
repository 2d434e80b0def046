"""FUNSD: noisy scanned forms with headers, questions and answers (Jaume et al., 2019, arXiv 1905.13538).

Labels, boxes and their order are those of LayoutLMv2 (paper, section 4.1; published code `funsd.py` of layoutlmft):
seven BIO labels, a box for each word, `int(1000 * x / width)`; "other" is O; words without text are dropped, and
entities of such words; the order is that of the annotation. Links are those from a header to its questions and from a
question to its answers, whichever way they are stored. The dev split is the last 29 of the 149 training forms by
file name.

On disk: `training_data/` and `testing_data/` (as in the published archive, there within `dataset/`), each with
`annotations/NAME.json` and `images/NAME.png`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipelines.datasets.annotations import coordinates, image_size, require_field, shortened, skip_if_broken
from pipelines.datasets.types import Box, BoxRepairs, LabelledPage, Question, Report, bio_labels
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification", "question-answering")
SPLITS = ("train", "dev", "test", "train+dev")
LABELS = bio_labels(("HEADER", "QUESTION", "ANSWER"))
DEV_FORMS = 29

_KINDS = ("header", "question", "answer", "other")
_LINKED_KINDS = (("header", "question"), ("question", "answer"))


class _Entity(NamedTuple):
    """One annotated entity with at least one word: words `first` to `last` of the page."""

    kind: str
    first: int
    last: int


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The forms of a split, by file name. The questions of a form are its "question" entities with linked answers.

    Raises:
        ValueError: the data has no such folder, or too few forms to hold some out.
    """
    folder = "testing_data" if split == "test" else "training_data"
    names = _annotations(storage, data, folder)
    if split == "train":
        if len(names) <= DEV_FORMS:
            raise ValueError(f"{data} has {len(names)} training forms, all held out as dev; train on train+dev")
        names = names[:-DEV_FORMS]
    elif split == "dev":
        names = names[-DEV_FORMS:]
    pages: list[LabelledPage] = []
    for uri in names:
        with skip_if_broken(uri, report):
            pages.append(_read_form(storage, uri, folder, report))
    return tuple(pages)


def _annotations(storage: Storage, data: str, folder: str) -> list[str]:
    for root in (data, join_uri(data, "dataset")):
        listed = storage.list_existing(join_uri(root, folder, "annotations"))
        names = sorted(stored.uri for stored in listed if stored.uri.endswith(".json"))
        if names:
            return names
    raise ValueError(
        f"{data} has no {folder}/annotations/*.json; FUNSD is laid out as training_data/ and testing_data/, each with "
        "annotations/ and images/"
    )


def _read_form(storage: Storage, uri: str, folder: str, report: Report) -> LabelledPage:
    name = uri.rsplit("/", 1)[-1].removesuffix(".json")
    image_uri = join_uri(uri.rsplit("/", 2)[0], "images", f"{name}.png")
    form = require_field(json.loads(storage.read(uri)), "form", list)
    width, height = image_size(storage, image_uri)
    words: list[str] = []
    boxes: list[Box] = []
    labels: list[str] = []
    entities: dict[Any, _Entity | None] = {}
    repairs = BoxRepairs()
    for number, entity in enumerate(form):
        kind, first, identity = require_field(entity, "label", str), len(words), entity.get("id", number)
        if not isinstance(identity, int):
            raise ValueError(f"'id' is {shortened(identity)}, and not a number")
        if kind not in _KINDS:
            report(uri, f"block {identity} has the label {kind!r}, which is none of {', '.join(_KINDS)}: read as other")
            kind = "other"
        for word in require_field(entity, "words", list):
            text = require_field(word, "text", str)
            if not text.strip():
                continue
            x0, y0, x1, y1 = coordinates(word.get("box"), 4)
            inside = "I" if len(words) > first else "B"
            words.append(text)
            boxes.append(repairs.box(x0, y0, x1, y1, width, height))
            labels.append("O" if kind == "other" else f"{inside}-{kind.upper()}")
        has_words = len(words) > first
        entities[identity] = _Entity(kind, first, len(words) - 1) if has_words else None
    repairs.report(uri, report)
    links = _links(form, entities, uri, report)
    return LabelledPage(
        document_id=f"funsd/{folder}/{name}",
        uri=image_uri,
        media_type="image/png",
        words=tuple(words),
        boxes=tuple(boxes),
        labels=tuple(labels),
        questions=tuple(_questions(entities, links, words)),
        links=_first_words(entities, links),
    )


def _links(form: list[Any], entities: Mapping[Any, _Entity | None], uri: str, report: Report) -> list[tuple[Any, Any]]:
    """The pairs of linked entities; any other link is reported."""
    links: list[tuple[Any, Any]] = []
    broken: list[Any] = []
    for entity in form:
        linking = entity.get("linking") or []
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
            text=" ".join(words[entity.first : entity.last + 1]),
            answers=tuple(" ".join(words[first : last + 1]) for first, last in runs),
            first_word=runs[0][0],
            last_word=runs[0][1],
        )
