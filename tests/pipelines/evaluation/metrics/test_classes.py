from __future__ import annotations

import pytest

from pipelines.evaluation.metrics.classes import NO_PREDICTION, score_classes


def test_all_right() -> None:
    figures = score_classes(["form", "letter"], ["form", "letter"])
    assert (figures["accuracy"], figures["macro_f1"]) == (1, 1)


def test_hand_worked_figures() -> None:
    figures = score_classes(["form", "form", "form", "letter"], ["form", "form", "letter", "memo"])
    assert figures["accuracy"] == 2 / 4
    assert figures["by_label"]["form"] == pytest.approx({"precision": 1, "recall": 2 / 3, "f1": 4 / 5, "support": 3})
    assert figures["by_label"]["letter"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert figures["by_label"]["memo"]["support"] == 0
    assert figures["macro_f1"] == pytest.approx((4 / 5 + 0 + 0) / 3)
    assert figures["confusion"] == {"form": {"form": 2, "letter": 1}, "letter": {"memo": 1}}


def test_a_page_that_failed_is_wrong_and_no_class_of_its_own() -> None:
    figures = score_classes(["form", "form"], ["form", None])
    assert figures["accuracy"] == 0.5
    assert figures["confusion"] == {"form": {NO_PREDICTION: 1, "form": 1}}
    assert list(figures["by_label"]) == ["form"]


def test_without_pages_the_figures_are_zero() -> None:
    figures = score_classes([], [])
    assert (figures["accuracy"], figures["macro_f1"]) == (0, 0)
