"""Pages drawn for the tests in several languages, as a printer would: with their words in logical order beside them."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.word_breaks import word_spans

_DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_FONTS = {
    "chi_sim": (Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"), "fonts-wqy-microhei"),
    "jpn": (Path("/usr/share/fonts/truetype/vlgothic/VL-Gothic-Regular.ttf"), "fonts-vlgothic"),
}

PAGES: dict[str, list[str]] = {
    "eng": [
        "Application for a permit",
        "Name: John Miller",
        "Amount: $1,234.56",
        "The permit is valid for the period of twelve months.",
    ],
    "deu": [
        "Antrag auf Gewährung von Wohngeld",
        "Straße: Königsallee 27",
        "Geburtsdatum: 31.12.1975",
        "Die Bewilligung erfolgt für die Dauer von zwölf Monaten.",
    ],
    "chi_sim": [
        "增值税专用发票申请表",
        "公司名称：北京科技有限公司",
        "日期：2026年11月29日",
        "合同编号：HT-2026-0815",
    ],
    "jpn": [
        "住民票の写し交付申請書",
        "氏名：山田太郎",
        "住所：東京都千代田区丸の内",
        "電話番号：03-1234-5678",
    ],
    "rus": [
        "Заявление о приёме на работу",
        "Фамилия: Иванов",
        "Дата рождения: 31.12.1975",
        "Прошу принять меня на работу на должность инженера.",
    ],
    "heb": [
        "בקשה לקבלת רישיון",
        "שם: משה כהן",
        "כתובת: רחוב הרצל 12 תל אביב",
        "נא לצרף את כל המסמכים הדרושים לבקשה זו.",
    ],
    "ell": [
        "Αίτηση για άδεια οικοδομής",
        "Διεύθυνση: Οδός Ερμού 12",
        "Παρακαλώ επισυνάψτε όλα τα απαραίτητα έγγραφα.",
        "Υπογραφή του αιτούντος και σφραγίδα της υπηρεσίας",
    ],
}
"""The lines of each page."""

TEXT_SIZE, LINE_PITCH = 30, 70


def words_of(language: str) -> list[str]:
    """The words of a page in reading order."""
    return [word for line in PAGES[language] for word in words_of_line(line)]


def words_of_line(line: str) -> list[str]:
    """What stands between spaces, cut further where the script has none."""
    return [part[start:stop] for part in line.split() for start, stop in word_spans(part)]


def drawn_page(language: str) -> Image.Image:
    """A page of `PAGES`, grey."""
    image = Image.new("L", (1100, 120 + LINE_PITCH * len(PAGES[language])), 255)
    pen, font = ImageDraw.Draw(image), font_of(language)
    for row, line in enumerate(PAGES[language]):
        place = (100, 80 + LINE_PITCH * row)
        if language == "heb":
            pen.text((1000, place[1]), visual_order(line), fill=20, font=font, anchor="ra")
        else:
            pen.text(place, line, fill=20, font=font)
    return image


def font_of(language: str, size: int = TEXT_SIZE) -> ImageFont.FreeTypeFont:
    """A font for a language; a test whose font is not installed is skipped, with the Debian package that has it."""
    path, package = _FONTS.get(language, (_DEJAVU, ""))
    if not path.is_file():
        pytest.skip(f"no font for {language}: apt-get install {package}")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def visual_order(line: str) -> str:
    """The characters of a Hebrew line as they stand from left to right: numbers and Latin words are not turned."""
    return re.sub(r"[\dA-Za-z]+(?:[.,/:-][\dA-Za-z]+)*", lambda run: run.group()[::-1], line)[::-1]
