"""The fields of an interactive PDF form (AcroForm), exactly as the file has them.

PDFium's form calls give names, tooltips and values. Widgets that the page does not show, because they are hidden, off
the page or without extent, make no field, as hidden text makes no word; neither do push buttons.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pypdfium2
import pypdfium2.raw as pdfium

from pipelines.documents.annotations import page_annotations
from pipelines.documents.check_boxes import is_ticked, widget_box
from pipelines.documents.layer_words import Box
from pipelines.errors import ProcessingError

FieldType = Literal["text", "check_box", "radio", "choice", "signature"]

OFF = "Off"
"""The value of a check box that is not ticked: what ISO 32000-1 calls this state."""

MAX_WIDGETS = 5_000
"""More widgets than this on one page are an attack; a dense tax form has 400."""

MAX_CHARACTERS = 1_000_000
"""Of the names, tooltips and values of a page, together."""

MAX_OPTIONS = 20_000
"""Options of a page's choices that are looked through; a list of all countries has 250. A further choice has the value
that is stored, which may be a code for the option that is shown."""

_TYPES: dict[int, FieldType] = {
    pdfium.FPDF_FORMFIELD_TEXTFIELD: "text",
    pdfium.FPDF_FORMFIELD_CHECKBOX: "check_box",
    pdfium.FPDF_FORMFIELD_RADIOBUTTON: "radio",
    pdfium.FPDF_FORMFIELD_COMBOBOX: "choice",
    pdfium.FPDF_FORMFIELD_LISTBOX: "choice",
    pdfium.FPDF_FORMFIELD_SIGNATURE: "signature",
}
_PASSWORD = 1 << 13


@dataclass(frozen=True)
class FormField:
    """A field of a page.

    Attributes:
        name: its full name, as `form1.address.street`.
        label: its tooltip, or None.
        value: of a text field its text, with line breaks; of a check box the export value, or `OFF`; of radio buttons
            the export value of the chosen one; of a choice the selected options as they are shown, one a line. None if
            there is none, for signatures, and for passwords.
        type: what it is.
        box: of its widget as fractions (0 to 1) of the displayed page; of several widgets that of the ticked one, else
            of the first one; of radio buttons without a choice, around all of them.
    """

    name: str
    label: str | None
    value: str | None
    type: FieldType
    box: Box


@dataclass(frozen=True)
class _Widget:
    """A widget: its field, where it is, and whether it is ticked."""

    field: FormField
    ticked: bool


def page_form_fields(page: pypdfium2.PdfPage) -> list[FormField]:
    """The fields of a page in the order of their first widgets, before these are flattened into the page.

    Widgets of one name are one field: radio buttons, and text that stands at several places.

    Raises:
        ProcessingError: `too_large`; the page has over `MAX_WIDGETS` widgets, or `MAX_CHARACTERS` in its fields.
    """
    if page.pdf.formenv is None:
        return []
    fields: dict[tuple[str, FieldType], list[_Widget]] = {}
    for widget in _widgets(page):
        fields.setdefault((widget.field.name, widget.field.type), []).append(widget)
    return [_field(widgets) for widgets in fields.values()]


def _widgets(page: pypdfium2.PdfPage) -> Iterator[_Widget]:
    reader = _Reader(page)
    count = 0
    for annotation, subtype in page_annotations(page):
        if subtype != pdfium.FPDF_ANNOT_WIDGET:
            continue
        count += 1
        if count > MAX_WIDGETS:
            message = (
                f"The page has more than {MAX_WIDGETS:,} form fields; print the document to a new PDF without them."
            )
            raise ProcessingError("too_large", message)
        widget = reader.widget(annotation)
        if widget is not None:
            yield widget


class _Reader:
    """Reads the widgets of a page, as many characters as are allowed."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._page = page
        self._environment = page.pdf.formenv
        self._characters_left = MAX_CHARACTERS
        self._options_left = MAX_OPTIONS

    def widget(self, annotation: pdfium.FPDF_ANNOTATION) -> _Widget | None:
        """The widget of an annotation; None if it belongs to no field that is read, or is not shown."""
        kind = pdfium.FPDFAnnot_GetFormFieldType(self._environment, annotation)
        box = widget_box(self._page, annotation)
        if kind not in _TYPES or box is None:
            return None
        ticked = kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON) and is_ticked(
            self._page, annotation
        )
        field = FormField(
            name=self._text(pdfium.FPDFAnnot_GetFormFieldName, annotation),
            label=self._text(pdfium.FPDFAnnot_GetFormFieldAlternateName, annotation).strip() or None,
            value=self._value(annotation, kind, ticked) or None,
            type=_TYPES[kind],
            box=box,
        )
        return _Widget(field, ticked)

    def _value(self, annotation: pdfium.FPDF_ANNOTATION, kind: int, ticked: bool) -> str | None:
        kind_name = _TYPES[kind]
        if kind_name in ("check_box", "radio"):
            return self._text(pdfium.FPDFAnnot_GetFormFieldExportValue, annotation) if ticked else None
        if kind_name == "signature":
            return None
        if kind_name == "text":
            flags = pdfium.FPDFAnnot_GetFormFieldFlags(self._environment, annotation)
            return None if flags & _PASSWORD else self._text(pdfium.FPDFAnnot_GetFormFieldValue, annotation)
        # What was typed into the box of a choice is none of its options.
        return self._selected(annotation) or self._text(pdfium.FPDFAnnot_GetFormFieldValue, annotation)

    def _selected(self, annotation: pdfium.FPDF_ANNOTATION) -> str:
        options = pdfium.FPDFAnnot_GetOptionCount(self._environment, annotation)
        if options > self._options_left:
            return ""
        self._options_left -= options
        return "\n".join(
            self._text(pdfium.FPDFAnnot_GetOptionLabel, annotation, option)
            for option in range(options)
            if pdfium.FPDFAnnot_IsOptionSelected(self._environment, annotation, option)
        )

    def _text(self, get: Callable[..., int], annotation: pdfium.FPDF_ANNOTATION, *arguments: Any) -> str:
        size = get(self._environment, annotation, *arguments, None, 0)
        self._characters_left -= size // 2
        if self._characters_left < 0:
            message = f"The form fields of the page have more than {MAX_CHARACTERS:,} characters."
            raise ProcessingError("too_large", message)
        buffer = ctypes.create_string_buffer(max(2, size))
        get(self._environment, annotation, *arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
        text = buffer.raw.decode("utf-16-le", "replace").replace("\0", "")
        return text.replace("\r\n", "\n").replace("\r", "\n")


def _field(widgets: list[_Widget]) -> FormField:
    """The field of the widgets of one name and type."""
    first = widgets[0].field
    if first.type not in ("check_box", "radio"):
        return first
    ticked = [widget.field for widget in widgets if widget.ticked]
    label = next((widget.field.label for widget in widgets if widget.field.label), None)
    if ticked:
        values = dict.fromkeys(field.value or "" for field in ticked)
        return FormField(first.name, label, "\n".join(values), first.type, ticked[0].box)
    if first.type == "check_box":
        return FormField(first.name, label, OFF, first.type, first.box)
    lefts, tops, rights, bottoms = zip(*(widget.field.box for widget in widgets), strict=True)
    return FormField(first.name, label, None, first.type, (min(lefts), min(tops), max(rights), max(bottoms)))
