"""Check boxes and radio buttons as words: U+2612 for a ticked one, U+2610 for an empty one.

The state of a form field is that of its widget annotation, whatever its appearance looks like: lines, a check mark or
a digit of a symbol font. Boxes that are drawn on the page are small squares beside text; one is ticked if a cross, a
polyline, a filled square or a letter x lies in it. Small squares have other meanings too (bullets, legends), so empty
ones count only on a page with a ticked one. Boxes in scans are not looked for.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.annotations import page_annotations
from pipelines.documents.layer_characters import upright
from pipelines.documents.layer_words import Box, Word
from pipelines.documents.page_objects import SmallShape

TICKED, EMPTY = "\u2612", "\u2610"

MIN_SIDE, MAX_SIDE = 4.0, 24.0
"""Of a drawn check box, in points."""

MAX_SQUARES = 300
"""A page with more small squares than this is a drawing: a map, a bar code."""

_TICK_LETTERS = frozenset("xX\u00d7vV\u221a\u2611\u2612\u2713\u2714\u2715\u2716\u2717\u2718\u25a0\u25cf\u2022")

_UNSEEN = 0x02 | 0x20  # annotation flags: hidden, no view


@dataclass(frozen=True)
class CheckBox:
    """A check box or radio button: its box as fractions (0 to 1) of the displayed page, and its state."""

    box: Box
    ticked: bool


def form_check_boxes(page: pypdfium2.PdfPage) -> list[CheckBox]:
    """The check boxes and radio buttons of a page's form fields, before these are flattened into the page."""
    if page.pdf.formenv is None:
        return []
    widgets = (
        _widget(page, annotation)
        for annotation, subtype in page_annotations(page)
        if subtype == pdfium.FPDF_ANNOT_WIDGET
    )
    return [box for box in widgets if box is not None]


