from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score

from pipelines.evaluation.metrics.entities import (
    Match,
    Span,
    compare_entities,
    count_mistakes,
    entity_spans,
    page_labels,
    plain_labels,
    score_entities,
)

OUT, BQ, IQ, BA, IA = "O", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER"


@pytest.mark.parametrize(
    ("true", "predicted", "precision", "recall", "f1"),
    [
        pytest.param([BQ, IQ, OUT, BA], [BQ, IQ, OUT, BA], 1, 1, 1, id="perfect"),
        pytest.param([BQ, IQ, OUT, BA], [OUT, OUT, OUT, OUT], 0, 0, 0, id="nothing predicted"),
        pytest.param([OUT, OUT, OUT, OUT], [BQ, OUT, OUT, OUT], 0, 0, 0, id="nothing true"),
        pytest.param([OUT, OUT], [OUT, OUT], 0, 0, 0, id="nothing at all"),
        pytest.param([], [], 0, 0, 0, id="no words"),
        pytest.param([BQ, IQ, OUT, BA], [BQ, OUT, OUT, BA], 1 / 2, 1 / 2, 1 / 2, id="an end off by one word"),
        pytest.param([OUT, BQ, IQ], [BQ, IQ, IQ], 0, 0, 0, id="a beginning off by one word"),
        pytest.param([BQ, IQ, BA], [BA, IA, BA], 1 / 2, 1 / 2, 1 / 2, id="another label"),
        pytest.param([BQ, IQ, BA, OUT], [IQ, IQ, IA, OUT], 1, 1, 1, id="I- without B- begins an entity"),
        pytest.param([BQ, BQ], [BQ, IQ], 0, 0, 0, id="two neighbours read as one"),
        pytest.param([BQ, IQ, IQ], [BQ, IQ, BQ], 0, 0, 0, id="one read as two"),
        pytest.param([BQ, OUT, BA, OUT], [BQ, OUT, OUT, BA], 1 / 2, 1 / 2, 1 / 2, id="one right of two, one spurious"),
        pytest.param([BQ, OUT, BA, OUT], [BQ, OUT, OUT, OUT], 1, 1 / 2, 2 / 3, id="one right of two"),
        pytest.param([BQ, OUT, OUT], [BQ, BA, BA], 1 / 3, 1, 1 / 2, id="two spurious"),
    ],
)
def test_hand_worked_cases(true: list[str], predicted: list[str], precision: float, recall: float, f1: float) -> None:
    figures = score_entities([true], [predicted])
    assert (figures["precision"], figures["recall"], figures["f1"]) == pytest.approx((precision, recall, f1))


def test_each_label_has_its_own_figures_and_the_number_of_its_true_entities() -> None:
    figures = score_entities([[BQ, IQ, BA, OUT, BA], [BQ, OUT]], [[BQ, IQ, BA, OUT, OUT], [BA, OUT]])
    assert figures["by_label"] == {
        "ANSWER": pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2}),
        "QUESTION": pytest.approx({"precision": 1, "recall": 1 / 2, "f1": 2 / 3, "support": 2}),
    }
    assert figures["support"] == 4
    assert figures["f1"] == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))


def test_a_label_that_is_only_predicted_is_listed_without_support() -> None:
    assert score_entities([[BQ]], [[BA]])["by_label"]["ANSWER"] == {
        "precision": 0,
        "recall": 0,
        "f1": 0,
        "support": 0,
    }


def test_an_entity_never_crosses_from_one_page_to_the_next() -> None:
    assert score_entities([[BQ], [IQ]], [[BQ], [IQ]])["support"] == 2


def test_without_pages_the_figures_are_zero() -> None:
    assert score_entities([], []) == {"precision": 0, "recall": 0, "f1": 0, "support": 0, "by_label": {}}


LABELS = st.sampled_from([OUT, BQ, IQ, BA, IA, "B-menu.sub-nm", "I-menu.sub-nm"])
PAGES = st.lists(st.lists(st.tuples(LABELS, LABELS), max_size=12), min_size=1, max_size=4)


@given(PAGES)
def test_the_figures_are_those_of_seqeval(pages: list[list[tuple[str, str]]]) -> None:
    true = [[pair[0] for pair in page] for page in pages]
    predicted = [[pair[1] for pair in page] for page in pages]
    rows = [
        {"uri": "/page.png", "page_index": index, "true_labels": one, "labels": other}
        for index, (one, other) in enumerate(zip(true, predicted, strict=True))
    ]
    labels = [page_labels(row) for row in rows]
    figures = score_entities([pair[0] for pair in labels if pair], [pair[1] for pair in labels if pair])
    assert figures["precision"] == pytest.approx(precision_score(true, predicted, zero_division=0))
    assert figures["recall"] == pytest.approx(recall_score(true, predicted, zero_division=0))
    assert figures["f1"] == pytest.approx(f1_score(true, predicted, zero_division=0))
    if figures["by_label"]:
        report = classification_report(true, predicted, output_dict=True, zero_division=0)
        assert figures["by_label"].keys() == report.keys() - {"micro avg", "macro avg", "weighted avg"}
        for label, expected in figures["by_label"].items():
            told = report[label]
            assert [expected[name] for name in ("precision", "recall", "f1", "support")] == pytest.approx(
                [told["precision"], told["recall"], told["f1-score"], told["support"]]
            )


