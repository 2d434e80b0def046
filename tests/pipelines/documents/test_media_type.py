"""Media types: detected from the first bytes; unsupported formats are named."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipelines.documents.media_type import BMP, GIF, HEIC, JPEG, JPEG2000, PDF, PNG, TIFF, WEBP, detect_media_type
from pipelines.errors import ProcessingError
from tests.drawn_pdf import DrawnPage, draw_pdf, show

ONE_PAGE = draw_pdf(DrawnPage(show("Hello", 50, 100)))


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    stored = io.BytesIO()
    image.save(stored, file_format, **options)
    return stored.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (ONE_PAGE, PDF),
        (b"\xef\xbb\xbf" + ONE_PAGE, PDF),
        (b"mail header\n" * 80 + ONE_PAGE, PDF),
        (encode(Image.new("RGB", (4, 4)), "PNG"), PNG),
        (encode(Image.new("RGB", (4, 4)), "JPEG"), JPEG),
        (encode(Image.new("L", (4, 4)), "TIFF"), TIFF),
        (b"MM\x00*" + bytes(20), TIFF),
        (encode(Image.new("L", (4, 4)), "TIFF", big_tiff=True), TIFF),
        (encode(Image.new("RGB", (4, 4)), "WEBP"), WEBP),
        (encode(Image.new("RGB", (4, 4)), "BMP"), BMP),
        (encode(Image.new("1", (4, 4)), "BMP"), BMP),
        (encode(Image.new("L", (4, 4)), "GIF"), GIF),
        (b"GIF87a" + bytes(10), GIF),
        (encode(Image.new("RGB", (4, 4)), "JPEG2000"), JPEG2000),
        (encode(Image.new("RGB", (4, 4)), "JPEG2000", no_jp2=True), JPEG2000),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", HEIC),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", HEIC),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", WEBP),
    ],
)
def test_the_type_is_detected_from_the_first_bytes(data: bytes, media_type: str) -> None:
    assert detect_media_type(data[:1024]) == media_type


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"\n<!DOCTYPE html><html><body>Log in", "HTML"),
        (b"<html><title>404", "HTML"),
        (b'<?xml version="1.0"?><invoice/>', "XML"),
        (b"PK\x03\x04\x14\x00" + bytes(20) + b"[Content_Types].xml" + bytes(50) + b"word/document.xml", "DOCX"),
        (b"PK\x03\x04\x14\x00" + bytes(20) + b"xl/workbook.xml", "XLSX"),
        (b"PK\x03\x04\x14\x00" + bytes(20) + b"scans/1.tif", "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old Microsoft Office"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1" + bytes(10), "AVIF"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp41" + bytes(10), "video"),
        (b"BMI of the patient: 23, weight and height as below", "plain text"),
        (b"{\\rtf1\\ansi", "RTF"),
        (b"%!PS-Adobe-3.0", "PostScript"),
        ("Dear Sir or Madam, \u00fcber".encode(), "plain text"),
        (bytes(4096), "zero bytes"),
        (bytes(range(7, 256)), "unknown binary data"),
    ],
)
def test_unsupported_formats_are_named(data: bytes, looks_like: str) -> None:
    with pytest.raises(ProcessingError, match=looks_like) as caught:
        detect_media_type(data)
    assert caught.value.kind == "unsupported"


def test_a_file_without_bytes_is_empty() -> None:
    with pytest.raises(ProcessingError) as caught:
        detect_media_type(b"")
    assert caught.value.kind == "empty"
