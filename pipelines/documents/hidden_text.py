"""Text of a page that cannot be seen on it, which is not read: the page is what it shows.

This is the strict way, and the only one: text under a redaction box, white on white, or in optional content that is
switched off is left out, for somebody meant it not to be there. The text that a scanner adds to its image without
drawing it is kept where the image has ink.

PDFium does not say what is switched off or covered. So the page is rendered with and without the text in question:
a character is shown if it makes a difference. Only text for which there is a hint is in question, so that ordinary
pages are not rendered: text in optional content or in a form XObject, of nearly the colour of the paper or of what
lies beneath, under a filled path, an image or a drawn annotation, and text that is not drawn at all.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.annotations import page_annotations
from pipelines.documents.layer_characters import Characters, upright
from pipelines.documents.page_objects import PageContent
from pipelines.documents.pdfium_ffi import get_fill_color, get_render_mode
from pipelines.documents.rendering import PageSize, draw_page

DPI = 100
MAX_SIDE = 2000
"""Of the rendered page, in pixels."""

NEARLY_WHITE = 225
SAME_COLOUR = 48
"""Greatest difference of a colour's parts, of 255, that may be invisible."""

VISIBLE = 12
"""Smallest difference in grey or colour levels that counts as visible."""

NO_INK = 12
"""Levels under text that is not drawn that differ by less show that there is nothing."""

MIN_HIDDEN_RUN = 3
"""Characters in a row without ink under them, in text that is not drawn; its boxes are less exact than drawn text's."""

_SAMPLE = 3

_COVERING_ANNOTATIONS = (
    pdfium.FPDF_ANNOT_SQUARE,
    pdfium.FPDF_ANNOT_CIRCLE,
    pdfium.FPDF_ANNOT_POLYGON,
    pdfium.FPDF_ANNOT_INK,
    pdfium.FPDF_ANNOT_REDACT,
    pdfium.FPDF_ANNOT_LINE,
)

Mask = npt.NDArray[np.bool_]
Edges = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _TextObjects:
    """The n text objects of a page's m characters.

    Attributes:
        handles: [n] addresses.
        of_character: [m] indices into `handles`.
        boxes: [n, 4] x0, y0, x1, y1 on the displayed page, in points.
        order: [n] positions in the order of painting.
        optional: [n] may be switched off.
        modes: [n] text render modes.
        colours: [n, 4] red, green, blue, alpha of the fill.
    """

    handles: npt.NDArray[np.uint64]
    of_character: npt.NDArray[np.intp]
    boxes: Edges
    order: npt.NDArray[np.intp]
    optional: Mask
    modes: npt.NDArray[np.int64]
    colours: npt.NDArray[np.int64]

    @property
    def undrawn(self) -> Mask:
        """Not drawn, or with a transparent fill."""
        return (self.modes == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE) | (self._filled & (self.colours[:, 3] < VISIBLE))

    @property
    def pale(self) -> Mask:
        """Of about the colour of white paper."""
        return self._filled & (self.colours[:, :3].min(axis=1) >= NEARLY_WHITE)

    @property
    def _filled(self) -> Mask:
        return np.isin(self.modes, (pdfium.FPDF_TEXTRENDERMODE_FILL, pdfium.FPDF_TEXTRENDERMODE_FILL_CLIP))


