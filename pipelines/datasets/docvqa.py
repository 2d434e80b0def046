"""DocVQA, task 1, version 1.0: questions about pages of industry documents (Mathew et al., 2021, arXiv 2007.00398).

On disk: `train_v1.0.json`, `val_v1.0.json` and `test_v1.0.json` (also `train_v1.0_withQT.json` and the like) with
`data`, a list of questions with `questionId`, `question`, `image`, `docId`, `ucsf_document_page_no` and, but for the
test, `answers`; `documents/*.png`; `ocr_results/*.json` of Microsoft's Read. They lie together, or in a folder for each
split (`train/`, `val/`, `test/`); later downloads have them as `spdocvqa_qas/`, `spdocvqa_images/`, `spdocvqa_ocr/`.

A page is one example with all its questions. Its words are the OCR's, in the OCR's order; the position of an answer is
the first one that `alignment.find_answer` finds, as in LayoutLMv2's practice. Answers missing from the OCR have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipelines.datasets.alignment import PageText, find_answer
from pipelines.datasets.annotations import coordinates, require_field, shortened, skip_if_broken
from pipelines.datasets.types import Box, BoxRepairs, LabelledPage, Question, Report
from pipelines.documents.media_type import JPEG, PNG
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("question-answering",)
SPLITS = ("train", "dev", "test", "train+dev")
LABELS: tuple[str, ...] = ()

_PUBLISHED_NAMES = {"train": "train", "dev": "val", "test": "test"}
_MEDIA_TYPES = {"png": PNG, "jpg": JPEG, "jpeg": JPEG}

_QuestionJson = Mapping[str, Any]


class _Layout(NamedTuple):
    """The locations of a split: its file of questions, and the folders of images and OCR results."""

    questions: str
    images: str
    ocr: str

    def image(self, name: str) -> str:
        """The URI of the image that the questions call `documents/NAME.png`."""
        return join_uri(self.images, name.rsplit("/", 1)[-1])


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The pages of a split, by file name, each with its questions in the order of their numbers.

    Raises:
        ValueError: the data has no questions of the split, or they cannot be read.
    """
    pages: list[LabelledPage] = []
    for part in split.split("+"):
        layout = _find(storage, data, part)
        for image, questions in sorted(_by_image(storage, layout.questions, report).items()):
            with skip_if_broken(layout.image(image), report):
                pages.append(_read_page(storage, layout, image, questions, report))
    return tuple(sorted(pages, key=lambda page: page.document_id))


def _find(storage: Storage, data: str, part: str) -> _Layout:
    name = _PUBLISHED_NAMES[part]
    side_by_side = [
        (root, join_uri(root, "documents"), join_uri(root, "ocr_results")) for root in (data, join_uri(data, name))
    ]
    in_folders = tuple(join_uri(data, f"spdocvqa_{kind}") for kind in ("qas", "images", "ocr"))
    for folder, images, ocr in (*side_by_side, in_folders):
        for file in (f"{name}_v1.0.json", f"{name}_v1.0_withQT.json"):
            if storage.exists(uri := join_uri(folder, file)):
                return _Layout(uri, images, ocr)
    raise ValueError(
        f"{data} has no {name}_v1.0.json or {name}_v1.0_withQT.json; DocVQA is laid out as train_v1.0.json, "
        "val_v1.0.json and test_v1.0.json beside documents/*.png and ocr_results/*.json, or as a folder of such for "
        "each of train, val and test"
    )


def _by_image(storage: Storage, uri: str, report: Report) -> dict[str, list[_QuestionJson]]:
    try:
        questions = require_field(json.loads(storage.read(uri)), "data", list)
    except ValueError as error:
        raise ValueError(f"{uri} is not JSON with a list `data` of questions: {error}") from error
    images: dict[str, list[_QuestionJson]] = {}
    for number, question in enumerate(questions):
        try:
            image = require_field(question, "image", str)
            if not require_field(question, "question", str).strip():
                raise ValueError("it is empty")
            answers = question.get("answers") or []
            if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
                raise ValueError(f"'answers' is {shortened(answers)}, and not a list of texts")
        except ValueError as error:
            identity = question.get("questionId", number) if isinstance(question, dict) else number
            report(uri, f"question {identity} left out: {error}")
        else:
            images.setdefault(image, []).append(question)
    return images


def _read_page(
    storage: Storage, layout: _Layout, image: str, questions: Iterable[_QuestionJson], report: Report
) -> LabelledPage:
    uri = layout.image(image)
    stem, _, ending = uri.rsplit("/", 1)[-1].rpartition(".")
    if ending.lower() not in _MEDIA_TYPES:
        raise ValueError(f"an image must be one of {', '.join(_MEDIA_TYPES)}")
    if not storage.exists(uri):
        raise ValueError("no such image")
    words, boxes = _read_words(storage, join_uri(layout.ocr, f"{stem}.json"), report)
    page = PageText(words)
    return LabelledPage(
        document_id=f"docvqa/{stem}",
        uri=uri,
        media_type=_MEDIA_TYPES[ending.lower()],
        words=tuple(words),
        boxes=tuple(boxes),
        questions=tuple(
            _locate(page, question)
            for question in sorted(questions, key=lambda question: _number(question.get("questionId")))
        ),
    )


def _number(identity: Any) -> int:
    return identity if isinstance(identity, int) else 0


def _read_words(storage: Storage, uri: str, report: Report) -> tuple[list[str], list[Box]]:
    try:
        results = require_field(json.loads(storage.read(uri)), "recognitionResults", list)
        if not results:
            raise ValueError("no page was recognised")
        lines = require_field(results[0], "lines", list)
        width, height = coordinates([results[0].get("width"), results[0].get("height")], 2)
        if width <= 0 or height <= 0:
            raise ValueError(f"a page of {width} x {height}")
        found = [word for line in lines for word in require_field(line, "words", list)]
        texts = [require_field(word, "text", str).strip() for word in found]
        corners = [coordinates(require_field(word, "boundingBox", list), 8) for word in found]
    except ValueError as error:
        raise ValueError(f"{uri} is not an OCR result of Microsoft's Read: {error}") from error
    words: list[str] = []
    boxes: list[Box] = []
    repairs = BoxRepairs()
    for text, (x1, y1, x2, y2, x3, y3, x4, y4) in zip(texts, corners, strict=True):
        if text:
            words.append(text)
            # Clockwise from the word's own top left corner, which is another corner of a word turned by 90 degrees.
            edges = min(x1, x2, x3, x4), min(y1, y2, y3, y4), max(x1, x2, x3, x4), max(y1, y2, y3, y4)
            boxes.append(repairs.box(*edges, width, height))
    repairs.report(uri, report)
    return words, boxes


def _locate(page: PageText, question: _QuestionJson) -> Question:
    answers = tuple(dict.fromkeys(answer for answer in question.get("answers") or () if answer.strip()))
    first, last = find_answer(page, answers) or (-1, -1)
    return Question(question["question"], answers, first, last)
