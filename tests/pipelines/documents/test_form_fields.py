"""The fields of interactive forms: names, tooltips, values and boxes."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from pipelines.documents import form_fields
from pipelines.documents.document import Document
from pipelines.documents.form_fields import OFF, FormField
from pipelines.errors import ProcessingError
from tests.drawn_pdf import DrawnPage, draw_pdf
from tests.pipelines.documents.raw_pdf import layer_of, raw_pdf, stream

TEXT = "/FT /Tx /DA (/F1 12 Tf 0 g)"
TICK = "/AP << /N << /Off 6 0 R /{on} 6 0 R >> >>"
BOX = (0.1, 1 / 3, 0.5, 0.4)
"""Of the rectangle [40 180 200 200] on the page of 400 by 300 points."""


def form(*widgets: str, others: tuple[str, ...] = (), page: str = "", top: tuple[int, ...] | None = None) -> bytes:
    """A page with these widgets (objects 7, 8, ...), then `others`; the form's `top` fields are the widgets."""
    numbers = range(7, 7 + len(widgets))
    drawn = [f"<< /Type /Annot /Subtype /Widget {_complete(widget)} >>" for widget in widgets]
    roots = " ".join(f"{number} 0 R" for number in (numbers if top is None else top))
    return raw_pdf(
        "",
        stream("0 0 12 12 re S", "/Type /XObject /Subtype /Form /BBox [0 0 12 12]"),
        *drawn,
        *others,
        page=f"/Annots [{' '.join(f'{number} 0 R' for number in numbers)}] {page}",
        catalog=f"/AcroForm << /Fields [{roots}] /DR << /Font << /F1 5 0 R >> >> >>",
    )


def _complete(widget: str) -> str:
    """A widget with a place and flags, where it has none of its own."""
    flags = "" if "/F " in widget else "/F 4"
    return f"{widget} {flags}" if "/Rect" in widget else f"{widget} {flags} /Rect [40 180 200 200]"


def check_box(name: str, state: str, on: str = "Yes", place: int = 0) -> str:
    return (
        f"/FT /Btn /T ({name}) /V /{state} /AS /{state} {TICK.format(on=on)} "
        f"/Rect [{40 + 40 * place} 180 {52 + 40 * place} 192]"
    )


def fields_of(data: bytes) -> list[FormField]:
    with Document(data) as document:
        return document.form_fields(0)


def test_a_text_field_has_its_name_tooltip_value_and_box() -> None:
    (field,) = fields_of(form(f"{TEXT} /T (invoice.number) /TU (Invoice number) /V (2024-17)"))
    assert (field.name, field.label, field.value, field.type) == ("invoice.number", "Invoice number", "2024-17", "text")
    assert field.box == pytest.approx(BOX, abs=1e-4)


def test_the_full_name_is_that_of_all_its_parents_and_the_tooltip_is_inherited() -> None:
    parent = "<< /T (applicant) /TU (The applicant) /Kids [7 0 R] >>"
    (field,) = fields_of(form(f"{TEXT} /Parent 8 0 R /T (street) /V (Main St)", others=(parent,), top=(8,)))
    assert (field.name, field.label, field.value) == ("applicant.street", "The applicant", "Main St")


def test_a_text_of_several_lines_keeps_them() -> None:
    (field,) = fields_of(form(f"{TEXT} /Ff 4096 /T (note) /V (first\\rsecond\\r\\nthird)"))
    assert field.value == "first\nsecond\nthird"


def test_text_is_unicode() -> None:
    value = "\ufeffStraße 東京 😀".encode("utf-16-be").hex()
    (field,) = fields_of(form(f"{TEXT} /T (place) /V <{value}>"))
    assert field.value == "Straße 東京 😀"


def test_a_field_without_a_value_or_a_tooltip_has_none() -> None:
    empty, blank = fields_of(form(f"{TEXT} /T (a)", f"{TEXT} /T (b) /V () /TU ( )"))
    assert (empty.value, empty.label, blank.value, blank.label) == (None, None, None, None)