@given(PAGES)
def test_what_became_of_the_entities_adds_up_to_the_figures(pages: list[list[tuple[str, str]]]) -> None:
    for page in pages:
        true, predicted = [pair[0] for pair in page], [pair[1] for pair in page]
        matches = compare_entities(true, predicted)
        right = sum(match.verdict == "right" for match in matches)
        assert [match.true for match in matches if match.true] == entity_spans(true)
        assert {match.predicted for match in matches if match.predicted} == set(entity_spans(predicted))
        figures = score_entities([true], [predicted])
        assert figures["recall"] == pytest.approx(right / max(1, len(entity_spans(true))))
        assert figures["precision"] == pytest.approx(right / max(1, len(entity_spans(predicted))))


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ([BQ, IQ], [BQ, IQ], [Match("right", Span("QUESTION", 0, 1), Span("QUESTION", 0, 1))]),
        ([BQ, IQ], [BQ, OUT], [Match("boundary", Span("QUESTION", 0, 1), Span("QUESTION", 0, 0))]),
        ([BQ, IQ], [BA, IA], [Match("label", Span("QUESTION", 0, 1), Span("ANSWER", 0, 1))]),
        ([BQ, IQ], [OUT, BA], [Match("label", Span("QUESTION", 0, 1), Span("ANSWER", 1, 1))]),
        ([BQ, IQ], [OUT, OUT], [Match("missed", Span("QUESTION", 0, 1), None)]),
        ([OUT, OUT], [OUT, BA], [Match("spurious", None, Span("ANSWER", 1, 1))]),
        (
            [BQ, IQ, IQ],
            [BQ, IQ, BQ],
            [
                Match("boundary", Span("QUESTION", 0, 2), Span("QUESTION", 0, 1)),
                Match("fragment", None, Span("QUESTION", 2, 2)),
            ],
        ),
        (
            [BQ, BQ],
            [BQ, IQ],
            [
                Match("boundary", Span("QUESTION", 0, 0), Span("QUESTION", 0, 1)),
                Match("boundary", Span("QUESTION", 1, 1), Span("QUESTION", 0, 1)),
            ],
        ),
    ],
)
def test_an_entity_is_right_or_misread_or_missed_or_spurious(
    true: list[str], predicted: list[str], expected: list[Match]
) -> None:
    assert compare_entities(true, predicted) == expected


def test_mistakes_are_counted_by_kind_with_the_most_frequent_first() -> None:
    matches = [*compare_entities([BQ, OUT, BQ, OUT, BA], [BA, OUT, BA, OUT, OUT]), *compare_entities([BQ], [BQ])]
    assert count_mistakes(matches) == [
        {"verdict": "label", "true": "QUESTION", "predicted": "ANSWER", "count": 2},
        {"verdict": "missed", "true": "ANSWER", "predicted": None, "count": 1},
    ]


def test_words_without_a_prediction_count_as_outside() -> None:
    row = {"uri": "/a.png", "page_index": 0, "true_labels": [BQ, IQ, BA], "labels": [BQ, None, BA]}
    assert page_labels(row) == ([BQ, IQ, BA], [BQ, OUT, BA])


def test_a_page_that_failed_counts_as_all_outside() -> None:
    row = {"uri": "/a.png", "page_index": 0, "status": "failed", "true_labels": [BQ, IQ], "labels": None}
    assert page_labels(row) == ([BQ, IQ], [OUT, OUT])


def test_a_page_without_true_labels_is_not_compared() -> None:
    assert page_labels({"uri": "/a.png", "page_index": 0, "true_labels": None, "labels": [BQ]}) is None


def test_a_page_with_too_few_true_labels_is_refused_by_name() -> None:
    row = {"uri": "/a.png", "page_index": 2, "true_labels": [BQ], "labels": [BQ, IQ]}
    with pytest.raises(ValueError, match=r"/a.png, page 3: 1 true labels for 2 words"):
        page_labels(row)


def test_other_ways_to_write_labels_are_read_as_bio() -> None:
    assert plain_labels(["S-X", "L-X", "E-X", "U-Y", "TOTAL", "O", None]) == [
        "B-X",
        "I-X",
        "I-X",
        "B-Y",
        "I-TOTAL",
        "O",
        "O",
    ]
