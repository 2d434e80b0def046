"""FUNSD: noisy scanned forms with headers, questions and answers (Jaume et al., 2019, arXiv 1905.13538).

Labels, boxes and their order are those of LayoutLMv2 (paper, section 4.1; published code `funsd.py` of layoutlmft):
seven BIO labels, a box a word, `int(1000 * x / width)`; "other" is O; words without text are dropped, and blocks of
such words; words stand in the order of the annotation. Held out of the 149 training forms are the last 29 by file name.

On disk: `training_data/` and `testing_data/` (as in the published archive, there within `dataset/`), each with
`annotations/NAME.json` and `images/NAME.png`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from PIL import Image

from pipelines.corpora.corpus import Box, BoxRepairs, LabelledPage, Question, Report, bio_labels
from pipelines.page import PageError, Task
from pipelines.storage import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification", "question-answering")
SPLITS = ("train", "dev", "test", "train+dev")
LABELS = bio_labels(("HEADER", "QUESTION", "ANSWER"))
DEV_FORMS = 29

_KINDS = ("header", "question", "answer", "other")


class _Block(NamedTuple):
    """One annotated block with at least one word: words `first` to `last` of the page."""

    kind: str
    first: int
    last: int
    links: tuple[tuple[int, int], ...]


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The forms of a split, by file name. Questions of a form are its question blocks that are linked to answers.

    Raises:
        ValueError: the data has no such folder.
    """
    folder = "testing_data" if split == "test" else "training_data"
    names = _annotations(storage, data, folder)
    if split == "train":
        names = names[:-DEV_FORMS]
    elif split == "dev":
        names = names[-DEV_FORMS:]
    pages = []
    for uri in names:
        try:
            pages.append(_read_form(storage, uri, folder, report))
        except (PageError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            report(uri, f"left out: {_reason(error)}")
    return tuple(pages)


def _annotations(storage: Storage, data: str, folder: str) -> list[str]:
    for root in (data, join_uri(data, "dataset")):
        listed = storage.list_existing(join_uri(root, folder, "annotations"))
        names = [stored.uri for stored in listed if stored.uri.endswith(".json")]
        if names:
            return names
    raise ValueError(
        f"{data} has no {folder}/annotations/*.json; FUNSD is laid out as training_data/ and testing_data/, each with "
        "annotations/ and images/"
    )


def _read_form(storage: Storage, uri: str, folder: str, report: Report) -> LabelledPage:
    name = uri.rsplit("/", 1)[-1].removesuffix(".json")
    image_uri = join_uri(uri.rsplit("/", 2)[0], "images", f"{name}.png")
    annotation = json.loads(storage.read(uri))
    with Image.open(io.BytesIO(storage.read(image_uri))) as image:
        width, height = image.size
    words: list[str] = []
    boxes: list[Box] = []
    labels: list[str] = []
    blocks: dict[int, _Block] = {}
    repairs = BoxRepairs()
    for number, block in enumerate(annotation["form"]):
        kind = block["label"]
        if kind not in _KINDS:
            report(uri, f"block {block.get('id', number)} has the label {kind!r}, which is none of {', '.join(_KINDS)}")
            kind = "other"
        first = len(words)
        for word in block["words"]:
            if not word["text"].strip():
                continue
            inside = "I" if len(words) > first else "B"
            words.append(word["text"])
            boxes.append(repairs.box(*word["box"], width, height))
            labels.append("O" if kind == "other" else f"{inside}-{kind.upper()}")
        if len(words) > first:
            links = tuple((source, target) for source, target in block.get("linking", ()))
            blocks[block.get("id", number)] = _Block(kind, first, len(words) - 1, links)
    repairs.tell(uri, report)
    return LabelledPage(
        document_id=f"funsd/{folder}/{name}",
        uri=image_uri,
        media_type="image/png",
        words=tuple(words),
        boxes=tuple(boxes),
        labels=tuple(labels),
        questions=tuple(_questions(blocks, words)),
    )


def _questions(blocks: Mapping[int, _Block], words: list[str]) -> Iterator[Question]:
    """One question for each question block that is linked to answers.

    Answers that follow each other without a gap are one answer of several lines; of answers apart (the cells of a
    column) each counts as right, and the first is the one to point at. Links are written from either end.
    """
    answers: dict[int, set[int]] = {}
    for block in blocks.values():
        for pair in block.links:
            for question, answer in (pair, pair[::-1]):
                if _kind(blocks, question) == "question" and _kind(blocks, answer) == "answer":
                    answers.setdefault(question, set()).add(answer)
    for identity, block in blocks.items():
        runs: list[tuple[int, int]] = []
        for answer in sorted((blocks[identity] for identity in answers.get(identity, ())), key=lambda one: one.first):
            if runs and runs[-1][1] + 1 == answer.first:
                runs[-1] = runs[-1][0], answer.last
            else:
                runs.append((answer.first, answer.last))
        if runs:
            yield Question(
                text=" ".join(words[block.first : block.last + 1]),
                answers=tuple(" ".join(words[first : last + 1]) for first, last in runs),
                first_word=runs[0][0],
                last_word=runs[0][1],
            )


def _kind(blocks: Mapping[int, _Block], identity: int) -> str:
    return blocks[identity].kind if identity in blocks else ""


def _reason(error: BaseException) -> str:
    known: dict[type[BaseException], Any] = {KeyError: f"it lacks {error}"}
    return str(known.get(type(error), error)) or type(error).__name__
