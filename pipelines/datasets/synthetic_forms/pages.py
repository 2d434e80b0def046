"""Drawn forms as labelled pages with PNG images."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from model.word_breaks import join_words
from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, QUESTION
from pipelines.datasets.synthetic_forms.page import DrawnForm, DrawOptions, draw_form
from pipelines.datasets.types import LabelledPage, Question, bio_labels

LABELS = bio_labels((HEADER, QUESTION, ANSWER))


def drawn_pages(
    seeds: Iterable[int], options: DrawOptions | None = None, language: str = "en"
) -> Iterator[tuple[LabelledPage, bytes]]:
    """For each seed a page in the language and its PNG file; the `uri` of the page is empty.

    Raises:
        ValueError: there is no such language.
        FileNotFoundError: no font of its script is installed.
    """
    for seed in seeds:
        form = draw_form(seed, options, language)
        content = io.BytesIO()
        form.image.save(content, "PNG")
        yield _page(seed, form), content.getvalue()


def _page(seed: int, form: DrawnForm) -> LabelledPage:
    def text(first: int, last: int) -> str:
        return join_words(form.words[first : last + 1])

    return LabelledPage(
        document_id=f"drawn/{seed:08d}" if form.language == "en" else f"drawn/{form.language}/{seed:08d}",
        uri="",
        media_type="image/png",
        words=form.words,
        boxes=form.boxes,
        labels=form.labels,
        questions=tuple(
            Question(text(first, last), (text(start, end),), start, end) for first, last, start, end in form.links
        ),
        links=tuple((first, start) for first, _, start, _ in (*form.header_links, *form.links)),
    )
