"""Simulates scanners, faxes and phone cameras, each from a clean page image."""

from __future__ import annotations

import numpy as np
import pypdfium2
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont


def render(pdf: bytes, page_index: int, dpi: int) -> Image.Image:
    """A page of a PDF in colour."""
    document = pypdfium2.PdfDocument(pdf)
    page = document[page_index]
    image = page.render(scale=dpi / 72).to_pil().convert("RGB")
    page.close()
    document.close()
    return image


def _noise(size: tuple[int, int], spread: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, spread, (size[1], size[0]))


def _smooth_noise(size: tuple[int, int], cells: int, seed: int) -> np.ndarray:
    """Smooth noise between 0 and 1 of shape `size`."""
    small = np.random.default_rng(seed).integers(0, 256, (cells, cells), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), float) / 255


def as_scan(page: Image.Image, seed: int) -> Image.Image:
    """A flatbed scan in grey: rotated by a fraction of a degree, soft, speckled, darker towards one edge."""
    angle = (0.7, -0.5, 0.4, -0.8)[seed % 4]
    grey = page.convert("L").rotate(angle, Image.Resampling.BICUBIC, fillcolor=250, translate=(4, -3))
    grey = grey.filter(ImageFilter.GaussianBlur(0.55))
    levels = np.asarray(grey, float) * 0.86 + 28
    levels -= 16 * np.linspace(0, 1, grey.width)[None, :] ** 6
    levels += _noise(grey.size, 3.5, seed)
    levels[np.random.default_rng(seed + 100).random(levels.shape) < 0.00012] = 90
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def blank_scan(size: tuple[int, int], seed: int) -> Image.Image:
    """The scan of an empty sheet."""
    return as_scan(Image.new("RGB", size, "white"), seed)


def as_fax(page: Image.Image, number: int, seed: int) -> Image.Image:
    """A received fax in black and white, 1728 x 2156 dots, with the sender's line at the top and a few damaged rows."""
    grey = page.convert("L").resize((1728, 2156), Image.Resampling.LANCZOS)
    grey = ImageChops.offset(grey, 0, 20)
    drawing = ImageDraw.Draw(grey)
    drawing.rectangle((0, 0, 1728, 44), fill=255)
    line = f"MAR-11-2025  09:4{number}      FROM: BRACKEN FREIGHT 503 555 0146      TO: 5035550199      P.0{number}/02"
    drawing.text((90, 8), line, fill=0, font=ImageFont.load_default(26))
    levels = np.asarray(grey, float) + _noise(grey.size, 18, seed)
    bilevel = levels > 140
    random_source = np.random.default_rng(seed)
    bilevel ^= random_source.random(bilevel.shape) < 0.0004
    for row in random_source.integers(100, 2100, 3):
        start = int(random_source.integers(0, 1200))
        bilevel[row, start : start + 400] = True
    return Image.fromarray(bilevel)


def as_photo(receipt: Image.Image, seed: int) -> Image.Image:
    """A colour photo, 1080 x 1800: the receipt on a wooden table, slightly skewed, with a shadow over it."""
    size = (1080, 1800)
    width, height = size
    grain = _smooth_noise((width, height * 6), 40, seed)[::6] * 0.6 + _smooth_noise(size, 9, seed + 1) * 0.4
    wood = np.stack([96 + 62 * grain, 66 + 46 * grain, 42 + 34 * grain], axis=2)
    paper, mask = _in_perspective(receipt, size)
    shadow = np.asarray(ImageChops.offset(mask, 16, 20).filter(ImageFilter.GaussianBlur(18)), float)[..., None] / 255
    alpha = np.asarray(mask.filter(ImageFilter.GaussianBlur(1)), float)[..., None] / 255
    creases = 1 - 0.10 * (_smooth_noise(size, 7, seed + 2)[..., None] - 0.3)
    scene = (
        wood * (1 - 0.55 * shadow) * (1 - alpha)
        + np.asarray(paper, float) * np.array([0.93, 0.91, 0.86]) * creases * alpha
    )
    light = 1.06 - 0.30 * np.linspace(0, 1, width)[None, :, None] * np.linspace(0.3, 1, height)[:, None, None]
    scene = scene * light + _noise(size, 3.0, seed + 3)[..., None]
    photo = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    return photo.filter(ImageFilter.GaussianBlur(0.6))


def _in_perspective(receipt: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The receipt in perspective on an empty image, and the mask of its area."""
    width, height = size
    corners = ((0.17, 0.05), (0.80, 0.035), (0.86, 0.955), (0.13, 0.965))  # from the top left, clockwise
    seen = [(x * width, y * height) for x, y in corners]
    flat = [(0, 0), (receipt.width, 0), (receipt.width, receipt.height), (0, receipt.height)]
    rows = []
    for (x, y), (u, v) in zip(seen, flat, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    system = np.array(rows, float)
    coefficients = np.linalg.solve(system[:, :8], system[:, 8]).tolist()
    paper = receipt.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    whole = Image.new("L", receipt.size, 255)
    mask = whole.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    return paper, mask
