"""A corpus of drawn forms in FUNSD's published format, small enough to learn by heart, and a model as small."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 300, 400
KEYS = ("Name:", "Date:", "Total:", "Ship to:", "Order no.:")

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "coordinate_size": 5,
    "shape_size": 6,
    "vocab_size": 30522,
    "image_feature_pool_shape": [2, 2, 8],
    "detectron2_config_args": {
        "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
        "MODEL.FPN.IN_FEATURES": ["res2", "res3", "res4", "res5"],
        "MODEL.FPN.OUT_CHANNELS": 8,
        "MODEL.RESNETS.DEPTH": 50,
        "MODEL.RESNETS.OUT_FEATURES": ["res2", "res3", "res4", "res5"],
        "MODEL.RESNETS.RES2_OUT_CHANNELS": 8,
        "MODEL.RESNETS.WIDTH_PER_GROUP": 4,
        "MODEL.RESNETS.STEM_OUT_CHANNELS": 8,
    },
}
"""A config.json's values."""


def draw_corpus(folder: Path, forms: int = 8, test_forms: int = 3) -> Path:
    """Write `training_data` and `testing_data` and return the folder. Forms differ in length."""
    for part, count in (("training_data", forms), ("testing_data", test_forms)):
        (folder / part / "annotations").mkdir(parents=True)
        (folder / part / "images").mkdir()
        for number in range(count):
            draw_form(folder / part, f"form-{number:03d}", pairs=3 + number % 4)
    return folder


def draw_form(folder: Path, name: str, pairs: int) -> None:
    """One form: a title, questions on the left, linked answers on the right, and a line of other text."""
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(image)
    blocks: list[dict] = []

    def add(text: str, label: str, x: int, y: int) -> int:
        words = []
        for word in text.split():
            words.append({"text": word, "box": [x, y, x + 6 * len(word), y + 10]})
            draw.text((x, y), word, fill=0)
            x += 6 * len(word) + 4
        box = [words[0]["box"][0], y, words[-1]["box"][2], y + 10]
        blocks.append({"id": len(blocks), "text": text, "label": label, "box": box, "words": words, "linking": []})
        return len(blocks) - 1

    add("Order form", "header", 120, 10)
    for row in range(pairs):
        top = 40 + 30 * row
        question = add(KEYS[row % len(KEYS)], "question", 20, top)
        answer = add(f"value {name[-3:]} {row}", "answer", 120, top)
        blocks[question]["linking"] = blocks[answer]["linking"] = [[question, answer]]
    add("Please return soon.", "other", 20, 360)
    image.save(folder / "images" / f"{name}.png")
    (folder / "annotations" / f"{name}.json").write_text(json.dumps({"form": blocks}))


def write_tiny_config(folder: Path) -> Path:
    """A `config.json` of the smallest model."""
    path = folder / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path
