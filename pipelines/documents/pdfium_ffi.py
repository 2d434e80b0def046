"""PDFium's functions that are called once a character or once an object, bound so that `map` can drive them.

Pointers are bare addresses: `map(function, repeat(handle), range(count))`, with a preallocated array's addresses for
results, is about three times as fast as the generated bindings in a loop, and these calls are most of what reading a
text layer costs. The interpreter's lock is kept: each call takes well under a microsecond.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium

ADDRESS = ctypes.c_void_p


def address_of(handle: Any) -> int:
    """The address behind one of PDFium's handles; 0 for none."""
    return ctypes.cast(handle, ADDRESS).value or 0


def _bind(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(result, *arguments)(address_of(function))


_INDEX = ctypes.c_int

get_unicode = _bind(pdfium.FPDFText_GetUnicode, ctypes.c_uint, ADDRESS, _INDEX)
"""(text page, character index) -> code point"""

get_character_box = _bind(pdfium.FPDFText_GetCharBox, _INDEX, ADDRESS, _INDEX, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
"""(text page, character index, addresses of four doubles: left, right, bottom, top) -> whether there is one"""

has_unicode_map_error = _bind(pdfium.FPDFText_HasUnicodeMapError, _INDEX, ADDRESS, _INDEX)
"""(text page, character index) -> 1 where the font does not say what the character means"""

get_page_object = _bind(pdfium.FPDFPage_GetObject, ADDRESS, ADDRESS, _INDEX)
"""(page, object index) -> object's address"""

get_form_object = _bind(pdfium.FPDFFormObj_GetObject, ADDRESS, ADDRESS, ctypes.c_ulong)
"""(form object, object index) -> object's address"""

get_object_type = _bind(pdfium.FPDFPageObj_GetType, _INDEX, ADDRESS)
"""(object) -> FPDF_PAGEOBJ_..."""

count_path_segments = _bind(pdfium.FPDFPath_CountSegments, _INDEX, ADDRESS)
"""(path object) -> number of segments: 2 for a line, 5 for a rectangle"""
