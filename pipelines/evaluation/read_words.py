"""Corpora whose words are read from the pictures instead of taken from the annotations."""

from __future__ import annotations

from dataclasses import replace

from model.decode import labelled_entities
from model.links import HEADER
from pipelines.datasets.types import Corpus, LabelledPage


def without_words(corpus: Corpus) -> Corpus:
    """The corpus with pages that have no words, so that they are read; what was labelled stays as texts.

    A page's labelled words become `keys`: the label and the text of each true entity. Pages that have keys already,
    such as the fields of a receipt, keep them. Links become `pairs`, the texts of keys and values.
    """
    return replace(corpus, pages=tuple(map(_without_words, corpus.pages)))


def _without_words(page: LabelledPage) -> LabelledPage:
    if page.words is None or page.boxes is None:
        return page
    if page.labels is None:
        return replace(page, words=None, boxes=None, links=None)
    entities = labelled_entities(page.labels, page.words, page.boxes)
    keys = page.keys or tuple((entity.label, entity.text) for entity in entities)
    pairs = None
    if page.links is not None:
        by_first = {entity.first_word: entity for entity in entities}
        linked = [(by_first.get(source), by_first.get(target)) for source, target in page.links]
        pairs = tuple((key.text, value.text) for key, value in linked if key and value and key.label != HEADER)
    return replace(page, words=None, boxes=None, labels=None, links=None, keys=keys, pairs=pairs)
