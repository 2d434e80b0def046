"""Corpora whose words are read from the pictures instead of taken from the annotations."""

from __future__ import annotations

from dataclasses import replace

from model.decode import decode_entities
from pipelines.datasets.types import Corpus, LabelledPage


def without_words(corpus: Corpus) -> Corpus:
    """The corpus with pages that have no words, so that they are read; what was labelled stays as texts.

    A page's labelled words become `keys`: the label and the text of each true entity. Pages that have keys already,
    such as the fields of a receipt, keep them.
    """
    return replace(corpus, pages=tuple(map(_without_words, corpus.pages)))


def _without_words(page: LabelledPage) -> LabelledPage:
    if page.words is None or page.boxes is None:
        return page
    keys = page.keys
    if page.labels is not None and not keys:
        entities = decode_entities(page.labels, [1.0] * len(page.words), page.words, page.boxes)
        keys = tuple((entity.label, entity.text) for entity in entities)
    return replace(page, words=None, boxes=None, labels=None, keys=keys)
