"""SROIE: scanned receipts with their text lines and four fields (Huang et al., 2019, arXiv 2103.10213; tasks 2 and 3).

On disk: `box/NAME.csv` (or .txt), a line `x1,y1,x2,y2,x3,y3,x4,y4,text` for each line of text, in pixels, clockwise
from the top left; `key/NAME.json` (or `entities/NAME.txt`, also JSON) with company, date, address and total; and
`img/NAME.jpg`. The three folders lie in `train/` and `test/` (perhaps `dev/`), or, for the training receipts alone, at
the top.

LayoutLM's authors publish no labels: words are split from the lines, and labelled by the fields (threads 100, 151 and
168 of microsoft/unilm). This reader does the same. A line is split at spaces, and its box is divided among the words in
proportion to their characters. Company, date and address are labelled at all their positions. A total is a number that
often has several: it is labelled in rows that say "total", or else where it is tallest and last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.datasets.alignment import PageText, Span, locate, normalise_text
from pipelines.datasets.annotations import coordinates, image_size, skip_if_broken
from pipelines.datasets.types import Box, BoxRepairs, LabelledPage, Question, Report, bio_labels
from pipelines.documents.media_type import JPEG, PNG
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification", "question-answering")
SPLITS = ("train", "dev", "test", "train+dev")
KEYS = ("company", "date", "address", "total")
LABELS = bio_labels([key.upper() for key in KEYS])

QUESTIONS = {
    "company": "Which company issued the receipt?",
    "date": "What is the date of the receipt?",
    "address": "What is the address of the company?",
    "total": "What is the total amount?",
}

DEV_SHARE = 5
"""The last fifth of the training receipts by file name is held out as dev: the corpus has no development split."""

_TOTALS_OF_PARTS = (
    "subtotal",
    "qty",
    "quantity",
    "item",
    "discount",
    "disc",
    "saving",
    "saved",
    "change",
    "tax",
    "pcs",
)
_MEDIA_TYPES = {".jpg": JPEG, ".jpeg": JPEG, ".png": PNG}
_Folders = dict[str, tuple[str, ...]]
_BOX_FOLDERS: _Folders = {"box": (".csv", ".txt")}
_KEY_FOLDERS: _Folders = {"key": (".json", ".txt"), "entities": (".txt", ".json")}
_IMAGE_FOLDERS: _Folders = {"img": tuple(_MEDIA_TYPES)}


@dataclass(frozen=True)
class _Receipt:
    """One receipt's files; missing ones are None."""

    document_id: str
    boxes: str
    keys: str | None
    image: str | None


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The receipts of a split, by file name.

    Lines that cannot be read are left out and reported, and so are receipts without any line, key file or image.

    Raises:
        ValueError: the data has no such split.
    """
    pages = []
    for receipt in _split(storage, data, split):
        with skip_if_broken(receipt.boxes, report):
            pages.append(_read_receipt(storage, receipt, report))
    return tuple(pages)


def _split(storage: Storage, data: str, split: str) -> list[_Receipt]:
    receipts = {name: _receipts(storage, join_uri(data, name), f"sroie/{name}") for name in ("train", "dev", "test")}
    if not receipts["train"]:
        receipts["train"] = _receipts(storage, data, "sroie")
    if not receipts["dev"]:
        held_out = len(receipts["train"]) // DEV_SHARE
        first = len(receipts["train"]) - held_out
        receipts["train"], receipts["dev"] = receipts["train"][:first], receipts["train"][first:]
    chosen = [receipt for name in split.split("+") for receipt in receipts[name]]
    if not chosen:
        folder = "test/ with box/, key/ and img/" if split == "test" else "box/, key/ and img/, here or within train/"
        raise ValueError(
            f"{data} has no receipts of the split {split}; SROIE is laid out as {folder}: box/NAME.csv with lines "
            "x1,y1,...,x4,y4,text, key/NAME.json (or entities/NAME.txt) and img/NAME.jpg"
        )
    return chosen


def _receipts(storage: Storage, root: str, prefix: str) -> list[_Receipt]:
    boxes, keys, images = (_files(storage, root, folders) for folders in (_BOX_FOLDERS, _KEY_FOLDERS, _IMAGE_FOLDERS))
    return [_Receipt(f"{prefix}/{name}", boxes[name], keys.get(name), images.get(name)) for name in sorted(boxes)]


def _files(storage: Storage, root: str, folders: _Folders) -> dict[str, str]:
    """URIs by file name without extension."""
    found: dict[str, str] = {}
    for folder, endings in folders.items():
        for stored in storage.list_existing(join_uri(root, folder)):
            name = stored.uri.rsplit("/", 1)[-1]
            stem, dot, ending = name.rpartition(".")
            if dot and dot + ending.lower() in endings:
                found.setdefault(stem, stored.uri)
    return found


def _read_receipt(storage: Storage, receipt: _Receipt, report: Report) -> LabelledPage:
    if receipt.keys is None:
        raise ValueError("no file of this name in key/ or entities/")
    if receipt.image is None:
        raise ValueError("no image of this name in img/")
    keys = _read_keys(storage, receipt.keys)
    width, height = image_size(storage, receipt.image)
    words, boxes = _read_words(storage, receipt.boxes, width, height, report)
    spans = locate_fields(words, boxes, keys)
    return LabelledPage(
        document_id=receipt.document_id,
        uri=receipt.image,
        media_type=_MEDIA_TYPES[receipt.image[receipt.image.rindex(".") :].lower()],
        words=tuple(words),
        boxes=tuple(boxes),
        labels=tuple(_labels(len(words), spans)),
        questions=tuple(_questions(keys, spans)),
        keys=tuple(keys.items()),
    )


def _read_keys(storage: Storage, uri: str) -> dict[str, str]:
    """The fields of the receipt, in the order of `KEYS`."""
    try:
        fields = json.loads(storage.read(uri).decode("utf-8-sig", "replace"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{uri} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{uri} holds no object with the fields {', '.join(KEYS)}")
    keys = {key: str(fields[key]).strip() for key in KEYS if fields.get(key) is not None}
    if not any(keys.values()):
        raise ValueError(f"{uri} has none of the fields {', '.join(KEYS)}")
    return {key: value for key, value in keys.items() if value}


def _read_words(storage: Storage, uri: str, width: int, height: int, report: Report) -> tuple[list[str], list[Box]]:
    words: list[str] = []
    boxes: list[Box] = []
    repairs = BoxRepairs()
    broken: list[int] = []
    for number, line in enumerate(_decode(storage.read(uri)).splitlines(), start=1):
        if not line.strip():
            continue
        *corners, text = line.split(",", 8)
        try:
            x1, y1, x2, y2, x3, y3, x4, y4 = coordinates([float(number) for number in corners], 8)
        except ValueError:
            broken.append(number)
            continue
        # The box through the middles of the sides, for lines that are slightly turned.
        left, top, right, bottom = (x1 + x4) / 2, (y1 + y2) / 2, (x2 + x3) / 2, (y3 + y4) / 2
        repairs.box(left, top, right, bottom, width, height)
        for word, x0, x1 in _share_out(text.strip(), *sorted((left, right))):
            words.append(word)
            boxes.append(BoxRepairs().box(x0, top, x1, bottom, width, height))
    if broken:
        shown = ", ".join(map(str, broken[:5])) + (", ..." if len(broken) > 5 else "")
        report(uri, f"{len(broken)} lines left out (number {shown}): not x1,y1,x2,y2,x3,y3,x4,y4,text")
    if not words:
        raise ValueError("no line of text could be read")
    repairs.report(uri, report)
    return words, boxes


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # a few of the published files are in a Windows code page
        return content.decode("cp1252", "replace")


def _share_out(text: str, left: float, right: float) -> Iterator[tuple[str, float, float]]:
    """The words of a line with their left and right edges, as if all characters and spaces had the same width."""
    start = 0
    for word in text.split():
        start = text.index(word, start)
        end = start + len(word)
        yield word, left + (right - left) * start / len(text), left + (right - left) * end / len(text)
        start = end


def locate_fields(words: Sequence[str], boxes: Sequence[Box], keys: dict[str, str]) -> dict[str, list[Span]]:
    """The positions of each field in the words of a receipt, the most reliable first; empty if it was not found."""
    page = PageText(words)
    spans = {key: locate(page, value) for key, value in keys.items()}
    if spans.get("total"):
        spans["total"] = _choose_totals(words, boxes, spans["total"])
    return spans


def _choose_totals(words: Sequence[str], boxes: Sequence[Box], spans: list[Span]) -> list[Span]:
    """The spans in rows that say "total"; without such a row the last of the tallest ones."""
    in_total_rows = [span for span in spans if _says_total(words, boxes, span)]
    if in_total_rows:
        return in_total_rows
    tallest = max(boxes[span.first_word][3] - boxes[span.first_word][1] for span in spans)
    return [[span for span in spans if boxes[span.first_word][3] - boxes[span.first_word][1] == tallest][-1]]


def _says_total(words: Sequence[str], boxes: Sequence[Box], span: Span) -> bool:
    _, top, _, bottom = boxes[span.first_word]
    row = normalise_text(
        " ".join(word for word, box in zip(words, boxes, strict=True) if top <= (box[1] + box[3]) / 2 <= bottom)
    )
    return "total" in row and not any(part in row for part in _TOTALS_OF_PARTS)


def _labels(count: int, spans: dict[str, list[Span]]) -> list[str]:
    labels = ["O"] * count
    for key in KEYS:
        for first, last in spans.get(key, ()):
            if all(label == "O" for label in labels[first : last + 1]):
                labels[first : last + 1] = [f"I-{key.upper()}"] * (last + 1 - first)
                labels[first] = f"B-{key.upper()}"
    return labels


def _questions(keys: dict[str, str], spans: dict[str, list[Span]]) -> Iterator[Question]:
    for key, value in keys.items():
        first, last = spans[key][0] if spans[key] else (-1, -1)
        yield Question(QUESTIONS[key], (value,), first, last)
