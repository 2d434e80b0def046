"""The sheet of drawn forms with their boxes and links."""

from __future__ import annotations

import pytest
from PIL import ImageColor

from pipelines.datasets.synthetic_forms import DrawOptions, draw_form
from pipelines.datasets.synthetic_forms.sheet import COLOURS, labelled_sheet


def test_forms_stand_side_by_side_with_boxes_in_the_colours_of_their_labels() -> None:
    form = draw_form(3, DrawOptions(kinds=("row_groups",), noise=False))
    sheet = labelled_sheet((form, form))
    assert sheet.size == (2 * form.width, form.height)
    for start, _, kind in form.entities:
        x0, y0, x1, _ = form.boxes[start]
        middle = (x0 + x1) / 2 * form.width / 1000
        column = [sheet.getpixel((int(middle), int(y0 * form.height / 1000) + step)) for step in (-1, 0, 1)]
        assert any(pixel in map(ImageColor.getrgb, COLOURS.values()) for pixel in column), kind


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a form"):
        labelled_sheet(())
