"""The shorter sample documents: an invoice, a receipt, a fax of two pages and a schedule."""

from __future__ import annotations

import random

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib import colors
from reportlab.pdfgen.canvas import Canvas
from ruled_table import LEFT, draw_table

WIDTH = 612.0
RIGHT = WIDTH - LEFT
RECEIPT_SIZE = (226.0, 520.0)


def draw_invoice(canvas: Canvas) -> None:
    """An invoice on one page."""
    canvas.setFillColor(colors.HexColor("#7a2e1d"))
    canvas.rect(0, 752, WIDTH, 40, stroke=0, fill=1)
    canvas.setFillColor(colors.white)
    canvas.setFont("Times-Bold", 20)
    canvas.drawString(LEFT, 764, "Quillfeather & Sons, Bookbinders")
    canvas.setFillColor(colors.black)
    canvas.setFont("Helvetica-Bold", 22)
    canvas.drawRightString(RIGHT, 706, "INVOICE")
    for index, (key, value) in enumerate(
        (
            ("Invoice no.", "2025-0318"),
            ("Invoice date", "March 18, 2025"),
            ("Customer no.", "10442"),
            ("Due date", "April 17, 2025"),
        )
    ):
        canvas.setFont("Helvetica-Bold", 9)
        canvas.drawString(RIGHT - 180, 680 - index * 15, key)
        canvas.setFont("Helvetica", 9)
        canvas.drawRightString(RIGHT, 680 - index * 15, value)
    canvas.setFont("Helvetica-Bold", 9)
    canvas.drawString(LEFT, 694, "Bill to")
    canvas.setFont("Helvetica", 10)
    for index, line in enumerate(
        ("Marchmont College Library", "Attn. Accounts Payable", "17 Chapel Close", "Burlington, VT 05401")
    ):
        canvas.drawString(LEFT, 678 - index * 14, line)
    items = (
        ("Rebinding, half leather, gilt title", 14, 68.50),
        ("Repair of spines, cloth", 32, 21.00),
        ("Box, acid-free, made to measure", 9, 34.75),
        ("Endpapers, marbled by hand", 14, 12.20),
        ("Collection and delivery", 1, 45.00),
    )
    rows = [(name, str(count), f"{price:,.2f}", f"{count * price:,.2f}") for name, count, price in items]
    columns = (("Description", 276, "left"), ("Qty", 60, "right"), ("Unit price", 84, "right"), ("Amount", 96, "right"))
    end = draw_table(canvas, 596, columns, rows, height=22)
    net = sum(count * price for _, count, price in items)
    for index, (key, amount) in enumerate(
        (("Subtotal", net), ("Sales tax 6%", net * 0.06), ("Total due (USD)", net * 1.06))
    ):
        canvas.setFont("Helvetica-Bold" if index == 2 else "Helvetica", 11 if index == 2 else 9.5)
        canvas.drawRightString(RIGHT - 110, end - 26 - index * 19, key)
        canvas.drawRightString(RIGHT - 5, end - 26 - index * 19, f"{amount:,.2f}")
    canvas.line(RIGHT - 220, end - 50, RIGHT, end - 50)
    canvas.setFont("Helvetica", 9)
    canvas.drawString(
        LEFT,
        end - 110,
        "Payment within 30 days to Green Mountain Bank, account 55-501-7734, quoting the invoice number.",
    )
    canvas.drawString(LEFT, end - 124, "Thank you for your order.")
    canvas.setFont("Helvetica", 8)
    canvas.drawCentredString(
        WIDTH / 2,
        36,
        "Quillfeather & Sons   9 Binders Yard, Montpelier, VT 05602   Tel. (802) 555-0156   Tax no. 03-5550190",
    )


def draw_receipt(canvas: Canvas) -> None:
    """A till receipt on a paper roll."""
    width, height = RECEIPT_SIZE
    canvas.setFillColor(colors.HexColor("#222222"))
    canvas.setFont("Courier-Bold", 15)
    canvas.drawCentredString(width / 2, height - 36, "CORNER GROCER")
    canvas.setFont("Courier", 9)
    for index, line in enumerate(("61 Juniper Street", "Santa Fe, NM 87501", "Tel: 505-555-0118")):
        canvas.drawCentredString(width / 2, height - 52 - index * 12, line)
    y = height - 104
    canvas.drawString(14, y, "Date: 03/09/2025")
    canvas.drawRightString(width - 14, y, "17:42")
    canvas.drawString(14, y - 12, "Cashier: Lupe")
    canvas.drawRightString(width - 14, y - 12, "Receipt 004871")
    items = (
        ("2 x Whole milk 1 gal", 7.98),
        ("Sourdough loaf", 5.49),
        ("Eggs, large, dozen", 4.29),
        ("Green chile 1 lb", 3.75),
        ("Black beans, can", 1.29),
        ("Coffee, ground 12 oz", 9.99),
        ("Bananas 2.31 lb", 1.59),
        ("Dish soap", 3.19),
    )
    y -= 32
    canvas.drawString(14, y + 8, "-" * 36)
    for name, price in items:
        y -= 14
        canvas.drawString(14, y + 8, name)
        canvas.drawRightString(width - 14, y + 8, f"{price:.2f}")
    y -= 14
    canvas.drawString(14, y + 8, "-" * 36)
    net = sum(price for _, price in items)
    tax = net * 0.0512
    total = round(net + tax, 2)
    for key, amount, bold in (
        ("SUBTOTAL", net, False),
        ("TAX 5.12%", tax, False),
        ("TOTAL", total, True),
        ("CASH", 40.0, False),
        ("CHANGE", 40 - total, False),
    ):
        y -= 17 if bold else 14
        canvas.setFont("Courier-Bold" if bold else "Courier", 13 if bold else 9)
        canvas.drawString(14, y + 8, key)
        canvas.drawRightString(width - 14, y + 8, f"{amount:.2f}")
    canvas.setFont("Courier", 9)
    canvas.drawCentredString(width / 2, y - 24, "Thank you! Come again.")
    canvas.drawCentredString(width / 2, y - 37, "Returns within 14 days")
    Code128("004871250309", barHeight=32, barWidth=1.0).drawOn(canvas, 22, y - 86)


