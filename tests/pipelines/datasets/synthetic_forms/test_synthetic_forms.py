"""Drawn forms are labelled by construction: what stands on the page, its labels, links and make-up."""

from __future__ import annotations

import io
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from pipelines.datasets.synthetic_forms import DrawnForm, DrawOptions, draw_form
from pipelines.datasets.synthetic_forms.languages.en import ROW_GROUPS
from pipelines.datasets.synthetic_forms.page import SECTIONS
from pipelines.datasets.synthetic_forms.pages import LABELS, drawn_pages

SEEDS = range(20)
CLEAN = DrawOptions(noise=False, jitter=0, misspelt=0.0)


@lru_cache(maxsize=1)
def forms() -> tuple[DrawnForm, ...]:
    return tuple(draw_form(seed) for seed in SEEDS)


def ink(form: DrawnForm, box: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = box
    rows = slice(y0 * form.height // 1000, y1 * form.height // 1000 + 1)
    return np.asarray(form.image)[rows, x0 * form.width // 1000 : x1 * form.width // 1000 + 1]


def test_a_seed_gives_the_same_form_again() -> None:
    first, again = draw_form(7), draw_form(7)
    assert (first.words, first.boxes, first.labels, first.links) == (
        again.words,
        again.boxes,
        again.labels,
        again.links,
    )
    assert first.image.tobytes() == again.image.tobytes()


def test_different_seeds_give_different_forms() -> None:
    assert len({form.words for form in forms()}) == len(forms())
    assert len({form.image.tobytes() for form in forms()}) == len(forms())


def test_every_word_has_one_box_and_one_label() -> None:
    for form in forms():
        assert len(form.words) == len(form.boxes) == len(form.labels) > 10
        assert all(word and not word.isspace() for word in form.words)
        assert (form.width, form.height) == form.image.size
        assert form.image.mode == "L"


def test_labels_are_valid_and_every_entity_begins_with_b() -> None:
    for form in forms():
        assert set(form.labels) <= set(LABELS)
        for start, end, kind in form.entities:
            inside = form.labels[start:end]
            if kind == "other":
                assert set(inside) == {"O"}
            else:
                assert inside == (f"B-{kind.upper()}", *[f"I-{kind.upper()}"] * (end - start - 1))


def test_entities_cover_all_words_in_order_without_a_gap() -> None:
    for form in forms():
        starts, ends = [start for start, _, _ in form.entities], [end for _, end, _ in form.entities]
        assert starts == [0, *ends[:-1]]
        assert ends[-1] == len(form.words)


def test_boxes_are_ordered_and_on_the_page() -> None:
    for form in forms():
        for x0, y0, x1, y1 in form.boxes:
            assert 0 <= x0 < x1 <= 1000
            assert 0 <= y0 < y1 <= 1000


def test_every_box_of_a_clean_form_holds_ink() -> None:
    for seed in range(12):
        form = draw_form(seed, CLEAN)
        for word, box in zip(form.words, form.boxes, strict=True):
            assert ink(form, box).min() < 200, (seed, word)


def test_boxes_of_scanned_and_turned_forms_hold_ink_too() -> None:
    held = [np.ptp(ink(form, box)) > 20 for form in forms() for box in form.boxes]
    assert np.mean(held) > 0.98


def test_links_lead_from_a_whole_question_to_a_whole_answer() -> None:
    for form in forms():
        spans = {(start, end - 1): kind for start, end, kind in form.entities}
        for first, last, start, end in form.links:
            assert spans[first, last] == "question"
            assert spans[start, end] == "answer"
    assert sum(len(form.links) for form in forms()) > 10 * len(forms())


@pytest.mark.parametrize("kind", sorted(SECTIONS))
def test_each_kind_of_section_can_be_drawn_alone(kind: str) -> None:
    form = draw_form(3, DrawOptions(kinds=(kind,)))
    assert set(form.sections) == {kind}
    assert len(form.words) > 3


def test_every_kind_of_section_occurs_among_many_forms() -> None:
    missing = set(SECTIONS) - {kind for form in forms() for kind in form.sections}
    for seed in range(len(SEEDS), 400):
        if missing:
            missing -= set(draw_form(seed, CLEAN).sections)
    assert not missing


def test_headers_are_linked_with_the_questions_under_them() -> None:
    linked = 0
    for form in forms():
        spans = {(start, end - 1): kind for start, end, kind in form.entities}
        questions = [link[2:] for link in form.header_links]
        for first, last, start, end in form.header_links:
            assert spans[first, last] == "header"
            assert spans[start, end] == "question"
        assert len(questions) == len(set(questions))
        linked += len(questions)
    assert linked > 3 * len(forms())


def test_a_question_has_the_nearest_header_of_its_group() -> None:
    form = draw_form(5, DrawOptions(kinds=("row_groups",), noise=False, misspelt=0.0))
    texts = {start: " ".join(form.words[start:end]).lower().strip(":") for start, end, _ in form.entities}
    found = {(texts[header], texts[question]) for header, _, question, _ in form.header_links}
    known = {(group.lower(), row.lower()) for group, rows in ROW_GROUPS for row in rows}
    rows = {row for _, row in known}
    assert len(found & known) >= 4
    assert all(pair in known for pair in found if pair[1] in rows)


def test_cells_of_a_table_are_linked_with_their_row_and_their_column() -> None:
    form = draw_form(8, DrawOptions(kinds=("row_groups",), noise=False))
    questions = Counter(answer for _, _, answer, _ in form.links)
    assert set(questions.values()) == {2}


@pytest.mark.parametrize("kind", ["item_table", "letter", "terms", "headed_paragraphs"])
def test_business_papers_have_the_labels_of_their_text(kind: str) -> None:
    labels = [Counter(draw_form(seed, DrawOptions(kinds=(kind,))).labels) for seed in range(6)]
    answers, others = (sum(count[label] for count in labels) for label in ("B-ANSWER", "O"))
    assert answers > others if kind == "item_table" else others > 10 * answers


def test_forms_have_the_make_up_of_real_ones() -> None:
    words = Counter(label[2:] or "O" for form in forms() for label in form.labels)
    total = sum(words.values())
    assert 80 < total / len(forms()) < 220
    assert 0.02 < words["HEADER"] / total < 0.12
    assert 0.2 < words["QUESTION"] / total < 0.5
    assert 0.3 < words["ANSWER"] / total < 0.55
    assert 0.05 < words["O"] / total < 0.35


def test_an_unknown_kind_of_section_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no sections named spiral; take some of .*key_rows"):
        DrawOptions(kinds=("spiral",))


def test_drawn_pages_are_labelled_pages_with_their_pictures() -> None:
    (page, picture), (other, _) = drawn_pages((4, 11))
    form = draw_form(4)
    assert (page.document_id, other.document_id) == ("drawn/00000004", "drawn/00000011")
    assert (page.words, page.boxes, page.labels) == (form.words, form.boxes, form.labels)
    assert page.media_type == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(picture))), np.asarray(form.image))
    assert page.links == tuple((link[0], link[2]) for link in (*form.header_links, *form.links))
    for question, (first, last, start, end) in zip(page.questions, form.links, strict=True):
        assert question.text == " ".join(form.words[first : last + 1])
        assert question.answers == (" ".join(form.words[start : end + 1]),)
        assert (question.first_word, question.last_word) == (start, end)
