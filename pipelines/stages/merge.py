"""Merge: from the logits of windows back to the page: labels of words, entities, pairs, class, answers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.decode import (
    NO_ANSWER,
    Answer,
    Entity,
    Window,
    decode_answer,
    decode_entities,
    entity_labels,
    softmax,
    split_label,
    word_logits,
)
from model.decoding import Decoding
from model.links import pair_entities
from model.ocr.tessdata import how_to_install
from model.segment_decoding import decode_segments, of_kinds
from model.segment_joins import default_joins
from pipelines.errors import ProcessingError
from pipelines.schema import Row, Task, mark_failed, page_questions, page_schema

logger = logging.getLogger(__name__)

USUAL_WIDTH_TO_HEIGHT = 0.75
"""Of a page whose size is not known; that of a sheet is .71 (A4) or .77 (letter)."""


@dataclass(frozen=True)
class MergeOptions:
    """How logits are interpreted.

    Attributes:
        task: the task of the model's head.
        labels: the model's labels in the order of its logits; empty for question answering.
        questions: in the order of `question_index`; empty if each page has its own.
        several_labels: whether the classifier is multi-label: each label gets the sigmoid of its logit, and scores do
            not add up to 1.
        min_read_quality: pages that were read less well, 0 to 1, are marked `needs_review`, and so are those whose
            language is not installed.
        decoding: how logits of words become entities.
    """

    task: Task
    labels: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    several_labels: bool = False
    min_read_quality: float = 0.0
    decoding: Decoding = field(default_factory=Decoding)


class Merge:
    """Rows with the columns of `INFERRED` in, `page_schema(task)`, the result as it is written, out."""

    def __init__(self, options: MergeOptions, kept: Sequence[str] = ()) -> None:
        """`kept`: columns passed through besides those of the result, such as the ground truth of a labelled page."""
        self.options = options
        self.columns = [*page_schema(options.task).names, *kept]
        self._said: set[str] = set()

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            result = row
            if row["status"] == "ok":
                try:
                    result = {**row, **self._decode(row)}
                except Exception as error:  # a page fails alone
                    result = mark_failed(row, error)
            quality = result.get("read_quality")
            review = None if quality is None else quality < self.options.min_read_quality
            missing = result.get("missing_language")
            if missing:
                self._say(missing)
                review = True
            yield {name: result.get(name) for name in self.columns} | {"needs_review": review}

    def _say(self, missing_language: str) -> None:
        """Log once what to install: the process in which OCR runs has no log."""
        if missing_language not in self._said:
            self._said.add(missing_language)
            logger.warning(
                "pages in %s cannot be read as such; with --ocr-engine auto they can, once its data is there: %s",
                missing_language,
                how_to_install([missing_language]),
            )

    def _decode(self, row: Row) -> Row:
        task = self.options.task
        if not all(np.isfinite(logits).all() for logits in row["window_logits"]):
            raise ProcessingError("internal", "the model's logits are NaN or infinite; try --dtype float32")
        if task == "token-classification":
            return token_result(row, self.options.labels, self.options.decoding)
        if task == "sequence-classification":
            return class_result(row["window_logits"], self.options.labels, self.options.several_labels)
        return {"answers": answers_result(row, page_questions(row, self.options.questions))}


def token_result(row: Row, labels: tuple[str, ...], decoding: Decoding = Decoding()) -> Row:  # noqa: B008
    """`labels` and `scores`, one per word (null for a word without tokens), `entities` and `pairs`.

    Args:
        labels: of the model, in the order of its logits.
        decoding: how logits of words become entities.
    """
    windows, words, boxes = page_windows(row), row["words"], row["boxes"]
    if not windows:
        return {"labels": [None] * len(words), "scores": [None] * len(words), "entities": [], "pairs": []}
    ratio = width_to_height(row)
    logits, has_tokens = word_logits(windows, len(words))
    probabilities = softmax(logits / decoding.temperature_vector(labels)) * has_tokens[:, None]
    if decoding.method == "segments":
        joins = decoding.joins or default_joins()
        raw = softmax(logits) * has_tokens[:, None]
        entities = decode_segments(raw, labels, words, boxes, ratio, joins, calibrated=probabilities)
        word_labels, scores = _labels_of_segments(probabilities, has_tokens, labels, entities)
    else:
        best = probabilities.argmax(axis=1)
        word_labels = [labels[index] if present else None for index, present in zip(best, has_tokens, strict=True)]
        scores = [
            float(probabilities[word, index]) if present else None
            for word, (index, present) in enumerate(zip(best, has_tokens, strict=True))
        ]
        entities = decode_entities(word_labels, scores, words, boxes)
    pairs = pair_entities(entities, boxes, ratio)
    return {
        "labels": word_labels,
        "scores": scores,
        "entities": [asdict(entity) for entity in entities],
        "pairs": [asdict(pair) for pair in pairs],
    }


def width_to_height(row: Row) -> float:
    """The ratio of a page's sides."""
    return row["width"] / row["height"] if row.get("width") and row.get("height") else USUAL_WIDTH_TO_HEIGHT


def _labels_of_segments(
    probabilities: NDArray[np.float32],
    has_tokens: NDArray[np.bool_],
    labels: tuple[str, ...],
    entities: list[Entity],
) -> tuple[list[str | None], list[float | None]]:
    """The label of each word by its entity, and the probability that the word alone gives to its kind."""
    of_words = entity_labels(entities, len(probabilities))
    present = has_tokens.tolist()
    by_kind = of_kinds(probabilities, labels)
    nothing = np.zeros(len(probabilities))  # a model may have no "O"
    scores = [float(by_kind.get(split_label(label)[1], nothing)[word]) for word, label in enumerate(of_words)]
    return (
        [label if has else None for label, has in zip(of_words, present, strict=True)],
        [score if has else None for score, has in zip(scores, present, strict=True)],
    )


def class_result(window_logits: list[list[float]], labels: tuple[str, ...], several_labels: bool = False) -> Row:
    """The `label` of a page, its `score`, and `label_scores`, from the mean of the windows' logits."""
    logits = np.asarray(window_logits, dtype=np.float32).mean(axis=0)
    scores = 1 / (1 + np.exp(-logits)) if several_labels else softmax(logits)
    best = int(scores.argmax())
    return {
        "label": labels[best],
        "score": float(scores[best]),
        "label_scores": list(zip(labels, scores.tolist(), strict=True)),
    }


def answers_result(row: Row, questions: Sequence[str]) -> list[Row]:
    """One answer per question, in the order of the questions."""
    windows = page_windows(row)
    indices = [window["question_index"] for window in row["windows"]]
    answers = []
    for index, question in enumerate(questions):
        own = [window for window, question_index in zip(windows, indices, strict=True) if question_index == index]
        answer: Answer = decode_answer(own, row["words"], row["boxes"]) if own else NO_ANSWER
        answers.append({"question": question, **asdict(answer)})
    return answers


def page_windows(row: Row) -> list[Window]:
    """The windows of a page with their logits."""
    return [
        Window(
            word_indices=np.asarray(window["word_indices"]),
            first_token=window["first_token"],
            logits=np.asarray(logits, dtype=np.float32).reshape(len(window["input_ids"]), -1),
        )
        for window, logits in zip(row["windows"], row["window_logits"], strict=True)
    ]
