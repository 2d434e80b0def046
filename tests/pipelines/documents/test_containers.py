"""PDFs whose pages are only a stand-in are `unsupported`; forms and attachments beside real pages are read."""

from __future__ import annotations

import zlib

import pytest

from pipelines.documents.document import Document
from pipelines.documents.text_layer import read_text_layer
from pipelines.errors import ProcessingError
from tests.raw_pdf import page_objects, stream, write_compressed_pdf, write_pdf

PLEASE_WAIT = """Please wait...
If this message is not replaced by the contents of the document, your viewer
cannot display this type of document."""
OTHER_WORDS = "To view the full contents of this document\\nyou need a later version of the program."
INVOICE = "Invoice 2025-114\nTotal payable 1347.70 EUR"
XFA = stream(zlib.compress(b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>"), "/Filter /FlateDecode")
FIELD = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (x) /Rect [50 700 200 720] /F 4 >>"


def xfa_form(text: str, catalog: str, *, has_field: bool = False) -> bytes:
    """A form with an XFA packet."""
    page = "/Annots [9 0 R]" if has_field else ""
    fields = "[9 0 R]" if has_field else "[]"
    objects = {
        1: f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields {fields} /XFA 8 0 R >> {catalog} >>".encode(),
        **page_objects(text, page=page),
        8: XFA,
    }
    return write_pdf(objects | ({9: FIELD} if has_field else {}))


def with_attachments(names: list[str], catalog: str, text: str, *, compressed: bool = False) -> bytes:
    """A PDF with attached files, which is a portfolio if the catalog has a `/Collection`."""
    pairs = " ".join(f"({name}) {20 + 2 * index} 0 R" for index, name in enumerate(names))
    tree = f"/Names << /EmbeddedFiles << /Names [{pairs}] >> >>"
    objects = {1: f"<< /Type /Catalog /Pages 2 0 R {tree} {catalog} >>".encode(), **page_objects(text)}
    for index, name in enumerate(names):
        number = 20 + 2 * index
        objects[number] = f"<< /Type /Filespec /F ({name}) /UF ({name}) /EF << /F {number + 1} 0 R >> >>".encode()
        # An attached portfolio, uncompressed: its own catalog is not that of the document.
        objects[number + 1] = stream(b"1 0 obj\n<</Collection<<>>/Type/Catalog>>\nendobj\n", "/Type /EmbeddedFile")
    if not compressed:
        return write_pdf(objects)
    streams = {number: body for number, body in objects.items() if body.endswith(b"endstream")}
    return write_compressed_pdf({number: objects[number] for number in objects.keys() - streams.keys()}, streams)


def refusal(content: bytes) -> str:
    with pytest.raises(ProcessingError) as caught:
        Document(content)
    assert caught.value.kind == "unsupported"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "catalog"),
    [
        (PLEASE_WAIT, "/NeedsRendering true"),
        (PLEASE_WAIT, ""),
        (OTHER_WORDS, "/NeedsRendering true"),
        ("Bitte warten...", "/NeedsRendering true"),
        ("Bitte warten...", ""),
        ("", "/NeedsRendering true"),
    ],
)
def test_a_dynamic_xfa_form_is_refused_by_name(text: str, catalog: str) -> None:
    assert "XFA" in refusal(xfa_form(text, catalog))


def test_a_field_on_the_page_that_waits_makes_it_no_form() -> None:
    assert "XFA" in refusal(xfa_form(PLEASE_WAIT, "/NeedsRendering true", has_field=True))


@pytest.mark.parametrize(
    ("text", "catalog", "has_field"),
    [
        (INVOICE, "", True),
        (INVOICE, "", False),
        ("You need Adobe Reader to sign this form", "", True),
        (PLEASE_WAIT, "", True),
        (INVOICE, "/NeedsRendering false", False),
        (INVOICE, "/NeedsRendering true", True),
        (" \n".join(["The tenant keeps the shed in good repair"] * 40), "/NeedsRendering true", False),
    ],
)
def test_a_static_xfa_form_is_read(text: str, catalog: str, has_field: bool) -> None:
    with Document(xfa_form(text, catalog, has_field=has_field)) as document:
        assert text.split()[0] in read_text_layer(document, 0).words


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("names", [["a.pdf"], ["a.pdf", "b.pdf", "c.msg"]])
def test_a_portfolio_is_refused_with_the_number_of_its_attachments(names: list[str], compressed: bool) -> None:
    content = with_attachments(names, "/Collection << /View /T >>", "Open this in Acrobat", compressed=compressed)
    message = refusal(content)
    assert "portfolio" in message and f" {len(names)} attachment" in message


def test_a_portfolio_with_pages_of_its_own_is_read() -> None:
    content = with_attachments(["a.pdf"], "/Collection << /View /T >>", INVOICE)
    pages = content.replace(b"/Count 1 /Kids [3 0 R]", b"/Count 3 /Kids [3 0 R 3 0 R 3 0 R]")
    with Document(pages) as document:
        assert document.page_count == 3


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("catalog", ["", "/PageMode /UseAttachments", "/CollectionOfMine 3"])
def test_a_document_with_attachments_is_read(catalog: str, compressed: bool) -> None:
    with Document(with_attachments(["factur-x.xml"], catalog, INVOICE, compressed=compressed)) as document:
        assert read_text_layer(document, 0).words[:2] == ["Invoice", "2025-114"]
