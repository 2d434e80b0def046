from __future__ import annotations

from dataclasses import replace

from pipelines.datasets.types import Corpus, LabelledPage
from pipelines.evaluation.read_words import without_words

PAGE = LabelledPage(
    document_id="a",
    uri="a.png",
    media_type="image/png",
    page_index=0,
    page_count=1,
    words=("Date", "of", "birth", "May", "12"),
    boxes=((0, 0, 9, 9),) * 5,
    labels=("B-QUESTION", "I-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER"),
)


def test_the_words_are_left_out_and_the_entities_become_texts() -> None:
    [page] = without_words(Corpus((PAGE,), ())).pages
    assert page.words is None and page.boxes is None and page.labels is None
    assert page.keys == (("QUESTION", "Date of birth"), ("ANSWER", "May 12"))


def test_keys_of_the_corpus_are_kept() -> None:
    receipt = replace(PAGE, keys=(("total", "12.50"),))
    [page] = without_words(Corpus((receipt,), ())).pages
    assert page.words is None and page.keys == (("total", "12.50"),)


def test_a_page_without_words_stays_as_it_is() -> None:
    page = replace(PAGE, words=None, boxes=None, labels=None)
    assert without_words(Corpus((page,), ())).pages == (page,)
