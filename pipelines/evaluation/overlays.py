"""The overlays on a page of an evaluation: entities and answers that are right, wrong, missed or spurious."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

from model.decode import Box, union_box
from model.word_breaks import join_words
from pipelines.evaluation.metrics.answers import answer_similarity
from pipelines.evaluation.metrics.entities import Match, Span, compare_entities, page_labels
from pipelines.evaluation.metrics.entity_texts import predicted_texts, true_texts
from pipelines.schema import Row, Task

OverlayStyle = Literal["right", "wrong", "missed", "spurious", "read"]

COLORS: dict[OverlayStyle, str] = {
    "right": "#16a34a",
    "wrong": "#ea7a00",
    "missed": "#dc2626",
    "spurious": "#9333ea",
    "read": "#ea7a00",
}
DASHED: frozenset[OverlayStyle] = frozenset({"missed", "read"})
FILLED: frozenset[OverlayStyle] = frozenset({"right", "wrong", "spurious"})
LEGEND: tuple[tuple[OverlayStyle, str], ...] = (
    ("right", "right"),
    ("wrong", "wrong label or boundary (dashed: what was read instead)"),
    ("missed", "missed"),
    ("spurious", "spurious"),
)

FILL_OPACITY = 0.22
DASH_PIXELS = 6


@dataclass(frozen=True)
class Overlay:
    """A rectangle on a page.

    Attributes:
        style: its meaning, which decides color, dashes and filling.
        box: x0 y0 x1 y1, 0-1000.
        title: ground truth and prediction as text.
    """

    style: OverlayStyle
    box: Box
    title: str


def page_overlays(row: Row, task: Task) -> list[Overlay]:
    """The overlays of a page that was read, the most important ones last, on top."""
    if task == "token-classification":
        overlays = list(_entity_overlays(row))
    elif task == "question-answering":
        overlays = list(_answer_overlays(row))
    else:
        overlays = []
    order: list[OverlayStyle] = ["right", "spurious", "missed", "wrong", "read"]
    return sorted(overlays, key=lambda overlay: order.index(overlay.style))


def page_quality(row: Row, task: Task) -> tuple[float, float]:
    """A sort key by which the worst pages come first: the share that is right, then minus the amount that is wrong."""
    if task == "sequence-classification":
        is_right, score = row["label"] == row["true_label"], row["score"] or 0.0
        return (1.0, score) if is_right else (0.0, -score)
    if task == "question-answering":
        shares = [share for _, _, share in _questions(row)]
        return (sum(shares) / len(shares) if shares else 1.0, -float(len(shares)))
    labels = page_labels(row)
    if labels is None and row.get("keys"):
        true, predicted = true_texts(row), predicted_texts(row)
        agreed = (true & predicted).total()
        return 2 * agreed / (true.total() + predicted.total()), float(agreed - true.total())
    matches = compare_entities(*labels) if labels is not None else []
    right = sum(match.verdict == "right" for match in matches)
    total = sum((match.true is not None) + (match.predicted is not None) for match in matches)
    return (2 * right / total if total else 1.0, float(right - len(matches)))


def line_boxes(boxes: Sequence[Box]) -> list[Box]:
    """One box for each line of neighbouring words, so that a text over several lines does not cover its neighbours."""
    lines: list[list[Box]] = []
    for box in boxes:
        before = lines[-1][-1] if lines else None
        same_line = before is not None and box[0] >= before[0] and _share_height(before, box)
        if same_line:
            lines[-1].append(box)
        else:
            lines.append([box])
    return [union_box(line) for line in lines]


def _share_height(one: Box, other: Box) -> bool:
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return 2 * shared >= min(one[3] - one[1], other[3] - other[1])


def _entity_overlays(row: Row) -> Iterator[Overlay]:
    labels = page_labels(row)
    if labels is None:
        return
    drawn: set[Span] = set()
    for match in compare_entities(*labels):
        title = match_title(match, row["words"])
        if match.true is not None:
            style: OverlayStyle = (
                "right" if match.verdict == "right" else "missed" if match.verdict == "missed" else "wrong"
            )
            yield from (Overlay(style, box, title) for box in _span_boxes(row, match.true))
        read = match.predicted
        if read is not None and match.verdict != "right" and read not in drawn:
            drawn.add(read)
            style = "spurious" if match.verdict == "spurious" else "read"
            yield from (Overlay(style, box, title) for box in _span_boxes(row, read))


def match_title(match: Match, words: Sequence[str]) -> str:
    """Ground truth and prediction as text: `true QUESTION "Name:" | predicted ANSWER "Name: John"`."""

    def text(span: Span | None) -> str:
        return "nothing" if span is None else f'{span.kind} "{join_words(words[span.first : span.last + 1])}"'

    return f"{match.verdict}: true {text(match.true)} | predicted {text(match.predicted)}"


def _span_boxes(row: Row, span: Span) -> list[Box]:
    return line_boxes([tuple(box) for box in row["boxes"][span.first : span.last + 1]])


def _questions(row: Row) -> Iterator[tuple[Row, Row, float]]:
    """Each question of a page with its answer and the answer's similarity to the ground truth, 0-1.

    "No answer" is right if the document has none, or if other pages of the document may hold it.
    """
    for question, answer in zip(row["questions"] or (), row["answers"] or (), strict=False):
        elsewhere = row["page_count"] > 1 and question["first_word"] < 0
        if not answer["text"] and (not question["answers"] or elsewhere):
            yield question, answer, 1.0
        else:
            yield question, answer, answer_similarity(answer["text"], question["answers"] or ())


def _answer_overlays(row: Row) -> Iterator[Overlay]:
    for question, answer, share in _questions(row):
        title = question_title(question, answer)
        true_span = (question["first_word"], question["last_word"])
        style: OverlayStyle = "right" if share == 1 else "wrong" if share > 0 else "spurious"
        for box in line_boxes([tuple(box) for box in answer["boxes"] or ()]):
            yield Overlay(style, box, title)
        if share < 1 and true_span[0] >= 0 and true_span != (answer["first_word"], answer["last_word"]):
            yield from (Overlay("missed", box, title) for box in _span_boxes(row, Span("", *true_span)))


def question_title(question: Row, answer: Row) -> str:
    """A question, its true answers and the prediction in one line."""
    true = " / ".join(question["answers"] or ()) or "(no answer)"
    return f"{question['text']} | true: {true} | answered: {answer['text'] or '(no answer)'}"


def question_shares(row: Row) -> list[tuple[str, float]]:
    """The title of each question of a page, with the similarity of its answer to the ground truth, 0-1."""
    return [(question_title(question, answer), share) for question, answer, share in _questions(row)]


def draw_overlays(image: Image.Image, overlays: Sequence[Overlay]) -> Image.Image:
    """The overlays on a copy of the page's image (mode RGB)."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    for overlay in overlays:
        x0, x1 = (round(value * (image.width - 1) / 1000) for value in overlay.box[::2])
        y0, y1 = (round(value * (image.height - 1) / 1000) for value in overlay.box[1::2])
        color = tuple(int(COLORS[overlay.style][start : start + 2], 16) for start in (1, 3, 5))
        if overlay.style in FILLED:
            pen.rectangle((x0, y0, x1, y1), fill=(*color, round(255 * FILL_OPACITY)))
        step = DASH_PIXELS if overlay.style in DASHED else max(image.size)
        for start in range(x0, x1 + 1, 2 * step):
            for y in (y0, y1):
                pen.line((start, y, min(start + step, x1), y), fill=color, width=2)
        for start in range(y0, y1 + 1, 2 * step):
            for x in (x0, x1):
                pen.line((x, start, x, min(start + step, y1)), fill=color, width=2)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
