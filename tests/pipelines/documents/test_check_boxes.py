"""Check boxes of form fields and drawn ones become mark words, ticked or empty."""

from __future__ import annotations

import pytest

from pipelines.documents.check_boxes import EMPTY, TICKED
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.pipelines.documents.raw_pdf import layer_of, raw_pdf, stream

FORM = "/Type /XObject /Subtype /Form /BBox [0 0 12 12]"
DINGBATS = "<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>"

APPEARANCES = {
    "a cross of lines": "0 0 12 12 re S 0 0 m 12 12 l S 0 12 m 12 0 l S",
    "a check mark of a symbol font": "0 0 12 12 re S BT /F2 10 Tf 1 2 Td (4) Tj ET",
    "a digit of a text font": "0 0 12 12 re S BT /F1 10 Tf 1 2 Td (8) Tj ET",
    "a filled square": "0 0 12 12 re S 3 3 6 6 re f",
    "nothing but its frame": "0 0 12 12 re S",
}


def form(*states: str, appearance: str = APPEARANCES["a cross of lines"], kind: str = "", flags: int = 4) -> bytes:
    """A column of labelled check boxes with these appearance states."""
    fonts = "/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >>"
    drawn = [DINGBATS, stream("0 0 12 12 re S", FORM), stream(appearance, FORM + fonts)]
    content = ""
    for row, state in enumerate(states):
        y = 250 - 30 * row
        content += show(f"Question{row}", 60, y + 2, 12)
        drawn.append(
            f"<< /Type /Annot /Subtype /Widget /FT /Btn {kind} /T (b{row}) /Rect [40 {y} 52 {y + 12}] /F {flags} "
            f"/AS /{state} /V /{state} /AP << /N << /Off 7 0 R /On 8 0 R >> >> >>"
        )
    widgets = " ".join(f"{9 + row} 0 R" for row in range(len(states)))
    return raw_pdf(content, *drawn, page=f"/Annots [{widgets}]", catalog=f"/AcroForm << /Fields [{widgets}] >>")


@pytest.mark.parametrize("appearance", APPEARANCES)
def test_the_state_of_a_field_counts_however_it_is_drawn(appearance: str) -> None:
    layer = layer_of(form("Off", "On", "Off", appearance=APPEARANCES[appearance]))
    assert layer.words == [EMPTY, "Question0", TICKED, "Question1", EMPTY, "Question2"]
    assert layer.boxes[2] == pytest.approx((40 / 400, 68 / 300, 52 / 400, 80 / 300), abs=0.001)


def test_radio_buttons_are_marked_too() -> None:
    radio = "/Ff 32768"
    assert layer_of(form("On", "Off", kind=radio)).words == [TICKED, "Question0", EMPTY, "Question1"]


def test_push_buttons_and_hidden_fields_are_not_marked() -> None:
    assert layer_of(form("Off", kind="/Ff 65536")).words == ["Question0"]
    assert layer_of(form("On", flags=2)).words == ["Question0"]


def test_an_empty_form_shows_that_it_is_empty() -> None:
    assert layer_of(form("Off", "Off")).words == [EMPTY, "Question0", EMPTY, "Question1"]


def test_the_box_of_a_field_on_a_rotated_page_is_where_it_is_shown() -> None:
    data = form("On").replace(b"/Contents 4 0 R ", b"/Contents 4 0 R /Rotate 90 ")
    layer = layer_of(data)
    x0, y0, _, _ = layer.boxes[layer.words.index(TICKED)]
    assert (x0, y0) == pytest.approx((250 / 300, 40 / 400), abs=0.01)


# Drawn on the page

TICKS = {
    "a cross of two lines": "40 250 m 52 262 l S 40 262 m 52 250 l S",
    "a cross in one path": "40 250 m 52 262 l 40 262 m 52 250 l S",
    "a check mark": "42 256 m 45 252 l 52 264 l S",
    "a curved check mark": "42 256 m 43 255 44 253 45 252 c 47 258 50 262 53 263 c S",
    "a filled square": "43 253 6 6 re f",
    "a letter": "BT /F1 12 Tf 42 252 Td (X) Tj ET",
}


def words_of(content: str) -> list[str]:
    return layer_of(draw_pdf(DrawnPage(content))).words


def boxes(*labels: str) -> str:
    return "".join(
        f"40 {250 - 30 * row} 12 12 re S " + show(label, 60, 252 - 30 * row, 12) for row, label in enumerate(labels)
    )


@pytest.mark.parametrize("tick", TICKS)
def test_a_drawn_tick_in_a_small_square_is_found(tick: str) -> None:
    assert words_of(boxes("smoker", "diver", "sailor") + TICKS[tick]) == [
        TICKED,
        "smoker",
        EMPTY,
        "diver",
        EMPTY,
        "sailor",
    ]


def test_a_box_right_of_its_label_comes_after_it() -> None:
    content = show("smoker", 40, 252, 12) + "90 250 12 12 re S 90 250 m 102 262 l S 90 262 m 102 250 l S "
    assert words_of(content) == ["smoker", TICKED]


def test_small_squares_without_any_tick_are_not_words() -> None:
    assert words_of(boxes("smoker", "diver")) == ["smoker", "diver"]


def test_a_comb_of_cells_for_letters_is_not_a_row_of_check_boxes() -> None:
    comb = "".join(f"{100 + 14 * cell} 250 14 14 re S " for cell in range(8)) + show("Town", 60, 252, 12)
    letters = "".join(show(letter, 103 + 14 * cell, 252, 12) for cell, letter in enumerate("XABCDX"))
    assert TICKED not in words_of(comb + letters)


def test_squares_far_from_text_are_drawings() -> None:
    content = "300 50 12 12 re S 300 50 m 312 62 l S 300 62 m 312 50 l S " + show("text", 20, 250, 12)
    assert words_of(content) == ["text"]


def test_rules_of_a_table_are_no_ticks() -> None:
    table = "".join(f"40 {200 + 15 * row} m 200 {200 + 15 * row} l S " for row in range(4))
    table += "".join(f"{40 + 15 * column} 200 m {40 + 15 * column} 245 l S " for column in range(8))
    assert words_of(table + boxes("smoker")) == ["smoker"]
