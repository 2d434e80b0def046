"""New pages out of two: every word keeps its label, nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training.page_mixing import LabelledWords, PageMixingOptions, fields_of, mix_pages


def page(name: str, grey: int) -> LabelledWords:
    """A title, ten pairs of question and answer down the page, and two lines of running text."""
    words, boxes, labels = [f"{name}-title"], [(400, 20, 600, 40)], ["B-HEADER"]
    for row in range(10):
        top = 60 + 80 * row
        words += [f"{name}-key", f"{name}-{row}:", f"{name}-value-{row}", f"19{row}4"]
        boxes += [(50 + 100 * column, top, 140 + 100 * column, top + 20) for column in range(4)]
        labels += ["B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER"]
    words += [f"{name}-running", f"{name}-text", f"{name}-goes", f"{name}-on"]
    boxes += [(50, 900, 140, 920), (150, 900, 240, 920), (50, 940, 140, 960), (150, 940, 240, 960)]
    labels += ["O"] * 4
    return LabelledWords(words, boxes, list(labels), np.full((3, 100, 100), grey, dtype=np.uint8))


ONE, TWO = page("one", 10), page("two", 200)


def remixed(seed: int, **options: float) -> LabelledWords:
    return mix_pages(ONE, TWO, np.random.default_rng(seed), PageMixingOptions(**options))


def test_blocks_are_entities_and_lines_of_running_text() -> None:
    fields = fields_of(ONE)
    assert [field.name for field in fields] == ["HEADER", *["QUESTION", "ANSWER"] * 10, "", ""]
    assert fields[-2].words == ("one-running", "one-text")


def test_two_entities_of_one_kind_that_touch_are_two_blocks() -> None:
    labels = ["B-ANSWER", "B-ANSWER", "I-ANSWER", None]
    fields = fields_of(LabelledWords(list("abcd"), [(0, 0, 9, 9)] * 4, labels, ONE.model_image))
    assert [field.words for field in fields] == [("a",), ("b", "c"), ("d",)]


def test_no_option_leaves_the_page_as_it_is() -> None:
    assert remixed(0) is ONE


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000),
    splice=st.floats(0, 1),
    reorder=st.floats(0, 1),
    exchange=st.floats(0, 1),
    digits=st.floats(0, 1),
    drop=st.floats(0, 1),
)
def test_whatever_the_options_the_labels_are_those_of_whole_blocks(seed: int, **options: float) -> None:
    result = remixed(seed, **options)
    assert len(result.words) == len(result.boxes) == len(result.labels) > 0
    shapes = {(field.boxes, field.labels) for source in (ONE, TWO) for field in fields_of(source)}
    assert {(field.boxes, field.labels) for field in fields_of(result)} <= shapes


def test_a_spliced_page_has_the_top_of_one_and_the_rest_of_the_other_in_words_and_picture() -> None:
    result = remixed(3, splice=1)
    lowest = max(box[3] for word, box in zip(result.words, result.boxes, strict=True) if word.startswith("one"))
    highest = min(box[1] for word, box in zip(result.words, result.boxes, strict=True) if word.startswith("two"))
    assert lowest <= highest
    border = int(np.argmax(result.model_image[0, :, 0] == 200)) * 10
    assert lowest - 20 <= border <= highest + 20
    assert (ONE.model_image == 10).all()


def test_exchanged_texts_come_from_blocks_of_the_same_label_and_length() -> None:
    result = remixed(0, exchange=1)
    assert result.boxes == ONE.boxes and result.labels == ONE.labels
    own = {field.name: set() for field in fields_of(TWO)}
    for field in fields_of(TWO):
        own[field.name].add(field.words)
    assert all(field.words in own[field.name] for field in fields_of(result))


def test_digits_change_and_nothing_else() -> None:
    result = remixed(0, digits=1)
    strip = str.maketrans("", "", "0123456789")
    assert result.words != ONE.words
    assert [word.translate(strip) for word in result.words] == [word.translate(strip) for word in ONE.words]


def test_another_order_holds_the_same_words() -> None:
    orders = {tuple(remixed(seed, reorder=1).words) for seed in range(20)}
    assert len(orders) > 3
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(ONE.words))}


def test_the_same_generator_state_gives_the_same_page() -> None:
    options = dict.fromkeys(("splice", "reorder", "exchange", "digits", "drop"), 0.5)
    assert remixed(5, **options).words == remixed(5, **options).words


def test_a_page_of_which_nothing_is_left_stays_whole() -> None:
    assert remixed(0, drop=1) is ONE


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match=r"splice is 2; it is a probability"):
        PageMixingOptions(splice=2)
