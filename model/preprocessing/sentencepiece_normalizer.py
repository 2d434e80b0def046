"""SentencePiece's normalisation as a part of a tokenizer in Rust, which keeps track of the characters of each token.

The `tokenizers` library has a normaliser of its own for SentencePiece's rules, `Precompiled`. It applies them to one
character (as a reader sees it) at a time and so differs from SentencePiece, which replaces the longest sequence that
the rules know, wherever that ends. Here SentencePiece itself computes the text.
"""

from __future__ import annotations

from sentencepiece import SentencePieceNormalizer
from tokenizers import NormalizedString

from model.preprocessing.sentencepiece_model import SPACE, Normalization

_PRIVATE_USE = (range(0xF0000, 0xFFFFE), range(0xE000, 0xF900))
"""Characters without a meaning, which mark places of a text while it is edited."""


class SentencePieceRules:
    """Normalises texts, by the protocol of `tokenizers.normalizers.Normalizer.custom`."""

    def __init__(self, normalization: Normalization) -> None:
        self._rules = SentencePieceNormalizer(normalizer_spec=normalization.specification())
        self._adds_prefix = normalization.adds_prefix

    def normalize(self, text: NormalizedString) -> None:
        """Normalise a text in place."""
        before = text.normalized
        after, origins = self._rules.Normalize(before, with_offsets=True)
        if after != before:
            _rewrite(text, before, replacements(after, origins))
        if self._adds_prefix and after.startswith(SPACE):
            # The next part would take this space, which is of the text, for the prefix.
            text.prepend(SPACE)


def replacements(after: str, origins: list[int]) -> dict[int, str]:
    """What stands for each character of a text after normalisation, by its index; removed ones are absent.

    Args:
        after: the normalised text.
        origins: for every character of it, the index of the first character that it was made of.
    """
    written: dict[int, str] = {}
    for character, origin in zip(after, origins, strict=False):
        written[origin] = written.get(origin, "") + character
    return written


def _rewrite(text: NormalizedString, before: str, written: dict[int, str]) -> None:
    """Replace every character of a text by what stands for it.

    A Rust string keeps its alignment only through edits of single characters or of every occurrence of a pattern, so
    each different replacement first gets a mark, a character that the text does not contain.
    """
    present = set(before)
    unused = (chr(code) for codes in _PRIVATE_USE for code in codes if chr(code) not in present)
    removed = next(unused)
    marks: dict[str, str] = {}
    marked: list[str] = []
    for index in range(len(before)):
        replacement = written.get(index)
        if replacement is None:
            marked.append(removed)
        elif len(replacement) == 1:
            marked.append(replacement)
        else:
            if replacement not in marks:
                marks[replacement] = next(unused)
            marked.append(marks[replacement])
    characters = iter(marked)
    text.map(lambda _: next(characters))
    text.filter(lambda character: character != removed)
    for replacement, mark in marks.items():
        text.replace(mark, replacement)
