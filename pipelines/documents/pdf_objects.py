"""Entries of a PDF's catalog and pages for which PDFium has no call: they are looked up in what it writes.

When PDFium saves a document, it writes every dictionary in the clear, also those of compressed object streams and of
encrypted documents. What it writes is searched and not kept. Saving may unpack streams that nobody needs, so that it
is done only where the file `mentions` the entry.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

MAX_USER_UNIT = 1000.0
MAX_SEARCHED_BYTES = 1 << 28
MAX_OBJECT_STREAMS, MAX_UNPACKED_BYTES = 2_000, 1 << 20

_CATALOG = re.compile(rb"/Type\s*/Catalog(?![A-Za-z0-9])")
_COLLECTION = re.compile(rb"/Collection(?![A-Za-z0-9])")
_OBJECT_NUMBER = re.compile(rb"(\d+) \d+$")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z0-9])")
_ROOT = re.compile(rb"/Root\s+(\d+)\s")
_USER_UNIT = re.compile(rb"/UserUnit\s+(\d+(?:\.\d*)?|\.\d+)")
_OVERLAP = 1 << 16


def mentions(source: bytes | Path, entry: bytes) -> bool:
    """Whether a PDF has the name of an entry in the clear, or in the first megabyte of an object stream.

    Args:
        source: the file, or its content; of a file over `MAX_SEARCHED_BYTES` only the beginning is searched.
        entry: such as `b"/UserUnit"`.
    """
    if isinstance(source, bytes):
        return _mentions(source, entry)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _mentions(content, entry)


def _mentions(content: bytes | mmap.mmap, entry: bytes) -> bool:
    if content.find(entry, 0, MAX_SEARCHED_BYTES) >= 0:
        return True
    position = 0
    for _ in range(MAX_OBJECT_STREAMS):
        position = content.find(b"/ObjStm", position, MAX_SEARCHED_BYTES)
        start = content.find(b"stream", position + 7, position + 2000) if position >= 0 else -1
        if position < 0:
            return False
        position += 7
        if start >= 0:
            packed = content[start + 6 : start + 6 + MAX_UNPACKED_BYTES].lstrip(b"\r\n")
            try:
                if entry in zlib.decompressobj().decompress(packed, MAX_UNPACKED_BYTES):
                    return True
            except zlib.error:  # encrypted, or packed in another way
                continue
    return False


def has_collection(pdf: pypdfium2.PdfDocument) -> bool:
    """Whether the catalog has a `/Collection`, as that of a portfolio (ISO 32000-1, section 12.3.5)."""
    search = _CatalogSearch()
    return _save(pdf.raw, search.write) and search.has_collection


def user_unit(pdf: pypdfium2.PdfDocument, page_index: int) -> float:
    """A page's unit in points (`/UserUnit`, ISO 32000-1, table 30), which PDFium ignores: 1 to `MAX_USER_UNIT`.

    1 where there is none, and for units under a point, which would make the page smaller than PDFium does.
    """
    alone = pdfium.FPDF_CreateNewDocument()
    if not alone:
        return 1.0
    search = _PageSearch()
    try:
        if pdfium.FPDF_ImportPagesByIndex(alone, pdf, (ctypes.c_int * 1)(page_index), 1, 0):
            _save(alone, search.write)
    finally:
        pdfium.FPDF_CloseDocument(alone)
    return search.unit if 1 <= search.unit <= MAX_USER_UNIT else 1.0


def _save(document: pdfium.FPDF_DOCUMENT, write: Callable[[bytes], bool]) -> bool:
    """Write a document block by block as long as `write` returns True; returns whether all was written."""
    writer = pdfium.FPDF_FILEWRITE(version=1)
    block = type(writer.WriteBlock)(lambda _, data, size: int(write(ctypes.string_at(data, size))))
    writer.WriteBlock = block
    return bool(pdfium.FPDF_SaveAsCopy(document, ctypes.byref(writer), pdfium.FPDF_NO_INCREMENTAL))


class _CatalogSearch:
    """Looks for the catalog of a document."""

    def __init__(self) -> None:
        self._window = b""
        self._catalogs: dict[bytes, bool] = {}

    def write(self, block: bytes) -> bool:
        """Search a block; True to go on."""
        window = self._window[-_OVERLAP:] + block
        self._window, searched = window, 0
        while (catalog := _CATALOG.search(window, searched)) is not None:
            end = window.find(b"endobj", catalog.end())
            if end < 0:  # the rest of it is in the next block
                break
            start = window.rfind(b" obj", searched, catalog.start())
            number = _OBJECT_NUMBER.search(window, max(searched, start - 20), start) if start > 0 else None
            if number is not None:
                self._catalogs[number[1]] = _COLLECTION.search(window, start, end) is not None
            searched = end
        return True

    @property
    def has_collection(self) -> bool:
        """Of the catalog that the trailer names; read after the last block."""
        roots = _ROOT.findall(self._window)
        return bool(roots) and self._catalogs.get(roots[-1], False)


class _PageSearch:
    """Looks for the page of a document that has one page, which is written before its content."""

    def __init__(self) -> None:
        self.unit = 1.0
        self._written = b""

    def write(self, block: bytes) -> bool:
        """Search a block; True to go on, until the page has been seen."""
        self._written += block
        page = _PAGE.search(self._written)
        end = self._written.find(b"endobj", page.end()) if page is not None else -1
        if page is None or end < 0:
            return len(self._written) < _OVERLAP
        found = _USER_UNIT.search(self._written, self._written.rfind(b" obj", 0, page.start()), end)
        if found is not None:
            self.unit = float(found[1])
        return False
