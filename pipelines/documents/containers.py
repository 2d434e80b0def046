"""PDFs whose pages are only a stand-in: dynamic XFA forms, whose content is XML, and portfolios of other files.

Their one page says "Please wait..." or "Open this in Acrobat". Read like any other it would be a page with status `ok`
whose content is missing.
"""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.annotations import has_annotation
from pipelines.documents.pdf_objects import has_collection, mentions
from pipelines.errors import ProcessingError

MAX_PLACEHOLDER_PAGES, MAX_PLACEHOLDER_WORDS = 3, 200
"""The stand-in of a dynamic XFA form is not longer; that of LiveCycle Designer has one page of about 100 words."""

MAX_COVER_PAGES = 2
"""The cover sheet of a portfolio is not longer; one with more pages of its own is read."""

_WAIT = re.compile(
    r"please\s+wait|bitte\s+warten|veuillez\s+patienter|espere\b|attendere|aguarde|wachten|vänta|proszę\s+czekać|"
    r"подождите|お待ち|请稍候",
    re.IGNORECASE,
)
_VIEWER = re.compile(r"adobe\.com|adobe\s+(acrobat\s+)?reader|pdf[\s-]+viewer|your\s+viewer", re.IGNORECASE)


def check_container(pdf: pypdfium2.PdfDocument, source: bytes | Path) -> None:
    """Reject an opened PDF whose pages are only a stand-in; `source` is its file, or the content of it.

    Raises:
        ProcessingError: `unsupported`; the message names XFA, or the number of attachments of a portfolio.
    """
    if _is_dynamic_xfa(pdf):
        raise ProcessingError(
            "unsupported",
            "The PDF is a dynamic XFA form: its pages only say so, and their content is XML that Adobe's programs "
            "draw; print it to PDF with one of them first.",
        )
    attachments = pdfium.FPDFDoc_GetAttachmentCount(pdf)
    if attachments > 0 and len(pdf) <= MAX_COVER_PAGES and mentions(source, b"/Collection") and has_collection(pdf):
        files = "1 attachment" if attachments == 1 else f"{attachments} attachments"
        raise ProcessingError(
            "unsupported",
            f"The PDF is a portfolio of {files}, and its own pages are a cover sheet; save the attachments, for "
            "example with pdfdetach -saveall, and read those.",
        )


def _is_dynamic_xfa(pdf: pypdfium2.PdfDocument) -> bool:
    """A form with XFA whose pages hold no more words than a stand-in has, and no fields.

    `NeedsRendering` in the catalog (`FORMTYPE_XFA_FULL`) says that the pages are made from the XFA. Without it, which
    is usual in static forms, the words must be those of a stand-in. With it and these words, fields do not matter.
    """
    form_type = pdf.get_formtype()
    if form_type not in (pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND):
        return False
    if len(pdf) > MAX_PLACEHOLDER_PAGES:
        return False
    texts: list[str] = []
    has_fields = False
    for index in range(len(pdf)):
        try:
            page = pdf[index]
        except pypdfium2.PdfiumError:  # a damaged page is reported when it is read
            return False
        try:
            has_fields |= has_annotation(page, pdfium.FPDF_ANNOT_WIDGET)
            text_page = page.get_textpage()
            texts.append(text_page.get_text_bounded())
            text_page.close()
        finally:
            page.close()
    text = " ".join(texts)
    if len(text.split()) > MAX_PLACEHOLDER_WORDS:
        return False
    needs_rendering, waits = form_type == pdfium.FORMTYPE_XFA_FULL, _WAIT.search(text) is not None
    if has_fields:
        return needs_rendering and waits
    return needs_rendering or waits or _VIEWER.search(text) is not None
