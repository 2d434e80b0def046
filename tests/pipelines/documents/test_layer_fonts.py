"""Fonts that map their characters wrongly are found on short pages too, and sound ones are left alone."""

from __future__ import annotations

import codecs

import pytest

from pipelines.documents.layer_fonts import is_wrong
from pipelines.documents.layer_words import Word
from tests.pipelines.documents.raw_pdf import layer_of, raw_pdf, stream

SHORT = "Total payable thirteen hundred"

SOUND = {
    "English": "Total payable to the landlord within thirty days",
    "capitals": "TOTAL PAYABLE TO THE LANDLORD WITHIN THIRTY DAYS",
    "German": "Rechnungsbetrag zuz\u00fcglich Umsatzsteuer, zahlbar binnen "
    "vierzehn Tagen auf unser Gesch\u00e4ftskonto",
    "Polish": "Wszelkie zmiany niniejszej umowy wymagaj\u0105 formy pisemnej pod rygorem niewa\u017cno\u015bci",
    "Czech": "Smluvn\u00ed strany prohla\u0161uj\u00ed, \u017ee si smlouvu p\u0159ed podpisem p\u0159e\u010detly",
    "Finnish": "Vuokralainen maksaa vuokran kuukauden ensimm\u00e4isen\u00e4 p\u00e4iv\u00e4n\u00e4",
    "Hungarian": "A b\u00e9rl\u0151 k\u00f6teles a b\u00e9rleti "
    "d\u00edjat minden h\u00f3nap els\u0151 napj\u00e1n megfizetni",
    "Turkish": "Kirac\u0131 her ay\u0131n ilk "
    "g\u00fcn\u00fcnde kira bedelini \u00f6demekle y\u00fck\u00fcml\u00fcd\u00fcr",
    "Greek": "\u03a3\u03c5\u03bc\u03b2\u03cc\u03bb\u03b1\u03b9\u03bf "
    "\u03bc\u03b9\u03c3\u03b8\u03ce\u03c3\u03b5\u03c9\u03c2 \u03ba\u03b1\u03c4\u03bf\u03b9\u03ba\u03af\u03b1\u03c2",
    "Russian": "\u0414\u043e\u0433\u043e\u0432\u043e\u0440 "
    "\u0430\u0440\u0435\u043d\u0434\u044b \u043f\u043e\u043c\u0435\u0449\u0435\u043d\u0438\u044f",
    "Hebrew": "\u05d4\u05e9\u05d5\u05db\u05e8 \u05de\u05ea\u05d7\u05d9\u05d9\u05d1 \u05dc\u05e9\u05dc\u05dd",
    "Arabic": "\u064a\u0644\u062a\u0632\u0645 \u0627\u0644\u0645\u0633\u062a\u0623\u062c\u0631",
    "Chinese": "\u627f\u79df\u4eba\u5e94\u5f53\u6309\u7167 \u7ea6\u5b9a\u7684\u671f\u9650 \u652f\u4ed8\u79df\u91d1",
    "part numbers": "RTX3080TI XK-4471-BZ SN74LVC1G17DBVR BC547B GRM188R71H104 LM358N 2N3904 MCP6002T",
    "bank": "IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX GB29 NWBK 6016 1331 9268 19",
    "abbreviations": "VAT IBAN SWIFT GmbH LLC Ltd Nr. PLZ Tel. Fax CEO CFO HDMI LCD DVR CCTV",
    "amounts": "1,347.70 EUR 12.03.2025 (19%) +49 30 1234567 $ 5.00 #12",
    "addresses": "jane.doe@example.org https://example.org/a?b=1&c=2#d www.example.org/index.html?q=%20&r=%3D",
    "rules": "__________ ______________ ____________ ---------- ...........",
    "leaders": "Introduction ........ 1 Signature: ______________ ====== ****** ------",
}


def words_of(text: str) -> list[Word]:
    return [Word(word, (0.1, 0.1, 0.2, 0.2), False, 1, 1, True) for word in text.split()]


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_font_is_left_alone(kind: str) -> None:
    assert not is_wrong(words_of(SOUND[kind]))


def shifted(text: str, places: int) -> str:
    """A text whose letters are replaced by others of the alphabet."""
    moved = "".join(chr((ord(letter) - 97 + places) % 26 + 97) if letter.islower() else letter for letter in text)
    return "".join(chr((ord(letter) - 65 + places) % 26 + 65) if letter.isupper() else letter for letter in moved)


@pytest.mark.parametrize("language", ["English", "capitals", "German", "Polish", "Czech", "Finnish", "Hungarian"])
@pytest.mark.parametrize("places", [1, 3, 4, 11, 13, 22, 25])
def test_shifted_letters_are_found(language: str, places: int) -> None:
    assert is_wrong(words_of(shifted(SOUND[language], places)))


@pytest.mark.parametrize("places", [1, 2, 3, 5, 7, 13, 25])
def test_shifted_letters_are_found_in_a_few_words(places: int) -> None:
    assert is_wrong(words_of(shifted(SHORT, places)))


def test_glyph_numbers_that_pass_for_characters_are_found() -> None:
    """The letters of many TrueType fonts are 29 places further in ASCII than their glyphs' numbers."""
    assert is_wrong(words_of(" ".join("".join(chr(ord(c) - 29) for c in word) for word in SHORT.split())))


@pytest.mark.parametrize("encoding", ["cp1251", "cp1253"])
def test_the_letters_of_another_script_read_as_latin_ones_are_found(encoding: str) -> None:
    text = SOUND["Russian" if encoding == "cp1251" else "Greek"]
    assert is_wrong(words_of(codecs.encode(text, encoding).decode("latin-1")))


def test_signs_for_letters_are_found() -> None:
    assert is_wrong(words_of('!"#$% &*+;< =>?@[ ]^_`{ |}~!"'))


def test_words_of_a_wrong_font_are_left_to_ocr_and_those_of_others_stay() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = "\n".join(f"<{ord(a):02x}> <{ord(shifted(a, 1)):04x}>" for a in letters + letters.upper())
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n52 beginbfchar\n{pairs}\nendbfchar\nendcmap end end"
    )
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding /ToUnicode 7 0 R >>"
    content = f"BT /F1 12 Tf 20 200 Td (The amount is due:) Tj /F2 12 Tf 0 -20 Td ({SHORT}) Tj ET"
    layer = layer_of(raw_pdf(content, font, stream(to_unicode)))
    assert layer.words == ["The", "amount", "is", "due:"]
    assert layer.trusted is False  # most of the page's letters are wrong
    assert len(layer.damaged_boxes) == 4
    more = content.replace("(The amount", "(This is a longer sentence, most of which is sound; the amount")
    layer = layer_of(raw_pdf(more, font, stream(to_unicode)))
    assert layer.trusted and len(layer.damaged_boxes) == 4
    assert layer.words[-2:] == ["is", "due:"]


@pytest.mark.parametrize(("font", "code", "symbol"), [("ZapfDingbats", "4", "\u2714"), ("Wingdings", "x", "\u2612")])
def test_letters_of_symbol_fonts_become_what_they_show(font: str, code: str, symbol: str) -> None:
    symbols = f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"
    content = f"BT /F2 12 Tf 20 200 Td ({code}) Tj /F1 12 Tf 20 0 Td (agreed) Tj ET"
    assert layer_of(raw_pdf(content, symbols)).words == [symbol, "agreed"]
