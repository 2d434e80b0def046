from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.engine import OcrOptions, OcrResult, OcrUnavailableError
from model.ocr.tessdata import find_tessdata
from pipelines.stages.ocr import Ocr, merge_words
from tests.drawn_languages import drawn_page

LINES = ["Applicant surname", "Postal code", "Boat name", "Insurance company", "Date of application"]


@pytest.fixture(scope="module")
def ocr() -> Iterator[Ocr]:
    stage = Ocr(OcrOptions())
    yield stage
    stage.reader.close()


def form(values: list[str] | None = None) -> Image.Image:
    """A form with a printed question in each line, and perhaps its answer beside."""
    page = Image.new("L", (1200, 900), 255)
    for index, line in enumerate(LINES):
        font = ImageFont.load_default(32)
        ImageDraw.Draw(page).text((100, 100 + 120 * index), line, fill=0, font=font)
        if values:
            ImageDraw.Draw(page).text((700, 100 + 120 * index), values[index], fill=0, font=font)
    return page


def row(page: Image.Image, **columns: Any) -> dict[str, Any]:
    """A row of `RASTERIZED` whose whole page has to be read, unless `columns` say otherwise."""
    return {
        "width": page.width,
        "height": page.height,
        "page_image": page.tobytes(),
        "ocr_regions": None,
        "text_source": "none",
        "words": [],
        "boxes": [],
        "word_confidences": [],
        "word_sources": [],
        "status": "ok",
        "seconds": {"rasterize": 0.0, "ocr": 0.0, "infer": 0.0},
    } | columns


def test_a_page_is_read_whole(ocr: Ocr) -> None:
    [result] = ocr([row(form())])
    assert result["words"] == " ".join(LINES).split()
    assert result["text_source"] == "ocr" and set(result["word_sources"]) == {"ocr"}
    assert (result["rotation"], result["skew"]) == (0, 0)
    assert result["read_quality"] > 0.85
    assert result["ocr_engine"] == ocr.reader.engine.name
    assert "page_image" not in result and "ocr_regions" not in result


def test_a_blank_page_is_read_well(ocr: Ocr) -> None:
    [result] = ocr([row(Image.new("L", (1200, 900), 255))])
    assert (result["text_source"], result["words"], result["read_quality"]) == ("none", [], 1.0)


def test_what_the_layer_leaves_unread_is_merged_with_its_words(ocr: Ocr) -> None:
    values = ["Wetterling", "20481", "Petrel", "Mutual", "February"]
    boxes = [[580, (95 + 120 * i) * 1000 // 900, 780, (150 + 120 * i) * 1000 // 900] for i in range(5)]
    layer = {"text_source": "layer", "words": values, "boxes": boxes, "word_confidences": [None] * 5}
    layer |= {"word_sources": ["layer"] * 5, "ocr_regions": [[0.05, 0.05, 0.5, 0.95]]}
    [result] = ocr([row(form(values), **layer)])
    pairs = zip(LINES, values, strict=True)
    assert result["words"] == " ".join(f"{question} {answer}" for question, answer in pairs).split()
    assert result["text_source"] == "mixed"
    sources = dict(zip(result["words"], result["word_sources"], strict=True))
    assert sources["Wetterling"] == "layer" and sources["surname"] == "ocr"
    confidences = dict(zip(result["words"], result["word_confidences"], strict=True))
    assert confidences["Wetterling"] is None and 0.5 < confidences["surname"] <= 1
    assert result["read_quality"] > 0.85


def test_regions_without_text_leave_the_layer_as_it_is(ocr: Ocr) -> None:
    layer = {"text_source": "layer", "words": ["Only"], "boxes": [[10, 10, 90, 40]], "word_confidences": [None]}
    layer |= {"word_sources": ["layer"], "ocr_regions": [[0.5, 0.5, 0.9, 0.9]]}
    [result] = ocr([row(Image.new("L", (1200, 900), 255), **layer)])
    assert (result["text_source"], result["words"], result["word_sources"]) == ("layer", ["Only"], ["layer"])


def test_boxes_of_a_region_are_those_of_the_page(ocr: Ocr) -> None:
    [whole] = ocr([row(form())])
    [part] = ocr([row(form(), ocr_regions=[[0.0, 0.3, 1.0, 0.5]])])
    assert part["words"] == ["Boat", "name"]
    for word, box in zip(part["words"], part["boxes"], strict=True):
        assert box == pytest.approx(whole["boxes"][whole["words"].index(word)], abs=4)


def test_text_that_was_not_read_lowers_the_quality(ocr: Ocr) -> None:
    [result] = ocr([row(form(), ocr_regions=[[0.0, 0.3, 1.0, 0.5]])])
    assert result["read_quality"] < 0.4


def test_a_word_on_a_word_of_the_layer_is_left_out() -> None:
    known = [(100, 100, 200, 130)]
    found = OcrResult(["Total", "12.50"], [(105, 102, 195, 128), (300, 100, 360, 130)], [0.9, 0.8])
    given = row(Image.new("L", (1000, 1000), 255), words=["Total"], boxes=[[100, 100, 200, 130]])
    given |= {"text_source": "layer", "word_confidences": [None], "word_sources": ["layer"]}
    merged = merge_words(given, known, found)
    assert (merged["words"], merged["word_sources"]) == (["Total", "12.50"], ["layer", "ocr"])
    assert merged["boxes"] == [[100, 100, 200, 130], [300, 100, 360, 130]]


@pytest.mark.parametrize("engine", ["ppocr", "auto"])
def test_pp_ocr_starts_with_the_first_page_that_needs_it(engine: Any) -> None:
    stage = Ocr(OcrOptions(engine=engine))
    [passed] = stage([row(form(), page_image=None)])
    assert passed["status"] == "ok" and stage._reader is None
    [read] = stage([row(form())])
    assert "ppocr" in read["ocr_engine"] and stage._reader is not None
    stage.reader.close()


def test_a_language_that_tesseract_lacks_is_told_at_the_start() -> None:
    with pytest.raises(OcrUnavailableError, match="xyz"):
        Ocr(OcrOptions(language="xyz"))


def test_pages_that_need_no_ocr_pass_through(ocr: Ocr) -> None:
    [result] = ocr([row(form(), page_image=None, read_quality=1.0)])
    assert result["words"] == [] and result["read_quality"] == 1.0
    [failed] = ocr([row(form(), status="failed")])
    assert failed["words"] == [] and failed["status"] == "failed"


def test_a_page_that_takes_too_long_fails_alone() -> None:
    stage = Ocr(OcrOptions(), time_limit_seconds=0.01)
    slow, passed = stage([row(form()), row(form(), page_image=None)])
    stage.reader.close()
    assert (slow["status"], slow["error_kind"]) == ("failed", "timeout")
    assert passed["status"] == "ok"


def test_a_page_whose_language_is_not_installed_is_not_read_well(tmp_path: Path) -> None:
    for name in ("eng", "osd"):
        source = find_tessdata(name) / f"{name}.traineddata"
        (tmp_path / source.name).symlink_to(source)
    stage = Ocr(OcrOptions(engine="tesserocr", language="auto", tessdata=str(tmp_path)))
    greek, english = stage([row(drawn_page("ell")), row(drawn_page("eng"))])
    stage.reader.close()
    assert (greek["status"], greek["ocr_language"], greek["missing_language"]) == ("ok", None, "ell")
    assert greek["read_quality"] == 0 and greek["words"]
    assert (english["ocr_language"], english["missing_language"]) == ("eng", None)
    assert english["read_quality"] > 0.8
