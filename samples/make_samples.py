"""Makes the documents in `documents/` beside this file: `python samples/make_samples.py [FOLDER]`.

All content is fictitious: companies, people, numbers. The same seed makes the same documents. Requires reportlab
(`pip install reportlab`), which neither the jobs nor the tests need: the documents are in the repository.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import business_papers
import long_papers
import registration_form
from paper_effects import as_fax, as_photo, as_scan, blank_scan, render
from PIL import Image
from reportlab import rl_config
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

USER_PASSWORD = "sesame"

LETTER = (612.0, 792.0)


def new_canvas(pages: io.BytesIO, size: tuple[float, float], title: str, password: str | None = None) -> Canvas:
    """A canvas whose output depends only on what is drawn, not on the time."""
    vars(rl_config)["useA85"] = False  # binary streams; encoded as text they are a quarter longer
    encryption = None
    if password is not None:
        encryption = StandardEncryption(password, ownerPassword=password + " owner", strength=128)
    canvas = Canvas(pages, pagesize=size, invariant=1, pageCompression=1, encrypt=encryption)
    canvas.setTitle(title)
    canvas.setCreator("samples/make_samples.py")
    return canvas


def form(password: str | None = None) -> bytes:
    """A born-digital supplier registration form of three pages."""
    pages = io.BytesIO()
    canvas = new_canvas(pages, LETTER, "Supplier registration", password)
    for draw_page in registration_form.FORM_PAGES:
        draw_page(canvas)
        canvas.showPage()
    canvas.save()
    return pages.getvalue()


def scanned_form() -> bytes:
    """The same form as a scan: images only, slightly rotated and noisy, and the empty back of its last sheet."""
    pages = io.BytesIO()
    canvas = new_canvas(pages, LETTER, "Scan")
    original = form()
    scans = [as_scan(render(original, index, 150), seed=index) for index in range(3)]
    for scan in [*scans, blank_scan(scans[0].size, seed=3)]:
        jpeg = io.BytesIO()
        scan.save(jpeg, "JPEG", quality=42)
        canvas.drawImage(ImageReader(jpeg), 0, 0, *LETTER)
        canvas.showPage()
    canvas.save()
    return pages.getvalue()


def receipt_photo() -> bytes:
    """A phone's photo of a receipt on a table, stored sideways with the matching EXIF orientation."""
    page = one_page(business_papers.draw_receipt, business_papers.RECEIPT_SIZE)
    upright = as_photo(render(page, 0, 220), seed=11)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise for display
    exif[0x010F] = "Sample Camera"
    stored = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stored, "JPEG", quality=70, exif=exif)
    return stored.getvalue()


def fax() -> bytes:
    """A fax of two pages: bilevel, 204 x 196 dots per inch, CCITT group 4."""
    pages = [
        as_fax(render(one_page(draw, LETTER), 0, 200), number, seed=20 + number)
        for number, draw in enumerate(business_papers.FAX_PAGES, start=1)
    ]
    stored = io.BytesIO()
    pages[0].save(
        stored, "TIFF", save_all=True, append_images=pages[1:], compression="group4", dpi=(204, 196), software="samples"
    )
    return stored.getvalue()


def invoice() -> bytes:
    """An invoice as a screenshot: a PNG at 110 dots per inch."""
    stored = io.BytesIO()
    page = render(one_page(business_papers.draw_invoice, LETTER), 0, 110)
    page.quantize(64, dither=Image.Dither.NONE).save(stored, "PNG", optimize=True)
    return stored.getvalue()


def one_page(draw: Callable[[Canvas], None], size: tuple[float, float]) -> bytes:
    """A PDF of one page, drawn by `draw`."""
    pages = io.BytesIO()
    canvas = new_canvas(pages, size, "Sample")
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return pages.getvalue()


def landscape_schedule() -> bytes:
    """A wide table on a page that is stored upright and displayed rotated (`/Rotate 90`)."""

    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(90)
        canvas.translate(LETTER[0], 0)
        canvas.rotate(90)
        business_papers.draw_schedule(canvas)

    # reportlab takes the displayed size and stores the sides swapped.
    return one_page(draw, (LETTER[1], LETTER[0]))


def truncated_contract() -> bytes:
    """The contract, truncated in the middle as by an interrupted transfer."""
    whole = contract()
    return whole[: len(whole) // 2]


def contract() -> bytes:
    """A services agreement of four pages with a block of signatures."""
    return long_papers.contract(new_canvas)


def report() -> bytes:
    """An annual report of thirty pages, each longer than 512 tokens; some in two columns, some with a table."""
    return long_papers.report(new_canvas)


def encrypted_form() -> bytes:
    """The form, encrypted with the password `USER_PASSWORD`."""
    return form(USER_PASSWORD)


SAMPLES: dict[str, Callable[[], bytes]] = {
    "supplier-form.pdf": form,
    "supplier-form-scanned.pdf": scanned_form,
    "receipt-photo.jpg": receipt_photo,
    "fax-two-pages.tiff": fax,
    "invoice.png": invoice,
    "annual-report.pdf": report,
    "delivery-schedule-rotated.pdf": landscape_schedule,
    "services-agreement.pdf": contract,
    "form-with-password.pdf": encrypted_form,
    "agreement-cut-short.pdf": truncated_contract,
}


def make(folder: Path) -> list[Path]:
    """Write all samples into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, build in SAMPLES.items():
        path = folder / name
        path.write_bytes(build())
        paths.append(path)
    return paths


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Make the sample documents.")
    arguments.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent / "documents")
    for made in make(arguments.parse_args().folder):
        print(f"{made.stat().st_size:>9,} bytes  {made}")