def test_a_check_box_has_its_export_value_or_off() -> None:
    on, off, named = fields_of(form(check_box("a", "Yes"), check_box("b", "Off"), check_box("c", "Urgent", "Urgent")))
    assert [(field.type, field.value) for field in (on, off, named)] == [
        ("check_box", "Yes"),
        ("check_box", OFF),
        ("check_box", "Urgent"),
    ]


def test_check_boxes_of_one_name_are_one_field_with_the_ticked_value() -> None:
    (field,) = fields_of(form(check_box("pay", "Off", "Cash", 0), check_box("pay", "Card", "Card", 1)))
    assert field.value == "Card"
    assert field.box == pytest.approx((80 / 400, 108 / 300, 92 / 400, 120 / 300), abs=1e-4)


def radio_group(chosen: str) -> bytes:
    kids = [
        f"/Parent 10 0 R /AS /{on if on == chosen else 'Off'} {TICK.format(on=on)} "
        f"/Rect [{40 + 40 * place} 180 {52 + 40 * place} 192]"
        for place, on in enumerate(("One", "Two", "Three"))
    ]
    group = f"<< /FT /Btn /Ff 32768 /T (size) /TU (Size) /V /{chosen} /Kids [7 0 R 8 0 R 9 0 R] >>"
    return form(*kids, others=(group,), top=(10,))


def test_radio_buttons_are_one_field_with_the_chosen_option_and_its_box() -> None:
    (field,) = fields_of(radio_group("Two"))
    assert (field.name, field.label, field.value, field.type) == ("size", "Size", "Two", "radio")
    assert field.box == pytest.approx((80 / 400, 108 / 300, 92 / 400, 120 / 300), abs=1e-4)


def test_radio_buttons_without_a_choice_have_no_value_and_the_box_around_them() -> None:
    (field,) = fields_of(radio_group("Off"))
    assert field.value is None
    assert field.box == pytest.approx((40 / 400, 108 / 300, 132 / 400, 120 / 300), abs=1e-4)


def test_a_choice_has_the_options_that_it_shows() -> None:
    options = "/Opt [[(de) (Germany)] [(fr) (France)] [(it) (Italy)]]"
    combo, several, typed, none = fields_of(
        form(
            f"/FT /Ch /Ff 131072 /T (one) /V (fr) {options}",
            f"/FT /Ch /Ff 2097152 /T (two) /V [(de) (it)] {options}",
            f"/FT /Ch /Ff 393216 /T (three) /V (Narnia) {options}",
            f"/FT /Ch /Ff 131072 /T (four) {options}",
        )
    )
    assert [field.type for field in (combo, several, typed, none)] == ["choice"] * 4
    assert [field.value for field in (combo, several, typed, none)] == ["France", "Germany\nItaly", "Narnia", None]


def test_a_signature_and_a_password_have_no_value_and_a_push_button_is_no_field() -> None:
    fields = fields_of(
        form(
            "/FT /Sig /T (signed) /V << /Type /Sig >>",
            f"{TEXT} /Ff 8192 /T (pin) /V (1234)",
            "/FT /Btn /Ff 65536 /T (go)",
        )
    )
    assert [(field.name, field.type, field.value) for field in fields] == [
        ("signed", "signature", None),
        ("pin", "text", None),
    ]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("/Rotate 90", (180 / 300, 40 / 400, 200 / 300, 200 / 400)),
        ("/Rotate 180", (200 / 400, 180 / 300, 360 / 400, 200 / 300)),
        ("/Rotate 270", (100 / 300, 200 / 400, 120 / 300, 360 / 400)),
        ("/CropBox [20 100 220 300]", (20 / 200, 100 / 200, 180 / 200, 120 / 200)),
        ("/UserUnit 2", BOX),
    ],
)
def test_the_box_is_where_the_page_shows_the_field(page: str, expected: tuple[float, ...]) -> None:
    (field,) = fields_of(form(f"{TEXT} /T (a) /V (x)", page=page))
    assert field.box == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "hidden",
    ["/F 2", "/F 32", "/Rect [500 180 600 200]", "/Rect [40 180 40 180]", "/Rect [-90 -90 -10 -10]"],
)
def test_a_field_that_the_page_does_not_show_is_none(hidden: str) -> None:
    data = form(f"{TEXT} /T (odd) /V (unseen) {hidden}", f"{TEXT} /T (shown) /V (seen)")
    assert [field.name for field in fields_of(data)] == ["shown"]


