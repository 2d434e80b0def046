"""A document: its media type, its number of pages, and access to one page at a time.

The type is detected from the content, never from the name. PDFium opens PDFs, Pillow opens images; the frames of a
TIFF, GIF, WebP or HEIC are its pages, while any other image is one page even if it contains previews or an animation.

PDFium is not thread-safe: a process must use documents from one thread. Nothing here guards against input that hangs or
crashes a parser; the sandbox does that.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageOps

from pipelines.documents.annotations import has_annotation
from pipelines.documents.check_boxes import CheckBox, form_check_boxes
from pipelines.documents.containers import check_container
from pipelines.documents.form_fields import FormField, page_form_fields
from pipelines.documents.image_files import check_pixels, count_frames, open_image, reason, too_large
from pipelines.documents.media_type import HEAD_BYTES, PDF, TIFF, detect_media_type
from pipelines.documents.pdf_objects import mentions, user_unit
from pipelines.documents.tiff import TiffDirectories, open_frame, read_directories
from pipelines.errors import ProcessingError

MAX_IMAGE_PIXELS = 178_000_000
"""Default limit of one frame of an image file: A4 at 1200 dpi is 139 million. Pillow's own limit is slightly higher."""

_DAMAGED_PDF = "The PDF is damaged or truncated: PDFium cannot open it; try the original, or repair it with qpdf."
_DRAWN_ANNOTATIONS = (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)


