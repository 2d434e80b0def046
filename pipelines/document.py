"""One document's bytes: what kind they are, how many pages they hold, and one page of them at a time.

The type is told by content, never by name. PDFs are opened by PDFium, images by Pillow; a TIFF's frames are its
pages, while a JPEG or PNG is one page even where it carries previews or an animation.

PDFium is not thread-safe: a process works on documents from one thread. Nothing here guards against input that hangs
or crashes a parser; that is the business of the process around it.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Final

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin

from pipelines.page import PageError
from pipelines.png_chunks import without_comments
from pipelines.tiff_directory import TiffDirectories, open_frame, read_directories

PDF: Final = "application/pdf"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
MEDIA_TYPES: Final = (PDF, PNG, JPEG, TIFF)

HEAD_BYTES = 1024
"""As much of a file as `detect_media_type` looks at: a PDF's header may stand anywhere within the first 1024 bytes."""

MAX_IMAGE_PIXELS = 178_000_000
"""Default limit for one image file's frame: A4 at 1200 dpi is 139 million. Pillow itself refuses a little above."""

_IMAGE_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
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

_DRAWN_ANNOTATIONS = (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)


def detect_media_type(head: bytes) -> str:
    """The media type of a file from its first bytes (at least `HEAD_BYTES` of them, or the whole file).

    Returns:
        One of `MEDIA_TYPES`.

    Raises:
        PageError: `empty` for no bytes at all; `unsupported` for anything else, saying what it looks like.
    """
    if not head:
        raise PageError("empty", "The file has no bytes.")
    for signature, media_type in _IMAGE_SIGNATURES:
        if head.startswith(signature):
            return media_type
    if b"%PDF-" in head[:HEAD_BYTES] and not head.startswith(_ZIP):  # an archive may hold a PDF as it is
        return PDF
    looks_like, way_out = _describe_unsupported(head[: 4 * HEAD_BYTES])
    advice = f"; {way_out}" if way_out else ""
    raise PageError("unsupported", f"Not a PDF, PNG, JPEG or TIFF: the content looks like {looks_like}{advice}.")


def _describe_unsupported(head: bytes) -> tuple[str, str]:
    if head.startswith(_ZIP):
        for mark, name, way_out in _ZIP_CONTENTS:
            if mark in head:
                return name, way_out
        return "a ZIP archive", _UNPACK
    for signature, name, way_out in _UNSUPPORTED_SIGNATURES:
        if head.startswith(signature):
            return name, way_out
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP image", _CONVERT_TO_PNG
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"hevc"):
            return "a HEIC or AVIF image", _CONVERT_TO_PNG
        return "a video (MP4 or QuickTime)", ""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "an HTML page (an error or log-in page, perhaps, saved in the document's place)", ""
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
        if error.start < len(head) - 3:  # else only the last character is cut
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)


