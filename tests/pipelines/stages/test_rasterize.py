from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from pipelines.schema import PAGE_IMAGE
from pipelines.stages.base import rows_to_table
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from tests.drawn_pdf import DrawnPage, draw_pdf

LETTER = ["The deposit is paid back within fourteen days", "unless the warden has written down a damage."]
TABLE = ["Apples 6.18", "Plums 36.47", "Soap 12.23"]


def picture(lines: list[str]) -> Image.Image:
    """Lines of text as pixels."""
    image = Image.new("L", (900, 100 * len(lines)), 255)
    for index, line in enumerate(lines):
        ImageDraw.Draw(image).text((30, 20 + 100 * index), line, fill=0, font=ImageFont.load_default(56))
    return image


def write_letter(path: Path, pasted: Image.Image | None = None) -> Path:
    """A digital page of 20 lines, perhaps with a picture below them."""
    canvas = Canvas(str(path), pagesize=(595, 842))
    canvas.setFont("Helvetica", 12)
    for index in range(20):
        canvas.drawString(60, 780 - 18 * index, LETTER[index % 2])
    if pasted is not None:
        content = io.BytesIO()
        pasted.save(content, "PNG")
        canvas.drawImage(ImageReader(io.BytesIO(content.getvalue())), 60, 150, 300, 100)
    canvas.save()
    return path


def rasterize(path: Path, text: Any = "auto", **columns: Any) -> dict[str, Any]:
    [row] = Rasterize(RasterizeOptions(text))([{"uri": path.name, "path": str(path), "page_index": 0} | columns])
    assert row["status"] == "ok", row["error"]
    return row


def test_a_digital_page_has_the_words_of_its_layer_and_needs_no_ocr(tmp_path: Path) -> None:
    row = rasterize(write_letter(tmp_path / "letter.pdf"))
    assert row["words"] == " ".join(LETTER * 10).split()
    assert row["text_source"] == "layer" and set(row["word_sources"]) == {"layer"}
    assert row["page_image"] is None and row["ocr_regions"] is None
    assert (row["rotation"], row["skew"], row["read_quality"]) == (0, 0, 1)


def test_text_in_a_picture_is_left_to_ocr_beside_the_layer(tmp_path: Path) -> None:
    row = rasterize(write_letter(tmp_path / "letter.pdf", picture(TABLE)))
    assert row["text_source"] == "layer" and len(row["words"]) == 160
    assert len(row["page_image"]) == row["width"] * row["height"]
    for x0, y0, x1, y1 in row["ocr_regions"]:
        assert 60 / 595 - 0.02 < x0 < x1 < 360 / 595 + 0.02
        assert 592 / 842 - 0.02 < y0 < y1 < 692 / 842 + 0.02


def test_a_picture_without_text_is_left_alone(tmp_path: Path) -> None:
    row = rasterize(write_letter(tmp_path / "letter.pdf", Image.linear_gradient("L")))
    assert row["page_image"] is None and row["read_quality"] == 1


def test_an_image_is_read_whole(tmp_path: Path) -> None:
    picture(TABLE).save(tmp_path / "table.png")
    row = rasterize(tmp_path / "table.png")
    assert row["words"] == [] and row["ocr_regions"] is None
    assert len(row["page_image"]) == 900 * 300


def test_ocr_alone_ignores_the_layer(tmp_path: Path) -> None:
    row = rasterize(write_letter(tmp_path / "letter.pdf"), "ocr")
    assert row["words"] == [] and row["page_image"] is not None and row["ocr_regions"] is None


def test_the_layer_alone_says_what_it_leaves_unread(tmp_path: Path) -> None:
    row = rasterize(write_letter(tmp_path / "letter.pdf", picture(TABLE)), "layer")
    assert row["page_image"] is None and len(row["words"]) == 160
    assert row["read_quality"] < 0.9
    picture(TABLE).save(tmp_path / "table.png")
    assert rasterize(tmp_path / "table.png", "layer")["read_quality"] == 0


def test_words_that_are_given_are_taken_as_they_are(tmp_path: Path) -> None:
    given = {"given_words": ["Soap"], "given_boxes": [[1, 2, 3, 4]]}
    row = rasterize(write_letter(tmp_path / "letter.pdf"), **given)
    assert (row["words"], row["boxes"], row["word_sources"]) == (["Soap"], [[1, 2, 3, 4]], ["given"])
    assert row["text_source"] == "given" and row["read_quality"] is None


@pytest.mark.parametrize(("text", "source"), [("auto", "layer"), ("ocr", "none"), ("layer", "layer")])
def test_the_fields_of_a_form_come_with_every_way_of_reading(text: str, source: str, tmp_path: Path) -> None:
    (tmp_path / "form.pdf").write_bytes(draw_pdf(DrawnPage(field_value="Cardiff")))
    row = rasterize(tmp_path / "form.pdf", text)
    assert row["text_source"] == source
    box = [250, 566, 750, 666]  # [100 100 300 130] of 400 x 300 points
    assert row["form_fields"] == [{"name": "field", "label": None, "value": "Cardiff", "type": "text", "box": box}]
    [read] = rows_to_table([row], PAGE_IMAGE).to_pylist()
    assert read["form_fields"] == row["form_fields"]


def test_pages_without_a_form_have_no_list_of_fields(tmp_path: Path) -> None:
    assert rasterize(write_letter(tmp_path / "letter.pdf"))["form_fields"] is None
    picture(TABLE).save(tmp_path / "table.png")
    assert rasterize(tmp_path / "table.png")["form_fields"] is None


def test_a_page_that_is_not_there_fails_alone(tmp_path: Path) -> None:
    path = write_letter(tmp_path / "letter.pdf")
    rows = [{"uri": "letter.pdf", "path": str(path), "page_index": index} for index in (5, 0)]
    missing, read = Rasterize(RasterizeOptions())(rows)
    assert (missing["status"], missing["error_kind"]) == ("failed", "unreadable")
    assert read["status"] == "ok"


@pytest.mark.parametrize("quality", [0.4, 0.9])
def test_a_limit_of_quality_marks_pages_for_review(quality: float) -> None:
    from pipelines.stages.merge import Merge, MergeOptions

    merge = Merge(MergeOptions("token-classification", min_read_quality=0.8))
    page = {"status": "ok", "read_quality": quality, "words": [], "boxes": [], "windows": [], "window_logits": []}
    failed = {"status": "failed", "read_quality": None}
    first, second = merge([page, failed])
    assert first["needs_review"] is (quality < 0.8)
    assert second["needs_review"] is None