def _widget(page: pypdfium2.PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> CheckBox | None:
    kind = pdfium.FPDFAnnot_GetFormFieldType(page.pdf.formenv, annotation)
    if kind not in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return None
    box = widget_box(page, annotation)
    return None if box is None else CheckBox(box, is_ticked(page, annotation))


def widget_box(page: pypdfium2.PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> Box | None:
    """The box of a form field as fractions of the displayed page; None if the page does not show it."""
    rectangle = pdfium.FS_RECTF()
    if pdfium.FPDFAnnot_GetFlags(annotation) & _UNSEEN or not pdfium.FPDFAnnot_GetRect(annotation, rectangle):
        return None
    left, right = sorted((rectangle.left, rectangle.right))
    bottom, top = sorted((rectangle.bottom, rectangle.top))
    return _fractions((left, bottom, right, top), page)


def is_ticked(page: pypdfium2.PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> bool:
    """Whether the check box or radio button of an annotation is ticked."""
    state = _appearance_state(annotation)
    return state != "Off" if state else bool(pdfium.FPDFAnnot_IsChecked(page.pdf.formenv, annotation))


def _appearance_state(annotation: pdfium.FPDF_ANNOTATION) -> str:
    size = pdfium.FPDFAnnot_GetStringValue(annotation, b"AS", None, 0)
    buffer = ctypes.create_string_buffer(max(2, size))
    pdfium.FPDFAnnot_GetStringValue(annotation, b"AS", ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _fractions(bounds: tuple[float, float, float, float], page: pypdfium2.PdfPage) -> Box | None:
    """Left, bottom, right, top in points as fractions of the displayed page; None off the page or without extent."""
    left, bottom, right, top = bounds
    width, height = page.get_size()
    edges = upright(np.array([[left, right, bottom, top]]), page)[0] / np.array([width, height, width, height])
    x0, y0, x1, y1 = np.clip(edges, 0, 1).tolist()
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def drawn_check_boxes(shapes: list[SmallShape], words: list[Word], page: pypdfium2.PdfPage) -> list[CheckBox]:
    """The check boxes that are drawn on a page; none if none of them is ticked."""
    squares = [shape for shape in shapes if _is_square(shape)]
    if not squares or len(squares) > MAX_SQUARES:
        return []
    found: list[CheckBox] = []
    for square in squares:
        box = _fractions(square.bounds, page)
        if box is None or any(_inside(box, other.box) for other in found) or _in_comb(square, squares):
            continue
        if any(_inside(square.bounds, other.bounds) and _width(other) > 1.05 * _width(square) for other in squares):
            continue  # the filled square within another
        contents = [word.text for word in words if _inside(word.box, box)]
        if any(text not in _TICK_LETTERS for text in contents) or not _beside_text(box, words):
            continue
        found.append(CheckBox(box, bool(contents) or _has_tick(square, shapes)))
    return found if any(box.ticked for box in found) else []


def _is_square(shape: SmallShape) -> bool:
    left, bottom, right, top = shape.bounds
    width, height = right - left, top - bottom
    return (
        shape.segments in (4, 5, 6)
        and not shape.lines
        and min(width, height) >= MIN_SIDE
        and max(width, height) <= MAX_SIDE
        and abs(width - height) <= 0.25 * max(width, height)
    )


def _width(shape: SmallShape) -> float:
    return shape.bounds[2] - shape.bounds[0]


def _in_comb(square: SmallShape, squares: list[SmallShape]) -> bool:
    """Whether the square touches an equal one beside it, as the cells for the letters of a name do."""
    left, bottom, right, top = square.bounds
    side = right - left
    for other in squares:
        if other.bounds != square.bounds and abs(other.bounds[1] - bottom) < 0.3 * (top - bottom):
            gap = max(other.bounds[0] - right, left - other.bounds[2])
            if -0.3 * side < gap < 0.2 * side:
                return True
    return False


def _has_tick(square: SmallShape, shapes: list[SmallShape]) -> bool:
    left, bottom, right, top = square.bounds
    width, height = right - left, top - bottom
    strokes = 0
    for shape in shapes:
        own_width, own_height = shape.bounds[2] - shape.bounds[0], shape.bounds[3] - shape.bounds[1]
        if shape is square or not _inside(shape.bounds, square.bounds):
            continue
        if own_width < 0.3 * width or own_height < 0.3 * height:
            continue
        if max(own_width / width, own_height / height) > 1.6:
            continue
        if _is_square(shape):
            if shape.dark and own_width < 0.9 * width:
                return True
        elif shape.segments == 2:
            strokes += 1
        else:
            return True
    return strokes >= 2


def _inside(inner: tuple[float, float, float, float], outer: tuple[float, float, float, float]) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def _beside_text(box: Box, words: list[Word]) -> bool:
    """Whether a word stands left or right of the box, at most four box widths away."""
    reach = 4 * (box[2] - box[0])
    return any(
        -0.2 * reach <= max(word.box[0] - box[2], box[0] - word.box[2]) <= reach
        for word in words
        if min(word.box[3], box[3]) - max(word.box[1], box[1]) > 0.3 * min(word.box[3] - word.box[1], box[3] - box[1])
    )


def with_check_boxes(words: list[Word], check_boxes: list[CheckBox]) -> list[Word]:
    """The words with a mark for each check box, before the word right of it or after the word left of it.

    What a box shows, a check mark of a symbol font for example, gives way to its mark.
    """
    for check_box in check_boxes:
        box = check_box.box
        words = [word for word in words if len(word.text) > 2 or not _inside(word.box, box)]
        mark = Word(TICKED if check_box.ticked else EMPTY, box, False, 0, 0, True)
        words.insert(_place(box, words), mark)
    return words


def _place(box: Box, words: list[Word]) -> int:
    middle = (box[1] + box[3]) / 2
    line = [place for place, word in enumerate(words) if word.box[1] <= middle <= word.box[3]]
    right = [place for place in line if words[place].box[0] >= (box[0] + box[2]) / 2]
    if right:
        return min(right, key=lambda place: words[place].box[0])
    if line:
        return max(line, key=lambda place: words[place].box[2]) + 1
    return next((place for place, word in enumerate(words) if word.box[1] > middle), len(words))
