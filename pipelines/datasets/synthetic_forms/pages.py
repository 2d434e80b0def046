"""Drawn forms as labelled pages with their pictures as PNG."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from pipelines.datasets.synthetic_forms.canvas import ANSWER, HEADER, QUESTION
from pipelines.datasets.synthetic_forms.page import DrawnForm, DrawOptions, draw_form
from pipelines.datasets.types import LabelledPage, Question, bio_labels

LABELS = bio_labels((HEADER, QUESTION, ANSWER))


def drawn_pages(seeds: Iterable[int], options: DrawOptions | None = None) -> Iterator[tuple[LabelledPage, bytes]]:
    """For each seed a page and its PNG; the page's `uri` is empty, for whoever writes the picture to fill in."""
    for seed in seeds:
        form = draw_form(seed, options)
        picture = io.BytesIO()
        form.image.save(picture, "PNG")
        yield _page(seed, form), picture.getvalue()


def _page(seed: int, form: DrawnForm) -> LabelledPage:
    def text(first: int, last: int) -> str:
        return " ".join(form.words[first : last + 1])

    return LabelledPage(
        document_id=f"drawn/{seed:08d}",
        uri="",
        media_type="image/png",
        words=form.words,
        boxes=form.boxes,
        labels=form.labels,
        questions=tuple(
            Question(text(first, last), (text(start, end),), start, end) for first, last, start, end in form.links
        ),
    )
