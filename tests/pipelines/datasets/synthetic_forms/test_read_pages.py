"""Words that an OCR engine reads on drawn pages take over the labels and links of the drawn words."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from PIL import Image

from model.ocr.engine import OcrOptions
from model.ocr.page_reader import PageReader
from pipelines.datasets.synthetic_forms import DrawOptions
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.datasets.synthetic_forms.read_pages import read_drawn_pages, transferred
from pipelines.datasets.types import Box, LabelledPage, Question

CLEAN = DrawOptions(kinds=("key_rows", "table"), noise=False, misspelt=0.0)

DRAWN = LabelledPage(
    document_id="drawn/1",
    uri="",
    media_type="image/png",
    words=("Order", "form", "Ship", "date:", "9/", "14/", "93", "Remarks", "urgent", "goods,", "by", "air", "27"),
    boxes=(
        (400, 20, 480, 40), (490, 20, 560, 40),
        (100, 100, 150, 120), (155, 100, 200, 120),
        (300, 100, 320, 120), (320, 100, 350, 120), (350, 100, 380, 120),
        (500, 100, 600, 120),
        (620, 100, 700, 120), (710, 100, 800, 120), (620, 125, 650, 145), (660, 125, 700, 145),
        (900, 900, 930, 920),
    ),
    labels=("B-HEADER", "I-HEADER", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER", "I-ANSWER", "B-QUESTION",
            "B-ANSWER", "I-ANSWER", "I-ANSWER", "I-ANSWER", "O"),
    questions=(Question("Ship date:", ("9/ 14/ 93",), 4, 6),),
    links=((0, 2), (0, 7), (2, 4), (7, 8)),
)  # fmt: skip


def read(*words: tuple[str, Box]) -> LabelledPage:
    return transferred(DRAWN, [text for text, _ in words], [box for _, box in words])


def labelled(page: LabelledPage) -> list[tuple[str, str]]:
    return list(zip(page.words or (), page.labels or (), strict=True))


def test_words_that_are_read_as_they_were_drawn_keep_labels_links_and_questions() -> None:
    assert DRAWN.words is not None and DRAWN.boxes is not None
    page = read(*zip(DRAWN.words, DRAWN.boxes, strict=True))
    assert (page.words, page.boxes, page.labels) == (DRAWN.words, DRAWN.boxes, DRAWN.labels)
    assert page.links == DRAWN.links
    assert page.questions == (*DRAWN.questions, Question("Remarks", ("urgent goods, by air",), 8, 11))
    assert page.document_id == "drawn/1-read"


def test_parts_that_are_read_as_one_word_and_words_that_are_read_in_parts_keep_their_label() -> None:
    page = read(("Ship", (101, 101, 148, 118)), ("da", (156, 101, 175, 118)), ("te:", (177, 101, 199, 118)),
                ("9/14/93", (301, 101, 378, 118)))  # fmt: skip
    assert labelled(page) == [
        ("Ship", "B-QUESTION"), ("da", "I-QUESTION"), ("te:", "I-QUESTION"), ("9/14/93", "B-ANSWER"),
    ]  # fmt: skip
    assert page.links == ((0, 3),)


def test_a_misread_word_is_known_by_its_place_and_a_displaced_one_by_its_text() -> None:
    misread, displaced = ("Rcrnorls", (501, 101, 598, 119)), ("urgent", (640, 80, 720, 110))
    assert labelled(read(misread, displaced)) == [("Rcrnorls", "B-QUESTION"), ("urgent", "B-ANSWER")]
    assert labelled(read(("~", (640, 80, 720, 110)))) == [("~", "O")]


def test_a_word_beside_all_drawn_ones_and_one_that_nobody_labelled_are_o() -> None:
    page = read(("Order", (400, 20, 480, 40)), ("|", (700, 500, 705, 560)), ("27", (900, 900, 930, 920)))
    assert labelled(page) == [("Order", "B-HEADER"), ("|", "O"), ("27", "O")]


def test_an_entity_of_which_nothing_is_read_is_left_out_with_its_links() -> None:
    page = read(("Order", (400, 20, 480, 40)), ("9/14/93", (301, 101, 378, 118)), ("urgent", (620, 100, 700, 120)))
    assert [label for _, label in labelled(page)] == ["B-HEADER", "B-ANSWER", "B-ANSWER"]
    assert page.links == () and page.questions == ()


def test_words_of_an_entity_stay_together_where_lines_of_columns_alternate() -> None:
    page = read(("Remarks", (500, 100, 600, 120)), ("urgent", (620, 100, 700, 120)), ("goods,", (710, 100, 800, 120)),
                ("27", (900, 900, 930, 920)), ("by", (620, 125, 650, 145)), ("air", (660, 125, 700, 145)))  # fmt: skip
    assert page.words == ("Remarks", "urgent", "goods,", "by", "air", "27")
    assert page.labels == ("B-QUESTION", "B-ANSWER", "I-ANSWER", "I-ANSWER", "I-ANSWER", "O")
    assert page.boxes is not None and page.boxes[3] == (620, 125, 650, 145)
    assert page.links == ((0, 1),)


@pytest.fixture(scope="module")
def pages() -> list[tuple[LabelledPage, LabelledPage, bytes]]:
    """Two pages as they were drawn, as Tesseract reads them, and their pictures."""
    reader = PageReader(OcrOptions(engine="tesserocr"))
    seeds = (3, 6)
    drawn = [page for page, _ in drawn_pages(seeds, CLEAN)]
    read_pages = list(read_drawn_pages(seeds, reader, CLEAN))
    reader.close()
    return [(before, after, picture) for before, (after, picture) in zip(drawn, read_pages, strict=True)]


def test_tesseract_reads_most_entities_of_clean_pages(pages: list[tuple[LabelledPage, LabelledPage, bytes]]) -> None:
    for drawn, page, picture in pages:
        assert page.words is not None and page.boxes is not None and page.labels is not None
        assert len(page.words) == len(page.boxes) == len(page.labels)
        assert all(0 <= x0 < x1 <= 1000 and 0 <= y0 < y1 <= 1000 for x0, y0, x1, y1 in page.boxes)
        assert Image.open(io.BytesIO(picture)).mode == "L"
        for kind in ("QUESTION", "ANSWER"):
            count = [labels.count(f"B-{kind}") for labels in (drawn.labels or (), page.labels)]
            assert 0.7 * count[0] < count[1] <= count[0]


def test_a_word_that_is_read_as_it_was_drawn_has_the_kind_of_the_drawn_one(
    pages: list[tuple[LabelledPage, LabelledPage, bytes]],
) -> None:
    for drawn, page, _ in pages:
        kinds, read_kinds = ({word: label[2:] for word, label in labelled(each)} for each in (drawn, page))
        counts = [Counter(each.words or ()) for each in (drawn, page)]
        once = [word for word in kinds if len(word) > 2 and counts[0][word] == counts[1][word] == 1]
        assert len(once) > 20
        assert [word for word in once if kinds[word] != read_kinds[word]] == []


def test_links_lead_from_first_words_to_first_words(pages: list[tuple[LabelledPage, LabelledPage, bytes]]) -> None:
    for _, page, _ in pages:
        assert page.labels is not None and page.links
        kinds = {(page.labels[source], page.labels[target]) for source, target in page.links}
        assert kinds <= {("B-HEADER", "B-QUESTION"), ("B-QUESTION", "B-ANSWER")}