class Document:
    """A document that is opened once and gives one page after the other. A context manager.

    The page read last stays open, so asking for its text layer, its size and its image costs one parse.

    Attributes:
        media_type: one of `MEDIA_TYPES`, told by content.
        page_count: at least 1; frames of a TIFF, pages of a PDF.
    """

    media_type: str
    page_count: int

    def __init__(self, source: bytes | Path, *, max_image_pixels: int = MAX_IMAGE_PIXELS) -> None:
        """Opens a file, or the whole content of one.

        Args:
            source: of a path, no more is read than the pages that are asked for need; it must stay as it is meanwhile.
            max_image_pixels: an image file whose frame has more pixels is refused before it is decoded.

        Raises:
            PageError: `empty`, `unsupported`, `encrypted` (a password is needed to read; an owner password alone
                does not matter), `unreadable` (broken), or `too_large`.
        """
        self.media_type = detect_media_type(_head(source))
        self._source = source
        self._max_image_pixels = max_image_pixels
        self._pdf: pypdfium2.PdfDocument | None = None
        self._directories: TiffDirectories | None = None
        self._image: tuple[int, Image.Image] | None = None
        self._page: tuple[int, pypdfium2.PdfPage] | None = None
        self._frame: tuple[int, Image.Image] | None = None
        self._file: tempfile._TemporaryFileWrapper[bytes] | None = None
        if self.media_type == PDF:
            self._pdf = _open_pdf(source)
            self.page_count = len(self._pdf)
            _check_page_count(self.page_count, source)
            # Fields without a stored appearance get one only with the form environment up.
            if self._pdf.get_formtype() != pdfium.FORMTYPE_NONE:
                self._pdf.init_forms()
        elif self.media_type == TIFF:
            self._directories = _read_directories(source)
            self.page_count = len(self._directories.places)
        else:
            self._image = 0, _open_image(source, self.media_type)
            self.page_count = 1

    def __enter__(self) -> Document:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees what the document holds; closing twice does nothing."""
        self._close_page()
        if self._pdf is not None:
            self._pdf.close()
            self._pdf = None
        self._close_image()
        self._directories = None
        self._frame = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def pdf_page(self, page_index: int) -> pypdfium2.PdfPage:
        """A PDF's page, parsed, with what is filled into form fields and written in stamps made part of it.

        The page belongs to the document and is closed when another one is asked for.

        Raises:
            PageError: `unreadable` where this page is broken.
            IndexError: there is no such page.
            TypeError: the document is an image.
        """
        if self._pdf is None:
            raise TypeError(f"{self.media_type} has no PDF pages, or the document is closed")
        self._check_index(page_index)
        if self._page is not None and self._page[0] == page_index:
            return self._page[1]
        self._close_page()
        page = self._load_page(self._pdf, page_index)
        if _has_drawn_annotations(page) and pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == 1:
            # Neither the text page nor the renderer sees form fields otherwise. Flattening shows after a reload.
            page.close()
            page = self._load_page(self._pdf, page_index)
        self._page = page_index, page
        return page

    def frame_size(self, page_index: int) -> tuple[int, int]:
        """Width and height in pixels of an image's frame, upright as its EXIF orientation wants it; decodes nothing.

        Raises:
            PageError: `too_large` or `unreadable`.
        """
        image = self._seek(page_index)
        width, height = image.size
        # Pillow turns the frames of a TIFF, and reports them turned, by itself.
        if self.media_type != TIFF and _orientation(image) in (5, 6, 7, 8):
            return height, width
        return width, height

    def frame_resolution(self, page_index: int) -> tuple[float, float] | None:
        """Horizontal and vertical resolution that an image states, upright, in dots per inch, or None."""
        image = self._seek(page_index)
        try:
            horizontal, vertical = (float(value) for value in image.info["dpi"])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        if not (1 <= horizontal <= 10_000 and 1 <= vertical <= 10_000):
            return None
        return (vertical, horizontal) if _orientation(image) in (5, 6, 7, 8) else (horizontal, vertical)

    def frame(self, page_index: int) -> Image.Image:
        """An image's frame, decoded and upright, in the mode it is stored in. Not to be changed in place.

        Raises:
            PageError: `too_large` or `unreadable`.
            IndexError: there is no such frame.
            TypeError: the document is a PDF.
        """
        if self._frame is not None and self._frame[0] == page_index:
            return self._frame[1]
        self._frame = None
        image = self._seek(page_index)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image.load()
                upright = ImageOps.exif_transpose(image)
        except MemoryError:
            raise
        except Exception as error:  # a decoder's own errors are of many types
            message = f"The image is damaged or cut short and cannot be decoded: {_reason(error)}"
            raise PageError("unreadable", message) from error
        self._frame = page_index, upright
        return upright

    def path(self) -> Path:
        """The document's file, for programs that want one; if there was none it is deleted when this is closed."""
        if isinstance(self._source, Path):
            return self._source
        if self._file is None:
            self._file = tempfile.NamedTemporaryFile(prefix="document-", suffix=".pdf")  # noqa: SIM115
            self._file.write(self._source)
            self._file.flush()
        return Path(self._file.name)

    def _check_index(self, page_index: int) -> None:
        if not 0 <= page_index < self.page_count:
            raise IndexError(f"page index {page_index} of a document with {self.page_count} pages")

    def _close_page(self) -> None:
        if self._page is not None:
            self._page[1].close()
            self._page = None

    def _load_page(self, pdf: pypdfium2.PdfDocument, page_index: int) -> pypdfium2.PdfPage:
        try:
            return pdf[page_index]
        except pypdfium2.PdfiumError as error:
            message = f"Page {page_index + 1} of {self.page_count} is damaged: PDFium cannot load it."
            raise PageError("unreadable", message) from error

    def _close_image(self) -> None:
        if self._image is not None:
            image = self._image[1]
            file = getattr(image, "fp", None)
            image.close()
            if file is not None:  # Pillow leaves open what it was given open
                file.close()
            self._image = None

    def _seek(self, page_index: int) -> Image.Image:
        if self._image is None and self._directories is None:
            raise TypeError(f"{self.media_type} has no image frames, or the document is closed")
        self._check_index(page_index)
        if self._image is None or self._image[0] != page_index:
            assert self._directories is not None, "an image of another type has one frame"
            self._close_image()
            self._image = page_index, self._open_frame(self._directories, page_index)
        image = self._image[1]
        width, height = image.size
        if width * height > self._max_image_pixels:
            raise _too_large(f"{width} x {height} pixels, and the limit is {self._max_image_pixels:,}")
        return image

    def _open_frame(self, directories: TiffDirectories, page_index: int) -> Image.Image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame = open_frame(self._source, directories, page_index)
        except Image.DecompressionBombError as error:
            raise _too_large(str(error)) from error
        except MemoryError:
            raise
        except Exception as error:
            raise PageError("unreadable", f"Frame {page_index + 1} is damaged: {_reason(error)}") from error
        if not (frame.width and frame.height):
            raise PageError("unreadable", f"Frame {page_index + 1} is damaged: it has no size")
        return frame


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[: 4 * HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(4 * HEAD_BYTES)


def _open_pdf(source: bytes | Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if _opens(source):  # then it is refused for having no pages, and the code is that of an earlier file
            raise PageError("empty", "The PDF has no pages.") from error
        code = error.err_code
        if code == pdfium.FPDF_ERR_PASSWORD:
            message = "The PDF wants a password before it can be read; save a copy without one, for example with qpdf."
            raise PageError("encrypted", message) from error
        if code == pdfium.FPDF_ERR_SECURITY:
            message = "The PDF is encrypted in a way that PDFium does not know; save a copy without encryption."
            raise PageError("encrypted", message) from error
        message = "The PDF is damaged or cut short: PDFium cannot open it; try the original, or a repair with qpdf."
        raise PageError("unreadable", message) from error


def _opens(source: bytes | Path) -> bool:
    if isinstance(source, bytes):
        handle = pdfium.FPDF_LoadMemDocument64(source, len(source), None)
    else:
        handle = pdfium.FPDF_LoadDocument(os.fsencode(source) + b"\x00", None)
    if handle:
        pdfium.FPDF_CloseDocument(handle)
    return bool(handle)


def _open_image(source: bytes | Path, media_type: str) -> Image.Image:
    opened: Image.Image
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images and of odd metadata; the limit here is checked by ourselves.
            warnings.simplefilter("ignore")
            if media_type == PNG:
                opened = PngImagePlugin.PngImageFile(without_comments(source))
            else:
                opened = JpegImagePlugin.JpegImageFile(source if isinstance(source, Path) else io.BytesIO(source))
    except MemoryError:
        raise
    except Exception as error:
        raise PageError("unreadable", f"The image is damaged or cut short: {_reason(error)}") from error
    return opened


def _read_directories(source: bytes | Path) -> TiffDirectories:
    try:
        return read_directories(source)
    except ValueError as error:
        raise PageError("unreadable", f"The TIFF is damaged or cut short: {error}.") from error


def _check_page_count(count: int, source: bytes | Path) -> None:
    """A page takes a few bytes at least: a count beyond that is made up, and would be as many failed rows."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if count > size:
        message = (
            f"The PDF says that it has {count:,} pages, in {size:,} bytes; try the original, or a repair with qpdf."
        )
        raise PageError("unreadable", message)


def _orientation(image: Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(image.getexif().get(0x0112, 1))
    except Exception:  # metadata is not worth a page
        return 1


def _has_drawn_annotations(page: pypdfium2.PdfPage) -> bool:
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in _DRAWN_ANNOTATIONS:
            return True
    return False


def _too_large(what: str) -> PageError:
    return PageError("too_large", f"The image has too many pixels ({what}); scale it down, or raise the limit.")


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
