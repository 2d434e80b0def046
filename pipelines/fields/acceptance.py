"""Which fields are accepted without a look, for a wanted precision, and how many mistakes they still have.

The score that a field must reach comes from the checkpoint's curve of pairs, which jobs.calibrate measured on labelled
pages: the lowest one at which the precision, by the lower end of its 95% interval, is at least the wanted one. It holds
for documents like those pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from model.decoding import Decoding
from model.score_curve import best_point, point_for_precision
from pipelines.schema import Row

FORM_SOURCE = "form"
"""`text_source` of the fields of interactive forms, which are exact."""


@dataclass(frozen=True)
class Acceptance:
    """The score at which fields are accepted.

    Attributes:
        wanted: the precision that was asked for, 0-1.
        min_score: fields with this score or a higher one are accepted, 0-1.
        predictions: pairs of the labelled pages at or above it.
        right: how many of them were right.
        error_low, error_high: the 95% interval of the share of mistakes among accepted fields, 0-1.
    """

    wanted: float
    min_score: float
    predictions: int
    right: int
    error_low: float
    error_high: float

    @property
    def precision(self) -> float:
        """The share of accepted pairs that was right on the labelled pages, 0-1."""
        return self.right / self.predictions


def check_precision(wanted: float) -> None:
    """Refuse a precision that no curve can have.

    Raises:
        ValueError: not above 0 and below 1.
    """
    if not 0 < wanted < 1:
        raise ValueError(f"--accept-precision is {wanted:g}; it must be above 0 and below 1, such as 0.95")


def find_acceptance(decoding: Decoding, wanted: float, model: str) -> Acceptance:
    """The score for a wanted precision, by a checkpoint's curve of pairs.

    Args:
        wanted: above 0 and below 1.
        model: the checkpoint's name, for the message.

    Raises:
        ValueError: the precision is out of range, the checkpoint has no curve of pairs, or no score has the precision.
    """
    check_precision(wanted)
    curve = decoding.score_curves.get("pairs", ())
    best = best_point(curve)
    if best is None:
        raise ValueError(
            f"--accept-precision needs to know how often the scores of {model} are right, and its decoding.json does "
            "not tell it: run jobs.calibrate on labelled pages that link keys and values, with --output FOLDER, and "
            "give --model that folder"
        )
    point = point_for_precision(curve, wanted)
    if point is None:
        raise ValueError(
            f"--accept-precision is {wanted:g}, and no score of {model} has that precision for certain: from score "
            f"{best.min_score:.3f} on, {best.right} of {best.predictions} pairs were right, which shows a precision of "
            f"{best.interval[0]:.3f} at least. Ask for less, or run jobs.calibrate on more labelled pages"
        )
    low, high = point.interval
    return Acceptance(wanted, point.min_score, point.predictions, point.right, 1 - high, 1 - low)


def needs_review(field: Row, acceptance: Acceptance) -> bool:
    """Whether a row of `FIELDS` is not accepted: its page needs review, or its score is low or missing.

    Fields of interactive forms are always accepted.
    """
    if field["text_source"] == FORM_SOURCE:
        return False
    return bool(field["needs_review"]) or field["score"] is None or field["score"] < acceptance.min_score


@dataclass(frozen=True)
class FieldCounts:
    """Fields by what becomes of them.

    Attributes:
        exact: of interactive forms; they are accepted and cannot be misread.
        accepted: by their scores.
        needs_review: the others.
    """

    exact: int = 0
    accepted: int = 0
    needs_review: int = 0

    def __add__(self, other: FieldCounts) -> FieldCounts:
        return FieldCounts(
            self.exact + other.exact, self.accepted + other.accepted, self.needs_review + other.needs_review
        )


def count_fields(fields: Iterable[Row], acceptance: Acceptance) -> FieldCounts:
    """The counts of rows of `FIELDS`."""
    exact = accepted = unsure = 0
    for field in fields:
        if needs_review(field, acceptance):
            unsure += 1
        elif field["text_source"] == FORM_SOURCE:
            exact += 1
        else:
            accepted += 1
    return FieldCounts(exact, accepted, unsure)


def acceptance_record(counts: FieldCounts, acceptance: Acceptance) -> dict[str, Any]:
    """What run.json says of accepted fields.

    Returns:
        `fields_accepted`, `fields_needs_review`, `accept_precision`, `accept_min_score`, and `fields_errors_left`: how
        many accepted fields are wrong on average, from `low` to `high` by the 95% interval, rounded to tenths.
    """
    return {
        "fields_accepted": counts.exact + counts.accepted,
        "fields_needs_review": counts.needs_review,
        "accept_precision": acceptance.wanted,
        "accept_min_score": acceptance.min_score,
        "fields_errors_left": {
            "low": round(counts.accepted * acceptance.error_low, 1),
            "high": round(counts.accepted * acceptance.error_high, 1),
        },
    }
