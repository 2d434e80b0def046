"""What every reader of a labelled corpus returns: labelled pages, and the issues with their annotations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from pipelines.errors import JobError
from pipelines.schema import BOX, PAGE_TO_DO, Row

Box = tuple[int, int, int, int]
PixelBox = tuple[float, float, float, float]


class PixelWord(NamedTuple):
    """A word with text, and its box in pixels: x0 y0 x1 y1, perhaps inverted or off the page."""

    text: str
    box: PixelBox


@dataclass(frozen=True)
class Question:
    """A question about a document and its answers.

    Attributes:
        text: the question.
        answers: wordings that count as right; empty if the document has no answer.
        first_word: index of the answer's first word on this page; -1 if it is not on this page, or was not located.
        last_word: index of its last word, inclusive; -1 likewise.
    """

    text: str
    answers: tuple[str, ...]
    first_word: int = -1
    last_word: int = -1


@dataclass(frozen=True)
class LabelledPage:
    """A page and all its annotations; each task uses a part of them.

    Attributes:
        document_id: unique in the corpus, and equal on every machine.
        uri: of the image or PDF file.
        media_type: of the file, such as image/png.
        page_index: counted from 0.
        page_count: of the document.
        words: in the order of the corpus; None if the page has still to be read (text layer or OCR).
        boxes: one a word, x0 y0 x1 y1 from 0 to 1000, ordered.
        labels: one BIO label a word; None if the corpus does not label words.
        label: the class of the document.
        questions: about the document; their positions are on this page.
        keys: the document's (key, value) pairs, equal on all its pages; a key may repeat.
        links: of entities, as the indices of their first words: (header, question) and (question, answer); None if the
            corpus does not link entities.
        pairs: the texts of keys and values, on a page without words; None if they are not known.
    """

    document_id: str
    uri: str
    media_type: str
    page_index: int = 0
    page_count: int = 1
    words: tuple[str, ...] | None = None
    boxes: tuple[Box, ...] | None = None
    labels: tuple[str, ...] | None = None
    label: str | None = None
    questions: tuple[Question, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[int, int], ...] | None = None
    pairs: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True)
class AnnotationIssue:
    """An annotation that could not be used unchanged: its file, and a message that names the issue and the outcome."""

    uri: str
    message: str


@dataclass(frozen=True)
class Corpus:
    """One split of a corpus.

    Attributes:
        pages: in the order of the corpus.
        labels: of words (BIO, "O" first) or of documents, in the order of the model's logits; empty for questions.
        problems: in the order of reading; every page or word that is left out has one.
    """

    pages: tuple[LabelledPage, ...]
    labels: tuple[str, ...]
    problems: tuple[AnnotationIssue, ...] = field(default=())


class BrokenAnnotationError(JobError):
    """A corpus with problems, in strict reading; the message lists the first of them."""


Report = Callable[[str, str], None]
"""Called by readers with a URI and a message for each problem."""


@dataclass
class BoxRepairs:
    """Repairs boxes and counts the repairs in one file."""

    inverted: int = 0
    clipped: int = 0

    def box(self, x0: float, y0: float, x1: float, y1: float, width: float, height: float) -> Box:
        """A box in pixels as thousandths of the page, `int(1000 * x / width)` as in LayoutLMv2's published code.

        An inverted box is put in order, one that leaves the page is clipped to it.
        """
        self.inverted += x0 > x1 or y0 > y1
        left, right = sorted((int(1000 * x0 / width), int(1000 * x1 / width)))
        top, bottom = sorted((int(1000 * y0 / height), int(1000 * y1 / height)))
        self.clipped += left < 0 or top < 0 or right > 1000 or bottom > 1000
        return _clip(left), _clip(top), _clip(right), _clip(bottom)

    def report(self, uri: str, report: Report) -> None:
        """Report the repairs, if there are any."""
        repairs = []
        if self.inverted:
            repairs.append(f"{self.inverted} inverted boxes were put in order")
        if self.clipped:
            repairs.append(f"{self.clipped} boxes off the page were clipped to it")
        if repairs:
            report(uri, "; ".join(repairs))


def _clip(value: int) -> int:
    return min(1000, max(0, value))


def hashed_split(name: str) -> str:
    """train, dev or test for 80, 10 and 10% of all names, by a hash that is equal on every machine and at any time."""
    bucket = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 10
    return "train" if bucket < 8 else ("dev" if bucket == 8 else "test")


def bio_labels(names: Sequence[str]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of each name."""
    return ("O", *(prefix + name for name in names for prefix in ("B-", "I-")))


LINK = pa.struct([("from_word", pa.int32()), ("to_word", pa.int32())])
"""A link of two entities, by their first words."""

QUESTION = pa.struct(
    [
        ("text", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("first_word", pa.int32()),
        ("last_word", pa.int32()),
    ]
)

LABELLED_PAGE = pa.schema(
    [
        *PAGE_TO_DO,
        pa.field("given_words", pa.list_(pa.string())),
        pa.field("given_boxes", pa.list_(BOX)),
        pa.field("true_labels", pa.list_(pa.string())),
        pa.field("true_label", pa.string()),
        pa.field("questions", pa.list_(QUESTION)),
        pa.field("keys", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))),
        pa.field("true_links", pa.list_(LINK)),
        pa.field("true_pairs", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))),
    ]
)
"""A labelled page before the stages. The stages write what they read and predict to `words`, `boxes`, `labels` and
`label`; the annotations keep the names above, so that one row holds both."""


def labelled_row(page: LabelledPage) -> Row:
    """A page as a row with the columns of `LABELLED_PAGE`."""
    return {
        "document_id": page.document_id,
        "uri": page.uri,
        "media_type": page.media_type,
        "page_index": page.page_index,
        "page_count": page.page_count,
        "given_words": None if page.words is None else list(page.words),
        "given_boxes": None if page.boxes is None else [list(box) for box in page.boxes],
        "true_labels": None if page.labels is None else list(page.labels),
        "true_label": page.label,
        "questions": [
            {
                "text": question.text,
                "answers": list(question.answers),
                "first_word": question.first_word,
                "last_word": question.last_word,
            }
            for question in page.questions
        ],
        "keys": [{"key": key, "value": value} for key, value in page.keys],
        "true_links": None
        if page.links is None
        else [{"from_word": source, "to_word": target} for source, target in page.links],
        "true_pairs": None if page.pairs is None else [{"key": key, "value": value} for key, value in page.pairs],
    }
