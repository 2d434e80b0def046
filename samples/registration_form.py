"""The sample form, a supplier registration of three pages: letterhead, boxed fields, check boxes and tables."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.lib import colors
from reportlab.pdfgen.canvas import Canvas
from ruled_table import LEFT, PALE, draw_table

WIDTH = 612.0
RIGHT = WIDTH - LEFT
TEAL = colors.HexColor("#0b5563")
INK = colors.HexColor("#1a2f7a")


def _letterhead(canvas: Canvas, page: int) -> None:
    canvas.setFillColor(TEAL)
    canvas.rect(LEFT, 728, 34, 34, stroke=0, fill=1)
    canvas.setFillColor(colors.white)
    canvas.setFont("Helvetica-Bold", 20)
    canvas.drawCentredString(LEFT + 17, 738, "N")
    canvas.setFillColor(TEAL)
    canvas.setFont("Helvetica-Bold", 15)
    canvas.drawString(LEFT + 44, 747, "NORTHGATE COMPONENTS")
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(colors.black)
    canvas.drawString(
        LEFT + 44, 734, "2200 Foundry Avenue, Cleveland, OH 44114   Tel. (216) 555-0172   purchasing@northgate.example"
    )
    canvas.setStrokeColor(TEAL)
    canvas.setLineWidth(1.5)
    canvas.line(LEFT, 720, RIGHT, 720)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(LEFT, 30, "Form NC-114, revision 7 (01/2025)")
    canvas.drawRightString(RIGHT, 30, f"Page {page} of 3")


def _heading(canvas: Canvas, y: float, text: str) -> None:
    canvas.setFillColor(TEAL)
    canvas.rect(LEFT, y - 5, RIGHT - LEFT, 17, stroke=0, fill=1)
    canvas.setFillColor(colors.white)
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawString(LEFT + 6, y, text)
    canvas.setFillColor(colors.black)


def _field(canvas: Canvas, x: float, y: float, width: float, key: str, value: str) -> None:
    """A boxed field: the small key above, the typed value below."""
    canvas.setStrokeColor(colors.grey)
    canvas.setLineWidth(0.6)
    canvas.rect(x, y, width, 30)
    canvas.setFont("Helvetica", 7)
    canvas.setFillColor(colors.HexColor("#444444"))
    canvas.drawString(x + 4, y + 21.5, key)
    canvas.setFont("Courier", 10)
    canvas.setFillColor(INK)
    canvas.drawString(x + 6, y + 6.5, value)
    canvas.setFillColor(colors.black)


def _row_of_fields(canvas: Canvas, y: float, fields: Sequence[tuple[float, str, str]]) -> None:
    x = LEFT
    for share, key, value in fields:
        width = (RIGHT - LEFT) * share
        _field(canvas, x, y, width, key, value)
        x += width


def _check_box(canvas: Canvas, x: float, y: float, text: str, checked: bool) -> None:
    canvas.setLineWidth(0.8)
    canvas.setStrokeColor(colors.black)
    canvas.rect(x, y - 1, 9, 9)
    if checked:
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(1.4)
        canvas.line(x + 1.5, y + 0.5, x + 7.5, y + 6.5)
        canvas.line(x + 1.5, y + 6.5, x + 7.5, y + 0.5)
    canvas.setFont("Helvetica", 9)
    canvas.drawString(x + 14, y, text)


def _form_company(canvas: Canvas) -> None:
    _letterhead(canvas, 1)
    canvas.setFont("Helvetica-Bold", 18)
    canvas.setFillColor(colors.black)
    canvas.drawString(LEFT, 690, "Supplier Registration Form")
    canvas.setFont("Helvetica", 9)
    canvas.drawString(
        LEFT, 674, "Please complete all three pages and return the signed form to the purchasing department."
    )
    canvas.drawString(LEFT, 662, "Fields that do not apply are left empty. Incomplete forms cannot be processed.")
    _heading(canvas, 632, "A.  Company")
    _row_of_fields(
        canvas, 592, [(0.68, "Registered company name", "Halvorsen Castings LLC"), (0.32, "Date founded", "04/17/1998")]
    )
    _row_of_fields(
        canvas,
        562,
        [(0.5, "Street address", "1475 Millrace Road"), (0.5, "Mailing address (if different)", "P.O. Box 3310")],
    )
    _row_of_fields(
        canvas,
        532,
        [(0.46, "City", "Duluth"), (0.16, "State", "MN"), (0.18, "ZIP code", "55802"), (0.2, "Country", "USA")],
    )
    _row_of_fields(canvas, 502, [(0.36, "Telephone", "(218) 555-0139"), (0.64, "Web site", "www.halvorsen.example")])
    _row_of_fields(
        canvas,
        472,
        [
            (0.36, "Tax identification no.", "41-5550128"),
            (0.36, "D-U-N-S number", "05-555-0164"),
            (0.28, "Employees", "86"),
        ],
    )
    _heading(canvas, 440, "B.  Contact")
    _row_of_fields(canvas, 400, [(0.5, "Name", "Ingrid Halvorsen"), (0.5, "Position", "Sales Director")])
    _row_of_fields(
        canvas, 370, [(0.36, "Direct telephone", "(218) 555-0140"), (0.64, "E-mail", "i.halvorsen@halvorsen.example")]
    )
    _heading(canvas, 338, "C.  Type of business (check all that apply)")
    boxes = (
        ("Manufacturer", True),
        ("Distributor", False),
        ("Service provider", True),
        ("Small business", True),
        ("Minority-owned", False),
        ("Woman-owned", True),
        ("Veteran-owned", False),
        ("Non-profit", False),
        ("Other (see page 3)", False),
    )
    for index, (text, checked) in enumerate(boxes):
        _check_box(canvas, LEFT + 6 + index % 3 * 172, 312 - index // 3 * 20, text, checked)
    _heading(canvas, 236, "D.  Certifications")
    for index, (text, checked) in enumerate(
        (("ISO 9001", True), ("ISO 14001", True), ("IATF 16949", False), ("AS9100", False))
    ):
        _check_box(canvas, LEFT + 6 + index * 129, 210, text, checked)
    _row_of_fields(
        canvas,
        164,
        [
            (0.4, "Certificate no.", "QM-20417-3"),
            (0.35, "Issued by", "Lakehead Register"),
            (0.25, "Valid until", "09/30/2026"),
        ],
    )
    canvas.setFont("Helvetica-Oblique", 8)
    canvas.drawString(LEFT, 142, "Copies of all certificates must be attached to this form.")


def _form_products(canvas: Canvas) -> None:
    _letterhead(canvas, 2)
    _heading(canvas, 690, "E.  Products and prices offered")
    parts = (
        ("HC-1020", "Bracket, grey iron, machined", "250", "12.40"),
        ("HC-1044", "Housing cover, aluminium", "400", "8.75"),
        ("HC-1107", "Flange DN 80, ductile iron", "120", "31.20"),
        ("HC-1310", "Bearing cap, bronze", "600", "5.15"),
        ("HC-2002", "Pump body, stainless 316", "40", "164.00"),
        ("HC-2017", "Impeller, 5 blades, bronze", "40", "92.50"),
        ("HC-2105", "Valve seat ring", "1,000", "2.35"),
        ("HC-3300", "Pattern, wooden, one-off", "1", "480.00"),
    )
    rows = []
    total = 0.0
    for number, name, quantity, price in parts:
        amount = int(quantity.replace(",", "")) * float(price)
        total += amount
        rows.append((number, name, quantity, price, f"{amount:,.2f}"))
    rows.append(("", "Total offered", "", "", f"{total:,.2f}"))
    columns = (
        ("Part no.", 76, "left"),
        ("Description", 206, "left"),
        ("Quantity", 66, "right"),
        ("Price ($)", 76, "right"),
        ("Amount ($)", 92, "right"),
    )
    end = draw_table(canvas, 674, columns, rows)
    _heading(canvas, end - 30, "F.  Terms")
    _row_of_fields(
        canvas,
        end - 70,
        [(0.33, "Payment terms", "Net 45 days"), (0.33, "Incoterm", "FCA Duluth"), (0.34, "Lead time (weeks)", "6")],
    )
    _row_of_fields(
        canvas,
        end - 100,
        [(0.33, "Minimum order ($)", "1,500.00"), (0.33, "Currency", "USD"), (0.34, "Offer valid until", "12/31/2025")],
    )
    _heading(canvas, end - 132, "G.  Bank details")
    _row_of_fields(canvas, end - 172, [(0.6, "Bank", "First Superior Savings Bank"), (0.4, "Routing no.", "091055501")])
    _row_of_fields(
        canvas, end - 202, [(0.6, "Account holder", "Halvorsen Castings LLC"), (0.4, "Account no.", "7710 0455 83")]
    )
    _heading(canvas, end - 234, "H.  Insurance")
    insurances = (
        ("General liability", "Great Lakes Mutual", "GL-88213", "2,000,000"),
        ("Product liability", "Great Lakes Mutual", "PL-88214", "1,000,000"),
    )
    draw_table(
        canvas,
        end - 250,
        (("Kind", 140, "left"), ("Insurer", 160, "left"), ("Policy no.", 100, "left"), ("Sum ($)", 116, "right")),
        insurances,
    )


def _form_declaration(canvas: Canvas) -> None:
    _letterhead(canvas, 3)
    _heading(canvas, 690, "I.  References")
    references = (
        ("Bergstrom Pumps Inc.", "Karl Bergstrom", "(612) 555-0107", "2011"),
        ("Tri-County Utilities", "Dolores Pratt", "(715) 555-0183", "2016"),
        ("Ashby Rail Works", "M. Okafor", "(414) 555-0125", "2020"),
    )
    end = draw_table(
        canvas,
        674,
        (("Customer", 170, "left"), ("Contact", 140, "left"), ("Telephone", 126, "left"), ("Since", 80, "left")),
        references,
    )
    _heading(canvas, end - 30, "J.  Questions")
    questions = (
        "Do you have a written quality manual?",
        "Do you use subcontractors for the parts offered?",
        "Are you able to receive orders electronically (EDI)?",
        "Has your company been in insolvency in the last ten years?",
    )
    for index, (question, yes) in enumerate(zip(questions, (True, False, True, False), strict=True)):
        y = end - 56 - index * 22
        canvas.setFont("Helvetica", 9)
        canvas.drawString(LEFT + 4, y, f"{index + 1}.  {question}")
        _check_box(canvas, RIGHT - 110, y, "Yes", yes)
        _check_box(canvas, RIGHT - 54, y, "No", not yes)
    _heading(canvas, end - 158, "K.  Remarks")
    canvas.setStrokeColor(colors.grey)
    canvas.rect(LEFT, end - 236, RIGHT - LEFT, 70)
    canvas.setFont("Courier", 10)
    canvas.setFillColor(INK)
    canvas.drawString(LEFT + 8, end - 184, "Foundry closed for maintenance July 7 to July 18.")
    canvas.drawString(LEFT + 8, end - 200, "Patterns remain the property of the customer.")
    canvas.setFillColor(colors.black)
    _heading(canvas, end - 268, "L.  Declaration")
    canvas.setFont("Helvetica", 9)
    canvas.drawString(
        LEFT,
        end - 288,
        "I declare that the information given in this form is complete and correct, and that I will report any",
    )
    canvas.drawString(LEFT, end - 300, "change to Northgate Components within thirty days.")
    for x, width, key, value in (
        (LEFT, 150.0, "Place, date", "Duluth, 02/20/2025"),
        (LEFT + 190, 326.0, "Signature and name in print", "Ingrid Halvorsen"),
    ):
        canvas.setStrokeColor(colors.black)
        canvas.line(x, end - 360, x + width, end - 360)
        canvas.setFont("Helvetica", 7)
        canvas.drawString(x, end - 370, key)
        canvas.setFont("Courier", 10)
        canvas.setFillColor(INK)
        canvas.drawString(x + 4, end - 356, value)
        canvas.setFillColor(colors.black)
    canvas.setFillColor(PALE)
    canvas.rect(LEFT, 60, RIGHT - LEFT, 62, stroke=0, fill=1)
    canvas.setFillColor(colors.black)
    canvas.setFont("Helvetica-Bold", 8)
    canvas.drawString(LEFT + 6, 108, "FOR INTERNAL USE ONLY")
    for index, (key, value) in enumerate(
        (("Supplier no.:", "604417"), ("Received:", "02/24/2025"), ("Approved by:", "R. Delacroix"))
    ):
        canvas.setFont("Helvetica", 9)
        canvas.drawString(LEFT + 6 + index * 172, 82, key)
        canvas.setFont("Courier", 10)
        canvas.drawString(LEFT + 74 + index * 172, 82, value)


FORM_PAGES = (_form_company, _form_products, _form_declaration)
