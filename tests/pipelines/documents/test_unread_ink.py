"""Regions of a page with ink that may be text and that no word of its layer explains."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipelines.documents.document import Document
from pipelines.documents.layer_words import Box
from pipelines.documents.rendering import RenderOptions, render_grey
from pipelines.documents.text_layer import TextLayer, read_text_layer
from pipelines.documents.unread_ink import MAX_REGIONS, unread_regions
from tests.drawn_pdf import DrawnPage, draw_pdf, show, show_image

HEIGHT, WIDTH = 2339, 1654
NO_WORDS = TextLayer([], [], True, "text layer")
Picture = npt.NDArray[np.uint8]

RECEIPT = ["HARBOUR BAKERY", "Plum cake 6.75", "Rye bread 4.20", "Coffee 3.10", "TOTAL 25.50"]


def paper(level: int = 255) -> Image.Image:
    return Image.new("L", (WIDTH, HEIGHT), level)


def write(page: Image.Image, lines: list[str], x: int, y: int, size: int = 32, ink: int = 0) -> None:
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        draw.text((x, y + round(1.5 * size * row)), line, fill=ink, font=ImageFont.load_default(size))


def regions_of(page: Image.Image, layer: TextLayer = NO_WORDS) -> list[Box]:
    return unread_regions(np.asarray(page), layer)


def cover(regions: list[Box], x: int, y: int) -> bool:
    return any(x0 <= x / WIDTH <= x1 and y0 <= y / HEIGHT <= y1 for x0, y0, x1, y1 in regions)


def area(regions: list[Box]) -> float:
    return sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in regions)


# Text is found


@pytest.mark.parametrize("size", [16, 24, 40, 90])
def test_lines_that_no_word_explains_are_one_region(size: int) -> None:
    page = paper()
    write(page, RECEIPT, 500, 600, size)
    regions = regions_of(page)
    assert len(regions) == 1
    assert cover(regions, 500 + size, 600 + size // 2) and cover(regions, 500 + size, 600 + round(6.5 * size))
    assert area(regions) < 0.35


def test_a_single_amount_is_found() -> None:
    page = paper()
    write(page, ["7.50"], 800, 1000)
    assert cover(regions_of(page), 830, 1020)


@pytest.mark.parametrize(("ground", "ink"), [(255, 0), (255, 150), (128, 20), (40, 230), (0, 255)])
def test_text_is_found_on_any_ground(ground: int, ink: int) -> None:
    page = paper()
    ImageDraw.Draw(page).rectangle((400, 500, 1200, 1000), fill=ground)
    write(page, RECEIPT, 500, 600, ink=ink)
    assert cover(regions_of(page), 600, 620)


def test_text_on_a_photograph_with_a_shadow_is_found() -> None:
    page = paper()
    write(page, RECEIPT, 500, 600)
    light = np.linspace(0.4, 1, WIDTH)[None]
    noise = np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH))
    shaded = Image.fromarray(np.clip(np.asarray(page) * light + noise, 0, 255).astype(np.uint8))
    assert cover(regions_of(shaded), 600, 620)


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_a_line_up_the_margin_is_found(turn: Image.Transpose) -> None:
    strip = Image.new("L", (900, 50), 255)
    ImageDraw.Draw(strip).text((5, 5), "Licensed under Creative Commons", fill=0, font=ImageFont.load_default(28))
    page = paper()
    page.paste(strip.transpose(turn), (1560, 700))
    regions = regions_of(page)
    assert len(regions) == 1
    x0, _, x1, _ = regions[0]
    assert x0 * WIDTH > 1500 and (x1 - x0) * WIDTH < 100


def test_regions_are_few_and_on_the_page() -> None:
    page = paper()
    for row in range(8):
        for column in range(4):
            write(page, ["Lot number 12"], 20 + 420 * column, 10 + 300 * row, 26)
    regions = regions_of(page)
    assert 1 <= len(regions) <= MAX_REGIONS
    assert all(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 for x0, y0, x1, y1 in regions)
    assert cover(regions, 60, 25) and cover(regions, 1350, 2125)


def test_damaged_words_are_always_asked_for() -> None:
    damaged = TextLayer([], [], True, "text layer", [(0.5, 0.5, 0.6, 0.51)])
    (box,) = regions_of(paper(), damaged)
    assert box[0] < 0.5 and box[1] < 0.5 and box[2] > 0.6 and box[3] > 0.51
    assert area([box]) < 0.005


# Everything else is not


def test_words_of_the_layer_explain_their_ink() -> None:
    page = paper()
    write(page, ["HARBOUR BAKERY"], 500, 600)
    x0, y0, x1, y1 = page.point(lambda level: 255 - level).getbbox() or (0, 0, 0, 0)
    layer = TextLayer(
        ["HARBOUR", "BAKERY"],
        [(x0 / WIDTH, y0 / HEIGHT, 0.4, y1 / HEIGHT), (0.4, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT)],
        True,
        "text layer",
    )
    assert regions_of(page, layer) == []


def test_a_blank_page_has_no_regions() -> None:
    assert regions_of(paper()) == []


def test_the_noisy_back_of_a_scan_has_no_regions() -> None:
    generator = np.random.default_rng(1)
    page = np.clip(generator.normal(225, 15, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
    for y, x, side in zip(
        generator.integers(0, HEIGHT - 8, 3000),
        generator.integers(0, WIDTH - 8, 3000),
        generator.integers(1, 6, 3000),
        strict=True,
    ):
        page[y : y + side, x : x + side] = 40
    assert unread_regions(page, NO_WORDS) == []


def test_rules_and_tables_are_not_text() -> None:
    page = paper()
    draw = ImageDraw.Draw(page)
    for row in range(12):
        draw.line((100, 200 + 60 * row, 1500, 200 + 60 * row), fill=0, width=3)
    for column in range(8):
        draw.line((100 + 200 * column, 200, 100 + 200 * column, 860), fill=0, width=3)
    assert regions_of(page) == []


def test_leaders_and_dashes_are_not_text() -> None:
    page = paper()
    draw = ImageDraw.Draw(page)
    for dot in range(60):
        draw.ellipse((300 + 12 * dot, 500, 304 + 12 * dot, 504), fill=0)
    for dash in range(30):
        draw.rectangle((300 + 30 * dash, 700, 318 + 30 * dash, 704), fill=0)
    assert regions_of(page) == []


def test_a_bar_code_is_not_text() -> None:
    page = paper()
    generator = np.random.default_rng(2)
    draw, x = ImageDraw.Draw(page), 200
    while x < 900:
        width = int(generator.integers(3, 12))
        draw.rectangle((x, 300, x + width, 420), fill=0)
        x += width + int(generator.integers(3, 12))
    assert regions_of(page) == []


@pytest.mark.parametrize("module", [6, 10])
@pytest.mark.parametrize("modules", [25, 41])
def test_a_matrix_code_is_not_text(module: int, modules: int) -> None:
    page = paper()
    code = np.random.default_rng(modules).random((modules, modules)) < 0.5
    page.paste(Image.fromarray(np.kron(~code, np.full((module, module), 255)).astype(np.uint8)), (300, 300))
    assert regions_of(page) == []


def test_a_signature_alone_is_not_text() -> None:
    page = paper()
    line = [(300 + 6 * step, 500 + 60 * np.sin(0.5 * step) + 20 * np.sin(1.7 * step)) for step in range(60)]
    ImageDraw.Draw(page).line([(float(x), float(y)) for x, y in line], fill=0, width=4)
    assert regions_of(page) == []


def test_two_lone_letters_are_not_asked_for() -> None:
    page = paper()
    write(page, ["A"], 500, 600)
    write(page, ["B"], 900, 1200)
    assert regions_of(page) == []


def test_a_tiny_picture_has_no_regions() -> None:
    assert unread_regions(np.zeros((3, 3), np.uint8), NO_WORDS) == []


# On pages


def regions_on(page: DrawnPage) -> tuple[TextLayer, list[Box]]:
    with Document(draw_pdf(page)) as document:
        layer = read_text_layer(document, 0)
        picture = np.asarray(render_grey(document, 0, RenderOptions(dpi=200)))
    assert layer is not None
    return layer, unread_regions(picture, layer)


def a_photograph() -> Image.Image:
    photograph = Image.new("L", (500, 400), 225)
    write(photograph, RECEIPT, 40, 40, 36)
    return photograph


def test_a_receipt_above_a_digital_footer_is_found() -> None:
    page = DrawnPage(
        show_image(100, 60, 250, 200) + show("Scanned with the till app", 20, 20, 10), image=a_photograph()
    )
    layer, regions = regions_on(page)
    assert layer.trusted and layer.has_drawings
    assert layer.words == ["Scanned", "with", "the", "till", "app"]
    (box,) = regions
    assert box[0] > 0.2 and box[1] > 0.1 and box[3] < 0.85


@pytest.mark.parametrize("displaced", [0.0, 0.7, 1.5])
def test_a_full_recognised_layer_leaves_no_region(displaced: float) -> None:
    """The boxes of a recognised layer are about those of the print, and the scan has specks."""
    lines = [f"Line {row} of the minutes of the shed committee" for row in range(12)]
    printed = "".join(show(line, 20, 270 - 22 * row, 12) for row, line in enumerate(lines))
    with Document(draw_pdf(DrawnPage(printed))) as document:
        scan = render_grey(document, 0, RenderOptions(dpi=300))
    for speck in range(400):
        scan.putpixel((37 * speck % scan.width, 101 * speck % scan.height), 60)
    hidden = "".join(
        show(line, 20 + displaced, 270 - displaced - 22 * row, 12, invisible=True) for row, line in enumerate(lines)
    )
    layer, regions = regions_on(DrawnPage(show_image(0, 0, 400, 300) + hidden, image=scan))
    assert layer.trusted and layer.words[:4] == ["Line", "0", "of", "the"]
    assert regions == []


def test_letters_drawn_as_outlines_are_found() -> None:
    """Nine letters of two strokes and a bowl each, below a digital letterhead."""
    letters = ""
    for place in range(9):
        x = 60 + 14 * place
        letters += f"{x} 100 m {x} 114 l {x + 3} 114 l {x + 3} 108 l {x + 9} 114 l {x + 9} 100 l {x + 6} 100 l "
        letters += f"{x + 6} 108 l {x + 3} 104 l {x + 3} 100 l h f\n"
    layer, regions = regions_on(DrawnPage(show("Harbour office", 20, 260, 14) + letters))
    assert layer.trusted and layer.has_drawings
    (box,) = regions
    assert box[0] < 70 / 400 and box[2] > 180 / 400 and 0.55 < box[1] < box[3] < 0.75
