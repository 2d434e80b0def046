"""Text that cannot be seen on its page is not read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.drawn_pdf import DrawnPage, draw_pdf, show, show_image
from tests.pipelines.documents.raw_pdf import HELVETICA, layer_of, raw_pdf, stream

RENT = show("Rent per year: 480", 20, 250, 14)
DRAFT = show("Draft 9999", 20, 200, 14)
GROUP = "<< /Type /OCG /Name (Drafts) >>"
OFF = "/OCProperties << /OCGs [7 0 R] /D << /OFF [7 0 R] >> >>"
ON = "/OCProperties << /OCGs [7 0 R] /D << /ON [7 0 R] >> >>"
PROPERTIES = "/Properties << /Draft 7 0 R >>"


def words_of(content: str, **page: object) -> list[str]:
    return layer_of(draw_pdf(DrawnPage(content, **page))).words  # type: ignore[arg-type]


def marked(content: str) -> str:
    return f"/OC /Draft BDC {content} EMC\n"


@pytest.mark.parametrize(("state", "drafts"), [(OFF, []), (ON, ["Draft", "9999"])])
def test_optional_content_is_read_only_if_it_is_switched_on(state: str, drafts: list[str]) -> None:
    data = raw_pdf(RENT + marked(DRAFT), HELVETICA, GROUP, catalog=state, resources=PROPERTIES)
    assert layer_of(data).words == ["Rent", "per", "year:", "480", *drafts]


def test_the_policy_of_a_membership_dictionary_is_followed() -> None:
    membership = "<< /Type /OCMD /OCGs [8 0 R] /P /AllOff >>"
    state = "/OCProperties << /OCGs [8 0 R] /D << /ON [8 0 R] >> >>"
    data = raw_pdf(RENT + marked(DRAFT), HELVETICA, membership, GROUP, catalog=state, resources=PROPERTIES)
    assert layer_of(data).words == ["Rent", "per", "year:", "480"]


@pytest.mark.parametrize(("state", "drafts"), [(OFF, []), (ON, ["Draft", "9999"])])
def test_a_form_that_is_switched_off_is_not_read(state: str, drafts: list[str]) -> None:
    form = stream(
        DRAFT,
        "/Type /XObject /Subtype /Form /BBox [0 0 400 300] /OC 7 0 R /Resources << /Font << /F1 5 0 R >> >>",
    )
    data = raw_pdf(RENT + "/Form Do", HELVETICA, GROUP, form, catalog=state, resources="/XObject << /Form 8 0 R >>")
    assert layer_of(data).words == ["Rent", "per", "year:", "480", *drafts]


def test_switched_off_text_over_other_text_goes_alone() -> None:
    overlapping = show("Draft 9999", 20, 252, 14)
    data = raw_pdf(RENT + marked(overlapping), HELVETICA, GROUP, catalog=OFF, resources=PROPERTIES)
    assert layer_of(data).words == ["Rent", "per", "year:", "480"]


def test_words_under_a_redaction_box_are_not_read() -> None:
    box = "0 g 100 190 63 20 re f\n"
    assert words_of(show("Account 12345678 of Ann", 46, 195, 14) + box) == ["Account", "of", "Ann"]


def test_words_under_a_drawn_annotation_are_not_read() -> None:
    square = "<< /Type /Annot /Subtype /Square /Rect [15 190 200 215] /IC [0 0 0] /C [0 0 0] /F 4 /AP << /N 8 0 R >> >>"
    black = stream("0 g 0 0 185 25 re f", "/Type /XObject /Subtype /Form /BBox [0 0 185 25]")
    data = raw_pdf(RENT + DRAFT, HELVETICA, square, black, page="/Annots [7 0 R]")
    assert layer_of(data).words == ["Rent", "per", "year:", "480"]


@pytest.mark.parametrize("grey", [1, 0.99])
def test_white_words_on_white_are_not_read(grey: float) -> None:
    assert words_of(RENT + f"{grey} g " + DRAFT) == ["Rent", "per", "year:", "480"]


def test_black_words_on_black_are_not_read() -> None:
    assert words_of("0 g 10 190 200 30 re f\n" + RENT + DRAFT) == ["Rent", "per", "year:", "480"]


def test_white_words_on_a_dark_ground_are_read() -> None:
    assert words_of("0.1 g 10 190 200 30 re f 1 g " + DRAFT + "0 g " + RENT)[:2] == ["Draft", "9999"]


def test_words_on_a_shaded_cell_are_read() -> None:
    assert words_of("0.8 g 10 190 200 30 re f 0 g " + DRAFT) == ["Draft", "9999"]


def test_words_under_a_highlighter_are_read() -> None:
    data = raw_pdf(
        DRAFT + "/Multiply gs 1 1 0 rg 10 190 200 30 re f",
        HELVETICA,
        resources="/ExtGState << /Multiply << /BM /Multiply >> >>",
    )
    assert layer_of(data).words == ["Draft", "9999"]


def a_scan(*, blank: bool) -> Image.Image:
    levels = np.full((300, 400), 255, np.uint8)
    if not blank:
        levels[80:110:6] = 0
        levels[:, ::7] = 255
    return Image.fromarray(levels)


def test_recognised_words_are_read_where_the_scan_has_ink_and_only_there() -> None:
    hidden = show("Draft 9999", 20, 200, 14, invisible=True) + RENT
    scan = show_image(0, 0, 400, 300)
    assert words_of(scan + hidden, image=a_scan(blank=False))[:2] == ["Draft", "9999"]
    assert words_of(scan + hidden, image=a_scan(blank=True)) == ["Rent", "per", "year:", "480"]


def test_words_beneath_their_scan_are_read() -> None:
    assert words_of(DRAFT + show_image(0, 0, 400, 300), image=a_scan(blank=False)) == ["Draft", "9999"]


def test_words_beneath_a_blank_image_are_not_read() -> None:
    assert words_of(RENT + DRAFT + show_image(10, 190, 300, 30), image=a_scan(blank=True)) == RENT_WORDS


def test_words_beneath_a_transparent_image_are_drawn_words() -> None:
    """A watermark over a short page does not make its text that of a scan."""
    mask = stream(
        "\x00\x40\x00\x40",
        "/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8",
    )
    image = stream(
        "\x30\x30\x30\x30",
        "/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8 /SMask 7 0 R",
    )
    content = RENT + "q 400 0 0 300 0 0 cm /Mark Do Q"
    layer = layer_of(raw_pdf(content, HELVETICA, mask, image, resources="/XObject << /Mark 8 0 R >>"))
    assert layer.words == RENT_WORDS
    assert layer.trusted and layer.has_drawings


RENT_WORDS = ["Rent", "per", "year:", "480"]
