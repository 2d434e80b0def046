"""Text layers of pages in scripts without spaces, and of pages that are written from right to left."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from pipelines.documents.document import Document
from pipelines.documents.text_layer import TextLayer, read_text_layer
from tests.drawn_languages import PAGES, font_of, visual_order, words_of, words_of_line

SIZE, PITCH = 14, 40


def layer_of(language: str) -> TextLayer:
    """The layer of a PDF page with the lines of `PAGES`; glyphs are drawn from left to right, whatever the script."""
    pdfmetrics.registerFont(TTFont(language, font_of(language).path))
    content = io.BytesIO()
    canvas = Canvas(content, pagesize=(600, 800))
    canvas.setFont(language, SIZE)
    for row, line in enumerate(PAGES[language]):
        if language == "heb":
            canvas.drawRightString(540, 740 - PITCH * row, visual_order(line))
        else:
            canvas.drawString(60, 740 - PITCH * row, line)
    canvas.save()
    with Document(content.getvalue()) as document:
        layer = read_text_layer(document, 0)
    assert layer is not None
    return layer


@pytest.mark.parametrize("language", ["chi_sim", "jpn", "heb", "deu", "rus"])
def test_the_words_of_a_layer_are_those_of_its_language_in_reading_order(language: str) -> None:
    layer = layer_of(language)
    assert layer.trusted and layer.words == words_of(language)


@pytest.mark.parametrize("language", ["chi_sim", "jpn"])
def test_the_boxes_of_words_without_spaces_follow_each_other(language: str) -> None:
    layer = layer_of(language)
    boxes = iter(layer.boxes)
    for line in PAGES[language]:
        of_line = [next(boxes) for _ in words_of_line(line)]
        assert all(first[2] <= second[0] + 0.01 for first, second in pairwise(of_line))
        assert abs(of_line[0][0] * 600 - 60) < 4
