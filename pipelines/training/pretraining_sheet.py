"""Examples of pre-training drawn for people: what the model sees of each page, and over it what it should say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.training.augment import PAGE_SIDE
from pipelines.training.pretraining_inputs import PretrainingExample, PretrainingWindow
from pipelines.training.targets import IGNORED_TARGET

COVERED, NOT_COVERED = "#16a34a", "#9ca3af"
HIDDEN, EXCHANGED, KEPT = "#dc2626", "#ea7a00", "#c026d3"
LEGEND = (
    (HIDDEN, "predicted, hidden as [MASK]"),
    (EXCHANGED, "predicted, exchanged"),
    (KEPT, "predicted, as it is"),
    (COVERED, "covered"),
    (NOT_COVERED, "not covered"),
)
"""The colour of a word's outline and what it means. A word of several predicted tokens has that of the last."""

GAP = 14
"""Pixels between panels, and around them."""

TITLE_PIXELS = 13


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet.

    Attributes:
        title: the line above it.
        window: before anything is masked or covered.
        example: what became of it; None draws the window's own picture.
    """

    title: str
    window: PretrainingWindow
    example: PretrainingExample | None = None


def draw_sheet(rows: Sequence[Sequence[Panel]], mask_token_id: int, scale: int = 2) -> Image.Image:
    """Panels in rows over a legend, mode RGB.

    Args:
        mask_token_id: of the tokenizer, to tell hidden tokens from exchanged ones.
        scale: pixels of the sheet for one of a picture, each way.
    """
    height, width = (scale * side for side in rows[0][0].window.picture.shape[1:])
    across, down = width + GAP, height + TITLE_PIXELS + 2 * GAP
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (columns * across + GAP, len(rows) * down + TITLE_PIXELS + 2 * GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TITLE_PIXELS)
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            left, top = GAP + column * across, GAP + row * down
            draw.text((left, top), panel.title, fill="black", font=font)
            sheet.paste(_draw_panel(panel, mask_token_id, scale), (left, top + TITLE_PIXELS + GAP // 2))
    left, top = GAP, len(rows) * down + GAP
    for colour, meaning in LEGEND:
        draw.rectangle((left, top, left + TITLE_PIXELS, top + TITLE_PIXELS), outline=colour, width=2)
        draw.text((left + TITLE_PIXELS + 6, top - 2), meaning, fill="black", font=font)
        left += TITLE_PIXELS + 30 + int(draw.textlength(meaning, font=font))
    return sheet


def _draw_panel(panel: Panel, mask_token_id: int, scale: int) -> Image.Image:
    """The picture of a panel in a thin frame, and the labels of its words."""
    picture = panel.window.picture if panel.example is None else panel.example.picture
    pixels = np.ascontiguousarray(picture[::-1].transpose(1, 2, 0)).repeat(scale, axis=0).repeat(scale, axis=1)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    sides = np.array([image.width, image.height] * 2) / PAGE_SIDE
    outlines = () if panel.example is None else _outlines(panel.window, panel.example, mask_token_id)
    for token, colour in outlines:
        draw.rectangle(np.rint(panel.window.bbox[token] * sides).tolist(), outline=colour)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=NOT_COVERED)
    return image


def _outlines(window: PretrainingWindow, example: PretrainingExample, mask_token_id: int) -> Iterator[tuple[int, str]]:
    """The tokens that have a label and their colours; predicted ones come last, on top."""
    if example.alignment_labels is not None:
        for label, colour in enumerate((NOT_COVERED, COVERED)):
            yield from ((token, colour) for token in np.flatnonzero(example.alignment_labels == label).tolist())
    if example.labels is not None:
        for token in np.flatnonzero(example.labels != IGNORED_TARGET).tolist():
            shown = example.input_ids[token]
            if shown == mask_token_id:
                yield token, HIDDEN
            else:
                yield token, KEPT if shown == window.input_ids[token] else EXCHANGED
