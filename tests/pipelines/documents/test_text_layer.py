"""The text layer: words, tight boxes on the page as displayed, and when it is trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.documents.document import Document
from pipelines.documents.page_objects import PageContent
from pipelines.documents.rendering import RenderOptions, render_grey
from pipelines.documents.text_layer import Box, LayerFacts, TextLayer, judge, read_text_layer
from tests.drawn_pdf import DrawnPage, draw_pdf, show, show_image

LINES = [
    "The quick brown fox jumps over the lazy dog",
    "and runs along the river until the evening",
    "where it meets an old friend from the north",
]


def layer_of(page: DrawnPage) -> TextLayer:
    with Document(draw_pdf(page)) as document:
        layer = read_text_layer(document, 0)
    assert layer is not None
    return layer


def words_of(content: str, **page: object) -> list[str]:
    return layer_of(DrawnPage(content, **page)).words  # type: ignore[arg-type]


def ink_box(page: DrawnPage) -> Box:
    """The box of the only dark object on a page, as fractions of its image."""
    with Document(draw_pdf(page)) as document:
        grey = np.asarray(render_grey(document, 0, RenderOptions(dpi=288)))
    rows, columns = np.nonzero(grey < 128)
    height, width = grey.shape
    return (
        columns.min() / width,
        rows.min() / height,
        (columns.max() + 1) / width,
        (rows.max() + 1) / height,
    )


# Words


def test_words_are_split_at_white_space() -> None:
    assert words_of(show("one  two\tthree", 20, 200)) == ["one", "two", "three"]


def test_words_are_split_at_no_break_spaces() -> None:
    assert words_of(show("Section\xa05.2", 20, 200)) == ["Section", "5.2"]


def test_words_end_with_their_line() -> None:
    content = show("first", 20, 200, 12) + show("second", 20, 185, 12)
    assert words_of(content) == ["first", "second"]


def test_words_end_at_a_wide_gap_without_a_space() -> None:
    assert words_of("BT /F1 12 Tf 20 200 Td [(Total) -4000 (12.50)] TJ ET") == ["Total", "12.50"]


def test_characters_spaced_very_widely_are_separate_words() -> None:
    assert words_of("BT /F1 12 Tf 30 Tc 20 200 Td (123) Tj ET") == ["1", "2", "3"]


def test_spaced_letters_stay_one_word() -> None:
    assert words_of("BT /F1 12 Tf 3 Tc 20 200 Td (INVOICE) Tj ET") == ["INVOICE"]


def test_a_line_of_leader_dots_stays_whole() -> None:
    assert words_of(show("Contents of this page ........ 7", 20, 200, 12))[4:] == ["........", "7"]


def test_single_letters_on_lines_of_upside_down_text_are_separate_words() -> None:
    lines = "".join(
        f"BT /F1 12 Tf -1 0 0 -1 200 {150 + 24 * row} Tm ({letter}) Tj ET\n" for row, letter in enumerate("abc")
    )
    assert words_of(lines) == ["a", "b", "c"]


def test_raised_letters_stay_with_their_word() -> None:
    assert words_of(show("31", 20, 200, 12) + show("st", 33.6, 204, 7) + show(" day", 42, 200, 12)) == ["31st", "day"]


def test_kerned_letters_stay_one_word() -> None:
    assert words_of("BT /F1 24 Tf 20 200 Td [(A) 80 (V) 60 (AT) -40 (AR)] TJ ET") == ["AVATAR"]


def test_a_hyphen_at_a_lines_end_ends_the_word() -> None:
    content = show("an exam-", 20, 200, 12) + show("ple of it", 20, 186, 12)
    assert words_of(content) == ["an", "exam-", "ple", "of", "it"]


def test_a_hyphen_at_the_end_of_a_very_short_line_ends_the_word() -> None:
    assert words_of(show("ab-", 20, 200, 12) + show("cd", 20, 190.5, 12)) == ["ab-", "cd"]


def test_a_hyphen_within_a_line_does_not_end_the_word() -> None:
    assert words_of(show("a well-known fact", 20, 200, 12)) == ["a", "well-known", "fact"]


def test_lines_that_pdfium_takes_for_columns_are_not_split_into_letters() -> None:
    """On a page of two lines set letter by letter, PDFium detects vertical writing and breaks the line after each."""
    widths = {
        "i": 0.222,
        "l": 0.222,
        "t": 0.278,
        "f": 0.278,
        " ": 0.278,
        "r": 0.333,
        ".": 0.278,
        "s": 0.5,
        "c": 0.5,
        "v": 0.5,
    }
    content = ""
    lines = ["status thereof or the persons involved except as required as a result", "of section five."]
    for row, line in enumerate(lines):
        x = 12.0
        for letter in line:
            content += show(letter, x, 280 - 12 * row, 10)
            x += 10 * widths.get(letter, 0.556)
    assert words_of(content) == " ".join(lines).split()


def test_ligatures_are_spelled_out() -> None:
    assert words_of(show("o~ce", 20, 200), to_unicode={"~": "\ufb03", "o": "o", "c": "c", "e": "e"}) == ["office"]


def test_characters_beyond_the_basic_plane_are_not_split() -> None:
    assert words_of(show("aXb", 20, 200), to_unicode={"X": "\U0001d54f", "a": "a", "b": "b"}) == ["a\U0001d54fb"]


def test_accents_are_composed() -> None:
    assert words_of(show("caXe", 20, 200), to_unicode={"X": "e\u0301", "c": "c", "a": "a", "e": "s"}) == ["ca\u00e9s"]


def test_bullets_and_check_boxes_of_symbol_fonts_become_the_characters_they_show() -> None:
    words = words_of(show("X Y", 20, 200), to_unicode={"X": "\uf0b7", "Y": "\uf0fe", " ": " "})
    assert words == ["\u2022", "\u2611"]


def test_words_contain_no_control_characters() -> None:
    words = words_of(show("aXb cYd", 20, 200), to_unicode={"X": "\x07", "Y": "\u200b", **{c: c for c in "abcd "}})
    assert words == ["ab", "cd"]


def test_the_content_of_form_fields_belongs_to_the_layer() -> None:
    page = DrawnPage(show("Name:", 20, 108, 16), field_value="Ferdinand")
    layer = layer_of(page)
    assert layer.words == ["Name:", "Ferdinand"]
    x0, y0, x1, y1 = layer.boxes[1]
    assert 100 / 400 < x0 < x1 < 300 / 400
    assert 170 / 300 < y0 < y1 < 200 / 300


# Boxes

WORD = show("KNOWN", 120, 200)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("media_box", "crop_box"),
    [
        ((0, 0, 400, 300), None),
        ((0, 0, 400, 300), (50, 40, 350, 280)),
        ((-30, 20, 390, 330), (100, 100, 300, 300)),
        ((0, 0, 400, 300), (50, -100, 350, 900)),
    ],
)
def test_a_box_is_where_the_ink_is(media_box: Box, crop_box: Box | None, rotate: int) -> None:
    page = DrawnPage(WORD, media_box=media_box, crop_box=crop_box, rotate=rotate)
    layer = layer_of(page)
    assert layer.words == ["KNOWN"]
    assert layer.boxes[0] == pytest.approx(ink_box(page), abs=0.004)


@pytest.mark.parametrize(
    ("rotate", "corner"),
    [
        (0, (120 - 50, 280 - 200)),  # the baseline's start, from the left and from the top of the cropped page
        (90, (200 - 40, 120 - 50)),
        (180, (350 - 120, 200 - 40)),
        (270, (280 - 200, 350 - 120)),
    ],
)
def test_a_box_starts_at_the_baseline_rotated_with_the_page(rotate: int, corner: tuple[float, float]) -> None:
    page = DrawnPage(WORD, crop_box=(50, 40, 350, 280), rotate=rotate)
    width, height = (300, 240) if rotate in (0, 180) else (240, 300)
    x0, y0, x1, y1 = layer_of(page).boxes[0]
    x, y = {0: (x0, y1), 90: (x0, y0), 180: (x1, y0), 270: (x1, y1)}[rotate]
    assert (x * width, y * height) == pytest.approx(corner, abs=3)  # the K stands 2 points in


def test_boxes_are_tight_around_the_ink_not_line_high() -> None:
    _, y0, _, y1 = layer_of(DrawnPage(show("nose", 100, 100, 40))).boxes[0]
    assert (y1 - y0) * 300 == pytest.approx(0.55 * 40, abs=2)  # the x-height and its overshoot


def test_the_box_of_rotated_text_is_where_the_ink_is() -> None:
    page = DrawnPage("BT /F1 24 Tf 0 1 -1 0 200 100 Tm (UPWARDS) Tj ET")
    layer = layer_of(page)
    assert layer.words == ["UPWARDS"]
    assert layer.boxes[0] == pytest.approx(ink_box(page), abs=0.004)


def test_words_off_the_page_are_left_out() -> None:
    content = show("here", 100, 150) + show("left", -200, 150) + show("above", 100, 500) + show("cropped", 20, 20)
    layer = layer_of(DrawnPage(content, crop_box=(60, 60, 400, 300)))
    assert layer.words == ["here"]


def test_the_box_of_a_word_over_the_edge_is_clipped_to_the_page() -> None:
    layer = layer_of(DrawnPage(show("WIDEWORD", 300, 100)))
    assert layer.boxes[0][0] == pytest.approx(0.75, abs=0.02)
    assert layer.boxes[0][2] == 1.0


def test_text_of_size_zero_has_no_words() -> None:
    assert words_of(show("visible", 100, 100) + show("nothing", 100, 50, 0.0)) == ["visible"]


def test_every_word_has_a_box_in_order_and_on_the_page(samples_directory: Path) -> None:
    for name in ("supplier-form.pdf", "services-agreement.pdf", "delivery-schedule-rotated.pdf"):
        path = samples_directory / name
        with Document(path.read_bytes()) as document:
            for index in range(document.page_count):
                layer = read_text_layer(document, index)
                assert layer is not None and layer.trusted
                boxes = np.array(layer.boxes)
                assert boxes.shape == (len(layer.words), 4)
                assert (boxes >= 0).all() and (boxes <= 1).all()
                assert (boxes[:, 0] < boxes[:, 2]).all() and (boxes[:, 1] < boxes[:, 3]).all()


def test_the_words_of_the_sample_form(samples_directory: Path) -> None:
    with Document((samples_directory / "supplier-form.pdf").read_bytes()) as document:
        layer = read_text_layer(document, 0)
    assert layer is not None
    text = " ".join(layer.words)
    assert "NORTHGATE COMPONENTS 2200 Foundry Avenue, Cleveland, OH 44114" in text
    assert "Registered company name Halvorsen Castings LLC" in text
    x0, _, x1, y1 = layer.boxes[layer.words.index("Duluth")]
    assert (x0 * 612, y1 * 792) == pytest.approx((48 + 6, 792 - 532 - 6.5), abs=1.5)
    assert (x1 - x0) * 612 == pytest.approx(36, abs=2)


def test_a_rotated_sample_reads_from_left_to_right(samples_directory: Path) -> None:
    with Document((samples_directory / "delivery-schedule-rotated.pdf").read_bytes()) as document:
        layer = read_text_layer(document, 0)
    assert layer is not None
    assert layer.words[:5] == ["Delivery", "schedule,", "second", "quarter", "2025"]
    title = layer.boxes[:5]
    assert [box[0] for box in title] == sorted(box[0] for box in title)
    assert max(box[3] for box in title) < 0.12


def test_images_have_no_text_layer(samples_directory: Path) -> None:
    with Document((samples_directory / "invoice.png").read_bytes()) as document:
        assert read_text_layer(document, 0) is None


# Trust

SENTENCE = "It is agreed between the parties that every notice under this contract shall be given in writing"
PROSE = SENTENCE.split()
GOOD = LayerFacts(
    characters=2000,
    visible=1600,
    damaged=0,
    words=PROSE * 20,
    words_off_page=0,
    bands=15,
    content=PageContent(image_cover=0.0, drawings=0),
)


def reason_against(facts: LayerFacts) -> str:
    trusted, reason = judge(facts)
    assert not trusted
    return reason


def test_a_page_of_prose_is_trusted() -> None:
    assert judge(GOOD) == (True, "text layer")


def test_a_page_on_which_nothing_is_drawn_is_blank_and_trusted() -> None:
    assert judge(LayerFacts(3, 0, 0, [], 0, 0, PageContent(0.0, 0))) == (
        True,
        "blank page: nothing to read is drawn on it",
    )


def test_an_image_without_text_is_not_trusted() -> None:
    assert reason_against(LayerFacts(0, 0, 0, [], 0, 0, PageContent(0.3, 1))) == "no text layer"


def test_a_few_drawn_characters_are_trusted_and_a_few_recognised_ones_only_without_drawings() -> None:
    short = replace(GOOD, visible=8, words=["Exhibit", "A"])
    beside_drawings = replace(short, content=PageContent(0.1, 2))
    assert judge(short)[0] and judge(beside_drawings)[0]
    assert "only 8 letters and digits" in reason_against(replace(beside_drawings, drawn=False))
    assert "only 0 letters and digits" in reason_against(replace(beside_drawings, words=["--"]))


def test_too_many_characters_are_not_trusted() -> None:
    assert "300000 characters" in reason_against(replace(GOOD, characters=300_000))


def test_damaged_characters_are_not_trusted() -> None:
    assert judge(replace(GOOD, damaged=800))[0]
    assert "801 of 1600 characters have no meaning" in reason_against(replace(GOOD, damaged=801))


def test_symbols_without_letters_are_not_trusted() -> None:
    assert "letters or digits" in reason_against(replace(GOOD, words=["%&/", "$#!", "word", "<>|"] * 20))


def test_rules_of_dots_and_underscores_do_not_count_against_a_page() -> None:
    assert judge(replace(GOOD, words=["Name:", "_" * 60, "Date:", "_" * 60, "Fee" + "." * 80 + "12"]))[0]


def test_words_off_the_page_are_not_trusted() -> None:
    assert judge(replace(GOOD, words_off_page=len(GOOD.words) - 1))[0]
    assert "off the page" in reason_against(replace(GOOD, words_off_page=len(GOOD.words)))


def test_a_scan_of_which_only_the_header_was_recognised_is_not_trusted() -> None:
    scan = PageContent(image_cover=0.98, drawings=1)
    assert "only 17 words" in reason_against(replace(GOOD, words=PROSE, content=scan, drawn=False))
    assert "only 2 of 20 bands" in reason_against(replace(GOOD, bands=2, content=scan, drawn=False))


def test_a_stamp_drawn_on_a_scan_is_trusted() -> None:
    assert judge(replace(GOOD, words=PROSE, bands=2, content=PageContent(image_cover=0.98, drawings=1)))[0]


def test_a_scan_with_a_full_layer_is_trusted() -> None:
    assert judge(replace(GOOD, content=PageContent(image_cover=1.0, drawings=1)))[0]


def test_a_few_words_beside_a_smaller_image_are_trusted() -> None:
    assert judge(replace(GOOD, words=PROSE, bands=3, content=PageContent(image_cover=0.4, drawings=1)))[0]


def test_letters_with_few_vowels_are_not_trusted() -> None:
    scrambled = [word.translate(str.maketrans("aeiouy", "xzkqwv")) for word in PROSE] * 20
    assert "vowels" in reason_against(replace(GOOD, words=scrambled))


def test_words_split_into_letters_are_not_trusted() -> None:
    assert "torn apart" in reason_against(replace(GOOD, words=list("".join(PROSE * 20))))


def test_joined_words_are_not_trusted() -> None:
    assert "run together" in reason_against(replace(GOOD, words=["".join(PROSE)] * 20))


def test_other_scripts_are_not_measured_by_latin_vowels() -> None:
    cyrillic = ["\u0434\u043e\u0433\u043e\u0432\u043e\u0440", "\u0437\u0430\u043a\u043b\u044e\u0447\u0435\u043d"]
    assert judge(replace(GOOD, words=cyrillic * 100))[0]


# Trust, on pages


def prose_lines(first: float, step: float = 22, size: float = 14) -> str:
    return "".join(show(line, 20, first - step * row, size) for row, line in enumerate(LINES * 4))


NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 80), np.uint8))


def test_a_drawn_page_of_prose_is_trusted() -> None:
    layer = layer_of(DrawnPage(prose_lines(280)))
    assert (layer.trusted, layer.reason, layer.blank) == (True, "text layer", False)


def test_an_empty_page_is_blank() -> None:
    layer = layer_of(DrawnPage())
    assert (layer.words, layer.trusted, layer.blank) == ([], True, True)


def test_a_page_of_lines_and_boxes_alone_is_blank() -> None:
    assert layer_of(DrawnPage("20 20 m 380 20 l S 30 30 200 100 re S")).blank


def test_a_page_with_letters_drawn_as_paths_is_not_blank() -> None:
    layer = layer_of(DrawnPage("20 20 m 25 60 30 60 35 20 c 33 20 l 30 50 27 50 24 20 c h 26 35 m 32 35 l f"))
    assert (layer.trusted, layer.blank) == (False, False)


@pytest.mark.parametrize("rotate", [0, 90])
def test_a_stamp_on_a_scan_stands_and_the_scan_is_looked_at(rotate: int) -> None:
    content = show_image(0, 0, 400, 300) + show("CONFIDENTIAL 000123", 20, 10, 8)
    layer = layer_of(DrawnPage(content, image=NOISE, rotate=rotate))
    assert layer.words == ["CONFIDENTIAL", "000123"]
    assert layer.trusted and layer.has_drawings


@pytest.mark.parametrize("rotate", [0, 90])
def test_a_scan_of_which_only_a_line_was_recognised_goes_to_ocr(rotate: int) -> None:
    content = show_image(0, 0, 400, 300) + show("CONFIDENTIAL 000123", 20, 10, 8, invisible=True)
    layer = layer_of(DrawnPage(content, image=NOISE, rotate=rotate))
    assert not layer.trusted
    assert "images cover 100%" in layer.reason


def test_the_strips_of_one_scan_add_up() -> None:
    strips = "".join(show_image(0, 30 * row, 400, 30) for row in range(10))
    line = show("Case 1:05-cv-02010 Document 27", 20, 280, 8, invisible=True)
    layer = layer_of(DrawnPage(strips + line, image=NOISE))
    assert "images cover 100%" in layer.reason


def test_an_invisible_layer_over_a_scan_is_trusted() -> None:
    hidden = "".join(show(line, 20, 270 - 22 * row, 14, invisible=True) for row, line in enumerate(LINES * 4))
    layer = layer_of(DrawnPage(show_image(0, 0, 400, 300) + hidden, image=NOISE))
    assert layer.trusted
    assert layer.words[:3] == ["The", "quick", "brown"]


def test_a_font_without_a_unicode_mapping_goes_to_ocr() -> None:
    private = {character: chr(0xE000 + ord(character)) for character in "abcdefghijklmnopqrstuvwxyzTN"}
    layer = layer_of(DrawnPage(prose_lines(280), to_unicode=private))
    assert not layer.trusted
    assert "have no meaning" in layer.reason


def test_a_font_with_a_wrong_unicode_mapping_goes_to_ocr() -> None:
    shifted = dict(zip("abcdefghijklmnopqrstuvwxyz", "zxcvbnmlkjhgfdsqpwrttrwqpl", strict=True))
    layer = layer_of(DrawnPage(prose_lines(280), to_unicode=shifted))
    assert not layer.trusted
    assert "vowels" in layer.reason


def test_the_scanned_sample_goes_to_ocr_and_the_others_do_not(samples_directory: Path) -> None:
    trusted = {}
    for path in sorted(samples_directory.glob("*.pdf")):
        if path.name in ("form-with-password.pdf", "agreement-cut-short.pdf"):
            continue
        with Document(path.read_bytes()) as document:
            layers = [read_text_layer(document, index) for index in range(document.page_count)]
            trusted[path.name] = {layer is not None and layer.trusted for layer in layers}
    assert trusted.pop("supplier-form-scanned.pdf") == {False}
    assert set(map(frozenset, trusted.values())) == {frozenset({True})}


def test_real_contracts_are_trusted(shared_directory: Path) -> None:
    for path in sorted((shared_directory / "corpora" / "kleister-nda" / "documents").glob("*.pdf"))[::24]:
        with Document(path.read_bytes()) as document:
            for index in range(document.page_count):
                layer = read_text_layer(document, index)
                assert layer is not None and layer.trusted, (path.name, index, layer)
