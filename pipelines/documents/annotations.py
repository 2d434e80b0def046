"""The annotations of a PDF page: form fields, stamps, marks."""

from __future__ import annotations

from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium


def page_annotations(page: pypdfium2.PdfPage) -> Iterator[tuple[pdfium.FPDF_ANNOTATION, int]]:
    """Each annotation of a page with its subtype (`FPDF_ANNOT_...`), open until the next one is asked for."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            yield annotation, pdfium.FPDFAnnot_GetSubtype(annotation)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def has_annotation(page: pypdfium2.PdfPage, *subtypes: int) -> bool:
    """Whether a page has an annotation of one of these subtypes."""
    return any(subtype in subtypes for _, subtype in page_annotations(page))
