"""Forms drawn for the tests, with annotations in FUNSD's published layout."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

WIDTH, HEIGHT, ROW, COLUMN = 600, 800, 20, 60

Block = tuple[str, list[str]]
"""A label and the words of a block."""


def write_form(folder: Path, name: str, blocks: list[Block]) -> Path:
    """Draw a form, ten words a row, and write it under `images/` and `annotations/` of a split's folder.

    Neighbouring blocks question, answer are linked. Returns the image's path.
    """
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(image)
    form: list[dict[str, Any]] = []
    place = 0
    for number, (label, words) in enumerate(blocks):
        boxes = []
        for word in words:
            x, y = 3 + place % 10 * COLUMN % (WIDTH - COLUMN), 2 + place // 10 * (ROW if place < 390 else 0)
            pen.text((x, y), word, fill=0)
            boxes.append([x, y, x + COLUMN - 6, y + ROW - 6])
            place += 1
        columns = list(zip(*boxes, strict=True))
        form.append(
            {
                "id": number,
                "label": label,
                "text": " ".join(words),
                "box": [min(columns[0]), min(columns[1]), max(columns[2]), max(columns[3])],
                "words": [{"text": word, "box": box} for word, box in zip(words, boxes, strict=True)],
                "linking": [],
            }
        )
    for question, answer in pairwise(form):
        if (question["label"], answer["label"]) == ("question", "answer"):
            for block in (question, answer):
                block["linking"].append([question["id"], answer["id"]])
    for kind in ("images", "annotations"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    path = folder / "images" / f"{name}.png"
    image.save(path)
    (folder / "annotations" / f"{name}.json").write_text(json.dumps({"form": form}))
    return path


def labelled_words(
    blocks: list[Block],
) -> tuple[tuple[str, ...], tuple[tuple[int, int, int, int], ...], tuple[str, ...]]:
    """The words of such a form, boxes for them (0-1000) and their BIO labels, for tests without a reader."""
    words = [word for _, block in blocks for word in block]
    boxes = [
        (place % 10 * 90, place // 10 % 50 * 20, place % 10 * 90 + 80, place // 10 % 50 * 20 + 15)
        for place in range(len(words))
    ]
    labels = [
        "O" if label == "other" else ("B-" if index == 0 else "I-") + label.upper()
        for label, block in blocks
        for index in range(len(block))
    ]
    return tuple(words), tuple(boxes), tuple(labels)
