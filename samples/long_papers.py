"""The sample contract and the sample report: documents of many pages of running text."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import prose
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Spacer, Table, TableStyle

NewCanvas = Callable[..., Canvas]

WIDTH, HEIGHT = 612.0, 792.0
REPORT_PAGES = 30

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=14.2, alignment=4, spaceAfter=7)
CLAUSE = ParagraphStyle("clause", BODY, leftIndent=22, firstLineIndent=0)
CLAUSE_TITLE = ParagraphStyle("clause title", BODY, fontName="Times-Bold", spaceBefore=8, alignment=0)
DENSE = ParagraphStyle("dense", BODY, fontSize=9.6, leading=11.8, spaceAfter=5)
CHAPTER = ParagraphStyle("chapter", fontName="Helvetica-Bold", fontSize=17, leading=22, spaceAfter=8)
SECTION = ParagraphStyle("section", fontName="Helvetica-Bold", fontSize=11, leading=14, spaceBefore=6, spaceAfter=4)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

NAVY = colors.HexColor("#1d3557")


def contract(new_canvas: NewCanvas) -> bytes:
    """A services agreement of four pages, the last one with the signatures."""
    pages = io.BytesIO()
    canvas = new_canvas(pages, (WIDTH, HEIGHT), "Services Agreement")
    story: list[Flowable] = [
        Paragraph("SERVICES AGREEMENT", ParagraphStyle("title", fontName="Times-Bold", fontSize=16, alignment=1)),
        Spacer(1, 22),
        Paragraph(prose.PARTIES, BODY),
        Paragraph("The Parties agree as follows:", BODY),
    ]
    for number, (title, *clauses) in enumerate(prose.CLAUSES, start=1):
        story.append(Paragraph(f"{number}. {title}", CLAUSE_TITLE))
        for index, text in enumerate(clauses, start=1):
            story.append(Paragraph(f"{number}.{index}&nbsp;&nbsp;{text}", CLAUSE))
    for number in range(1, 5):
        if story:
            top = _fill(canvas, story, 76, HEIGHT - 66, 66, WIDTH - 152)
            if not story:
                _signatures(canvas, top - 26)
        else:
            _instruments(canvas)
        canvas.setFont("Times-Roman", 9)
        canvas.drawString(76, 40, "Larkmoor Instruments / Penhallow & Voss")
        canvas.drawRightString(WIDTH - 76, 40, f"Page {number} of 4")
        canvas.showPage()
    canvas.save()
    return pages.getvalue()


def _fill(canvas: Canvas, story: list[Flowable], x: float, top: float, bottom: float, width: float) -> float:
    """Draw as much of `story` as fits and remove it from the list; return the y at which the text ends.

    A heading stays with the text that follows it.
    """
    while story:
        flowable = story[0]
        if top < HEIGHT - 66:
            top -= flowable.getSpaceBefore()
        _, height = flowable.wrap(width, HEIGHT)
        is_heading = isinstance(flowable, Paragraph) and flowable.style in (CLAUSE_TITLE, SECTION)
        if top - height - (40 if is_heading else 0) >= bottom:
            flowable.drawOn(canvas, x, top - height)
            top -= height + flowable.getSpaceAfter()
            del story[0]
            continue
        pieces = [] if is_heading else flowable.split(width, top - bottom)
        if len(pieces) == 2:
            _, height = pieces[0].wrap(width, HEIGHT)
            pieces[0].drawOn(canvas, x, top - height)
            story[0] = pieces[1]
            top -= height
        break
    return top


def _instruments(canvas: Canvas) -> None:
    """Schedule A, on a page of its own."""
    rows = [["No.", "Instrument", "Manufacturer", "Serial no.", "Location", "Interval"]]
    names = (
        "Analytical balance",
        "Pressure gauge",
        "Oscilloscope",
        "pH meter",
        "Torque wrench",
        "Thermometer",
        "Flow meter",
    )
    random_source = random.Random(410)
    for number in range(1, 22):
        name = random_source.choice(names)
        maker = random_source.choice(("Aldwin", "Brenner", "Castellan", "Dorrit & Co."))
        serial = f"{random_source.choice('ABKT')}{random_source.randint(10000, 99999)}"
        location = f"Building {random_source.randint(1, 4)}, room {random_source.randint(101, 318)}"
        rows.append([str(number), name, maker, serial, location, random_source.choice(("6 months", "12 months"))])
    table = Table(rows, [30, 108, 84, 64, 112, 62], 20)
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, 0), "Times-Bold", 9.5),
                ("FONT", (0, 1), (-1, -1), "Times-Roman", 9.5),
                ("LINEBELOW", (0, 0), (-1, 0), 1, colors.black),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, colors.grey),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    story: list[Flowable] = [
        Paragraph("SCHEDULE A", ParagraphStyle("schedule", BODY, fontName="Times-Bold", fontSize=13, alignment=1)),
        Paragraph(
            "Instruments to be calibrated and maintained under Section 1.1", ParagraphStyle("sub", BODY, alignment=1)
        ),
        Spacer(1, 10),
        table,
        Spacer(1, 14),
        Paragraph("Instruments that the Client adds during the term are charged at $95.00 each per visit.", BODY),
    ]
    _fill(canvas, story, 76, HEIGHT - 66, 66, WIDTH - 152)


def _signatures(canvas: Canvas, top: float) -> None:
    canvas.setFont("Times-Roman", 11)
    canvas.drawString(76, top, "IN WITNESS WHEREOF, the Parties have signed this Agreement as of the Effective Date.")
    signers = (
        (76, "LARKMOOR INSTRUMENTS, INC.", "Judith M. Harcourt", "Chief Operating Officer", 5),
        (326, "PENHALLOW & VOSS LLC", "Tobias Voss", "Managing Member", 9),
    )
    for left, company, name, title, seed in signers:
        canvas.setFont("Times-Bold", 11)
        canvas.drawString(left, top - 38, company)
        canvas.setFont("Times-Roman", 11)
        for row, (key, value) in enumerate(
            (("By:", ""), ("Name:", name), ("Title:", title), ("Date:", "March 3, 2025"))
        ):
            baseline = top - 84 - 28 * row
            canvas.drawString(left, baseline, key)
            canvas.drawString(left + 42, baseline, value)
            canvas.setLineWidth(0.5)
            canvas.line(left + 38, baseline - 3, left + 206, baseline - 3)
        _scribble(canvas, left + 48, top - 82, seed)


def _scribble(canvas: Canvas, x: float, y: float, seed: int) -> None:
    """A signature in blue ink."""
    random_source = random.Random(seed)
    canvas.saveState()
    canvas.setStrokeColor(colors.HexColor("#1b3f9c"))
    canvas.setLineWidth(1.2)
    canvas.setLineCap(1)
    path = canvas.beginPath()
    path.moveTo(x, y)
    for step in range(9):
        height = random_source.uniform(4, 24) * (0.55 if step % 3 else 1)
        dip = random_source.uniform(-7, 2)
        path.curveTo(x + 3, y + height, x + 11, y + height * 0.8, x + 9, y + dip)
        path.curveTo(x + 8, y - 4, x + 13, y + 2, x + 14, y + random_source.uniform(0, 6))
        x += 14
    canvas.drawPath(path)
    canvas.restoreState()


def report(new_canvas: NewCanvas) -> bytes:
    """An annual report: every third page in two columns, every fifth with a table, every seventh with a bar chart."""
    pages = io.BytesIO()
    canvas = new_canvas(pages, (WIDTH, HEIGHT), "Annual report")
    random_source = random.Random(2025)
    for index in range(REPORT_PAGES):
        _report_page(canvas, index, random_source)
        canvas.showPage()
    canvas.save()
    return pages.getvalue()


def _report_page(canvas: Canvas, index: int, random_source: random.Random) -> None:
    chapter = index // 3
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(NAVY)
    canvas.drawString(60, HEIGHT - 40, "Ardley Valley Water Board")
    canvas.drawRightString(WIDTH - 60, HEIGHT - 40, "Annual report 2024")
    canvas.setStrokeColor(NAVY)
    canvas.setLineWidth(0.7)
    canvas.line(60, HEIGHT - 45, WIDTH - 60, HEIGHT - 45)
    canvas.setFillColor(colors.black)
    canvas.drawCentredString(WIDTH / 2, 34, str(index + 1))
    top, bottom = HEIGHT - 60, 54.0
    if index % 3 == 0:
        heading = Paragraph(f"{chapter + 1}&nbsp;&nbsp;{prose.CHAPTERS[chapter]}", CHAPTER)
        _fill(canvas, [heading], 60, top, top - 40, WIDTH - 120)
        top -= 40
    if index % 5 == 2:
        top = _table(canvas, top, index, random_source)
    if index % 7 == 3:
        bottom = _bar_chart(canvas, bottom, random_source)
    columns = 2 if index % 3 == 1 else 1
    gutter = 20
    width = (WIDTH - 120 - gutter * (columns - 1)) / columns
    story = _sections(chapter, index, random_source)
    for column in range(columns):
        _fill(canvas, story, 60 + column * (width + gutter), top, bottom, width)


def _sections(chapter: int, index: int, random_source: random.Random) -> list[Flowable]:
    """Text for more than one page; the rest is not printed."""
    story: list[Flowable] = []
    for section in range(1, 8):
        name = random_source.choice(("Operation", "Results", "Works carried out", "Incidents", "Outlook", "Method"))
        story.append(Paragraph(f"{chapter + 1}.{index % 3 * 7 + section}&nbsp;&nbsp;{name}", SECTION))
        story += [Paragraph(prose.paragraph(random_source, random_source.randint(5, 8)), DENSE) for _ in range(3)]
    return story


def _table(canvas: Canvas, top: float, index: int, random_source: random.Random) -> float:
    rows = [["Service area", "Samples", "Failures", "Mean (mg/l)", "Maximum", "Compliance"]]
    for area in ("Ardley North", "Ardley South", "Cotter Hill", "Fell Bridge", "Osier Quay", "Harrow Lane"):
        samples, failures = random_source.randint(180, 640), random_source.randint(0, 4)
        mean = random_source.uniform(0.1, 0.4)
        compliance = f"{100 * (1 - failures / samples):.2f}%"
        rows.append([area, str(samples), str(failures), f"{mean:.2f}", f"{mean * 2.4:.2f}", compliance])
    table = Table(rows, [120, 64, 64, 82, 74, 88], 17)
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 8.5),
                ("FONT", (0, 1), (-1, -1), "Helvetica", 8.5),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#dbe5f0")),
                ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
                ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    caption = Paragraph(f"Table {index // 5 + 1}: Results by service area", SECTION)
    _fill(canvas, [caption, table], 60, top, top - 160, WIDTH - 120)
    return top - 160


def _bar_chart(canvas: Canvas, bottom: float, random_source: random.Random) -> float:
    canvas.saveState()
    canvas.setFont("Helvetica-Bold", 8.5)
    canvas.drawString(60, bottom + 118, "Figure: Daily demand by month (megalitres)")
    canvas.setFont("Helvetica", 7)
    for month, name in enumerate(MONTHS):
        value = random_source.randint(38, 72)
        x = 76 + month * 39
        canvas.setFillColor(colors.HexColor("#6f9bc4"))
        canvas.rect(x, bottom + 18, 24, value * 1.15, stroke=0, fill=1)
        canvas.setFillColor(colors.black)
        canvas.drawCentredString(x + 12, bottom + 8, name)
        canvas.drawCentredString(x + 12, bottom + 21 + value * 1.15, str(value))
    canvas.line(66, bottom + 18, WIDTH - 66, bottom + 18)
    canvas.restoreState()
    return bottom + 136