def _fax_cover(canvas: Canvas) -> None:
    canvas.setFont("Helvetica-Bold", 40)
    canvas.drawString(LEFT + 20, 668, "FAX")
    canvas.setFont("Helvetica-Bold", 14)
    canvas.drawString(LEFT + 20, 640, "Bracken Freight Services")
    canvas.setLineWidth(2)
    canvas.line(LEFT + 20, 628, RIGHT - 20, 628)
    fields = (
        ("To:", "Osgood Furniture, Receiving"),
        ("Attention:", "Mr. Leland Price"),
        ("Fax no.:", "(503) 555-0199"),
        ("From:", "Renata Silva"),
        ("Date:", "March 11, 2025"),
        ("Pages:", "2 including this page"),
        ("Subject:", "Shipment 77-20318, delivery on Thursday"),
    )
    for index, (key, value) in enumerate(fields):
        canvas.setFont("Helvetica-Bold", 13)
        canvas.drawString(LEFT + 20, 598 - index * 26, key)
        canvas.setFont("Helvetica", 13)
        canvas.drawString(LEFT + 120, 598 - index * 26, value)
    canvas.setLineWidth(0.8)
    canvas.line(LEFT + 20, 424, RIGHT - 20, 424)
    lines = (
        "Dear Mr. Price,",
        "",
        "your shipment left our Tacoma terminal this morning. The truck will reach",
        "your dock on Thursday, March 13, between 9 and 11 a.m. Please have a fork",
        "lift ready: two of the crates weigh more than 1,200 pounds.",
        "",
        "The packing list is on the next page. Please sign it on receipt and fax it",
        "back to (503) 555-0146.",
        "",
        "Regards,",
        "Renata Silva",
    )
    canvas.setFont("Times-Roman", 13)
    for index, line in enumerate(lines):
        canvas.drawString(LEFT + 20, 396 - index * 19, line)


def _fax_list(canvas: Canvas) -> None:
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(LEFT, 690, "Packing list   77-20318")
    random_source = random.Random(5)
    names = (
        "Oak panels",
        "Table legs, turned",
        "Drawer runners",
        "Brass handles",
        "Varnish, clear",
        "Chair frames",
        "Plywood 18 mm",
        "Wood screws",
    )
    rows = []
    weight = 0
    for index, name in enumerate(names, start=1):
        pounds = random_source.randint(40, 1400)
        weight += pounds
        rows.append(
            (
                str(index),
                name,
                str(random_source.randint(1, 60)),
                f"{pounds:,}",
                random_source.choice(("Crate", "Pallet", "Carton")),
            )
        )
    rows.append(("", "Total", "", f"{weight:,}", ""))
    columns = (
        ("No.", 46, "left"),
        ("Article", 210, "left"),
        ("Pieces", 80, "right"),
        ("Weight (lb)", 90, "right"),
        ("Packing", 90, "left"),
    )
    end = draw_table(canvas, 664, columns, rows, height=24)
    canvas.setFont("Helvetica", 12)
    for index, key in enumerate(("Received in good order:", "Date:", "Signature:")):
        canvas.drawString(LEFT, end - 60 - index * 36, key)
        canvas.line(LEFT + 150, end - 63 - index * 36, LEFT + 400, end - 63 - index * 36)


FAX_PAGES = (_fax_cover, _fax_list)


def draw_schedule(canvas: Canvas) -> None:
    """A wide table on a landscape page, 792 x 612 points."""
    canvas.setFont("Helvetica-Bold", 17)
    canvas.drawString(LEFT, 556, "Delivery schedule, second quarter 2025")
    canvas.setFont("Helvetica", 9)
    canvas.drawString(LEFT, 540, "Depot: Rockford      Dispatcher: A. Lindqvist      Issued: March 24, 2025")
    random_source = random.Random(8)
    towns = (
        "Beloit",
        "Janesville",
        "Freeport",
        "Dixon",
        "Belvidere",
        "Elgin",
        "Aurora",
        "Sterling",
        "Galena",
        "Monroe",
        "Harvard",
        "DeKalb",
        "Byron",
        "Oregon",
    )
    rows = []
    for index, town in enumerate(towns):
        days = random_source.sample(("Mon", "Tue", "Wed", "Thu", "Fri"), 2)
        rows.append(
            (
                f"R{index + 1:02}",
                town,
                " / ".join(days),
                f"{random_source.randint(6, 9)}:{random_source.choice(('00', '15', '30', '45'))} a.m.",
                str(random_source.randint(12, 140)),
                f"{random_source.randint(300, 4800):,}",
                random_source.choice(("Truck 2", "Truck 5", "Van 1", "Van 3")),
                random_source.choice(("", "Call before arrival", "Dock closes at noon", "Tail lift needed")),
            )
        )
    columns = (
        ("Route", 50, "left"),
        ("Town", 100, "left"),
        ("Days", 90, "left"),
        ("Departure", 80, "right"),
        ("Miles", 60, "right"),
        ("Load (lb)", 76, "right"),
        ("Vehicle", 80, "left"),
        ("Remarks", 160, "left"),
    )
    end = draw_table(canvas, 520, columns, rows, height=23)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(LEFT, end - 22, "Changes are announced one week ahead. Questions: dispatch, extension 214.")
