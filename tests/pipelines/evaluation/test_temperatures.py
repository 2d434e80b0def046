from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipelines.evaluation.temperatures import (
    TEMPERATURES,
    CalibrationError,
    LabelledWords,
    fit_and_judge,
    fit_temperatures,
    labelled_words,
    negative_log_likelihood,
)
from pipelines.schema import Row

LABELS = ("O", "B-ANSWER", "I-ANSWER")
EACH = np.arange(3)
SHARED = np.zeros(3, dtype=np.int64)


def drawn_words(count: int, temperatures: list[float], seed: int = 0) -> LabelledWords:
    """Words whose labels are drawn by the probabilities that logits divided by the temperatures have."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=4, size=(count, 3))
    scaled = np.exp(logits / temperatures)
    probabilities = scaled / scaled.sum(axis=1, keepdims=True)
    true = np.array([random.choice(3, p=row) for row in probabilities])
    return LabelledWords(LABELS, logits, true, np.arange(count) % 2)


def page(name: str, logits: list[list[float]], true: list[str], **columns: object) -> Row:
    tokens = len(logits)
    window = {"word_indices": list(range(tokens)), "first_token": 0, "input_ids": [1] * tokens, "question_index": 0}
    flat = [number for row in logits for number in row]
    return {
        "document_id": name,
        "status": "ok",
        "windows": [window],
        "window_logits": [flat],
        "true_labels": true,
        **columns,
    }


def test_temperatures_that_words_were_drawn_by_are_found() -> None:
    words = drawn_words(20_000, [2.0, 1.0, 0.5])
    assert fit_temperatures(words, EACH) == pytest.approx([2.0, 1.0, 0.5], rel=0.1)


def test_one_temperature_for_all_labels_is_found() -> None:
    assert fit_temperatures(drawn_words(20_000, [3.0, 3.0, 3.0]), SHARED) == pytest.approx([3.0] * 3, rel=0.1)


def test_no_other_temperatures_make_the_words_more_likely() -> None:
    words = drawn_words(500, [2.0, 1.0, 0.5])
    found = fit_temperatures(words, EACH)
    best = negative_log_likelihood(words, found)
    for label in range(3):
        for factor in (0.9, 1.1):
            other = found.copy()
            other[label] *= factor
            assert negative_log_likelihood(words, other) > best


def test_the_likelihood_is_that_of_the_softmax() -> None:
    words = LabelledWords(("O", "B-X"), np.array([[0.0, 2.0]]), np.array([1]), np.array([0]))
    assert negative_log_likelihood(words, np.array([1.0, 2.0])) == pytest.approx(np.log(1 + np.exp(-1)))


def test_temperatures_stay_within_bounds() -> None:
    right = LabelledWords(LABELS, np.tile([1.0, 0.0, 0.0], (100, 1)), np.zeros(100, dtype=np.int64), np.arange(100) % 2)
    assert fit_temperatures(right, SHARED) == pytest.approx([TEMPERATURES[0]] * 3, abs=0.05)
    wrong = dataclasses.replace(right, true=np.ones(100, dtype=np.int64))
    assert fit_temperatures(wrong, SHARED) == pytest.approx([TEMPERATURES[1]] * 3)


def test_each_label_has_its_own_temperature_where_that_helps_most() -> None:
    fit = fit_and_judge(drawn_words(4000, [3.0, 1.0, 0.5]), np.ones(3))
    assert fit.scaling == "per_label"
    assert list(fit.temperatures.values()) == pytest.approx([3.0, 1.0, 0.5], rel=0.25)
    assert fit.held_out["per_label"] < fit.held_out["shared"] < fit.held_out["before"]


def test_all_labels_have_the_same_temperature_where_that_helps_more() -> None:
    fit = fit_and_judge(drawn_words(200, [3.0, 3.0, 3.0], seed=1), np.ones(3))
    assert fit.scaling == "shared" and len(set(fit.temperatures.values())) == 1


def test_the_temperatures_stay_where_others_do_not_help_on_held_out_words() -> None:
    # The halves ask for opposite temperatures, so that those of one do harm in the other.
    sure = drawn_words(400, [0.5, 0.5, 0.5])
    unsure = drawn_words(400, [4.0, 4.0, 4.0], seed=1)
    words = LabelledWords(
        LABELS,
        np.concatenate([sure.logits, unsure.logits]),
        np.concatenate([sure.true, unsure.true]),
        np.repeat([0, 1], 400),
    )
    before = np.array([1.5, 1.5, 1.5])
    fit = fit_and_judge(words, before)
    assert fit.scaling is None
    assert fit.held_out["before"] < min(fit.held_out["per_label"], fit.held_out["shared"])
    assert list(fit.temperatures.values()) == before.tolist()


def test_a_label_with_few_words_has_no_temperature_of_its_own() -> None:
    words = drawn_words(4000, [3.0, 1.0, 0.5])
    few = words.true != 2
    few[np.flatnonzero(~few)[:20]] = True
    rare = LabelledWords(LABELS, words.logits[few], words.true[few], words.half[few])
    fit = fit_and_judge(rare, np.ones(3))
    assert fit.too_few == {"I-ANSWER": 20}
    assert fit.scaling == "per_label" and fit.temperatures["I-ANSWER"] == 1.0


def test_too_few_words_of_every_label_are_an_error() -> None:
    with pytest.raises(CalibrationError, match=r"no label has 30 labelled words \(O \d+, .*give more pages"):
        fit_and_judge(drawn_words(40, [1.0, 1.0, 1.0]), np.ones(3))


def test_words_are_taken_from_the_pages_that_label_them() -> None:
    logits = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    rows = [
        page("a", logits, ["O", "B-ANSWER"]),
        page("b", logits, ["B-OTHER", "I-ANSWER"]),
        page("a", logits, ["O", "O"]),
        page("c", logits, ["O", "O"], status="failed", windows=None, window_logits=None),
        page("d", logits, ["O", "O"], true_labels=None),
        page("e", [], ["O"], windows=[], window_logits=[]),
    ]
    words = labelled_words(iter(rows), LABELS)
    assert words.true.tolist() == [0, 1, 2, 0, 0]
    assert words.logits[2].tolist() == [4, 5, 6]
    assert words.half.tolist() == [0, 0, 1, 0, 0], "the pages of a document are in the same half"
    assert words.left_out == 2, "a label that the model has not, and a page without tokens"
    assert words.counts() == {"O": 3, "B-ANSWER": 1, "I-ANSWER": 1}


def test_the_pages_of_a_single_document_are_halved() -> None:
    rows = [page("a", [[1.0, 2.0, 3.0]], ["O"]), page("a", [[1.0, 2.0, 3.0]], ["O"])]
    assert labelled_words(rows, LABELS).half.tolist() == [0, 1]


@pytest.mark.parametrize("true", [None, ["B-OTHER"]])
def test_pages_without_labels_of_the_model_are_an_error(true: list[str] | None) -> None:
    rows = [page("a", [[1.0, 2.0, 3.0]], ["O"]), page("b", [[1.0, 2.0, 3.0]], ["O"], true_labels=true)]
    with pytest.raises(CalibrationError, match="1 pages have words with labels of the model"):
        labelled_words(rows, LABELS)
