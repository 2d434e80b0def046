"""What pre-training makes of a window: what is masked, covered, replaced and ignored, and what never is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training.augment import AugmentedVocabulary
from pipelines.training.pretraining_inputs import (
    COVER_COLOUR,
    OBJECTIVES,
    PretrainingExample,
    PretrainingObjective,
    PretrainingShares,
    PretrainingWindow,
    cover_boxes,
    lines_of_page,
    pretraining_example,
)

MASK = 103
VOCABULARY = AugmentedVocabulary(mask_token_id=MASK, first_word_id=1000, end_word_id=2000)
FIRST_ID = 5000
"""The tokens of a window have ids from here on, which no random token has."""

PAPER = PretrainingShares()
SIDE = 224
WHITE, BLACK = 255, 0
PER_LINE, LINES = 6, 8

Pixels = npt.NDArray[np.uint8]


def window_of(boxes: Sequence[Sequence[int]], word_indices: Sequence[int], picture: Pixels) -> PretrainingWindow:
    """[CLS], the tokens of the words, [SEP]."""
    words = np.array([-1, *word_indices, -1])
    bbox = np.zeros((len(words), 4), dtype=np.int64)
    if len(word_indices):
        bbox[1:-1] = np.asarray(boxes)[list(word_indices)]
    return PretrainingWindow(
        np.arange(FIRST_ID, FIRST_ID + len(words)), np.zeros(len(words), dtype=np.int64), bbox, words, picture
    )


def text_boxes(lines: int = LINES, per_line: int = PER_LINE) -> list[tuple[int, int, int, int]]:
    """Words of a page in lines."""
    return [
        (60 + 140 * column, 50 + 100 * line, 170 + 140 * column, 85 + 100 * line)
        for line in range(lines)
        for column in range(per_line)
    ]


def drawn(boxes: Sequence[Sequence[int]], paper: int = WHITE, ink: int = BLACK) -> Pixels:
    """A page on which every word is a box of ink, in whole pixels inside its own box."""
    picture = np.full((3, SIDE, SIDE), paper, dtype=np.uint8)
    for x0, y0, x1, y1 in boxes:
        picture[:, y0 * SIDE // 1000 : -(-y1 * SIDE // 1000), x0 * SIDE // 1000 : -(-x1 * SIDE // 1000)] = ink
    return picture


BOXES = text_boxes()
PAGE = window_of(BOXES, np.repeat(np.arange(len(BOXES)), 2), drawn(BOXES))
LINE_OF_WORD = lines_of_page(BOXES)
OTHER = np.full((3, SIDE, SIDE), 7, dtype=np.uint8)
TEXT = PAGE.word_indices >= 0
PLACES = [drawn([box])[0] == BLACK for box in BOXES]
"""The pixels of each word, bool [height, width]."""


def example(
    seed: int,
    objectives: Sequence[PretrainingObjective] = OBJECTIVES,
    shares: PretrainingShares = PAPER,
    window: PretrainingWindow = PAGE,
    line_of_word: npt.NDArray[np.int64] = LINE_OF_WORD,
) -> PretrainingExample:
    return pretraining_example(window, OTHER, line_of_word, VOCABULARY, np.random.default_rng(seed), shares, objectives)


@cache
def many() -> tuple[PretrainingExample, ...]:
    return tuple(example(seed) for seed in range(600))


def of_own_pictures() -> list[PretrainingExample]:
    return [made for made in many() if made.matching_label == 1]


def is_covered(picture: Pixels) -> npt.NDArray[np.bool_]:
    """bool [height, width]"""
    return (picture == np.array(COVER_COLOUR, dtype=np.uint8)[:, None, None]).all(axis=0)


def covered_words(made: PretrainingExample) -> set[int]:
    """The words of `PAGE` of which every pixel is covered."""
    covered = is_covered(made.picture)
    return {word for word, pixels in enumerate(PLACES) if covered[pixels].all()}


def masked_words(made: PretrainingExample) -> set[int]:
    assert made.labels is not None
    return set(PAGE.word_indices[made.labels >= 0].tolist())


def assert_share(found: int, of: int, share: float) -> None:
    """Within four standard deviations of the binomial distribution."""
    assert abs(found - share * of) < 4 * np.sqrt(of * share * (1 - share)), f"{found} of {of}, and not {share}"


def test_an_example_has_the_shapes_of_its_window() -> None:
    made = example(0)
    assert made.labels is not None and made.alignment_labels is not None
    for array in (made.input_ids, made.labels, made.alignment_labels, made.token_type_ids):
        assert array.shape == PAGE.input_ids.shape and array.dtype == np.int64
    assert made.bbox.shape == PAGE.bbox.shape
    assert made.picture.shape == (3, SIDE, SIDE) and made.picture.dtype == np.uint8
    assert made.matching_label in (0, 1)


def test_tokens_are_masked_by_the_shares_of_the_paper() -> None:
    masked = hidden = exchanged = kept = 0
    for made in many():
        assert made.labels is not None
        chosen = made.labels >= 0
        assert (made.labels[chosen] == PAGE.input_ids[chosen]).all(), "the original ids"
        assert (made.input_ids[~chosen] == PAGE.input_ids[~chosen]).all()
        masked += int(chosen.sum())
        hidden += int((made.input_ids[chosen] == MASK).sum())
        random = made.input_ids[chosen & (made.input_ids != MASK) & (made.input_ids != PAGE.input_ids)]
        assert ((random >= 1000) & (random < 2000)).all(), "a special token"
        exchanged += len(random)
        kept += int((made.input_ids[chosen] == PAGE.input_ids[chosen]).sum())
    assert_share(masked, len(many()) * int(TEXT.sum()), 0.15)
    for count, share in ((hidden, 0.8), (exchanged, 0.1), (kept, 0.1)):
        assert_share(count, masked, share)


def test_tokens_are_masked_one_by_one_and_special_ones_never() -> None:
    chosen = np.array([made.labels for made in many()]) >= 0
    assert not chosen[:, ~TEXT].any()
    first, second = chosen[:, 1:-1:2], chosen[:, 2:-1:2]
    assert_share(int((first & second).sum()), first.size, 0.15**2)


def test_lines_are_covered_by_the_share_of_the_paper_and_whole() -> None:
    lines = 0
    for made in of_own_pictures():
        assert made.alignment_labels is not None
        of_line = {
            line: {int(label) for label in made.alignment_labels[1:-1][LINE_OF_WORD[PAGE.word_indices[1:-1]] == line]}
            for line in range(LINES)
        }
        assert all(len(labels - {-100}) <= 1 for labels in of_line.values())
        lines += sum(1 in labels for labels in of_line.values())
    assert_share(lines, LINES * len(of_own_pictures()), 0.15)


def test_exactly_the_masked_words_and_the_covered_lines_are_covered_in_the_picture() -> None:
    for made in of_own_pictures()[:100]:
        assert made.alignment_labels is not None
        labelled = set(PAGE.word_indices[made.alignment_labels == 1].tolist())
        lines = {int(LINE_OF_WORD[word]) for word in labelled}
        of_lines = {word for word in range(len(BOXES)) if LINE_OF_WORD[word] in lines}
        # Of a line whose words are all masked, no label tells whether it is covered for itself.
        assert covered_words(made) == masked_words(made) | of_lines
        untouched = ~is_covered(made.picture)
        assert (made.picture[:, untouched] == PAGE.picture[:, untouched]).all()
        expected = np.any([PLACES[word] for word in covered_words(made)], axis=0)
        assert (is_covered(made.picture) == expected).all(), "more or less than the boxes"


def test_alignment_leaves_out_special_tokens_and_words_with_masked_tokens() -> None:
    for made in many():
        assert made.alignment_labels is not None
        ignored = ~TEXT | np.isin(PAGE.word_indices, list(masked_words(made)))
        assert ((made.alignment_labels == -100) == ignored).all()


def test_pictures_are_replaced_and_dropped_by_the_shares_of_the_paper() -> None:
    replaced = dropped = 0
    for made in many():
        colours = {tuple(colour) for colour in made.picture.reshape(3, -1).T[:: SIDE * 3 + 1].tolist()}
        is_other = (7, 7, 7) in colours
        is_blank = colours == {COVER_COLOUR}
        assert made.matching_label == int(not is_other and not is_blank)
        replaced, dropped = replaced + is_other, dropped + is_blank
    assert_share(replaced, len(many()), 0.15)
    assert_share(dropped, len(many()), 0.05)


def test_another_picture_gets_the_same_covers_and_all_its_labels_are_covered() -> None:
    always, never = PretrainingShares(replaced_pictures=1, dropped_pictures=0), PretrainingShares(0, 0, 0, 0, 0, 0)
    own_only = replace(PAPER, replaced_pictures=0, dropped_pictures=0)
    assert (example(0, shares=never).picture == PAGE.picture).all()
    for seed in range(10):
        other, own = example(seed, shares=always), example(seed, shares=own_only)
        assert (other.matching_label, own.matching_label) == (0, 1)
        assert (is_covered(other.picture) == is_covered(own.picture)).all() and is_covered(own.picture).any()
        assert (other.picture[:, ~is_covered(other.picture)] == 7).all()
        assert other.alignment_labels is not None and own.alignment_labels is not None
        assert (other.alignment_labels == np.where(own.alignment_labels == -100, -100, 1)).all()


def test_a_dropped_picture_shows_nothing_and_all_its_labels_are_covered() -> None:
    made = example(0, shares=PretrainingShares(replaced_pictures=0, dropped_pictures=1))
    assert is_covered(made.picture).all() and made.matching_label == 0
    assert made.alignment_labels is not None and set(made.alignment_labels[TEXT].tolist()) == {1, -100}


def test_an_equal_picture_replaces_nothing() -> None:
    same = PretrainingShares(replaced_pictures=1, dropped_pictures=0)
    made = pretraining_example(PAGE, PAGE.picture, LINE_OF_WORD, VOCABULARY, np.random.default_rng(0), same)
    assert made.matching_label == 1
    assert made.alignment_labels is not None and 0 in made.alignment_labels


@pytest.mark.parametrize("left_out", OBJECTIVES)
def test_an_objective_that_is_left_out_has_no_labels_and_changes_nothing_in_the_others(
    left_out: PretrainingObjective,
) -> None:
    chosen = tuple(name for name in OBJECTIVES if name != left_out)
    for seed in range(20):
        whole, part = example(seed), example(seed, chosen)
        labels = (part.labels, part.alignment_labels, part.matching_label)
        assert [label is None for label in labels] == [name == left_out for name in OBJECTIVES]
        if left_out == "masked-words":
            assert (part.input_ids == PAGE.input_ids).all()
        else:
            assert whole.labels is not None and part.labels is not None
            assert (part.input_ids == whole.input_ids).all() and (part.labels == whole.labels).all()
        if left_out != "matching":
            assert part.matching_label == whole.matching_label
        elif whole.matching_label == 0:
            assert (part.picture[:, ~is_covered(part.picture)] == PAGE.picture[:, ~is_covered(part.picture)]).all()


def test_each_objective_alone_hides_only_its_own() -> None:
    always = PretrainingShares(masked_tokens=1, covered_lines=1, replaced_pictures=0, dropped_pictures=0)
    masking, covering = example(0, ["masked-words"], always), example(0, ["alignment"], always)
    assert masking.labels is not None and (masking.labels[TEXT] == PAGE.input_ids[TEXT]).all()
    assert covered_words(masking) == covered_words(covering) == set(range(len(BOXES)))
    assert (covering.input_ids == PAGE.input_ids).all()
    assert covering.alignment_labels is not None and set(covering.alignment_labels[TEXT].tolist()) == {1}
    assert (example(0, ["matching"], always).picture == PAGE.picture).all()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    words=st.lists(st.tuples(*(st.integers(0, 1000) for _ in range(4))), max_size=12),
    pieces=st.integers(1, 3),
    first=st.integers(0, 3),
)
def test_equal_states_make_equal_examples_and_leave_what_they_are_made_of(
    seed: int, words: list[tuple[int, ...]], pieces: int, first: int
) -> None:
    boxes = [(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)) for x0, y0, x1, y1 in words]
    in_window = np.repeat(np.arange(min(first, len(words)), len(words)), pieces)  # a window may begin within the page
    window, lines, other = window_of(boxes, in_window, drawn(boxes)), lines_of_page(boxes), OTHER.copy()
    given_arrays = (*window, lines, other)
    before = [array.copy() for array in given_arrays]
    for array in given_arrays:
        array.flags.writeable = False
    one, two = (
        pretraining_example(window, other, lines, VOCABULARY, np.random.default_rng(seed), PAPER) for _ in range(2)
    )
    for left, right in zip(one, two, strict=True):
        assert np.array_equal(left, right)  # type: ignore[arg-type]
    assert all(np.array_equal(now, then) for now, then in zip(given_arrays, before, strict=True))
    assert all(array.flags.writeable for array in (one.input_ids, one.token_type_ids, one.bbox, one.picture))


def test_other_states_make_other_examples() -> None:
    assert len({example(seed).input_ids.tobytes() for seed in range(20)}) == 20


def test_a_page_of_one_word_and_a_page_without_words_are_examples_too() -> None:
    one = window_of(BOXES, [0], drawn(BOXES[:1]))
    none = window_of([], [], drawn([]))
    for seed in range(40):
        made = example(seed, window=one, line_of_word=lines_of_page(BOXES[:1]))
        assert made.labels is not None and made.labels.shape == (3,) and made.labels[0] == made.labels[2] == -100
        made = example(seed, window=none, line_of_word=lines_of_page([]))
        assert made.labels is not None and made.alignment_labels is not None
        assert (made.labels == -100).all() and (made.alignment_labels == -100).all()
        assert made.matching_label in (0, 1)


def test_a_word_with_an_empty_box_covers_nothing_and_has_no_alignment() -> None:
    boxes = [(100, 100, 100, 120), (300, 100, 400, 100), (500, 100, 600, 120)]
    window = window_of(boxes, [0, 1, 2], drawn(boxes[2:]))
    everything = PretrainingShares(masked_tokens=0, covered_lines=1, replaced_pictures=0, dropped_pictures=0)
    made = example(0, shares=everything, window=window, line_of_word=np.zeros(3, dtype=np.int64))
    assert made.alignment_labels is not None and made.alignment_labels.tolist() == [-100, -100, -100, 1, -100]
    assert (is_covered(made.picture) == (drawn(boxes[2:])[0] == BLACK)).all()


def test_a_window_in_the_middle_of_a_page_covers_only_what_it_holds() -> None:
    words = np.arange(PER_LINE + 2, 3 * PER_LINE + 1)  # from within the second line to within the fourth
    window = window_of(BOXES, words, drawn(BOXES))
    everything = PretrainingShares(masked_tokens=0, covered_lines=1, replaced_pictures=0, dropped_pictures=0)
    made = example(0, shares=everything, window=window)
    assert made.alignment_labels is not None and made.alignment_labels[1:-1].tolist() == [1] * len(words)
    assert covered_words(made) == set(words.tolist())


def test_a_box_covers_every_pixel_that_it_touches_up_to_the_edges_of_the_page() -> None:
    paper = np.full((3, 10, 10), WHITE, dtype=np.uint8)
    boxes = np.array([[0, 0, 1000, 1], [950, 950, 1000, 1000], [301, 499, 401, 501]])
    covered = is_covered(cover_boxes(paper, boxes))
    expected = np.zeros((10, 10), dtype=np.bool_)
    expected[0], expected[9, 9], expected[4:6, 3:5] = True, True, True
    assert (covered == expected).all() and (paper == WHITE).all()


def test_words_are_on_lines_by_their_places_and_not_by_their_order() -> None:
    boxes = [*text_boxes(3, 4), (700, 52, 800, 86), (700, 252, 800, 287)]  # a second column, beside a wide gap
    expected = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4]
    order = np.random.default_rng(0).permutation(len(boxes))
    lines = lines_of_page([boxes[index] for index in order])
    assert lines.dtype == np.int64 and set(lines.tolist()) == set(range(5))
    pairs = {(expected[index], int(line)) for index, line in zip(order, lines, strict=True)}
    assert len(pairs) == 5, "each line is one"
    assert len(lines_of_page([])) == 0


def test_the_words_of_a_wide_page_stand_farther_apart_than_its_thousandths_say() -> None:
    boxes = [(100, 100, 200, 120), (228, 100, 300, 120)]
    assert lines_of_page(boxes).tolist() == [0, 0]
    assert lines_of_page(boxes, width_to_height=1.4).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"masked_tokens": 1.5}, r"masked_tokens is 1\.5"),
        ({"covered_lines": -0.1}, r"covered_lines is -0\.1"),
        ({"hidden": 0.8, "random": 0.3}, "hidden and random are more than 1"),
        ({"replaced_pictures": 0.8, "dropped_pictures": 0.3}, "replaced_pictures and dropped_pictures are more than 1"),
    ],
)
def test_shares_that_make_no_sense_are_named(shares: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PretrainingShares(**shares)


def test_objectives_and_pictures_that_make_no_sense_are_named() -> None:
    with pytest.raises(ValueError, match="objectives rotation; choose from masked-words, alignment, matching"):
        example(0, ["rotation"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"objectives \(none\)"):
        example(0, [])
    with pytest.raises(ValueError, match="different sizes"):
        pretraining_example(PAGE, OTHER[:, :9], LINE_OF_WORD, VOCABULARY, np.random.default_rng(0))
