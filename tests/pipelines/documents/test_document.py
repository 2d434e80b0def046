"""Documents: recognized by their content, opened once, and rejected with a clear message if they cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipelines.documents.document import Document
from pipelines.documents.media_type import JPEG, PDF, PNG, TIFF
from pipelines.errors import ProcessingError
from tests.drawn_pdf import DrawnPage, draw_pdf, show


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    stored = io.BytesIO()
    image.save(stored, file_format, **options)
    return stored.getvalue()


ONE_PAGE = draw_pdf(DrawnPage(show("Hello", 50, 100)))


def test_a_pdf_counts_its_pages() -> None:
    with Document(draw_pdf(*[DrawnPage()] * 7)) as document:
        assert (document.media_type, document.page_count) == (PDF, 7)


def test_a_pdf_behind_other_bytes_opens() -> None:
    with Document(b"junk\n" * 20 + ONE_PAGE) as document:
        assert document.page_count == 1


def test_a_pdf_without_pages_is_empty_even_after_the_error_of_another_pdf() -> None:
    with pytest.raises(ProcessingError, match="damaged"):
        Document(b"%PDF-1.7 and no more")
    with pytest.raises(ProcessingError, match="no pages") as caught:
        Document(draw_pdf())
    assert caught.value.kind == "empty"


def test_a_pdf_with_a_password_is_encrypted(samples_directory: Path) -> None:
    with pytest.raises(ProcessingError, match="password") as caught:
        Document((samples_directory / "form-with-password.pdf").read_bytes())
    assert caught.value.kind == "encrypted"


def test_an_owner_password_alone_does_not_matter(fixtures_directory: Path) -> None:
    with Document((fixtures_directory / "owner-password.pdf").read_bytes()) as document:
        assert document.page_count == 1


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_truncated_pdf_is_unreadable(samples_directory: Path, share: float) -> None:
    data = (samples_directory / "services-agreement.pdf").read_bytes()
    with pytest.raises(ProcessingError) as caught:
        Document(data[: int(len(data) * share)])
    assert caught.value.kind == "unreadable"


def test_the_truncated_sample_is_unreadable(samples_directory: Path) -> None:
    with pytest.raises(ProcessingError) as caught:
        Document((samples_directory / "agreement-cut-short.pdf").read_bytes())
    assert caught.value.kind == "unreadable"


def test_the_frames_of_a_tiff_are_its_pages() -> None:
    frames = [Image.new("L", (30 + 10 * index, 20), 50 * index) for index in range(5)]
    with Document(encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])) as document:
        assert document.page_count == 5
        for index in (4, 0, 2, 2, 1, 3):
            assert document.frame_size(index) == (30 + 10 * index, 20)
            assert document.frame(index).getpixel((3, 3)) == 50 * index


def test_a_frame_is_unchanged_when_another_is_read() -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    with Document(encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])) as document:
        first = document.frame(0)
        document.frame(1)
        assert first.getpixel((0, 0)) == 10


def test_an_animated_png_is_one_page() -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    with Document(encode(frames[0], "PNG", save_all=True, append_images=frames[1:])) as document:
        assert document.page_count == 1


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_images_orientation_is_applied(file_format: str, orientation: int) -> None:
    """An image with one dark corner, stored in each of the eight orientations, always has the same upright frame."""
    upright = Image.new("L", (48, 32), 255)
    upright.paste(0, (0, 0, 16, 8))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"tiffinfo": {274: orientation}} if file_format == "TIFF" else {"exif": exif}
    with Document(encode(stored, file_format, **options)) as document:
        assert document.frame_size(0) == (48, 32)
        seen = np.asarray(document.frame(0).convert("L"))
    assert seen.shape == (32, 48)
    assert np.abs(seen.astype(int) - np.asarray(upright)).max() < 60
    assert document.page_count == 1


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_orientation_in_a_text_chunk_is_applied_and_large_text_chunks_are_not_read(is_packed: bool) -> None:
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'
    chunks = PngInfo()
    chunks.add_text("Comment", "x" * 70_000_000)
    chunks.add_itxt("XML:com.adobe.xmp", xmp, zip=is_packed)
    with Document(encode(Image.new("L", (48, 32)), "PNG", pnginfo=chunks)) as document:
        assert document.frame_size(0) == document.frame(0).size == (32, 48)


def test_an_image_with_a_decompression_bomb_in_a_text_chunk_opens() -> None:
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", " " * 50_000_000, zip=True)
    with Document(encode(Image.new("L", (48, 32)), "PNG", pnginfo=chunks)) as document:
        assert document.frame(0).size == (48, 32)


@pytest.mark.parametrize("compression", ["raw", "group4", "tiff_lzw", "jpeg"])
def test_a_damaged_first_directory_does_not_affect_other_frames(compression: str, tmp_path: Path) -> None:
    frames = [Image.new("1" if compression == "group4" else "L", (64, 32), 1) for _ in range(3)]
    data = bytearray(encode(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression=compression))
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 : first + 2 + 12 * entries] = b"\xff" * (12 * entries)
    path = tmp_path / "broken.tiff"
    path.write_bytes(data)
    with Document(path) as document:
        assert document.page_count == 3
        with pytest.raises(ProcessingError, match="damaged"):
            document.frame(0)
        assert [document.frame(index).size for index in (1, 2)] == [(64, 32)] * 2


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF"])
def test_a_truncated_image_is_unreadable(file_format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8))
    data = encode(noise, file_format)
    with pytest.raises(ProcessingError) as caught, Document(data[: len(data) // 2]) as document:
        document.frame(0)
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\x00\x08\x00\x00\x00"])
def test_an_image_with_only_a_header_is_unreadable(head: bytes) -> None:
    with pytest.raises(ProcessingError) as caught, Document(head + b"\x01\x02\x03") as document:
        document.frame(0)
    assert caught.value.kind == "unreadable"


def test_an_image_with_too_many_pixels_is_rejected_before_it_is_decoded() -> None:
    data = encode(Image.new("1", (3000, 2000)), "PNG")
    with Document(data, max_image_pixels=6_000_000) as document:
        assert document.frame(0).size == (3000, 2000)
    with Document(data, max_image_pixels=5_999_999) as document:
        with pytest.raises(ProcessingError, match="3000 x 2000") as caught:
            document.frame_size(0)
        assert caught.value.kind == "too_large"


def test_a_page_that_does_not_exist_is_an_index_error() -> None:
    with Document(ONE_PAGE) as document:
        for index in (1, -1):
            with pytest.raises(IndexError, match="1 pages"):
                document.pdf_page(index)


def test_a_damaged_page_does_not_affect_the_others() -> None:
    data = draw_pdf(DrawnPage(show("First", 50, 100)), DrawnPage(show("Second", 50, 100)))
    broken = data.replace(b"/Kids [5 0 R", b"/Kids [9 9 R", 1)
    with Document(broken) as document:
        assert document.page_count == 2
        with pytest.raises(ProcessingError, match="Page 1 of 2") as caught:
            document.pdf_page(0)
        assert caught.value.kind == "unreadable"
        assert document.pdf_page(1).get_textpage().get_text_range() == "Second"


def test_the_temporary_file_is_deleted_with_the_document() -> None:
    with Document(ONE_PAGE) as document:
        path = document.path()
        assert path.read_bytes() == ONE_PAGE
        assert document.path() == path
    assert not path.exists()


def test_closing_twice_does_nothing() -> None:
    document = Document(ONE_PAGE)
    document.pdf_page(0)
    document.close()
    document.close()
    with pytest.raises(TypeError, match="closed"):
        document.pdf_page(0)


@pytest.mark.parametrize(
    ("name", "media_type", "pages"),
    [
        ("supplier-form.pdf", PDF, 3),
        ("supplier-form-scanned.pdf", PDF, 4),
        ("receipt-photo.jpg", JPEG, 1),
        ("fax-two-pages.tiff", TIFF, 2),
        ("invoice.png", PNG, 1),
        ("annual-report.pdf", PDF, 30),
        ("delivery-schedule-rotated.pdf", PDF, 1),
        ("services-agreement.pdf", PDF, 4),
    ],
)
def test_the_samples_open(samples_directory: Path, name: str, media_type: str, pages: int) -> None:
    with Document((samples_directory / name).read_bytes()) as document:
        assert (document.media_type, document.page_count) == (media_type, pages)
