"""Words of a text layer: each once, in reading order, with a box that has an extent, and only if they can be known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipelines.documents.layer_words import Box, Word, each_once, in_reading_order
from tests.drawn_pdf import DrawnPage, draw_pdf, show, show_image
from tests.pipelines.documents.raw_pdf import layer_of, raw_pdf

LINES = ["Minutes of the shed committee", "The tenant keeps the garden shed", "and returns both of the keys", "in May"]
TEXT = " ".join(LINES)


def lines_of(lines: list[str], *, left: float = 20, rise: float = 0, invisible: bool = False) -> str:
    return "".join(show(line, left, 260 - 22 * row + rise, 14, invisible=invisible) for row, line in enumerate(lines))


def text_of(content: str, **page: object) -> str:
    return " ".join(layer_of(draw_pdf(DrawnPage(content, **page))).words)  # type: ignore[arg-type]


def word(text: str, box: Box, drawn_by: int = 1) -> Word:
    return Word(text, box, False, drawn_by, 1, True)


# Each once

SCAN = Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 400), np.uint8))


@pytest.mark.parametrize("displaced", [0.0, 0.4, 0.9, 2.0])
def test_words_of_two_recognised_layers_come_once(displaced: float) -> None:
    layers = lines_of(LINES, invisible=True) + lines_of(LINES, left=20 + displaced, rise=displaced / 2, invisible=True)
    assert text_of(show_image(0, 0, 400, 300) + layers, image=SCAN) == TEXT


def test_a_second_engine_that_read_differently_gives_way() -> None:
    other = [line.replace("m", "rn").replace("both of", "bothof") for line in LINES]
    layers = lines_of(LINES, invisible=True) + lines_of(other, left=20.5, invisible=True)
    assert text_of(show_image(0, 0, 400, 300) + layers, image=SCAN) == TEXT


def test_a_recognised_layer_under_visible_text_gives_way_to_it() -> None:
    recognised = [line.replace("e", "c") for line in LINES]
    content = lines_of(recognised, left=20.4, invisible=True) + lines_of(LINES)
    assert sorted(text_of(content).split()) == sorted(TEXT.split())


@pytest.mark.parametrize("displaced", [0.2, 0.5, 0.9])
def test_bold_that_is_drawn_twice_comes_once(displaced: float) -> None:
    assert text_of(lines_of(LINES) + lines_of(LINES, left=20 + displaced)) == TEXT


def test_the_same_word_in_the_next_row_or_column_stays() -> None:
    assert text_of(show("no", 20, 250, 8) + show("no", 20, 242, 8) + show("no", 31, 250, 8)) == "no no no"


def test_different_visible_words_at_one_place_stay() -> None:
    words = [word("draft", (0.1, 0.1, 0.2, 0.12)), word("final", (0.1, 0.1, 0.2, 0.12))]
    assert each_once(words, set()) == words


def test_a_tall_recognised_mark_does_not_swallow_the_words_beside_it() -> None:
    rule, shed = word("|", (0.1, 0.1, 0.3, 0.9)), word("shed", (0.15, 0.2, 0.25, 0.22))
    assert each_once([rule, shed], {1}) == [rule, shed]


# Reading order


def test_content_drawn_from_bottom_to_top_is_read_from_the_top() -> None:
    lines = [f"line {row} of the page" for row in range(9)]
    upward = [show(line, 20, 270 - 20 * row, 12) for row, line in enumerate(lines)][::-1]
    assert text_of("".join(upward)) == " ".join(lines)


def test_lines_drawn_at_random_are_read_from_the_top() -> None:
    lines = [f"line {row} of the page" for row in range(12)]
    drawn = [show(line, 20, 270 - 20 * row, 12) for row, line in enumerate(lines)]
    order = [7, 2, 9, 0, 11, 4, 1, 10, 3, 8, 5, 6]
    assert text_of("".join(drawn[row] for row in order)) == " ".join(lines)


def test_columns_keep_the_order_in_which_they_are_drawn() -> None:
    left, right = [f"left {row}" for row in range(8)], [f"right {row}" for row in range(8)]
    content = lines_of(left) + lines_of(right, left=220)
    assert text_of(content) == " ".join(left + right)


def test_a_table_drawn_by_cells_of_two_lines_keeps_its_order() -> None:
    content, expected = "", []
    for row in range(5):
        for column in range(3):
            for line in range(2):
                text = f"c{row}{column}{line}"
                content += show(text, 20 + 120 * column, 270 - 50 * row - 16 * line, 12)
                expected.append(text)
    assert text_of(content) == " ".join(expected)


def test_upside_down_text_keeps_its_order() -> None:
    lines = [f"line {row} of the page" for row in range(9)]
    content = "".join(
        f"BT /F1 12 Tf -1 0 0 -1 380 {30 + 20 * row} Tm ({line}) Tj ET\n" for row, line in enumerate(lines)
    )
    assert text_of(content) == " ".join(lines)


def test_text_that_runs_up_the_page_keeps_its_order() -> None:
    words = [word(f"w{row}", (0.1, 0.9 - 0.1 * row, 0.13, 0.98 - 0.1 * row)) for row in range(8)]
    turned = [item._replace(forward=False) for item in words]
    assert in_reading_order(turned) == turned


# Boxes


@pytest.mark.parametrize("font", ["STSong-Light", "HeiseiMin-W3", "NoSuchFont"])
def test_words_of_fonts_that_are_not_there_have_boxes_with_an_extent(font: str) -> None:
    composite = f"<< /Type /Font /Subtype /Type0 /BaseFont /{font} /Encoding /UniGB-UCS2-H /DescendantFonts [7 0 R] >>"
    descendant = (
        f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /{font} /DW 1000 "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>"
    )
    content = "BT /F2 20 Tf 40 200 Td <4E2D56FD> Tj 0 -40 Td <00540061> Tj ET"
    layer = layer_of(raw_pdf(content, composite, descendant))
    assert layer.words[0] == "\u4e2d\u56fd"
    for x0, y0, x1, y1 in layer.boxes:
        assert (x1 - x0) * 400 > 8
        assert (y1 - y0) * 300 > 5
    assert layer.boxes[0][0] == pytest.approx(40 / 400, abs=0.02)
    assert layer.boxes[0][3] == pytest.approx(100 / 300, abs=0.03)


# Damage


def test_a_word_without_meaning_is_left_to_ocr_and_the_others_stay() -> None:
    codes = "".join(f"<{code:02x}> <{0xE000 + code:04x}>\n" for code in range(1, 8))
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n7 beginbfchar\n{codes}endbfchar\nendcmap end end"
    )
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding /ToUnicode 7 0 R >>"
    content = show("Total payable:", 20, 200, 12) + "BT /F2 12 Tf 120 200 Td <0102030405> Tj ET"
    layer = layer_of(raw_pdf(content, font, f"<< /Length {len(to_unicode)} >>\nstream\n{to_unicode}\nendstream"))
    assert layer.words == ["Total", "payable:"]
    assert layer.trusted and not layer.blank
    assert len(layer.damaged_boxes) == 1
    x0, y0, x1, y1 = layer.damaged_boxes[0]
    assert 119 / 400 < x0 < x1 and 85 / 300 < y0 < y1 < 105 / 300


def test_a_control_character_never_becomes_a_hyphen() -> None:
    to_unicode = {"X": "\x02", **{letter: letter for letter in "Totalpyb: "}}
    layer = layer_of(draw_pdf(DrawnPage(show("Total payable: X", 20, 200, 12), to_unicode=to_unicode)))
    assert layer.words == ["Total", "payable:"]
    assert len(layer.damaged_boxes) == 1


def test_an_amount_with_one_unreadable_digit_is_left_to_ocr() -> None:
    to_unicode = {"X": "\x07", **{letter: letter for letter in "Total134.70 "}}
    layer = layer_of(draw_pdf(DrawnPage(show("Total 134X.70", 20, 200, 12), to_unicode=to_unicode)))
    assert layer.words == ["Total"]
    assert len(layer.damaged_boxes) == 1