def test_a_field_at_the_edge_is_cut_off_there() -> None:
    (field,) = fields_of(form(f"{TEXT} /T (a) /V (x) /Rect [300 180 900 200]"))
    assert field.box == pytest.approx((0.75, 1 / 3, 1, 0.4), abs=1e-4)


def test_text_at_several_places_is_one_field_at_the_first() -> None:
    kids = ("/Parent 9 0 R", "/Parent 9 0 R /Rect [40 20 200 40]")
    field = f"<< {TEXT} /T (name) /V (Ada) /Kids [7 0 R 8 0 R] >>"
    (found,) = fields_of(form(*kids, others=(field,), top=(9,)))
    assert (found.name, found.value) == ("name", "Ada")
    assert found.box == pytest.approx(BOX, abs=1e-4)


def test_pages_without_a_form_and_images_have_no_fields() -> None:
    assert fields_of(draw_pdf(DrawnPage())) == []
    picture = io.BytesIO()
    Image.new("L", (20, 20), 255).save(picture, "PNG")
    assert fields_of(picture.getvalue()) == []


def test_what_a_widget_shows_stays_among_the_words() -> None:
    data = draw_pdf(DrawnPage(field_value="Cardiff"))
    assert layer_of(data).words == ["Cardiff"]
    (field,) = fields_of(data)
    assert (field.name, field.value) == ("field", "Cardiff")


def test_a_form_of_another_program_is_read() -> None:
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(400, 300))
    canvas.acroForm.textfield(name="total", tooltip="Total", value="12.50", x=40, y=180, width=160, height=20)
    canvas.acroForm.checkbox(name="paid", tooltip="Paid", checked=True, x=40, y=120, size=20)
    canvas.acroForm.choice(name="unit", value="kg", options=["g", "kg"], x=40, y=60, width=80, height=20)
    for value in ("a", "b"):
        canvas.acroForm.radio(name="kind", value=value, selected=value == "b", x=240, y=180, size=20)
    canvas.drawString(40, 260, "Receipt")
    canvas.save()
    fields = fields_of(written.getvalue())
    assert [(field.name, field.label, field.value, field.type) for field in fields] == [
        ("total", "Total", "12.50", "text"),
        ("paid", "Paid", "Yes", "check_box"),
        ("unit", None, "kg", "choice"),
        ("kind", None, "b", "radio"),
    ]


def test_the_fields_of_each_page_are_its_own() -> None:
    data = draw_pdf(DrawnPage(field_value="first"), DrawnPage(), DrawnPage(field_value="third"))
    with Document(data) as document:
        found = [[field.value for field in document.form_fields(page)] for page in (2, 0, 1)]
    assert [len(values) for values in found] == [1, 1, 0]


def test_too_many_fields_or_characters_fail_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    data = form(*(f"{TEXT} /T (f{number}) /V (value)" for number in range(4)))
    monkeypatch.setattr(form_fields, "MAX_WIDGETS", 3)
    with pytest.raises(ProcessingError, match="more than 3 form fields") as many:
        fields_of(data)
    monkeypatch.undo()
    monkeypatch.setattr(form_fields, "MAX_CHARACTERS", 30)
    with pytest.raises(ProcessingError, match="more than 30 characters") as long:
        fields_of(data)
    assert many.value.kind == long.value.kind == "too_large"
