"""Finds the fonts of a text layer whose mapping to Unicode is missing or wrong, from what their words look like.

A font is wrong if, of its words on the page,

1. at least 30% of the characters have no meaning;
2. the letters make pairs as no language has them (`letter_pairs.py`), in at least 12 pairs; part numbers and short
   words in capitals, which are abbreviations, are not counted;
3. more than half of the Latin letters carry a diacritic or are rare ones (an undeclared encoding of another script);
4. at least 40% of the words of three characters and more have two or more signs among their inner characters.

Its words go to OCR, so a false alarm costs time and a little accuracy, but a font that is missed spoils the page.
Other scripts than Latin are only judged by rule 1; symbol fonts (bullets, check marks) are not judged.
"""

from __future__ import annotations

import re
from collections import defaultdict

from pipelines.documents.layer_words import Word
from pipelines.documents.letter_pairs import likeness

MAX_DAMAGED_SHARE = 0.30
MIN_PAIRS = 12
MIN_LIKENESS = 0.0
MAX_WORDS = 200
"""Words of a font whose letters are looked at; enough to tell, and most pages have more."""
MIN_LETTERS = 12
MAX_RARE_SHARE = 0.50
MIN_SIGN_WORDS = 3
MAX_SIGN_WORD_SHARE = 0.40

_SIGNS = re.compile(r"""["#$%&*+;<=>?\[\\\]^_`{|}~!]""")
_LEADERS = re.compile(r"([^\w\s]|_)\1{2,}")
_WEB = re.compile(r"@|://|www\.|\.(com|org|net|gov|edu|pdf|html?)\b", re.IGNORECASE)
_RARE = re.compile("[\u00a1-\u00ff]")


def wrong_fonts(words: list[Word]) -> set[int]:
    """The fonts, by their addresses, whose words on a page cannot be trusted."""
    words_of: dict[int, list[Word]] = defaultdict(list)
    for word in words:
        words_of[word.font].append(word)
    return {font for font, own in words_of.items() if is_wrong(own)}


def is_wrong(words: list[Word]) -> bool:
    """Whether the font that all these words are in maps its characters wrongly."""
    texts = [word.text for word in words if not word.damaged]
    if len(texts) < len(words):
        lost = sum(word.lost for word in words)
        if lost > MAX_DAMAGED_SHARE * (lost + sum(len(word.text) - word.lost for word in words if word.text)):
            return True
    texts = texts[:MAX_WORDS]
    looks, pairs = likeness(filter(_is_prose, texts))
    if pairs >= MIN_PAIRS and looks < MIN_LIKENESS:
        return True
    return _has_rare_letters(texts) or _has_signs_inside(texts)


def _is_prose(word: str) -> bool:
    """Whether a word's letters should look like a language: no abbreviation, part number or address."""
    letters = word.strip(".,;:()")
    if len(letters) <= 4 and letters.isascii() and letters.isalpha():
        return letters[1:].islower() and not word.endswith(".")
    return sum(map(str.isdigit, word)) <= 1 and not _WEB.search(word)


def _has_rare_letters(texts: list[str]) -> bool:
    text = "".join(texts)
    if text.isascii():
        return False
    rare = len(_RARE.findall(text))
    latin = rare + sum(character.isascii() and character.isalpha() for character in text)
    return latin >= MIN_LETTERS and rare > MAX_RARE_SHARE * latin


def _has_signs_inside(texts: list[str]) -> bool:
    long = [text for text in texts if len(text) >= 3 and text.isascii() and not _LEADERS.search(text)]
    if len(long) < MIN_SIGN_WORDS:
        return False
    odd = sum(len(_SIGNS.findall(text[1:-1])) >= 2 and not _WEB.search(text) for text in long)
    return odd >= MIN_SIGN_WORDS and odd >= MAX_SIGN_WORD_SHARE * len(long)
