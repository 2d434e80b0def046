"""Which OCR settings are best? Compares them on scanned forms and born-digital contracts.

    python -m benchmarks.ocr --funsd DIR --contracts DIR --forms 24 --pages 24

The DIR of `--funsd` contains `images/*.png` and `annotations/*.json` of FUNSD (its `training_data`, or the folder
above); that of `--contracts` contains born-digital PDFs. `--forms` and `--pages` are sampled evenly from the sorted
names; `--skip-forms` excludes the forms of a first run, to confirm its choice on others. 24 and 24 take about ten
minutes on one core.

Recall and precision are over words as multisets, summed over pages, sensitive to case and punctuation: a word that
occurs twice on a page must be found twice. The ground truth is FUNSD's annotated words, without empty ones, and the
words of PDFium's text layer, split at white space, of pages rendered grey at 200 dpi. `order` is 1 minus the word edit
distance over the longer length, against the text layer's order (1: every word correct and in order). CPU seconds are
those of the process and its children, so that a busy machine matters little; compare them only within one table.
"""

from __future__ import annotations

import json
import resource
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import tyro
from PIL import Image

from model.ocr.engine import OcrEngine, OcrOptions

DPI = 200


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.ocr`."""

    funsd: Path
    """Folder of FUNSD, or of its training_data."""
    contracts: Path
    """Folder of born-digital PDFs."""
    forms: int = 24
    """FUNSD forms to read, sampled evenly."""
    pages: int = 24
    """Contract pages to read, each from another document if there are enough."""
    skip_forms: int = 0
    """Exclude the forms that `--forms` with this number selects."""
    only: tuple[str, ...] = ()
    """Rows of the table to measure, by substrings of their names; empty for all."""


@dataclass(frozen=True)
class Page:
    """A page image and its words; those of a contract are in reading order."""

    image: Image.Image
    words: list[str]


@dataclass
class Score:
    """Sums over pages."""

    hits: int = 0
    truth: int = 0
    found: int = 0
    order: float = 0.0
    cpu_seconds: float = 0.0
    pages: int = 0


def candidates() -> dict[str, OcrOptions]:
    """The rows of the table."""
    default = OcrOptions()
    tesserocr = OcrOptions.plain("tesserocr")
    rows = {
        "pytesseract, its defaults": OcrOptions.plain("pytesseract"),
        "tesserocr, its defaults": tesserocr,
    }
    for pixels in (1500, 1750, 2000):
        for mode in (3, 4, 11) if pixels == default.enlarge_to_pixels else (3, 11):
            rows[f"{pixels} pixels, psm {mode}"] = replace(
                tesserocr, enlarge_to_pixels=pixels, page_segmentation_mode=mode, resolution_dpi=default.resolution_dpi
            )
    sparse = f"{default.enlarge_to_pixels} pixels, psm 11"
    rows[f"{sparse}, order from boxes"] = replace(rows[sparse], reading_order="boxes")
    rows["default, the engine's order"] = replace(default, reading_order="engine")
    rows["default, all words kept"] = replace(
        default, minimum_confidence=0.0, minimum_symbol_confidence=0.0, trim_rules=False
    )
    rows["default, resolution guessed"] = replace(default, resolution_dpi=0)
    rows["default through pytesseract"] = replace(default, engine="pytesseract")
    rows["default"] = default
    for pixels in (1500, 2000):
        rows[f"default, {pixels} pixels"] = replace(default, enlarge_to_pixels=pixels)
    return rows


def spread(items: Sequence[Path], count: int) -> list[Path]:
    """`count` of `items`, evenly spaced."""
    if count >= len(items):
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def forms(folder: Path, count: int, skip: int) -> list[Page]:
    """FUNSD forms with their annotated words."""
    base = folder / "training_data" if (folder / "training_data").is_dir() else folder
    files = sorted((base / "annotations").glob("*.json"))
    if not files:
        raise SystemExit(f"no annotations/*.json under {base}: give the folder that contains annotations and images")
    skipped = set(spread(files, skip)) if skip else set()
    pages = []
    for file in spread([file for file in files if file not in skipped], count):
        blocks = json.loads(file.read_text(encoding="utf-8"))["form"]
        words = [word["text"].strip() for block in blocks for word in block["words"]]
        with Image.open(base / "images" / f"{file.stem}.png") as image:
            pages.append(Page(image.convert("L"), [word for word in words if word]))
    return pages


def contract_pages(folder: Path, count: int) -> list[Page]:
    """First and second pages, alternating, of PDFs with a text layer."""
    files = sorted(folder.rglob("*.pdf"))
    if not files:
        raise SystemExit(f"no PDFs under {folder}")
    pages = []
    for number, file in enumerate(spread(files, count)):
        document = pdfium.PdfDocument(file)
        page = document[min(number % 2, len(document) - 1)]
        # U+FFFE is PDFium's code for a hyphen at the end of a line
        words = page.get_textpage().get_text_range().replace("\ufffe", "-").split()
        pages.append(Page(page.render(scale=DPI / 72, grayscale=True).to_pil().convert("L"), words))
        document.close()
    return pages


def edit_similarity(first: Sequence[str], second: Sequence[str]) -> float:
    """1 minus the word edit distance over the longer length."""
    if not first or not second:
        return float(len(first) == len(second))
    ids: dict[str, int] = {}
    a = [ids.setdefault(word, len(ids)) for word in first]
    b = np.array([ids.setdefault(word, len(ids)) for word in second])
    steps = np.arange(len(b) + 1)
    row = steps
    for number, word in enumerate(a, 1):
        through = np.concatenate(([number], np.minimum(row[1:] + 1, row[:-1] + (b != word))))
        row = np.minimum.accumulate(through - steps) + steps  # insertions, left to right
    return 1 - float(row[-1]) / max(len(a), len(b))


def cpu_seconds() -> float:
    """User and system time of this process and of its terminated children."""
    uses = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def measure(options: OcrOptions, pages: Sequence[Page]) -> Score:
    """Read all pages; the start of the engine is not counted."""
    score = Score()
    with OcrEngine(options) as engine:
        for page in pages:
            before = cpu_seconds()
            words = engine.read(page.image).words
            score.cpu_seconds += cpu_seconds() - before
            score.hits += sum((Counter(words) & Counter(page.words)).values())
            score.truth += len(page.words)
            score.found += len(words)
            score.order += edit_similarity(words, page.words)
            score.pages += 1
    return score


def main(options: Options) -> None:
    scans = forms(options.funsd, options.forms, options.skip_forms)
    contracts = contract_pages(options.contracts, options.pages)
    print(f"{len(scans)} FUNSD forms, {len(contracts)} contract pages at {DPI} dpi\n")
    print("| | forms: recall | precision | CPU s/page | contracts: recall | precision | order | CPU s/page |")
    print("|---|---|---|---|---|---|---|---|")
    for name, row in candidates().items():
        if options.only and not any(part in name for part in options.only):
            continue
        a, b = measure(row, scans), measure(row, contracts)
        print(
            f"| {name} | {a.hits / max(a.truth, 1):.3f} | {a.hits / max(a.found, 1):.3f} "
            f"| {a.cpu_seconds / max(a.pages, 1):.2f} | {b.hits / max(b.truth, 1):.4f} "
            f"| {b.hits / max(b.found, 1):.4f} | {b.order / max(b.pages, 1):.4f} "
            f"| {b.cpu_seconds / max(b.pages, 1):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
