"""Which OCR engine is best, with which settings? Compares them on scanned forms, receipts and contracts.

    python -m benchmarks.ocr --funsd DIR --sroie DIR --contracts DIR --forms 24 --receipts 12 --pages 24

The DIR of `--funsd` contains `images/*.png` and `annotations/*.json` of FUNSD (its `training_data`, or the folder
above); that of `--sroie` contains `img/*.jpg` and `box/*.csv` of SROIE; that of `--contracts` contains born-digital
PDFs; each may be left out. `--forms`, `--receipts` and `--pages` are sampled evenly from the sorted names;
`--skip-forms` excludes the forms of a first run, to confirm its choice on others. `--tesseract-settings` adds the rows
from which Tesseract's settings were chosen. kreuzberg and ocrmypdf are measured if they are installed.

Recall and precision are over words as multisets, summed over pages, sensitive to case and punctuation: a word that
occurs twice on a page must be found twice. The ground truth is FUNSD's annotated words, without empty ones; SROIE's
lines split at white space (capital letters, so that both sides are compared in them); and the words of PDFium's text
layer of pages rendered grey at 200 dpi. `amounts` is the share of SROIE's amounts, such as 1,250.00, that are found.
`IoU` is the mean intersection over union of the boxes of words that are right with FUNSD's. `order` is 1 minus the word
edit distance over the longer length, against the text layer's order (1: every word correct and in order). `plain signs`
compares typographic quotes and dashes as straight ones, which PP-OCR often reads. CPU seconds
are those of the process and its children, so that a busy machine matters little; compare them only within one table.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import tyro
from PIL import Image

from model.ocr.boxes import shared_area
from model.ocr.engine import OcrEngine, OcrOptions, OcrUnavailableError, PpOcrOptions

DPI = 200
SCAN_DPI = 100
"""The resolution that ocrmypdf is given for scans, whose own is unknown."""
PLAIN_SIGNS = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"}
"""Typographic quotes and dashes, and the straight ones."""
AMOUNT = re.compile(r"\d[\d,]*\.\d\d(?!\d)")

Box = tuple[float, float, float, float]
Read = Callable[[Image.Image, int], tuple[list[str], list[Box]]]
"""From an image and its resolution in dpi to the words, and their boxes if the engine gives them."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.ocr`."""

    funsd: Path | None = None
    """Folder of FUNSD, or of its training_data."""
    sroie: Path | None = None
    """Folder of SROIE."""
    contracts: Path | None = None
    """Folder of born-digital PDFs."""
    forms: int = 24
    """FUNSD forms to read, sampled evenly."""
    receipts: int = 12
    """SROIE receipts to read, sampled evenly."""
    pages: int = 24
    """Contract pages to read, each from another document if there are enough."""
    skip_forms: int = 0
    """Exclude the forms that `--forms` with this number selects."""
    tesseract_settings: bool = False
    """Add the rows from which Tesseract's settings were chosen."""
    only: tuple[str, ...] = ()
    """Rows of the table to measure, by how their names begin; empty for all."""


@dataclass(frozen=True)
class Page:
    """A page image and its words; those of a contract are in reading order."""

    image: Image.Image
    words: list[str]
    boxes: list[Box] = field(default_factory=list)


@dataclass
class Score:
    """Sums over pages."""

    hits: int = 0
    plain_hits: int = 0
    truth: int = 0
    found: int = 0
    order: float = 0.0
    amounts: int = 0
    amounts_found: int = 0
    overlaps: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    pages: int = 0


def engines() -> dict[str, OcrOptions]:
    """The rows of this project's engines."""
    onnxruntime = PpOcrOptions(runtime="onnxruntime")
    single, eight = (PpOcrOptions(runtime="openvino", precision=precision) for precision in ("f32", "int8"))
    return {
        "pytesseract, Tesseract's defaults": OcrOptions.plain("pytesseract"),
        "tesserocr": OcrOptions(engine="tesserocr"),
        "ppocr, OpenVINO": OcrOptions(engine="ppocr", ppocr=PpOcrOptions(runtime="openvino")),
        "ppocr, OpenVINO in float32": OcrOptions(engine="ppocr", ppocr=single),
        "ppocr, OpenVINO in int8": OcrOptions(engine="ppocr", ppocr=eight),
        "ppocr, ONNX Runtime": OcrOptions(engine="ppocr", ppocr=onnxruntime),
        "tesserocr+ppocr, OpenVINO": OcrOptions(engine="tesserocr+ppocr", ppocr=PpOcrOptions(runtime="openvino")),
        "tesserocr+ppocr, OpenVINO in float32": OcrOptions(engine="tesserocr+ppocr", ppocr=single),
        "tesserocr+ppocr, OpenVINO in int8": OcrOptions(engine="tesserocr+ppocr", ppocr=eight),
    }


