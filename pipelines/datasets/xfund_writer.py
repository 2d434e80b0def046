"""Labelled pages as a corpus in XFUND's published format, which `pipelines.datasets.xfund` and other programs read."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from PIL import Image

from model.decode import split_label
from model.word_breaks import is_unspaced, join_words
from pipelines.datasets.character_words import character_boxes
from pipelines.datasets.types import Box, LabelledPage, PixelBox, PixelWord
from pipelines.storage.files import Storage, join_uri

JPEG_QUALITY = 85
VERSION = "0.1"

GAP = 0.5
"""The least gap between two words of a script without spaces that is a space, in heights of the line."""


class _Block(NamedTuple):
    """Words `first` to `last` of a page, inclusive, which are one entity, or others of one line."""

    label: str
    first: int
    last: int


def write_xfund(
    storage: Storage, folder: str, language: str, split: str, pages: Iterable[tuple[LabelledPage, bytes]]
) -> int:
    """Write one split of one language: `LANGUAGE.SPLIT.zip` with JPEG images, then `LANGUAGE.SPLIT.json`.

    Words of scripts without spaces are written character by character, as published. Boxes are whole pixels where
    these say the same as the thousandths of the page, else fractions of them.

    Args:
        folder: or s3:// prefix; files of these names are replaced.
        language: by its two letters, such as "de".
        split: "train" or "val".
        pages: pages with words, boxes, labels and links, and their image files.

    Returns:
        The number of pages.

    Raises:
        ValueError: a page has no words or no labels.
    """
    part = f"{language}.{split}"
    documents = []
    with (
        storage.written_file(join_uri(folder, f"{part}.zip")) as path,
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive,
    ):
        for number, (page, image_file) in enumerate(pages):
            name = f"{language}_{split}_{number}"
            image = Image.open(io.BytesIO(image_file)).convert("RGB")
            content = io.BytesIO()
            image.save(content, "JPEG", quality=JPEG_QUALITY)
            archive.writestr(f"{name}.jpg", content.getvalue())
            documents.append(
                {
                    "id": name,
                    "uid": hashlib.sha256(content.getvalue()).hexdigest(),
                    "document": _annotation(page, image.size),
                    "img": {"fname": f"{name}.jpg", "width": image.width, "height": image.height},
                }
            )
    corpus = {"lang": language, "version": VERSION, "split": split, "documents": documents}
    storage.write(join_uri(folder, f"{part}.json"), json.dumps(corpus, ensure_ascii=False).encode())
    return len(documents)


def _annotation(page: LabelledPage, size: tuple[int, int]) -> list[dict[str, Any]]:
    if page.words is None or page.boxes is None or page.labels is None:
        raise ValueError(f"{page.document_id} has no words with labels, which XFUND's format is about")
    blocks = list(_blocks(page.labels, page.boxes))
    block_of = {block.first: number for number, block in enumerate(blocks)}
    linking: list[list[list[int]]] = [[] for _ in blocks]
    for source, target in page.links or ():
        link = [block_of[source], block_of[target]]
        for end in link:
            linking[end].append(link)
    annotation = []
    for number, block in enumerate(blocks):
        words = range(block.first, block.last + 1)
        pieces = [piece for index in words for piece in _pieces(page.words[index], _pixel_box(page.boxes[index], size))]
        x0s, y0s, x1s, y1s = zip(*(piece.box for piece in pieces), strict=True)
        annotation.append(
            {
                "id": number,
                "box": [min(x0s), min(y0s), max(x1s), max(y1s)],
                "text": _text([page.words[index] for index in words], [page.boxes[index] for index in words]),
                "label": block.label,
                "words": [{"box": list(piece.box), "text": piece.text} for piece in pieces],
                "linking": linking[number],
            }
        )
    return annotation


def _text(words: list[str], boxes: list[Box]) -> str:
    """Words as one text; where a script has no spaces, one stands for a gap as wide as half of the line is high."""
    text = words[0]
    for word, before, after in zip(words[1:], boxes, boxes[1:], strict=False):
        has_gap = after[0] - before[2] > GAP * (before[3] - before[1])
        text = f"{text} {word}" if has_gap else join_words([text, word])
    return text


def _blocks(labels: tuple[str, ...], boxes: tuple[Box, ...]) -> Iterator[_Block]:
    """Entities, and the other words of a line without a gap in their order."""
    first, kind = 0, ""
    for index, label in enumerate(labels):
        prefix, current = split_label(label)
        same_line = index > 0 and boxes[index][1] < boxes[index - 1][3] and boxes[index][3] > boxes[index - 1][1]
        if index and (prefix == "B" or current != kind or (not current and not same_line)):
            yield _Block(kind.lower() or "other", first, index - 1)
            first = index
        kind = current
    if labels:
        yield _Block(kind.lower() or "other", first, len(labels) - 1)


def _pieces(word: str, box: PixelBox) -> list[PixelWord]:
    """A word, or its characters where its script is unspaced."""
    if not is_unspaced(word):
        return [PixelWord(word, box)]
    boxes = character_boxes(PixelWord(word, box))
    return [PixelWord(character, _tidied(around)) for character, around in zip(word, boxes, strict=True)]


def _pixel_box(box: Box, size: tuple[int, int]) -> PixelBox:
    width, height = size
    x0, y0, x1, y1 = box
    return _pixel(x0, width), _pixel(y0, height), _pixel(x1, width), _pixel(y1, height)


def _pixel(thousandths: int, side: int) -> float:
    """A coordinate in pixels, of which `int(1000 * pixel / side)` gives the thousandths back."""
    whole = math.ceil(thousandths * side / 1000)
    if int(1000 * whole / side) == thousandths:
        return whole
    return round((thousandths + 0.5) * side / 1000, 2)


def _tidied(box: PixelBox) -> PixelBox:
    x0, y0, x1, y1 = (round(value, 2) for value in box)
    return x0, y0, x1, y1
