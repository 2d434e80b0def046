"""Renders a page: in grey and full resolution for OCR, small and in colour for the model.

Pages are rendered upright: a PDF's `/Rotate` and an image's EXIF orientation are applied. Transparency is composited
over white. An image file keeps its own resolution, and is scaled down only if it has too many pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pdf2image
import pdf2image.exceptions
import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from pipelines.documents.document import Document
from pipelines.documents.media_type import PDF, TIFF
from pipelines.errors import ProcessingError
from pipelines.schema import MODEL_IMAGE_SHAPE

Rasterizer = Literal["pdfium", "pdf2image"]

MAX_SIDE = 32_767
"""Maximum pixels of a page image's longer side: Tesseract's own limit."""

MODEL_IMAGE_SIDE = MODEL_IMAGE_SHAPE[1]

MODEL_IMAGE_FACTOR = 3
"""A PDF page is drawn at 3 x 224 pixels a side and scaled down to 224, not from its full resolution.

Mean difference from the model image made from a 200 dpi rendering, in levels of 255 (root mean square in brackets), by
factor, on 14 contracts, 10 colour scans and 6 bilevel scans:

    factor            1            2           2.5           3            4       200 dpi against 300 dpi
    contracts   6.7 (16.2)   2.6 (5.8)    2.2 (4.7)    1.8 (3.8)    1.2 (2.7)    0.5 (1.2)
    scans       5.6 (14.7)   2.6 (6.7)    0.5 (1.0)    0.3 (0.7)    1.4 (3.5)    0.2 (0.5)
    bilevel     7.2 (20.9)   3.3 (9.4)    0.4 (1.1)    0.3 (0.8)    1.6 (4.9)    0.1 (0.2)
