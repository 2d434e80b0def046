"""The media type of a file, detected from its content, never its name; unsupported formats are named in the error."""

from __future__ import annotations

from typing import Final

from pipelines.errors import ProcessingError

PDF: Final = "application/pdf"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
WEBP: Final = "image/webp"
BMP: Final = "image/bmp"
GIF: Final = "image/gif"
JPEG2000: Final = "image/jp2"
HEIC: Final = "image/heic"
MEDIA_TYPES: Final = (PDF, PNG, JPEG, TIFF, WEBP, BMP, GIF, JPEG2000, HEIC)
SEVERAL_PAGES: Final = (PDF, TIFF, WEBP, GIF, HEIC)
"""Media types whose files can have more than one page."""

FILE_EXTENSIONS: Final = {
    "pdf": PDF,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "tif": TIFF,
    "tiff": TIFF,
    "webp": WEBP,
    "bmp": BMP,
    "gif": GIF,
    "jp2": JPEG2000,
    "j2k": JPEG2000,
    "heic": HEIC,
    "heif": HEIC,
}
"""Media types by the usual extensions, in lower case: for what is chosen by name before it is opened."""

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
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51\x00", JPEG2000),  # a codestream without a container
)

_BMP_HEADER_BYTES = (12, 16, 40, 52, 56, 64, 108, 124)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")

_CONVERT_TO_PDF = "convert it to PDF first"
_CONVERT_TO_PNG = "convert it to PNG or JPEG first"
_UNPACK = "unpack it first"
_NOT_READ = "Not a PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000 or HEIC file"

_UNSUPPORTED_SIGNATURES = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office file (DOC, XLS, PPT or MSG)", _CONVERT_TO_PDF),
    (b"{\\rtf", "an RTF text", _CONVERT_TO_PDF),
    (b"%!PS", "PostScript", "convert it to PDF first, for example with ps2pdf"),
    (b"AT&TFORM", "DjVu", _CONVERT_TO_PDF),
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
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES:
        return BMP
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if any(brand in _HEIC_BRANDS for brand in _brands(head)):
        return HEIC
    if b"%PDF-" in head[:HEAD_BYTES] and not head.startswith(_ZIP):  # an archive can hold an uncompressed PDF
        return PDF
    looks_like, advice = _describe_unsupported(head[: 4 * HEAD_BYTES])
    suffix = f"; {advice}" if advice else ""
    raise ProcessingError("unsupported", f"{_NOT_READ}: the content looks like {looks_like}{suffix}.")


def _describe_unsupported(head: bytes) -> tuple[str, str]:
    if head.startswith(_ZIP):
        for signature, name, advice in _ZIP_CONTENTS:
            if signature in head:
                return name, advice
        return "a ZIP archive", _UNPACK
    for signature, name, advice in _UNSUPPORTED_SIGNATURES:
        if head.startswith(signature):
            return name, advice
    brands = _brands(head)
    if brands:
        if any(brand in (b"avif", b"avis", b"mif1", b"msf1") for brand in brands):
            return "an AVIF image", _CONVERT_TO_PNG
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


def _brands(head: bytes) -> list[bytes]:
    """The brands of an ISO media file (ISO 14496-12, section 4.3): what its content is, the major one first."""
    if head[4:8] != b"ftyp":
        return []
    end = min(len(head), int.from_bytes(head[:4], "big"))
    return [head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))]


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # otherwise only the last character is truncated
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