def hidden_characters(page: pypdfium2.PdfPage, characters: Characters, content: PageContent) -> tuple[Mask, set[int]]:
    """Which of the characters with a glyph, [m], cannot be seen, and the addresses of text objects that are not drawn.

    Text beneath an opaque image counts as not drawn: old scanners write it there.
    """
    hidden = np.zeros(len(characters.shown), bool)
    if len(hidden) == 0:
        return hidden, set()
    texts = _text_objects(characters, content)
    covered, beneath_image = _covered(page, texts, content)
    suspect = (texts.optional | covered | texts.pale | beneath_image) & ~texts.undrawn & (texts.order >= 0)
    undrawn = texts.undrawn
    if not suspect.any() and undrawn[texts.of_character].sum() < MIN_HIDDEN_RUN:
        return hidden, set()
    shown = _render(page)
    if suspect.any():
        questioned = np.flatnonzero(suspect[texts.of_character])
        objects = texts.of_character[questioned]
        without_text = _render_without(page, texts.handles[suspect].tolist())
        difference = np.abs(shown.astype(np.int16) - without_text).max(axis=2)
        seen = _largest(difference, characters.boxes[questioned], page) >= VISIBLE
        seen_of_object = np.bincount(objects, weights=seen, minlength=len(suspect))
        opaque = 2 * seen_of_object < np.bincount(objects, minlength=len(suspect))
        undrawn = undrawn | (beneath_image & opaque)
        hidden[questioned] = ~seen
    if undrawn.any():
        questioned = np.flatnonzero(undrawn[texts.of_character])
        grey = shown.mean(axis=2)
        boxes = characters.boxes[questioned]
        spread = _largest(grey, boxes, page) + _largest(-grey, boxes, page)
        hidden[questioned] = _in_runs(spread < NO_INK, texts.of_character[questioned])
    return hidden, set(texts.handles[undrawn].tolist()) - {0}


def _text_objects(characters: Characters, content: PageContent) -> _TextObjects:
    handles, of_character = np.unique(characters.objects, return_inverse=True)
    order = np.argsort(of_character, kind="stable")
    starts = np.flatnonzero(np.diff(of_character[order], prepend=-1))
    boxes = characters.boxes[order]
    addresses = handles.tolist()
    painting = content.painting
    places = np.fromiter(map(painting.places.get, addresses, repeat(-1)), np.intp, len(handles))
    # A page that is set letter by letter has an object for each; one in three tells the colour of those between.
    step = _SAMPLE if 2 * len(handles) > len(of_character) else 1
    return _TextObjects(
        handles,
        of_character,
        np.concatenate(
            [np.fmin.reduceat(boxes[:, :2], starts, axis=0), np.fmax.reduceat(boxes[:, 2:], starts, axis=0)], axis=1
        ),
        places,
        np.fromiter(map(painting.optional.__contains__, addresses), bool, len(handles)),
        np.fromiter(map(get_render_mode, addresses), np.int64, len(handles)),
        _colours(handles[np.argsort(places)], step)[np.argsort(np.argsort(places))],
    )


def _colours(handles: npt.NDArray[np.uint64], step: int) -> npt.NDArray[np.int64]:
    """Red, green, blue and alpha of the fill of text objects in the order of painting: [n, 4].

    Only every `step`-th is asked for, and all between two that differ. Opaque black where there is no colour.
    """
    colours = np.tile(np.array([0, 0, 0, 255], np.uint32), (len(handles), 1))

    def ask(rows: npt.NDArray[np.intp]) -> None:
        first = colours.ctypes.data
        columns = ((first + 4 * part + 16 * rows).tolist() for part in range(4))
        deque(map(get_fill_color, handles[rows].tolist(), *columns), maxlen=0)

    every = np.arange(len(handles))
    samples = np.unique(np.append(every[::step], every[-1:]))
    ask(samples)
    between = np.diff(samples)
    same = (colours[samples[1:]] == colours[samples[:-1]]).all(axis=1)
    colours[:-1] = np.repeat(colours[samples[:-1]], between, axis=0)
    if step > 1:
        ask(np.flatnonzero(np.repeat(~same, between)))
    return colours.astype(np.int64)


