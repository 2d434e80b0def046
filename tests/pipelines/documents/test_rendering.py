"""Page images: upright, bounded, grey for OCR and small in colour for the model."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.documents.document import Document
from pipelines.documents.rendering import MAX_SIDE, PageSize, RenderOptions, page_size, render_grey, render_model_image
from pipelines.errors import ProcessingError
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.raw_pdf import page_objects, write_compressed_pdf, write_pdf

OPTIONS = RenderOptions()
needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler-utils is not installed")


def encode(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    stored = io.BytesIO()
    image.save(stored, file_format, **options)
    return stored.getvalue()


def grey_of(data: bytes, options: RenderOptions = OPTIONS) -> npt.NDArray[np.uint8]:
    with Document(data) as document:
        image = render_grey(document, 0, options)
        size = page_size(document, 0, options)
    assert image.mode == "L"
    assert image.size == (size.width, size.height)
    return np.asarray(image)


def model_image_of(data: bytes, options: RenderOptions = OPTIONS) -> npt.NDArray[np.uint8]:
    with Document(data) as document:
        image = render_model_image(document, 0, options)
    assert (image.shape, image.dtype) == ((3, 224, 224), np.uint8)
    return image


# Sizes


def test_the_size_of_a_pdf_page_follows_the_resolution() -> None:
    with Document(draw_pdf(DrawnPage(media_box=(0, 0, 612, 792)))) as document:
        assert page_size(document, 0, RenderOptions(dpi=200)) == PageSize(1700, 2200)
        assert page_size(document, 0, RenderOptions(dpi=72)) == PageSize(612, 792)


def test_the_size_is_that_of_the_crop_box_as_displayed() -> None:
    page = DrawnPage(media_box=(0, 0, 612, 792), crop_box=(100, 100, 172, 244), rotate=90)
    with Document(draw_pdf(page)) as document:
        assert page_size(document, 0, RenderOptions(dpi=100)) == PageSize(200, 100)


@pytest.mark.parametrize(
    ("entry", "unit"),
    [
        ("", 1),
        ("/UserUnit 10", 10),
        ("/UserUnit 2.5", 2.5),
        ("/UserUnit 0.5", 1),
        ("/UserUnit 0", 1),
        ("/UserUnit -3", 1),
        ("/UserUnit 1000000", 1),
        ("/UserUnit (ten)", 1),
        ("/UserUnits 10", 1),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_page_has_its_size_in_its_own_unit(entry: str, unit: float, compressed: bool) -> None:
    tree = page_objects("shed", page=f"/MediaBox [0 0 59 84] {entry}")
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", **tree}
    streams = {4: objects.pop(4)} if compressed else {}
    with Document(write_compressed_pdf(objects, streams) if compressed else write_pdf(objects)) as document:
        assert page_size(document, 0, RenderOptions(dpi=72)) == PageSize(round(59 * unit), round(84 * unit))
        image = render_grey(document, 0, RenderOptions(dpi=72))
        assert image.size == (round(59 * unit), round(84 * unit))


def test_each_page_has_a_unit_of_its_own() -> None:
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count 2 /Kids [3 0 R 4 0 R] /MediaBox [0 0 60 80] >>",
        3: b"<< /Type /Page /Parent 2 0 R >>",
        4: b"<< /Type /Page /Parent 2 0 R /UserUnit 3 >>",
    }
    with Document(write_pdf(objects)) as document:
        assert page_size(document, 0, RenderOptions(dpi=72)) == PageSize(60, 80)
        assert page_size(document, 1, RenderOptions(dpi=72)) == PageSize(180, 240)


@pytest.mark.parametrize("size", [(560, 7052), (1280, 7260), (7260, 900)])
def test_long_and_wide_images_keep_their_pixels(size: tuple[int, int]) -> None:
    assert grey_of(encode(Image.new("L", size, 255))).shape == size[::-1]


@pytest.mark.parametrize("side", [(14400, 14400), (612, 792), (1, 14400), (3000, 700)])
@pytest.mark.parametrize("max_pixels", [10_000, 1_000_000])
def test_no_page_image_has_more_pixels_than_allowed(side: tuple[int, int], max_pixels: int) -> None:
    options = RenderOptions(dpi=300, max_pixels=max_pixels)
    data = draw_pdf(DrawnPage(media_box=(0, 0, *side)))
    with Document(data) as document:
        size = page_size(document, 0, options)
    assert size.width * size.height <= max_pixels
    assert grey_of(data, options).size <= max_pixels
    if min(side) > 100:  # a very narrow page stays at least one pixel wide
        assert size.width * size.height >= 0.97 * max_pixels
        assert size.width / size.height == pytest.approx(side[0] / side[1], rel=0.02)


def test_no_side_is_longer_than_ocr_can_take() -> None:
    with Document(draw_pdf(DrawnPage(media_box=(0, 0, 20, 14400)))) as document:
        size = page_size(document, 0, RenderOptions(dpi=600))
    assert size.height == MAX_SIDE


def test_a_page_of_one_point_has_an_image() -> None:
    data = draw_pdf(DrawnPage(media_box=(0, 0, 1, 1)))
    assert grey_of(data, RenderOptions(dpi=10)).size >= 1
    assert model_image_of(data).min() == 255


def test_an_image_keeps_its_own_resolution() -> None:
    assert grey_of(encode(Image.new("L", (123, 45), 200))).shape == (45, 123)


def test_a_large_image_is_scaled_down() -> None:
    shape = grey_of(encode(Image.new("L", (400, 100), 200)), RenderOptions(max_pixels=10_000)).shape
    assert shape == (50, 200)


def test_a_fax_with_oblong_pixels_is_scaled_to_square_pixels() -> None:
    data = encode(Image.new("1", (204, 98), 1), "TIFF", dpi=(204, 98))
    assert grey_of(data).shape == (204, 204)


@pytest.mark.parametrize(
    "options", [{"dpi": 5}, {"dpi": 9999}, {"max_pixels": 10}, {"rasterizer": "ghostscript"}], ids=str
)
def test_invalid_options_are_rejected_by_name(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RenderOptions(**options)  # type: ignore[arg-type]


# Upright


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_rotated_page_is_rendered_as_a_viewer_shows_it(rotate: int) -> None:
    """The dark square at the top left of the unrotated page moves clockwise."""
    grey = grey_of(draw_pdf(DrawnPage("20 220 60 60 re f", rotate=rotate)), RenderOptions(dpi=72))
    assert grey.shape == ((300, 400) if rotate in (0, 180) else (400, 300))
    expected = {0: (20, 20), 90: (300 - 80, 20), 180: (400 - 80, 300 - 80), 270: (20, 400 - 80)}[rotate]
    rows, columns = np.nonzero(grey < 128)
    assert (columns.min(), rows.min()) == expected
    assert (columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min()) == (60, 60)


def test_the_exif_orientation_of_a_photo_is_applied(samples_directory: Path) -> None:
    data = (samples_directory / "receipt-photo.jpg").read_bytes()
    stored = Image.open(io.BytesIO(data))
    assert stored.size == (1800, 1080)
    grey = grey_of(data)
    assert grey.shape == (1800, 1080)
    rotated = np.asarray(stored.transpose(Image.Transpose.ROTATE_270).convert("L"))
    assert np.array_equal(grey, rotated)


# Colours and depths

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (16, 1))


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA")),
        *(("TIFF", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK", "YCbCr")),
    ],
)
def test_every_mode_becomes_grey_and_colour(file_format: str, mode: str) -> None:
    black_white = np.where(RAMP < 128, 0, 255).astype(np.uint8)
    image = Image.fromarray(black_white).convert("RGB").convert(mode)
    data = encode(image, file_format)
    assert np.abs(grey_of(data).astype(int) - black_white)[:, [0, 10, 50, 63]].max() <= 12
    model_image = model_image_of(data)
    assert model_image[:, :, :60].max() <= 25
    assert model_image[:, :, -60:].min() >= 230


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bits_are_reduced_to_8_without_clipping(file_format: str) -> None:
    image = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert np.abs(grey_of(encode(image, file_format)).astype(int) - RAMP).max() <= 1


def test_floating_point_levels_are_reduced_to_8_bits() -> None:
    grey = grey_of(encode(Image.fromarray((RAMP / 255).astype(np.float32)), "TIFF"))
    assert np.abs(grey.astype(int) - RAMP).max() <= 1


def test_transparent_pixels_become_white() -> None:
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 20, 20))
    grey = grey_of(encode(image))
    assert (grey[:, :20] == 0).all() and (grey[:, 20:] == 255).all()
    assert model_image_of(encode(image))[:, :, -50:].min() == 255


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (40, 20), 1)
    image.putpalette([0, 0, 0, 60, 60, 60])
    image.paste(0, (0, 0, 20, 20))
    grey = grey_of(encode(image, transparency=1))
    assert (grey[:, :20] == 0).all() and (grey[:, 20:] == 255).all()


def test_the_channels_of_the_model_image_are_blue_green_red() -> None:
    image = Image.new("RGB", (50, 50), (250, 130, 10))
    assert model_image_of(encode(image))[:, 100, 100].tolist() == [10, 130, 250]
    content = "1 0.5 0 rg 0 0 400 300 re f"
    assert model_image_of(draw_pdf(DrawnPage(content)))[:, 100, 100].tolist() == pytest.approx([0, 128, 255], abs=1)


def test_the_model_image_of_an_image_is_a_plain_bilinear_resize() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (500, 300, 3), np.uint8)
    plain = np.asarray(Image.fromarray(noise).resize((224, 224), Image.Resampling.BILINEAR))
    assert np.array_equal(model_image_of(encode(Image.fromarray(noise))), plain.transpose(2, 0, 1)[::-1])


# PDFs


@pytest.mark.parametrize("name", ["supplier-form.pdf", "supplier-form-scanned.pdf", "delivery-schedule-rotated.pdf"])
def test_the_model_image_of_a_pdf_is_close_to_one_from_full_resolution(samples_directory: Path, name: str) -> None:
    with Document((samples_directory / name).read_bytes()) as document:
        model_image = render_model_image(document, 0, OPTIONS).astype(float)
        full = render_grey(document, 0, OPTIONS).resize((224, 224), Image.Resampling.BILINEAR)
    blue, green, red = model_image
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(grey - np.asarray(full, float)).mean() < 3


def test_a_grey_page_equals_the_colour_page_in_grey(samples_directory: Path) -> None:
    with Document((samples_directory / "supplier-form.pdf").read_bytes()) as document:
        grey = np.asarray(render_grey(document, 0, OPTIONS), float)
        colour = document.pdf_page(0).render(scale=200 / 72).to_pil().convert("L")
    assert np.abs(grey - np.asarray(colour, float)).mean() < 1.5


def test_the_content_of_form_fields_is_rendered() -> None:
    empty = grey_of(draw_pdf(DrawnPage(show("Name:", 20, 108))))
    filled = grey_of(draw_pdf(DrawnPage(show("Name:", 20, 108), field_value="Ferdinand")))
    field = np.s_[empty.shape[0] * 170 // 300 : empty.shape[0] * 200 // 300, empty.shape[1] // 4 :]
    assert empty[field].min() == 255
    assert (filled[field] < 128).sum() > 200


def test_rendering_the_model_image_does_not_change_the_page() -> None:
    with Document(draw_pdf(DrawnPage(show("Hello", 50, 100)))) as document:
        before = np.asarray(render_grey(document, 0, OPTIONS))
        render_model_image(document, 0, OPTIONS)
        assert np.array_equal(np.asarray(render_grey(document, 0, OPTIONS)), before)


def test_a_damaged_image_is_unreadable() -> None:
    data = encode(Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)), "JPEG")
    with Document(data[: len(data) // 2]) as document, pytest.raises(ProcessingError) as caught:
        render_grey(document, 0, OPTIONS)
    assert caught.value.kind == "unreadable"


# pdf2image


@needs_poppler
@pytest.mark.parametrize("rotate", [0, 90])
@pytest.mark.parametrize("crop_box", [None, (50, 40, 351, 281)])
def test_pdf2image_renders_the_same_image(rotate: int, crop_box: tuple[float, float, float, float] | None) -> None:
    page = DrawnPage("60 200 80 60 re f 0.5 g 200 60 m 300 60 l 250 200 l f", crop_box=crop_box, rotate=rotate)
    data = draw_pdf(page)
    ours = grey_of(data)
    theirs = grey_of(data, RenderOptions(rasterizer="pdf2image"))
    assert theirs.shape == ours.shape
    assert np.abs(ours.astype(float) - theirs).mean() < 1
    difference = model_image_of(data).astype(float) - model_image_of(data, RenderOptions(rasterizer="pdf2image"))
    assert np.abs(difference).mean() < 1


@needs_poppler
def test_pdf2image_renders_the_requested_page(samples_directory: Path) -> None:
    with Document((samples_directory / "supplier-form-scanned.pdf").read_bytes()) as document:
        for index in (2, 0):
            ours, theirs = (
                np.asarray(render_grey(document, index, RenderOptions(rasterizer=name)).resize((85, 110)), float)
                for name in ("pdfium", "pdf2image")
            )
            assert np.abs(ours - theirs).mean() < 1.5


def test_without_pdftoppm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with Document(draw_pdf(DrawnPage())) as document, pytest.raises(ProcessingError, match="poppler-utils"):
        render_grey(document, 0, RenderOptions(rasterizer="pdf2image"))