class Document:
    """A document that is opened once and read page by page. A context manager.

    The last page stays open, so that its text layer, its size and its image cost one parse.

    Attributes:
        media_type: one of `MEDIA_TYPES`, detected from the content.
        page_count: at least 1; pages of a PDF, frames of an image.
    """

    media_type: str
    page_count: int

    def __init__(
        self, source: bytes | Path, *, max_image_pixels: int = MAX_IMAGE_PIXELS, passwords: Sequence[str] = ()
    ) -> None:
        """Open a file, or the whole content of one.

        Args:
            source: a path or the content. A file is read only as far as the requested pages need; it must not change
                meanwhile.
            max_image_pixels: a frame of an image file with more pixels is rejected before it is decoded.
            passwords: tried in turn on a PDF that needs one.

        Raises:
            ProcessingError: `empty`, `unsupported` (also pages that are only a stand-in), `encrypted` (reading needs a
                password; an owner password alone does not matter), `unreadable` (damaged), or `too_large`.
        """
        self.media_type = detect_media_type(_head(source))
        self._source = source
        self._is_closed = False
        self._has_password = False
        self._mentions_unit: bool | None = None
        self._max_image_pixels = max_image_pixels
        self._pdf: pypdfium2.PdfDocument | None = None
        self._directories: TiffDirectories | None = None
        self._image: tuple[int, Image.Image] | None = None
        self._page: tuple[int, pypdfium2.PdfPage] | None = None
        self._check_boxes: list[CheckBox] = []
        self._form_fields: list[FormField] = []
        self._frame: tuple[int, Image.Image] | None = None
        self._file: tempfile._TemporaryFileWrapper[bytes] | None = None
        if self.media_type == PDF:
            self._pdf, self._has_password = _open_pdf(source, passwords)
            self.page_count = len(self._pdf)
            _check_page_count(self.page_count, source)
            try:
                check_container(self._pdf, source)
            except BaseException:
                self._pdf.close()
                raise
            # Fields without a stored appearance get one only if the form environment is initialized.
            if self._pdf.get_formtype() != pdfium.FORMTYPE_NONE:
                self._pdf.init_forms()
        elif self.media_type == TIFF:
            self._directories = _read_directories(source)
            self.page_count = len(self._directories.positions)
        else:
            image = open_image(source, self.media_type, max_image_pixels)
            self._image = 0, image
            self.page_count = count_frames(image, self.media_type)

    def __enter__(self) -> Document:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release all resources; closing twice does nothing."""
        self._is_closed = True
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
        """A parsed page of a PDF, with the content of form fields and stamps flattened into it.

        The page belongs to the document, which closes it when another page is requested.

        Raises:
            ProcessingError: `unreadable` if this page is damaged, `too_large` if it has too many form fields.
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
        self._check_boxes, self._form_fields = form_check_boxes(page), page_form_fields(page)
        if has_annotation(page, *_DRAWN_ANNOTATIONS) and pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == 1:
            # Otherwise neither the text page nor the renderer sees form fields. Flattening takes effect on reload.
            page.close()
            page = self._load_page(self._pdf, page_index)
        self._page = page_index, page
        return page

    def check_boxes(self, page_index: int) -> list[CheckBox]:
        """The check boxes and radio buttons of a PDF page's form fields.

        Raises:
            ProcessingError, IndexError, TypeError: as `pdf_page`.
        """
        self.pdf_page(page_index)  # reads them, because its page has them flattened
        return self._check_boxes

    def form_fields(self, page_index: int) -> list[FormField]:
        """The form fields of a page, none of an image; errors as of `pdf_page`."""
        if self.media_type != PDF:
            return []
        self.pdf_page(page_index)  # reads them, because its page has them flattened
        return self._form_fields

    def pdf_page_size(self, page_index: int) -> tuple[float, float]:
        """Width and height in points (1/72 inch) of an upright page of a PDF, in which its `/UserUnit` is taken into
        account.

        Raises:
            ProcessingError, IndexError, TypeError: as `pdf_page`.
        """
        width, height = self.pdf_page(page_index).get_size()
        assert self._pdf is not None, "pdf_page has checked it"
        if self._mentions_unit is None:
            self._mentions_unit = mentions(self._source, b"/UserUnit")
        unit = user_unit(self._pdf, page_index) if self._mentions_unit else 1.0
        return width * unit, height * unit

    def frame_size(self, page_index: int) -> tuple[int, int]:
        """Width and height in pixels of an image's frame after its EXIF orientation is applied, without decoding it.

        Raises:
            ProcessingError: `too_large` or `unreadable`.
        """
        image = self._seek(page_index)
        width, height = image.size
        # Pillow rotates the frames of a TIFF itself, and reports their rotated size.
        if self.media_type != TIFF and _orientation(image) in (5, 6, 7, 8):
            return height, width
        return width, height

    def frame_resolution(self, page_index: int) -> tuple[float, float] | None:
        """Horizontal and vertical resolution of the upright frame in dots per inch, or None if the image has none."""
        image = self._seek(page_index)
        try:
            horizontal, vertical = (float(value) for value in image.info["dpi"])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        if not (1 <= horizontal <= 10_000 and 1 <= vertical <= 10_000):
            return None
        return (vertical, horizontal) if _orientation(image) in (5, 6, 7, 8) else (horizontal, vertical)

    def frame(self, page_index: int) -> Image.Image:
        """An image's frame, decoded and upright, in its stored mode. Callers must not modify it.

        Raises:
            ProcessingError: `too_large` or `unreadable`.
            IndexError: there is no such frame.
            TypeError: the document is a PDF.
        """
        if self._frame is not None and self._frame[0] == page_index:
            return self._frame[1]
        self._frame = None
        self._seek(page_index)
        try:
            upright = self._decode(page_index)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise many types
            message = f"The image is damaged or truncated and cannot be decoded: {reason(error)}"
            raise ProcessingError("unreadable", message) from error
        self._frame = page_index, upright
        return upright

    def _decode(self, page_index: int) -> Image.Image:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = self._seek(page_index)
            try:
                image.load()
            except OSError:
                if self._directories is None or isinstance(self._source, bytes):
                    raise
                self._close_image()
                image = self._open_frame(self._directories, page_index, in_memory=True)
                self._image = page_index, image
                image.load()
            return ImageOps.exif_transpose(image)

    def path(self) -> Path:
        """The document's file, for programs that require one; a temporary file is deleted when the document closes.

        A PDF with a password is copied without it: the command line of a program is no place for one.
        """
        if isinstance(self._source, Path) and not self._has_password:
            return self._source
        if self._file is None:
            self._file = tempfile.NamedTemporaryFile(prefix="document-", suffix=".pdf")  # noqa: SIM115
            if self._pdf is not None and self._has_password:
                self._pdf.save(self._file, flags=pdfium.FPDF_REMOVE_SECURITY)
            else:
                assert isinstance(self._source, bytes)
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
            raise ProcessingError("unreadable", message) from error

    def _close_image(self) -> None:
        if self._image is not None:
            image = self._image[1]
            file = getattr(image, "fp", None)
            image.close()
            if file is not None:  # Pillow does not close a file object that was passed to it
                file.close()
            self._image = None

    def _seek(self, page_index: int) -> Image.Image:
        if self.media_type == PDF or self._is_closed:
            raise TypeError(f"{self.media_type} has no image frames, or the document is closed")
        self._check_index(page_index)
        if self._image is None or self._image[0] != page_index:
            if self._directories is not None:
                self._close_image()
                self._image = page_index, self._open_frame(self._directories, page_index)
            else:
                self._image = page_index, self._go_to_frame(page_index)
        image = self._image[1]
        check_pixels(image.size, self._max_image_pixels)
        return image

    def _go_to_frame(self, page_index: int) -> Image.Image:
        """The image at another of its frames; it is opened anew after a damaged one."""
        image = self._image[1] if self._image else open_image(self._source, self.media_type, self._max_image_pixels)
        check_pixels(image.size, self._max_image_pixels)  # going on may decode the frames before
        self._image = page_index, image
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image.seek(page_index)
            if image.width and image.height:
                return image
            raise ValueError("it has no size")
        except MemoryError:
            raise
        except Exception as error:
            self._close_image()
            if isinstance(error, Image.DecompressionBombError):
                raise too_large(str(error)) from error
            raise ProcessingError("unreadable", f"Frame {page_index + 1} is damaged: {reason(error)}") from error

    def _open_frame(self, directories: TiffDirectories, page_index: int, *, in_memory: bool = False) -> Image.Image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame = open_frame(self._source, directories, page_index, in_memory=in_memory)
        except Image.DecompressionBombError as error:
            raise too_large(str(error)) from error
        except MemoryError:
            raise
        except Exception as error:
            raise ProcessingError("unreadable", f"Frame {page_index + 1} is damaged: {reason(error)}") from error
        if not (frame.width and frame.height):
            raise ProcessingError("unreadable", f"Frame {page_index + 1} is damaged: it has no size")
        return frame


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[: 4 * HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(4 * HEAD_BYTES)


def _open_pdf(source: bytes | Path, passwords: Sequence[str]) -> tuple[pypdfium2.PdfDocument, bool]:
    """The document, and whether it took a password to open it."""
    try:
        return pypdfium2.PdfDocument(source), False
    except pypdfium2.PdfiumError as error:
        if _opens(source):  # pypdfium2 rejects a PDF without pages, with the error code of an earlier file
            raise ProcessingError("empty", "The PDF has no pages.") from error
        code = error.err_code
        if code == pdfium.FPDF_ERR_PASSWORD:
            return _open_with_password(source, passwords), True
        if code == pdfium.FPDF_ERR_SECURITY:
            message = "The PDF is encrypted in a way that PDFium does not support; save a copy without encryption."
            raise ProcessingError("encrypted", message) from error
        raise ProcessingError("unreadable", _DAMAGED_PDF) from error


def _open_with_password(source: bytes | Path, passwords: Sequence[str]) -> pypdfium2.PdfDocument:
    for password in passwords:
        try:
            return pypdfium2.PdfDocument(source, password)
        except pypdfium2.PdfiumError as error:
            if error.err_code != pdfium.FPDF_ERR_PASSWORD:
                raise ProcessingError("unreadable", _DAMAGED_PDF) from None
    tried = "the only password" if len(passwords) == 1 else f"none of the {len(passwords)} passwords"
    opens = "does not open it" if len(passwords) == 1 else "opens it"
    needs = f"requires a password to be read, and {tried} {opens}" if passwords else "requires a password to be read"
    raise ProcessingError("encrypted", f"The PDF {needs}; save a copy without one, for example with qpdf.")


def _opens(source: bytes | Path) -> bool:
    if isinstance(source, bytes):
        handle = pdfium.FPDF_LoadMemDocument64(source, len(source), None)
    else:
        handle = pdfium.FPDF_LoadDocument(os.fsencode(source) + b"\x00", None)
    if handle:
        pdfium.FPDF_CloseDocument(handle)
    return bool(handle)


def _read_directories(source: bytes | Path) -> TiffDirectories:
    try:
        return read_directories(source)
    except ValueError as error:
        raise ProcessingError("unreadable", f"The TIFF is damaged or truncated: {error}.") from error


def _check_page_count(count: int, source: bytes | Path) -> None:
    """Reject a page count above the size in bytes: it is forged, and would produce that many failed rows."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if count > size:
        message = f"The PDF claims to have {count:,} pages in {size:,} bytes; try the original, or repair it with qpdf."
        raise ProcessingError("unreadable", message)


def _orientation(image: Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata must not fail the page
        return 1
