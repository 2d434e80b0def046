"""What is drawn on a PDF page besides text: whether it can contain writing, and how much of the page images cover."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.pdfium_ffi import (
    address_of,
    count_path_segments,
    get_form_object,
    get_object_type,
    get_page_object,
)

MAX_OBJECTS = 100_000
"""Objects inspected on one page; further ones are ignored."""

MAX_DEPTH = 8
"""Nesting depth of form XObjects; deeper ones are not inspected."""

RULE_SEGMENTS = 5
"""Paths of up to this many segments are lines and rectangles; letters drawn as paths have more."""

MIN_IMAGE_SIDE = 8.0
"""In points; smaller images (bullets, spacers, hidden logos) contain nothing to read."""

_GRID = 32

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PageContent:
    """What a page shows besides its text.

    Attributes:
        image_cover: share (0 to 1) of the page covered by all images together; the strips of a scan add up.
        drawings: number of images and shapes that can contain writing: no lines or boxes, nothing too small to read.
    """

    image_cover: float
    drawings: int


def read_page_content(page: pypdfium2.PdfPage) -> PageContent:
    """Count what is drawn on a page and measure its images, to 1/1024 of the page; form XObjects are inspected too."""
    page_handle = address_of(page.raw)
    count = min(MAX_OBJECTS, max(0, pdfium.FPDFPage_CountObjects(page)))
    handles = list(map(get_page_object, repeat(page_handle), range(count)))
    images: list[tuple[float, float, float, float]] = []
    shapes = _collect(handles, np.eye(3), 0, images)
    page_box = page.get_bbox()
    legible = sum(_is_legible(image, page_box) for image in images)
    return PageContent(_cover(images, page_box) if legible else 0.0, legible + shapes)


def _collect(
    handles: list[int | None], matrix: Matrix, depth: int, images: list[tuple[float, float, float, float]]
) -> int:
    """Append the bounds of the images among `handles` to `images`, in page coordinates; return the number of shapes."""
    shapes = 0
    for handle, kind in zip(handles, map(get_object_type, handles), strict=True):
        if kind == pdfium.FPDF_PAGEOBJ_TEXT or handle is None:
            continue
        if kind == pdfium.FPDF_PAGEOBJ_FORM:
            if depth < MAX_DEPTH and len(images) + shapes < MAX_OBJECTS:
                inner, form_matrix = _open_form(handle)
                shapes += _collect(inner, matrix @ form_matrix, depth + 1, images)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            images.append(_bounds(handle, matrix))
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            shapes += count_path_segments(handle) > RULE_SEGMENTS
    return shapes


def _is_legible(image: tuple[float, float, float, float], page_box: tuple[float, float, float, float]) -> bool:
    width = min(image[2], page_box[2]) - max(image[0], page_box[0])
    height = min(image[3], page_box[3]) - max(image[1], page_box[1])
    return width >= MIN_IMAGE_SIDE and height >= MIN_IMAGE_SIDE


def _open_form(handle: int) -> tuple[list[int | None], Matrix]:
    form = ctypes.cast(handle, pdfium.FPDF_PAGEOBJECT)
    count = max(0, pdfium.FPDFFormObj_CountObjects(form))
    stored = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(form, stored):
        stored = pdfium.FS_MATRIX(1, 0, 0, 1, 0, 0)
    matrix = np.array([[stored.a, stored.c, stored.e], [stored.b, stored.d, stored.f], [0.0, 0.0, 1.0]])
    return list(map(get_form_object, repeat(handle), range(min(count, MAX_OBJECTS)))), matrix


def _bounds(handle: int, matrix: Matrix) -> tuple[float, float, float, float]:
    edges = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(ctypes.cast(handle, pdfium.FPDF_PAGEOBJECT), *edges):
        return 0.0, 0.0, 0.0, 0.0
    left, bottom, right, top = (edge.value for edge in edges)
    corners = matrix @ np.array([[left, left, right, right], [bottom, top, bottom, top], [1.0, 1.0, 1.0, 1.0]])
    return corners[0].min(), corners[1].min(), corners[0].max(), corners[1].max()


def _cover(images: list[tuple[float, float, float, float]], page_box: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = page_box
    if right <= left or top <= bottom:
        return 0.0
    across = left + (np.arange(_GRID) + 0.5) / _GRID * (right - left)
    down = bottom + (np.arange(_GRID) + 0.5) / _GRID * (top - bottom)
    covered = np.zeros((_GRID, _GRID), bool)
    for x0, y0, x1, y1 in images:
        covered |= np.outer((down >= y0) & (down <= y1), (across >= x0) & (across <= x1))
    return float(covered.mean())
