"""Augmented windows: what is changed, what never is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training.augment import AugmentedVocabulary, AugmentOptions, WindowArrays, augment_window

MASK = 103
VOCABULARY = AugmentedVocabulary(mask_token_id=MASK, first_word_id=1000, end_word_id=2000)


def window(words: int = 40) -> WindowArrays:
    """[CLS], two tokens a word, [SEP]; a dark square on a white picture where the middle word stands."""
    word_indices = np.array([-1, *np.repeat(np.arange(words), 2), -1])
    tokens = len(word_indices)
    bbox = np.zeros((tokens, 4), dtype=np.int64)
    bbox[1:-1] = [400, 400, 600, 600]
    model_image = np.full((3, 100, 100), 255, dtype=np.uint8)
    model_image[:, 40:60, 40:60] = 0
    return WindowArrays(np.arange(5000, 5000 + tokens), bbox, word_indices, model_image)


def test_no_option_leaves_the_window_as_it_is() -> None:
    given = window()
    assert augment_window(given, VOCABULARY, np.random.default_rng(0), AugmentOptions()) is given


@settings(max_examples=50)
@given(
    seed=st.integers(0, 1000),
    mask=st.floats(0, 1),
    shift=st.floats(0, 1000),
    scale=st.floats(0, 0.9),
    jitter=st.integers(0, 1000),
)
def test_whatever_the_options_boxes_stay_on_the_page_and_in_order(
    seed: int, mask: float, shift: float, scale: float, jitter: int
) -> None:
    before = window()
    kept = WindowArrays(*(array.copy() for array in before))
    options = AugmentOptions(mask_words=mask, shift=shift, scale=scale, jitter=jitter)
    after = augment_window(before, VOCABULARY, np.random.default_rng(seed), options)
    assert ((after.bbox >= 0) & (after.bbox <= 1000)).all()
    assert (after.bbox[:, :2] <= after.bbox[:, 2:]).all()
    special = before.word_indices < 0
    assert np.array_equal(after.input_ids[special], before.input_ids[special])
    assert np.array_equal(after.bbox[special], before.bbox[special])
    assert all(np.array_equal(now, then) for now, then in zip(before, kept, strict=True)), "the original was changed"


def test_the_same_generator_state_gives_the_same_copy() -> None:
    options = AugmentOptions(mask_words=0.3, shift=50, scale=0.1, jitter=5)
    one, two = (augment_window(window(), VOCABULARY, np.random.default_rng(7), options) for _ in range(2))
    other = augment_window(window(), VOCABULARY, np.random.default_rng(8), options)
    assert all(np.array_equal(left, right) for left, right in zip(one, two, strict=True))
    assert not np.array_equal(one.bbox, other.bbox)


def test_words_are_hidden_whole_and_about_as_many_as_asked() -> None:
    before = window(words=4000)
    after = augment_window(before, VOCABULARY, np.random.default_rng(0), AugmentOptions(mask_words=0.2))
    changed = (after.input_ids != before.input_ids)[1:-1].reshape(-1, 2)
    assert (changed[:, 0] == changed[:, 1]).all()
    assert changed[:, 0].mean() == pytest.approx(0.2, abs=0.03)
    hidden = (after.input_ids == MASK)[1:-1].reshape(-1, 2)[:, 0]
    assert hidden.sum() / changed[:, 0].sum() == pytest.approx(0.75, abs=0.06)
    exchanged = after.input_ids[1:-1].reshape(-1, 2)[changed[:, 0] & ~hidden]
    assert ((exchanged >= 1000) & (exchanged < 2000)).all()


def test_the_picture_moves_with_the_boxes() -> None:
    for seed in range(20):
        options = AugmentOptions(shift=150, scale=0.3)
        after = augment_window(window(), VOCABULARY, np.random.default_rng(seed), options)
        rows, columns = np.nonzero(after.model_image[0] == 0)
        drawn = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) * 10
        assert np.abs(drawn - after.bbox[1]).max() <= 10, "more than one pixel apart"


def test_what_comes_into_view_is_white() -> None:
    dark = window()._replace(model_image=np.zeros((3, 100, 100), dtype=np.uint8))
    after = augment_window(dark, VOCABULARY, np.random.default_rng(1), AugmentOptions(shift=300))
    assert set(np.unique(after.model_image)) == {0, 255}


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match=r"mask-words is 1\.5"):
        AugmentOptions(mask_words=1.5)
    with pytest.raises(ValueError, match=r"scale is 1; it must be from 0 to 0\.9"):
        AugmentOptions(scale=1.0)
