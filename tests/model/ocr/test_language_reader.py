from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from model.ocr.engine import OcrEngine, OcrOptions, OcrResult
from model.ocr.language_guess import guess_language
from model.ocr.language_reader import LanguageReader
from model.ocr.page_reader import PageReader
from model.ocr.scripts import CHINESE, LATIN_SCRIPT, SCRIPTS
from model.ocr.tessdata import OcrUnavailableError, find_tessdata
from model.word_breaks import is_unspaced
from tests.drawn_languages import LINE_PITCH, PAGES, drawn_page, words_of, words_of_line


@pytest.fixture(scope="module")
def reader() -> Iterator[PageReader]:
    """Reads by PP-OCR, and what that does not know by Tesseract, as on a processor with bfloat16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.ocr.ppocr_runtime.has_bfloat16", lambda: True)
        made = PageReader(OcrOptions(language="auto"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def text_of(reader: PageReader) -> Callable[[str], OcrResult]:
    """What is read of a page of `PAGES`, once."""
    return cache(lambda language: reader.read(drawn_page(language)).text)


@pytest.fixture(scope="module")
def tesseract() -> Iterator[PageReader]:
    made = PageReader(OcrOptions(engine="tesserocr", language="auto"))
    yield made
    made.close()


def require(*languages: str) -> None:
    for language in languages:
        try:
            find_tessdata(language)
        except OcrUnavailableError as error:
            pytest.skip(str(error))


def tessdata_with(folder: Path, *languages: str) -> str:
    for language in languages:
        source = find_tessdata(language) / f"{language}.traineddata"
        (folder / source.name).symlink_to(source)
    return str(folder)


@pytest.mark.parametrize("language", ["eng", "deu", "chi_sim", "jpn"])
def test_latin_chinese_and_japanese_pages_are_read_by_ppocr(text_of: Callable[[str], OcrResult], language: str) -> None:
    text = text_of(language)
    assert (text.engine, text.language, text.missing_language) == ("ppocr", language, "")
    assert text.words == words_of(language)


def test_pages_of_other_scripts_are_read_by_tesseract_line_by_line(reader: PageReader) -> None:
    require("heb", "osd")
    text = reader.read(drawn_page("heb")).text
    assert (text.engine, text.language, text.missing_language) == ("ppocr+tesserocr", "heb+eng", "")
    assert text.words == words_of("heb")


@pytest.mark.parametrize("language", ["chi_sim", "jpn"])
def test_the_boxes_of_words_without_spaces_lie_side_by_side_on_their_line(
    text_of: Callable[[str], OcrResult], language: str
) -> None:
    boxes = iter(text_of(language).boxes)
    for row, line in enumerate(PAGES[language]):
        right = 95
        for word in words_of_line(line):
            x0, y0, x1, y1 = next(boxes)
            assert right - 5 <= x0 < x1 and abs((x1 - x0) / 30 - sum(map(width_in_squares, word))) < 0.9, word
            assert abs((y0 + y1) / 2 - (80 + LINE_PITCH * row + 15)) < 10, word
            right = x1


def width_in_squares(character: str) -> float:
    return 1.0 if is_unspaced(character) or character == "：" else 0.55


@pytest.fixture(scope="module")
def ppocr() -> Iterator[LanguageReader]:
    made = LanguageReader(OcrOptions(engine="ppocr", language="auto"))
    yield made
    made.close()


def page_with_russian_lines() -> Image.Image:
    """An English page, twice, and below it the Russian one without its title."""
    page = Image.new("L", (1100, 950), 255)
    for top in (0, 350):
        page.paste(drawn_page("eng").crop((0, 50, 1100, 400)), (0, top))
    page.paste(drawn_page("rus").crop((0, 130, 1100, 370)), (0, 700))
    return page


def test_a_few_lines_of_another_script_are_read_in_it(reader: PageReader) -> None:
    require("rus", "osd")
    text = reader.read(page_with_russian_lines()).text
    assert (text.engine, text.language, text.missing_language) == ("ppocr+tesserocr", "eng+rus", "")
    assert text.words == [*words_of("eng") * 2, *(word for line in PAGES["rus"][1:] for word in words_of_line(line))]


def test_a_fixed_language_of_another_script_is_read_in_lines_that_ppocr_finds() -> None:
    require("rus")
    with OcrEngine(OcrOptions(language="rus")) as engine:
        text = engine.read(drawn_page("rus"))
    assert (text.engine, text.words) == ("ppocr+tesserocr", words_of("rus"))


def test_an_english_page_starts_no_other_engine(ppocr: LanguageReader) -> None:
    assert ppocr.read(drawn_page("eng")).language == "eng"
    assert not ppocr._engines and ppocr._first._ppocr is not None
    assert ppocr._first._ppocr._wide_networks is None


def test_what_ppocr_does_not_read_is_named_on_pages_with_little_and_with_nothing_else(
    ppocr: LanguageReader, caplog: pytest.LogCaptureFixture
) -> None:
    require("osd")
    with caplog.at_level(logging.WARNING):
        some, whole = ppocr.read(page_with_russian_lines()), ppocr.read(drawn_page("rus"))
    assert (some.language, some.missing_language, some.is_foreign) == ("eng", "rus", False)
    assert some.words[: 2 * len(words_of("eng"))] == words_of("eng") * 2
    assert whole.missing_language == "rus" and whole.is_foreign
    assert caplog.text.count("--ocr-engine auto") == 1


@pytest.mark.parametrize("language", ["deu", "chi_sim", "heb"])
def test_tesseract_alone_reads_a_page_in_its_language(tesseract: PageReader, language: str) -> None:
    require(language, "osd")
    text = tesseract.read(drawn_page(language)).text
    assert language in text.language.split("+") and text.engine == "tesserocr"
    found = set(text.words)
    assert len(found & set(words_of(language))) >= 0.75 * len(set(words_of(language))), text.words


@pytest.mark.parametrize("language", ["ell", "deu"])
def test_a_language_that_is_not_installed_is_named_with_its_package(
    language: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    require("osd")
    options = OcrOptions(engine="tesserocr", language="auto", tessdata=tessdata_with(tmp_path, "eng", "osd"))
    reader = LanguageReader(options)
    with caplog.at_level(logging.WARNING):
        first, second = (reader.read(drawn_page(language)) for _ in range(2))
    reader.close()
    assert first.missing_language == second.missing_language == language
    assert first.is_foreign is (language != "deu")
    assert caplog.text.count(f"apt-get install tesseract-ocr-{language}") == 1


def test_without_the_detection_of_scripts_its_package_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = LanguageReader(OcrOptions(engine="tesserocr", language="auto", tessdata=tessdata_with(tmp_path, "eng")))
    assert reader.read(drawn_page("ell")).missing_language == "osd"
    assert "apt-get install tesseract-ocr-osd" in caplog.text
    reader.close()


def test_a_japanese_page_that_stands_on_its_head_is_turned(reader: PageReader) -> None:
    page = reader.read(drawn_page("jpn").transpose(Image.Transpose.ROTATE_180))
    assert (page.rotation, page.text.language) == (180, "jpn")
    assert page.text.words == words_of("jpn")


def test_a_blank_page_has_no_language(reader: PageReader) -> None:
    text = reader.read(Image.new("L", (800, 600), 255)).text
    assert (text.words, text.language, text.missing_language) == ([], "", "")


@pytest.mark.parametrize(
    ("words", "script", "expected"),
    [
        ("the name of the applicant and the date", "Latin", "eng"),
        ("Die Rechnung wurde am Montag bezahlt, vielen Dank", "Latin", "deu"),
        ("Veuillez joindre à votre demande les pièces", "Latin", "fra"),
        ("12 31.12", "Latin", None),
        ("統一發票請款單號碼", "Han", "chi_tra"),
        ("增值税专用发票", "Han", "chi_sim"),
        ("氏名 やまだ", "Japanese", "jpn"),
        ("Заявление о приёме, дата рождения. Прошу принять меня на работу на должность инженера", "Cyrillic", "rus"),
        ("Прошу прийняти мене на роботу на посаду інженера", "Cyrillic", "ukr"),
        ("שם", "Hebrew", "heb"),
    ],
)
def test_the_words_of_a_page_tell_its_language(words: str, script: str, expected: str | None) -> None:
    assert guess_language(words.split(), SCRIPTS[script]) == expected


def test_languages_of_a_script_are_told_apart_by_characters_or_words() -> None:
    assert guess_language([], CHINESE) is None and guess_language(["A"], LATIN_SCRIPT) is None