def _covered(page: pypdfium2.PdfPage, texts: _TextObjects, content: PageContent) -> tuple[Mask, Mask]:
    """Text that may be hidden by a path or annotation, or blend into one beneath it; and text beneath an image."""
    covered = np.zeros(len(texts.handles), bool)
    beneath_image = np.zeros(len(texts.handles), bool)
    covers = content.painting.covers
    annotations = list(_annotation_bounds(page))
    if not covers and not annotations:
        return covered, beneath_image
    left_bottom_right_top = np.array([*(cover.bounds for cover in covers), *annotations])
    areas = upright(left_bottom_right_top[:, [0, 2, 1, 3]], page)
    colour = (ctypes.c_uint * 4)()
    at = ctypes.addressof(colour)
    for area, cover in zip(areas, covers, strict=False):
        over = _overlaps(texts.boxes, area)
        if not over.any():
            continue
        above = over & (texts.order < cover.place) & (texts.order >= 0)
        if cover.kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            beneath_image |= above
            continue
        covered |= above
        beneath = over & (texts.order > cover.place)
        if beneath.any() and get_fill_color(cover.handle, at, at + 4, at + 8, at + 12):
            distance = np.abs(texts.colours[:, :3] - np.array(colour[:3], np.int64)).max(axis=1)
            covered |= beneath & (distance < SAME_COLOUR)
    for area in areas[len(covers) :]:
        covered |= _overlaps(texts.boxes, area)
    return covered, beneath_image


def _overlaps(boxes: Edges, area: Edges) -> Mask:
    """Which boxes an area covers over a third of their height or width, and not only touches."""
    sides = np.minimum(boxes[:, 2:], area[2:]) - np.maximum(boxes[:, :2], area[:2])
    own = boxes[:, 2:] - boxes[:, :2]
    return np.asarray((sides > np.minimum(own.min(axis=1, keepdims=True) / 3, 3)).all(axis=1))


def _annotation_bounds(page: pypdfium2.PdfPage) -> Iterable[tuple[float, float, float, float]]:
    rectangle = pdfium.FS_RECTF()
    for annotation, subtype in page_annotations(page):
        if subtype in _COVERING_ANNOTATIONS and pdfium.FPDFAnnot_GetRect(annotation, rectangle):
            yield (
                min(rectangle.left, rectangle.right),
                min(rectangle.bottom, rectangle.top),
                max(rectangle.left, rectangle.right),
                max(rectangle.bottom, rectangle.top),
            )


def _render(page: pypdfium2.PdfPage) -> npt.NDArray[np.uint8]:
    """The page in colour: [height, width, 3]."""
    width, height = page.get_size()
    scale = min(DPI / 72, MAX_SIDE / max(width, height, 1))
    return draw_page(page, PageSize(max(1, round(width * scale)), max(1, round(height * scale))), grey=False)


def _render_without(page: pypdfium2.PdfPage, handles: list[int]) -> npt.NDArray[np.uint8]:
    objects = [ctypes.cast(handle, pdfium.FPDF_PAGEOBJECT) for handle in handles]
    try:
        for item in objects:
            pdfium.FPDFPageObj_SetIsActive(item, False)
        return _render(page)
    finally:
        for item in objects:
            pdfium.FPDFPageObj_SetIsActive(item, True)


def _largest(levels: npt.NDArray[np.generic], boxes: Edges, page: pypdfium2.PdfPage) -> npt.NDArray[np.float64]:
    """The largest level within each box of points on the displayed page; 255 outside the picture."""
    rows, columns = levels.shape
    width, height = page.get_size()
    pixels = np.nan_to_num(boxes, nan=-1.0) * np.array([columns / width, rows / height] * 2)
    low = np.floor(pixels[:, :2]).astype(int)
    high = np.ceil(pixels[:, 2:]).astype(int)
    largest = np.full(len(boxes), 255.0)
    for index, (x0, y0, x1, y1) in enumerate(np.concatenate([np.maximum(low, 0), high], axis=1).tolist()):
        part = levels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        if part.size:
            largest[index] = part.max()
    return largest


def _in_runs(found: Mask, groups: npt.NDArray[np.intp]) -> Mask:
    """The members of `found` in runs of `MIN_HIDDEN_RUN` within a group, or that make up a whole group."""
    if not found.any():
        return found
    changes = np.ones(len(found), bool)
    changes[1:] = (found[1:] != found[:-1]) | (groups[1:] != groups[:-1])
    runs = np.cumsum(changes) - 1
    long = np.bincount(runs)[runs] >= MIN_HIDDEN_RUN
    whole = (np.bincount(groups, weights=found) == np.bincount(groups))[groups]
    return np.asarray(found & (long | whole))
