"""A sheet of drawn forms side by side, with what a model learns from them: boxes in colours of labels, and links."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from pipelines.datasets.synthetic_forms.page import DrawnForm

COLOURS = {"header": "darkorange", "question": "blue", "answer": "green", "other": "grey"}
"""Of the boxes of words, by the kind of their entity. Links have the colour of the kind that they start from."""


def labelled_sheet(forms: Sequence[DrawnForm]) -> Image.Image:
    """The forms beside each other, mode "RGB", with a box around each word and a line for each link.

    A line leads from the first word of a header to that of its question, and from a question to its answer.

    Raises:
        ValueError: there is no form.
    """
    if not forms:
        raise ValueError("a sheet needs a form at least")
    sheet = Image.new("RGB", (sum(form.width for form in forms), max(form.height for form in forms)), "white")
    x = 0
    for form in forms:
        sheet.paste(_labelled(form), (x, 0))
        x += form.width
    return sheet


def _labelled(form: DrawnForm) -> Image.Image:
    picture = form.image.convert("RGB")
    draw = ImageDraw.Draw(picture)
    across, down = form.width / 1000, form.height / 1000
    for start, end, kind in form.entities:
        for x0, y0, x1, y1 in form.boxes[start:end]:
            draw.rectangle((x0 * across, y0 * down, x1 * across, y1 * down), outline=COLOURS[kind])
    for kind, links in (("header", form.header_links), ("question", form.links)):
        for first, _, second, _ in links:
            ends = [
                (form.boxes[word][0] * across, (form.boxes[word][1] + form.boxes[word][3]) / 2 * down)
                for word in (first, second)
            ]
            draw.line((*ends[0], *ends[1]), fill=COLOURS[kind])
    return picture