"""

PDF_TO_PPM_TIMEOUT = 120


@dataclass(frozen=True)
class RenderOptions:
    """How page images are rendered.

    Attributes:
        dpi: resolution of PDF pages, in pixels per inch (72 points); 10 to 2400.
        max_pixels: no page image has more pixels than this; larger pages are rendered at a lower resolution.
        rasterizer: what renders PDF pages: PDFium in the process, or poppler's pdftoppm through pdf2image.
    """

    dpi: int = 200
    max_pixels: int = 20_000_000
    rasterizer: Rasterizer = "pdfium"

    def __post_init__(self) -> None:
        if not 10 <= self.dpi <= 2400:
            raise ValueError(f"dpi must be between 10 and 2400, not {self.dpi}")
        if self.max_pixels < 10_000:
            raise ValueError(f"max_pixels must be at least 10000 for a legible page, not {self.max_pixels}")
        if self.rasterizer not in get_args(Rasterizer):
            choices = " or ".join(get_args(Rasterizer))
            raise ValueError(f"rasterizer must be {choices}, not {self.rasterizer!r}")


@dataclass(frozen=True)
class PageSize:
    """Width and height of an upright page image, in pixels; at least 1."""

    width: int
    height: int


def page_size(document: Document, page_index: int, options: RenderOptions) -> PageSize:
    """The size of the image that `render_grey` returns, without rendering it.

    Raises:
        ProcessingError: `unreadable` or `too_large`.
        IndexError: there is no such page.
    """
    if document.media_type == PDF:
        points = document.pdf_page_size(page_index)
        width, height = (max(side, 1.0) * options.dpi / 72 for side in points)
    else:
        width, height = document.frame_size(page_index)
        stretch_x, stretch_y = _pixel_stretch(document, page_index)
        width, height = width * stretch_x, height * stretch_y
    return _bound(width, height, options.max_pixels)


def _bound(width: float, height: float, max_pixels: int) -> PageSize:
    scale = min(1.0, math.sqrt(max_pixels / (width * height)), MAX_SIDE / max(width, height))
    size = PageSize(max(1, round(width * scale)), max(1, round(height * scale)))
    if size.width * size.height > max_pixels:  # after rounding up, or widening a sliver to one pixel
        long, short = max(size.width, size.height), min(size.width, size.height)
        long = max(1, max_pixels // short)
        size = PageSize(long, short) if size.width >= size.height else PageSize(short, long)
    return size


def _pixel_stretch(document: Document, page_index: int) -> tuple[float, float]:
    """Factors for a frame's width and height that make its pixels square.

    Faxes of standard resolution have 204 dots per inch across and 98 down, so that unscaled text is squashed. In other
    formats than TIFF, unequal resolutions are a mistake and are ignored.
    """
    resolution = document.frame_resolution(page_index) if document.media_type == TIFF else None
    if resolution is None:
        return 1.0, 1.0
    across, down = resolution
    ratio = across / down
    if 1.2 <= ratio <= 4:
        return 1.0, ratio
    if 1.2 <= 1 / ratio <= 4:
        return 1 / ratio, 1.0
    return 1.0, 1.0


def render_grey(document: Document, page_index: int, options: RenderOptions) -> Image.Image:
    """The page image for OCR: mode L, upright, with the size `page_size`.

    Raises:
        ProcessingError: `unreadable`, `too_large`, `timeout`.
        IndexError: there is no such page.
    """
    size = page_size(document, page_index, options)
    if document.media_type != PDF:
        image = _to_grey(document.frame(page_index))
        if image.size != (size.width, size.height):
            image = image.resize((size.width, size.height), Image.Resampling.BICUBIC)
        return image
    if options.rasterizer == "pdf2image":
        width, _ = document.pdf_page(page_index).get_size()
        image = _draw_with_poppler(document, page_index, 72 * size.width / max(width, 1.0), grey=True)
        # Poppler rounds up, `page_size` to the nearest pixel; OCR's boxes are fractions of this size.
        return image if image.size == (size.width, size.height) else image.resize((size.width, size.height))
    pixels = draw_page(document.pdf_page(page_index), size, grey=True)
    return Image.fromarray(pixels)


def render_model_image(document: Document, page_index: int, options: RenderOptions) -> npt.NDArray[np.uint8]:
    """The model's image of a page: uint8, 3 x 224 x 224, in the order blue, green, red.

    The page is stretched to a square with Pillow's bilinear filter, as in LayoutLMv2's image processor.

    Raises:
        ProcessingError: `unreadable`, `too_large`, `timeout`.
        IndexError: there is no such page.
    """
    if document.media_type != PDF:
        image = _to_colour(document.frame(page_index))
    else:
        side = MODEL_IMAGE_SIDE * MODEL_IMAGE_FACTOR
        page = document.pdf_page(page_index)
        if options.rasterizer == "pdf2image":
            width, height = (max(points, 1.0) for points in page.get_size())
            scale = min(side / min(width, height), math.sqrt(options.max_pixels / (width * height)))
            image = _draw_with_poppler(document, page_index, 72 * scale, grey=False)
        else:
            image = Image.fromarray(draw_page(page, PageSize(side, side), grey=False))
    small = image.resize((MODEL_IMAGE_SIDE, MODEL_IMAGE_SIDE), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(small, np.uint8).transpose(2, 0, 1)[::-1])


def render_preview(document: Document, page_index: int, longer_side: int) -> Image.Image:
    """A page image for people: mode RGB, upright; `longer_side` in pixels.

    Raises:
        ProcessingError: `unreadable`, `too_large`.
        IndexError: there is no such page.
    """
    size = page_size(document, page_index, RenderOptions())
    scale = longer_side / max(size.width, size.height)
    size = PageSize(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    if document.media_type == PDF:
        return Image.fromarray(draw_page(document.pdf_page(page_index), size, grey=False))
    return _to_colour(document.frame(page_index)).resize((size.width, size.height), Image.Resampling.LANCZOS)


def draw_page(page: pypdfium2.PdfPage, size: PageSize, *, grey: bool) -> npt.NDArray[np.uint8]:
    """The page stretched to `size`: height x width grey levels, or height x width x 3 red, green, blue."""
    layout = pdfium.FPDFBitmap_Gray if grey else pdfium.FPDFBitmap_BGR
    flags = pdfium.FPDF_ANNOT | (pdfium.FPDF_GRAYSCALE if grey else pdfium.FPDF_REVERSE_BYTE_ORDER)
    try:
        bitmap = pypdfium2.PdfBitmap.new_native(size.width, size.height, layout, rev_byteorder=not grey)
    except pypdfium2.PdfiumError as error:
        raise MemoryError(f"not enough memory for a page image of {size.width} x {size.height} pixels") from error
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, size.width, size.height)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, size.width, size.height, 0, flags)
        return np.array(bitmap.to_numpy()).reshape(size.height, size.width, *(() if grey else (3,)))
    finally:
        bitmap.close()


def _draw_with_poppler(document: Document, page_index: int, dpi: float, *, grey: bool) -> Image.Image:
    try:
        images = pdf2image.convert_from_path(
            document.path(),
            first_page=page_index + 1,
            last_page=page_index + 1,
            dpi=dpi,  # type: ignore[arg-type]  # pdftoppm takes fractions; it would apply a size before rotating the page
            grayscale=grey,
            use_cropbox=True,
            timeout=PDF_TO_PPM_TIMEOUT,
        )
    except pdf2image.exceptions.PDFInfoNotInstalledError as error:
        advice = "install poppler-utils, or use the rasterizer pdfium"
        raise ProcessingError("internal", f"pdf2image finds no pdftoppm on this machine; {advice}.") from error
    except pdf2image.exceptions.PDFPopplerTimeoutError as error:
        raise ProcessingError("timeout", f"pdftoppm took more than {PDF_TO_PPM_TIMEOUT} s for the page.") from error
    except (pdf2image.exceptions.PDFPageCountError, pdf2image.exceptions.PDFSyntaxError) as error:
        raise ProcessingError("unreadable", "poppler cannot open the PDF; try the rasterizer pdfium.") from error
    if not images:
        raise ProcessingError(
            "unreadable", f"poppler rendered nothing for page {page_index + 1}; try the rasterizer pdfium."
        )
    return images[0].convert("L" if grey else "RGB")


def _to_grey(image: Image.Image) -> Image.Image:
    image = _flatten(image)
    return image if image.mode == "L" else image.convert("L")


def _to_colour(image: Image.Image) -> Image.Image:
    image = _flatten(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _flatten(image: Image.Image) -> Image.Image:
    """Convert any mode that Pillow reads to L or RGB, with transparency composited over white."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    try:
        return image.convert("RGB")
    except ValueError as error:
        message = f"The image's colour mode ({image.mode}) is not supported; convert it to RGB first."
        raise ProcessingError("unsupported", message) from error


def _to_8_bits(levels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """The upper 8 bits of 16-bit levels; 32-bit and float levels, whose white level is unknown, scaled by range."""
    if levels.dtype.kind == "u" and levels.dtype.itemsize == 2:
        return (levels >> 8).astype(np.uint8)  # type: ignore[operator]
    finite = np.nan_to_num(levels.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    darkest, lightest = float(finite.min()), float(finite.max())
    if darkest >= 0 and lightest <= 255 and levels.dtype.kind != "f":
        return finite.astype(np.uint8)
    if darkest >= 0 and lightest <= 65535 and levels.dtype.kind != "f":
        return (finite / 257).astype(np.uint8)
    spread = lightest - darkest
    return ((finite - darkest) * (255 / spread if spread else 0)).astype(np.uint8)
