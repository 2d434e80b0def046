"""Scanning noise: rotation, blur, broken strokes, specks, borders, and low contrast."""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def turned(image: Image.Image, degrees: float) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """The sheet rotated around its centre, and the matrix (a, b, c, d) that rotates offsets from the centre."""
    angle = math.radians(degrees)
    matrix = (math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle))
    if not degrees:
        return image, matrix
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=255), matrix


def scanned(image: Image.Image, rng: random.Random) -> Image.Image:
    """The sheet with scanning noise; of the same size, mode "L"."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    if rng.random() < 0.5:
        for _ in range(int(10 ** rng.uniform(0.5, 2.4))):
            x, y, size = rng.uniform(0, width), rng.uniform(0, height), rng.choice((0, 0, 0, 1, 1, 2))
            draw.ellipse((x, y, x + size, y + size), fill=rng.randint(0, 120))
    if rng.random() < 0.2:
        side = rng.choice((0, 1, 2))
        thick = rng.randint(2, 14)
        edges = ((0, 0, thick, height), (width - thick, 0, width, height), (0, height - thick, width, height))
        draw.rectangle(edges[side], fill=rng.randint(0, 60))
    if rng.random() < 0.15:
        for x in (width * rng.uniform(0.03, 0.3), width * rng.uniform(0.5, 0.9)):
            radius, y = rng.uniform(6, 13), height * 0.02
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=10)
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))
    form = rng.random()
    noise = np.random.default_rng(rng.getrandbits(32))
    if form < 0.2:
        pixels = np.asarray(image)
        holes = noise.integers(0, 256, pixels.shape, dtype=np.uint8) < rng.randint(5, 45)
        image = Image.fromarray(np.where(holes, np.uint8(255), pixels))
    elif form < 0.65:
        threshold = rng.randint(140, 225)
        image = image.point([0 if value < threshold else 255 for value in range(256)])
    elif form < 0.75:
        dark, light = rng.randint(0, 110), rng.randint(190, 255)
        image = image.point([dark + value * (light - dark) // 255 for value in range(256)])
    return image
