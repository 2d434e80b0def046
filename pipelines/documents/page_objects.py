"""What is drawn on a PDF page besides text: whether it can contain writing, and how much of the page images cover."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.pdfium_ffi import (
    address_of,
    count_marks,
    count_path_segments,
    get_draw_mode,
    get_fill_color,
    get_form_object,
    get_mark,
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

MIN_FILLED_SIDE = 3.0
"""In points; narrower filled paths are rules, which hide no text."""

MAX_PATHS = 5_000
"""Paths of a page whose bounds are inspected; further ones hide nothing and are no check boxes."""

MAX_TICK_SEGMENTS = 40
MIN_TICK_SIDE, MAX_TICK_SIDE = 1.5, 32.0
"""In points: of the shapes that can be a check box or the tick in one, of at most `MAX_TICK_SEGMENTS` segments."""

_GRID = 32

Matrix = npt.NDArray[np.float64]
Bounds = tuple[float, float, float, float]


class Cover(NamedTuple):
    """An image, or a path with a filled area of some size, that can hide text.

    Attributes:
        kind: FPDF_PAGEOBJ_PATH or FPDF_PAGEOBJ_IMAGE.
        handle: its address.
        place: in the order of painting, see `Painting`.
        bounds: left, bottom, right, top on the unrotated page.
    """

    kind: int
    handle: int
    place: int
    bounds: Bounds


class SmallShape(NamedTuple):
    """A small path: a check box or the tick in it, among others.

    Attributes:
        bounds: left, bottom, right, top on the unrotated page.
        segments: their number, 2 for a line.
        lines: it consists of several separate lines, such as a cross.
        dark: it is filled with a dark colour.
    """

    bounds: Bounds
    segments: int
    lines: bool
    dark: bool


@dataclass
class Painting:
    """The order in which a page's text, images and filled paths are painted.

    Attributes:
        places: of the text objects by their addresses; what is painted later has a greater number.
        optional: addresses of text objects that belong, or may belong, to optional content, which can be switched off.
        covers: what can hide text, in order.
        small_shapes: that can be check boxes or ticks.
    """

    places: dict[int | None, int] = field(default_factory=dict)
    optional: set[int] = field(default_factory=set)
    covers: list[Cover] = field(default_factory=list)
    small_shapes: list[SmallShape] = field(default_factory=list)
    next_place: int = 0
    paths: int = 0

    def add_texts(self, handles: list[int | None]) -> None:
        """Add text objects that are painted one after the other."""
        places = range(self.next_place + 1, self.next_place + 1 + len(handles))
        self.places.update(zip(handles, places, strict=True))
        self.next_place += len(handles)


@dataclass(frozen=True)
class PageContent:
    """What a page shows besides its text.

    Attributes:
        image_cover: share (0 to 1) of the page covered by all images together; the strips of a scan add up.
        drawings: number of images and shapes that can contain writing: no lines or boxes, nothing too small to read.
        painting: what is painted over what.
    """

    image_cover: float
    drawings: int
    painting: Painting = field(default_factory=Painting)


def read_page_content(page: pypdfium2.PdfPage) -> PageContent:
    """Count what is drawn on a page and measure its images, to 1/1024 of the page; form XObjects are inspected too."""
    page_handle = address_of(page.raw)
    count = min(MAX_OBJECTS, max(0, pdfium.FPDFPage_CountObjects(page)))
    handles = list(map(get_page_object, repeat(page_handle), range(count)))
    painting = Painting()
    shapes = _collect(handles, np.eye(3), 0, painting)
    page_box = page.get_bbox()
    images = [cover.bounds for cover in painting.covers if cover.kind == pdfium.FPDF_PAGEOBJ_IMAGE]
    legible = sum(_is_legible(image, page_box) for image in images)
    return PageContent(_cover(images, page_box) if legible else 0.0, legible + shapes, painting)


def _collect(handles: list[int | None], matrix: Matrix, depth: int, painting: Painting) -> int:
    """Add what is drawn by `handles` to `painting`, in page coordinates; return the number of shapes."""
    shapes = 0
    kinds = np.fromiter(map(get_object_type, handles), np.int64, len(handles))
    is_text = kinds == pdfium.FPDF_PAGEOBJ_TEXT
    done = 0
    for index in np.flatnonzero(~is_text).tolist():
        painting.add_texts(handles[done:index])
        done = index + 1
        handle, kind = handles[index], kinds[index]
        if handle is None:
            continue
        painting.next_place += 1
        if kind == pdfium.FPDF_PAGEOBJ_FORM:
            if depth < MAX_DEPTH and painting.next_place + shapes < MAX_OBJECTS:
                inner, form_matrix = _open_form(handle)
                shapes += _collect(inner, matrix @ form_matrix, depth + 1, painting)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            painting.covers.append(Cover(int(kind), handle, painting.next_place, _bounds(handle, matrix)))
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            segments = count_path_segments(handle)
            shapes += segments > RULE_SEGMENTS
            painting.paths += 1
            if painting.paths <= MAX_PATHS:
                _add_path(handle, matrix, segments, painting)
    painting.add_texts(handles[done:])
    texts = [handles[index] for index in np.flatnonzero(is_text).tolist()]
    # PDFium does not tell whether the form itself is optional content.
    painting.optional.update(handle for handle in (texts if depth > 0 else _optional(texts)) if handle)
    return shapes


def _optional(texts: list[int | None]) -> list[int | None]:
    """The text objects in marked-content sequences of optional content."""
    counts = np.fromiter(map(count_marks, texts), np.int64, len(texts))
    of_mark: dict[int, bool] = {}
    found = []
    for index in np.flatnonzero(counts > 0).tolist():
        for mark in map(get_mark, repeat(texts[index]), range(counts[index])):
            if mark not in of_mark:
                of_mark[mark] = _is_optional_content(mark)
            if of_mark[mark]:
                found.append(texts[index])
    return found


def _is_optional_content(mark: int) -> bool:
    name = (ctypes.c_ushort * 4)()
    length = ctypes.c_ulong()
    handle = ctypes.cast(mark, pdfium.FPDF_PAGEOBJECTMARK)
    found = pdfium.FPDFPageObjMark_GetName(handle, name, ctypes.sizeof(name), length)
    return bool(found) and bytes(name).decode("utf-16-le", "replace").rstrip("\0") == "OC" and length.value == 6


def _add_path(handle: int, matrix: Matrix, segments: int, painting: Painting) -> None:
    filled = _is_filled(handle)
    if not filled and segments > MAX_TICK_SEGMENTS:
        return
    bounds = _bounds(handle, matrix)
    sides = bounds[2] - bounds[0], bounds[3] - bounds[1]
    if filled and min(sides) >= MIN_FILLED_SIDE:
        painting.covers.append(Cover(pdfium.FPDF_PAGEOBJ_PATH, handle, painting.next_place, bounds))
    if segments <= MAX_TICK_SEGMENTS and min(sides) >= MIN_TICK_SIDE and max(sides) <= MAX_TICK_SIDE:
        painting.small_shapes.append(
            SmallShape(bounds, segments, _is_lines(handle, segments), filled and _is_dark(handle))
        )


def _is_lines(handle: int, segments: int) -> bool:
    """Whether a path of four or six segments is two or three separate lines."""
    if segments not in (4, 6):
        return False
    path = ctypes.cast(handle, pdfium.FPDF_PAGEOBJECT)
    kinds = [pdfium.FPDFPathSegment_GetType(pdfium.FPDFPath_GetPathSegment(path, index)) for index in range(segments)]
    return kinds == [pdfium.FPDF_SEGMENT_MOVETO, pdfium.FPDF_SEGMENT_LINETO] * (segments // 2)


def _is_dark(handle: int) -> bool:
    colour = (ctypes.c_uint * 4)()
    at = ctypes.addressof(colour)
    return bool(get_fill_color(handle, at, at + 4, at + 8, at + 12)) and sum(colour[:3]) < 3 * 128 and colour[3] > 128


def _is_filled(handle: int) -> bool:
    modes = (ctypes.c_int * 2)()
    return bool(get_draw_mode(handle, ctypes.addressof(modes), ctypes.addressof(modes) + 4)) and modes[0] != 0


def _is_legible(image: Bounds, page_box: Bounds) -> bool:
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


def _bounds(handle: int, matrix: Matrix) -> Bounds:
    edges = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(ctypes.cast(handle, pdfium.FPDF_PAGEOBJECT), *edges):
        return 0.0, 0.0, 0.0, 0.0
    left, bottom, right, top = (edge.value for edge in edges)
    corners = matrix @ np.array([[left, left, right, right], [bottom, top, bottom, top], [1.0, 1.0, 1.0, 1.0]])
    return corners[0].min(), corners[1].min(), corners[0].max(), corners[1].max()


def _cover(images: list[Bounds], page_box: Bounds) -> float:
    left, bottom, right, top = page_box
    if right <= left or top <= bottom:
        return 0.0
    across = left + (np.arange(_GRID) + 0.5) / _GRID * (right - left)
    down = bottom + (np.arange(_GRID) + 0.5) / _GRID * (top - bottom)
    covered = np.zeros((_GRID, _GRID), bool)
    for x0, y0, x1, y1 in images:
        covered |= np.outer((down >= y0) & (down <= y1), (across >= x0) & (across <= x1))
    return float(covered.mean())
