"""The media type of a file, detected from its content, never its name; unsupported formats are named in the error."""

from __future__ import annotations

from typing import Final

from pipelines.errors import ProcessingError

PDF: Final = "application/pdf"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
MEDIA_TYPES: Final = (PDF, PNG, JPEG, TIFF)

HEAD_BYTES = 1024
"""How much of a file `detect_media_type` reads at least: a PDF's header can be anywhere in the first 1024 bytes."""

PNG_SIGNATURE, JPEG_SIGNATURE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"

_IMAGE_SIGNATURES = (
    (PNG_SIGNATURE, PNG),
    (JPEG_SIGNATURE, JPEG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),  # BigTIFF
    (b"MM\x00+", TIFF),
)

_CONVERT_TO_PDF = "convert it to PDF first"
_CONVERT_TO_PNG = "convert it to PNG or JPEG first"
_UNPACK = "unpack it first"

_UNSUPPORTED_SIGNATURES = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office file (DOC, XLS, PPT or MSG)", _CONVERT_TO_PDF),
    (b"{\\rtf", "an RTF text", _CONVERT_TO_PDF),
    (b"%!PS", "PostScript", "convert it to PDF first, for example with ps2pdf"),
    (b"AT&TFORM", "DjVu", _CONVERT_TO_PDF),
    (b"GIF8", "a GIF image", _CONVERT_TO_PNG),
    (b"BM", "a BMP image", _CONVERT_TO_PNG),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image", _CONVERT_TO_PNG),
    (b"8BPS", "a Photoshop image", _CONVERT_TO_PNG),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ", "an xz archive", _UNPACK),
    (b"PAR1", "a Parquet file", ""),
)

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_CONTENTS = (
    (b"word/", "a Word document (DOCX)", _CONVERT_TO_PDF),
    (b"xl/", "an Excel workbook (XLSX)", _CONVERT_TO_PDF),
    (b"ppt/", "a PowerPoint presentation (PPTX)", _CONVERT_TO_PDF),
    (b"[Content_Types].xml", "a Microsoft Office document (DOCX, XLSX or PPTX)", _CONVERT_TO_PDF),
    (b"mimetypeapplication/vnd.oasis", "an OpenDocument file (ODT, ODS or ODP)", _CONVERT_TO_PDF),
    (b"mimetypeapplication/epub", "an EPUB book", _CONVERT_TO_PDF),
)


def detect_media_type(head: bytes) -> str:
    """The media type of a file from its first bytes (at least `HEAD_BYTES` of them, or the whole file).

    Returns:
        One of `MEDIA_TYPES`.

    Raises:
        ProcessingError: `empty` for no bytes; `unsupported` for other formats, naming the most likely one.
    """
    if not head:
        raise ProcessingError("empty", "The file has no bytes.")
    for signature, media_type in _IMAGE_SIGNATURES:
        if head.startswith(signature):
            return media_type
    if b"%PDF-" in head[:HEAD_BYTES] and not head.startswith(_ZIP):  # an archive can hold an uncompressed PDF
        return PDF
    looks_like, advice = _describe_unsupported(head[: 4 * HEAD_BYTES])
    suffix = f"; {advice}" if advice else ""
    raise ProcessingError("unsupported", f"Not a PDF, PNG, JPEG or TIFF: the content looks like {looks_like}{suffix}.")


def _describe_unsupported(head: bytes) -> tuple[str, str]:
    if head.startswith(_ZIP):
        for signature, name, advice in _ZIP_CONTENTS:
            if signature in head:
                return name, advice
        return "a ZIP archive", _UNPACK
    for signature, name, advice in _UNSUPPORTED_SIGNATURES:
        if head.startswith(signature):
            return name, advice
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP image", _CONVERT_TO_PNG
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"hevc"):
            return "a HEIC or AVIF image", _CONVERT_TO_PNG
        return "a video (MP4 or QuickTime)", ""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "an HTML page (perhaps an error or log-in page saved instead of the document)", ""
    if start.startswith(b"<"):
        return "XML", _CONVERT_TO_PDF
    if not head.strip(b"\x00"):
        return "zero bytes only (an upload or a copy that never finished)", ""
    if _is_text(head):
        return "plain text", _CONVERT_TO_PDF
    return "unknown binary data", ""


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # otherwise only the last character is truncated
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
