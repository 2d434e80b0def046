"""Texts with blanks, numbers as languages write them, and the files of words."""

from __future__ import annotations

import random
import re

import pytest

from pipelines.datasets.synthetic_forms.grammar import blanks, filled
from pipelines.datasets.synthetic_forms.languages import LANGUAGES, form_language
from pipelines.datasets.synthetic_forms.numerals import NumberForm, amounts, numeral_values
from pipelines.datasets.synthetic_forms.word_breaks import pieces

GERMAN = NumberForm(",", (".",), ("{} €",))
YEN = NumberForm(".", (",",), ("{}円",), places=0, scale=100)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{3-5} kg", r"[345] kg"),
        ("{99}-{A}{999}", r"\d\d-[A-Z]\d{3}"),
        ("{dd}.{mm}.{yyyy}", r"[0-2]\d\.[01]\d\.(19|20)\d\d"),
        ("{hh}:{min} Uhr", r"[0-2]\d:[0-5]\d Uhr"),
        ("Frau {last name}", r"Frau Weber"),
    ],
)
def test_blanks_are_filled_with_what_they_name(text: str, wanted: str) -> None:
    for seed in range(20):
        assert re.fullmatch(wanted, filled(random.Random(seed), text, {"last name": lambda rng: "Weber"}))


def test_only_names_of_other_texts_are_blanks_to_check() -> None:
    assert blanks("{last name}, {dd}.{mm}. {99} {3-4} {street}") == ("last name", "street")


def test_numbers_have_the_signs_of_their_language() -> None:
    assert GERMAN.written(1234567.5, 2, ".") == "1.234.567,50"
    assert YEN.written(1234567.5, 0, ",") == "1,234,568"


def test_amounts_of_a_document_are_written_alike() -> None:
    rng = random.Random(4)
    written = amounts(YEN, rng)
    found = [written(rng) for _ in range(20)]
    assert all(re.fullmatch(r"[\d,]+円", text) for text in found)


def test_numeric_kinds_are_numbers() -> None:
    values = numeral_values(GERMAN)
    for seed in range(20):
        assert re.fullmatch(r"[\d.]+(,\d\d)?( €)?", values["amount"](random.Random(seed)))
        assert re.fullmatch(r"\d+(,\d+)?( ?%)?", values["percent"](random.Random(seed)))


@pytest.mark.parametrize("code", sorted(set(LANGUAGES) - {"en"}))
def test_values_have_no_blanks_quotation_marks_or_spaces_left_over(code: str) -> None:
    language, rng = form_language(code), random.Random(5)
    for kind in language.values:
        for _ in range(20):
            text = language.values[kind](rng)
            assert text and text == text.strip() and not re.search(r'[{}|"]|  ', text), (kind, text)
    for name in language.captions:
        assert not re.search(r'[{}|"]', whole(language.expand(rng, language.captions[name][0]))), name


def whole(text: str) -> str:
    return "".join(pieces(text))


def test_pieces_of_a_text_are_its_words_with_the_spaces_before_them() -> None:
    assert pieces("Name:  Anna Weber ") == ("Name:", " Anna", " Weber")
    assert pieces("氏名\uff1a山田 太郎") == ("氏名\uff1a", "山田", " 太郎")
