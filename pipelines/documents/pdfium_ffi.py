"""PDFium functions that are called once per character or per object, bound for use with `map`.

Pointers are plain addresses: `map(function, repeat(handle), range(count))`, with the addresses of a preallocated array
for the results, is about three times as fast as the generated bindings in a loop, and these calls are most of the cost
of reading a text layer. The GIL is not released: each call takes well under a microsecond.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium

ADDRESS = ctypes.c_void_p


def address_of(handle: Any) -> int:
    """The address of a PDFium handle; 0 for none."""
    return ctypes.cast(handle, ADDRESS).value or 0


def _bind(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(result, *arguments)(address_of(function))


_INDEX = ctypes.c_int

get_unicode = _bind(pdfium.FPDFText_GetUnicode, ctypes.c_uint, ADDRESS, _INDEX)
"""(text page, character index) -> code point"""

get_character_box = _bind(pdfium.FPDFText_GetCharBox, _INDEX, ADDRESS, _INDEX, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
"""(text page, character index, addresses of four doubles: left, right, bottom, top) -> whether there is one"""

has_unicode_map_error = _bind(pdfium.FPDFText_HasUnicodeMapError, _INDEX, ADDRESS, _INDEX)
"""(text page, character index) -> 1 if the font does not map the character to Unicode"""

get_page_object = _bind(pdfium.FPDFPage_GetObject, ADDRESS, ADDRESS, _INDEX)
"""(page, object index) -> object's address"""

get_form_object = _bind(pdfium.FPDFFormObj_GetObject, ADDRESS, ADDRESS, ctypes.c_ulong)
"""(form object, object index) -> object's address"""

get_object_type = _bind(pdfium.FPDFPageObj_GetType, _INDEX, ADDRESS)
"""(object) -> FPDF_PAGEOBJ_..."""

count_path_segments = _bind(pdfium.FPDFPath_CountSegments, _INDEX, ADDRESS)
"""(path object) -> number of segments: 2 for a line, 5 for a rectangle"""

is_hyphen = _bind(pdfium.FPDFText_IsHyphen, _INDEX, ADDRESS, _INDEX)
"""(text page, character index) -> 1 if the character is a hyphen that breaks a word at the end of a line"""

is_generated = _bind(pdfium.FPDFText_IsGenerated, _INDEX, ADDRESS, _INDEX)
"""(text page, character index) -> 1 if PDFium inserted the character: a space, a line break"""

get_text_object = _bind(pdfium.FPDFText_GetTextObject, ctypes.c_size_t, ADDRESS, _INDEX)
"""(text page, character index) -> address of the text object that draws the character, 0 if it is generated"""

get_font = _bind(pdfium.FPDFTextObj_GetFont, ctypes.c_size_t, ADDRESS)
"""(text object) -> font's address, the same for all objects in that font; 0 for none"""

get_render_mode = _bind(pdfium.FPDFTextObj_GetTextRenderMode, _INDEX, ADDRESS)
"""(text object) -> FPDF_TEXTRENDERMODE_..."""

get_fill_color = _bind(pdfium.FPDFPageObj_GetFillColor, _INDEX, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
"""(object, addresses of four unsigned ints: red, green, blue, alpha) -> whether there is a colour"""

count_marks = _bind(pdfium.FPDFPageObj_CountMarks, _INDEX, ADDRESS)
"""(object) -> number of marked-content sequences that contain the object"""

get_draw_mode = _bind(pdfium.FPDFPath_GetDrawMode, _INDEX, ADDRESS, ADDRESS, ADDRESS)
"""(path object, addresses of two ints: fill mode, 0 for none, and stroke) -> whether they are known"""

get_mark = _bind(pdfium.FPDFPageObj_GetMark, ctypes.c_size_t, ADDRESS, ctypes.c_ulong)
"""(object, mark index) -> address of the mark, the same for all objects of a marked-content sequence"""
