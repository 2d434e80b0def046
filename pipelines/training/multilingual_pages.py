"""The forms of the multilingual recipe: drawn by language, in XFUND's format, and the words that only a part has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipelines.datasets.registry import read_corpus
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.datasets.types import LabelledPage
from pipelines.datasets.xfund_writer import write_xfund
from pipelines.storage.files import Storage
from pipelines.training.multilingual_options import LANGUAGES

logger = logging.getLogger(__name__)

FIRST_SEED, SEEDS_APART = 50_000_000, 1_000_000
"""Seeds of drawn forms that no bundled model has learned; each part of each language has its own."""


def write_language_forms(folder: Path, languages: Sequence[str], forms: int, test_forms: int, seed: int) -> None:
    """Draw forms in each language: `forms` to learn ("train") and `test_forms` to measure on ("val").

    What is there is not drawn again.
    """
    storage = Storage()
    for number, language in enumerate(languages):
        for part, (split, count) in enumerate((("train", forms), ("val", test_forms))):
            if (folder / f"{language}.{split}.json").exists():
                continue
            first = FIRST_SEED + SEEDS_APART * (2 * (seed * len(LANGUAGES) + number) + part)
            pages = drawn_pages(range(first, first + count), language=language)
            write_xfund(storage, str(folder), language, split, pages)
            logger.info("%d forms drawn: %s, %s", count, language, split)


def page_texts(folder: Path, split: str, language: str) -> Iterator[str]:
    """The words of each page with spaces between them, also where the script has none."""
    for page in read_pages(folder, split, language):
        yield " ".join(page.words or ())


def read_pages(folder: Path, split: str, language: str) -> tuple[LabelledPage, ...]:
    """The pages of a split in one language or in all."""
    return read_corpus("xfund", str(folder), split, "token-classification", language=language).pages


def unseen_share(learned: Iterable[LabelledPage], measured: Iterable[LabelledPage]) -> float:
    """The share of the words with letters, 0-1, that stand on no learned page; 0 if there are none."""
    seen = {word for page in learned for word in page.words or ()}
    words = [word for page in measured for word in page.words or () if any(map(str.isalpha, word))]
    return sum(word not in seen for word in words) / max(1, len(words))
