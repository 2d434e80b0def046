"""Files that are not what their names say."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile

from PIL import Image

from pipelines.errors import ErrorKind
from tests.hostile.hostile_file import HostileFile
from tests.hostile.raw_pdf import good_page, write_pdf


def _encoded(file_format: str) -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(stored, file_format)
    return stored.getvalue()


def _zip(*members: tuple[str, bytes]) -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    return stored.getvalue()


def _pdf(word: str) -> bytes:
    return write_pdf(good_page(word))


def _docx() -> bytes:
    document = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'
    return _zip(("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document))


def _random_bytes(count: int) -> bytes:
    return random.Random(4).randbytes(count)


HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Your session has ended.</body></html>\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40"/></svg>'


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


HEIC = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + _box(b"mdat", bytes(64))


def _refused(name: str, data: bytes, why: str, kind: ErrorKind = "unsupported") -> HostileFile:
    return HostileFile(name, lambda: data, why, document_error=kind)


def wrong_type_files() -> list[HostileFile]:
    """Empty files, other formats under the names of ours, and ours under the names of others."""
    return [
        _refused("empty.pdf", b"", "no bytes: an upload that failed", "empty"),
        _refused("empty.tiff", b"", "no bytes under an image's name", "empty"),
        _refused("one-byte.pdf", b"%", "one byte"),
        _refused("zeros.pdf", bytes(100_000), "zero bytes only: a copy that never finished"),
        _refused("random-bytes.pdf", _random_bytes(50_000), "noise"),
        _refused(
            "random-behind-header.pdf",
            b"%PDF-1.7\n" + _random_bytes(50_000),
            "a PDF's first line and noise",
            "unreadable",
        ),
        _refused("header-only.pdf", b"%PDF-1.7\n", "a PDF's first line alone", "unreadable"),
        _refused("header-far-in.pdf", b"\n" * 5000 + _pdf("far"), "a PDF behind 5,000 bytes of something else"),
        _refused("sign-in-page.pdf", HTML, "a web page saved in the document's place"),
        _refused("word-document.pdf", _docx(), "a DOCX renamed"),
        _refused("archive.pdf", _zip(("scan.jpg", _encoded("JPEG"))), "a ZIP renamed"),
        _refused(
            "archive-of-pdfs.pdf",
            _zip(("a.pdf", _pdf("First")), ("b.pdf", _pdf("Second"))),
            "a ZIP whose PDFs are stored as they are: opened as one of them, it silently loses the others",
        ),
        _refused("packed.pdf", gzip.compress(_pdf("packed"), mtime=0), "a PDF that is still compressed"),
        HostileFile("gif.png", lambda: _encoded("GIF"), "a GIF renamed: it is read all the same", pages=1),
        HostileFile("webp.png", lambda: _encoded("WEBP"), "a WebP renamed: it is read all the same", pages=1),
        HostileFile("bmp.png", lambda: _encoded("BMP"), "a BMP renamed: it is read all the same", pages=1),
        _refused("svg.png", SVG, "an SVG renamed"),
        _refused("heic.jpg", HEIC, "a telephone's HEIC renamed, without its image", "unreadable"),
        _refused("avif.jpg", _encoded("AVIF"), "an AVIF renamed"),
        HostileFile("jpeg2000.jpg", lambda: _encoded("JPEG2000"), "a JPEG 2000 renamed: it is read", pages=1),
        _refused("icon.png", _encoded("ICO"), "a Windows icon that holds a PNG"),
        HostileFile(
            "jpeg.pdf", lambda: _encoded("JPEG"), "a JPEG under a PDF's name: it is read all the same", pages=1
        ),
        HostileFile(
            "pdf.png",
            lambda: _pdf("Renamed"),
            "a PDF under an image's name: it is read all the same",
            pages=1,
            words={0: "Renamed"},
        ),
        HostileFile(
            "mail-before-header.pdf",
            lambda: b"Content-Type: application/pdf\r\n\r\n" + _pdf("Mailed"),
            "a PDF behind a mail's header: all its offsets are shifted",
            pages=1,
            words={0: "Mailed"},
        ),
        HostileFile(
            "bytes-behind-end.pdf",
            lambda: _pdf("Trailing") + bytes(20_000) + _random_bytes(20_000),
            "a PDF with 40 kB of something else behind its end",
            pages=1,
            words={0: "Trailing"},
        ),
    ]
