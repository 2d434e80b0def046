"""PDFs of one page whose objects a test writes itself."""

from __future__ import annotations

from pipelines.documents.document import Document
from pipelines.documents.text_layer import TextLayer, read_text_layer
from tests.hostile.raw_pdf import FONT, write_pdf

HELVETICA = FONT.decode()


def stream(body: str, entries: str = "") -> str:
    """A stream object."""
    return f"<< {entries} /Length {len(body)} >>\nstream\n{body}\nendstream"


def raw_pdf(content: str, *others: str, resources: str = "", catalog: str = "", page: str = "") -> bytes:
    """A page of 400 by 300 points with Helvetica as /F1; `others` become the objects from number 6 on."""
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 4 0 R {page} "
        f"/Resources << /Font << /F1 5 0 R /F2 6 0 R >> {resources} >> >>",
        stream(content),
        HELVETICA,
        *others,
    ]
    return write_pdf({number: body.encode("latin-1") for number, body in enumerate(objects, start=1)})


def layer_of(data: bytes) -> TextLayer:
    """The text layer of a PDF's first page."""
    with Document(data) as document:
        layer = read_text_layer(document, 0)
    assert layer is not None
    return layer
