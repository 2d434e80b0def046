from __future__ import annotations

import pytest

from model.decoding import Decoding
from model.score_curve import ScorePoint, binomial_interval
from pipelines.fields.acceptance import (
    Acceptance,
    FieldCounts,
    acceptance_record,
    count_fields,
    find_acceptance,
    needs_review,
)
from pipelines.schema import Row

CURVE = (ScorePoint(0.95, 500, 499), ScorePoint(0.8, 1000, 970), ScorePoint(0.1, 2000, 1200))
DECODING = Decoding(score_curves={"pairs": CURVE})


def field(score: float | None, text_source: str = "ocr") -> Row:
    return {"key": "Name", "value": "Ann", "score": score, "text_source": text_source, "needs_review": None}


@pytest.mark.parametrize(("wanted", "point"), [(0.95, CURVE[1]), (0.98, CURVE[0]), (0.5, CURVE[2])])
def test_the_score_is_the_lowest_that_surely_has_the_precision(wanted: float, point: ScorePoint) -> None:
    acceptance = find_acceptance(DECODING, wanted, "m")
    assert (acceptance.min_score, acceptance.predictions, acceptance.right) == (
        point.min_score,
        point.predictions,
        point.right,
    )
    low, high = binomial_interval(point.right, point.predictions)
    assert (acceptance.error_low, acceptance.error_high) == pytest.approx((1 - high, 1 - low))
    assert acceptance.error_high <= 1 - wanted, "no more mistakes than asked for"


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(score_curves={"entities": CURVE, "pairs": ()})])
def test_a_model_that_was_not_calibrated_is_refused_with_the_way_out(decoding: Decoding) -> None:
    with pytest.raises(ValueError, match=r"scores of my-model are right.*run jobs\.calibrate.*--output"):
        find_acceptance(decoding, 0.95, "my-model")


def test_a_precision_out_of_reach_is_refused_with_the_one_within_reach() -> None:
    with pytest.raises(ValueError, match=r"from score 0\.950 on, 499 of 500 pairs were right.*0\.989 at least"):
        find_acceptance(DECODING, 0.999, "m")


@pytest.mark.parametrize("wanted", [0.0, 1.0, -1.0, 99.0, float("nan")])
def test_a_precision_out_of_range_is_refused(wanted: float) -> None:
    with pytest.raises(ValueError, match="--accept-precision is"):
        find_acceptance(DECODING, wanted, "m")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (field(0.8), False),
        (field(0.79), True),
        (field(None), True),
        (field(None, "form"), False),
        (field(0.1, "form"), False),
    ],
)
def test_fields_below_the_score_need_review_and_those_of_interactive_forms_do_not(row: Row, expected: bool) -> None:
    assert needs_review(row, find_acceptance(DECODING, 0.95, "m")) is expected


def test_the_record_tells_the_mistakes_left_among_fields_that_could_be_misread() -> None:
    acceptance = Acceptance(0.95, 0.8, 1000, 970, 0.02, 0.05)
    rows = [*[field(0.9)] * 200, *[field(0.2)] * 30, *[field(1.0, "form")] * 10]
    counts = count_fields(rows[:120], acceptance) + count_fields(rows[120:], acceptance)
    assert counts == FieldCounts(exact=10, accepted=200, needs_review=30)
    assert acceptance_record(counts, acceptance) == {
        "fields_accepted": 210,
        "fields_needs_review": 30,
        "accept_precision": 0.95,
        "accept_min_score": 0.8,
        "fields_errors_left": {"low": 4.0, "high": 10.0},
    }