def tesseract_settings() -> dict[str, OcrOptions]:
    """The rows from which the settings of tesserocr were chosen."""
    default = OcrOptions(engine="tesserocr")
    tesserocr = OcrOptions.plain("tesserocr")
    rows = {"tesserocr, its defaults": tesserocr}
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
    for pixels in (1500, 2000):
        rows[f"default, {pixels} pixels"] = replace(default, enlarge_to_pixels=pixels)
    return rows


@contextmanager
def open_engine(options: OcrOptions) -> Iterator[Read]:
    """This project's engine."""
    with OcrEngine(options) as engine:

        def read(image: Image.Image, dpi: int) -> tuple[list[str], list[Box]]:
            result = engine.read(image)
            return result.words, [tuple(map(float, box)) for box in result.boxes]

        yield read


@contextmanager
def open_kreuzberg() -> Iterator[Read]:
    """kreuzberg with Tesseract, which gives text and no boxes."""
    if importlib.util.find_spec("kreuzberg") is None:
        raise OcrUnavailableError("not installed")
    from kreuzberg import ExtractionConfig, OcrConfig, extract_file_sync

    config = ExtractionConfig(force_ocr=True, ocr=OcrConfig(backend="tesseract", language="eng"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.png")

        def read(image: Image.Image, dpi: int) -> tuple[list[str], list[Box]]:
            image.save(file)
            return extract_file_sync(str(file), config=config).content.split(), []

        yield read


@contextmanager
def open_ocrmypdf() -> Iterator[Read]:
    """The program ocrmypdf on one core, with its defaults but for optimisation; its side file gives the text."""
    program = shutil.which("ocrmypdf") or shutil.which("ocrmypdf", path=str(Path(sys.executable).parent))
    if program is None:
        raise OcrUnavailableError("not installed")
    with tempfile.TemporaryDirectory() as folder:
        page, pdf, text = (Path(folder, name) for name in ("page.png", "page.pdf", "page.txt"))
        options = ["-j", "1", "--output-type", "pdf", "--optimize", "0", "-q"]

        def read(image: Image.Image, dpi: int) -> tuple[list[str], list[Box]]:
            image.save(page)
            subprocess.run(
                [program, *options, "--image-dpi", str(dpi), "--sidecar", text, page, pdf],
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                check=True,
                capture_output=True,
            )
            return text.read_text(encoding="utf-8").split(), []

        yield read


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
        words = [word for block in blocks for word in block["words"] if word["text"].strip()]
        with Image.open(base / "images" / f"{file.stem}.png") as image:
            texts, boxes = [word["text"].strip() for word in words], [tuple(word["box"]) for word in words]
            pages.append(Page(image.convert("L"), texts, boxes))
    return pages


def receipts(folder: Path, count: int) -> list[Page]:
    """SROIE receipts with the words of their annotated lines."""
    files = sorted((folder / "box").glob("*.csv"))
    if not files:
        raise SystemExit(f"no box/*.csv under {folder}: give the folder that contains box and img")
    pages = []
    for file in spread(files, count):
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            texts = [",".join(row[8:]) for row in csv.reader(lines, quoting=csv.QUOTE_NONE) if len(row) > 8]
        with Image.open(folder / "img" / f"{file.stem}.jpg") as image:
            pages.append(Page(image.convert("RGB"), " ".join(texts).upper().split()))
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


def box_overlaps(words: Sequence[str], boxes: Sequence[Box], page: Page) -> list[float]:
    """Intersection over union of each word that is right with the annotated word that it overlaps most."""
    pairs = [
        (intersection_over_union(box, true_box), i, j)
        for i, (word, box) in enumerate(zip(words, boxes, strict=True))
        for j, (true_word, true_box) in enumerate(zip(page.words, page.boxes, strict=True))
        if word == true_word
    ]
    overlaps: list[float] = []
    used: tuple[set[int], set[int]] = set(), set()
    for overlap, i, j in sorted(pairs, reverse=True):
        if overlap > 0 and i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            overlaps.append(overlap)
    return overlaps


def intersection_over_union(first: Box, second: Box) -> float:
    """Of two boxes, 0-1."""
    shared = shared_area(first, second)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared) if shared else 0.0


def measure(read: Read, pages: Sequence[Page], dpi: int, upper_case: bool = False) -> Score:
    """Read all pages; the start of the engine is not counted."""
    score = Score()
    for page in pages:
        before = cpu_seconds()
        words, boxes = read(page.image, dpi)
        score.cpu_seconds += cpu_seconds() - before
        if upper_case:
            words = [word.upper() for word in words]
        score.hits += sum((Counter(words) & Counter(page.words)).values())
        plain, true_plain = (Counter(word.translate(PLAIN_SIGNS) for word in side) for side in (words, page.words))
        score.plain_hits += sum((plain & true_plain).values())
        score.truth += len(page.words)
        score.found += len(words)
        score.order += edit_similarity(words, page.words)
        amounts, true_amounts = (Counter(AMOUNT.findall(" ".join(side))) for side in (words, page.words))
        score.amounts += sum(true_amounts.values())
        score.amounts_found += sum((amounts & true_amounts).values())
        if boxes and page.boxes:
            score.overlaps += box_overlaps(words, boxes, page)
        score.pages += 1
    return score


def words_columns(score: Score) -> str:
    """Recall and precision."""
    return f"{score.hits / max(score.truth, 1):.4f} | {score.hits / max(score.found, 1):.4f}"


def row_of(name: str, read: Read, data: tuple[list[Page], list[Page], list[Page]]) -> str:
    """One line of the table."""
    columns = []
    scans, photographs, contracts = data
    if scans:
        score = measure(read, scans, SCAN_DPI)
        overlap = f"{sum(score.overlaps) / len(score.overlaps):.3f}" if score.overlaps else "-"
        columns += [words_columns(score), overlap, f"{score.cpu_seconds / score.pages:.2f}"]
    if photographs:
        score = measure(read, photographs, SCAN_DPI, upper_case=True)
        amounts = f"{score.amounts_found / max(score.amounts, 1):.3f}"
        columns += [words_columns(score), amounts, f"{score.cpu_seconds / score.pages:.2f}"]
    if contracts:
        score = measure(read, contracts, DPI)
        columns += [words_columns(score), f"{score.plain_hits / max(score.truth, 1):.4f}"]
        columns += [f"{score.order / score.pages:.4f}", f"{score.cpu_seconds / score.pages:.2f}"]
    return " | ".join(["| " + name, *columns]) + " |"


def main(options: Options) -> None:
    scans = forms(options.funsd, options.forms, options.skip_forms) if options.funsd else []
    photographs = receipts(options.sroie, options.receipts) if options.sroie else []
    contracts = contract_pages(options.contracts, options.pages) if options.contracts else []
    if not scans and not photographs and not contracts:
        raise SystemExit("nothing to read: give --funsd, --sroie or --contracts")
    print(f"{len(scans)} FUNSD forms, {len(photographs)} SROIE receipts, {len(contracts)} contract pages at {DPI} dpi")
    print(f"load average at the start: {os.getloadavg()[0]:.1f}\n")
    header = ["| "]
    header += ["forms: recall | precision | IoU | CPU s/page"] if scans else []
    header += ["receipts: recall | precision | amounts | CPU s/page"] if photographs else []
    header += ["contracts: recall | precision | recall, plain signs | order | CPU s/page"] if contracts else []
    columns = " | ".join(header) + " |"
    print(columns + "\n" + "|---" * (columns.count("|") - 1) + "|")
    settings = engines() | (tesseract_settings() if options.tesseract_settings else {})
    rows: dict[str, Callable[[], AbstractContextManager[Read]]] = {
        name: partial(open_engine, row) for name, row in settings.items()
    }
    rows |= {"kreuzberg": open_kreuzberg, "ocrmypdf": open_ocrmypdf}
    for name, open_reader in rows.items():
        if options.only and not any(name.startswith(part) for part in options.only):
            continue
        try:
            with open_reader() as read:
                print(row_of(name, read, (scans, photographs, contracts)), flush=True)
        except OcrUnavailableError as error:
            print(f"| {name} | {error} |", flush=True)
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
