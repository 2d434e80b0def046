"""Pages in several languages through the whole pipeline: from the picture to entities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.ocr.engine import OcrOptions
from model.word_breaks import join_words
from pipelines.options import ExtractOptions
from pipelines.read import read_document
from pipelines.schema import Row
from tests.drawn_languages import PAGES, drawn_page, words_of

LANGUAGES = ("deu", "jpn")


@pytest.fixture(scope="module")
def checkpoint() -> str:
    """A checkpoint for token classification that takes words of any language."""
    return "untrained"


@pytest.fixture(scope="module")
def pages(checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Row]]:
    """The rows of a document with a page in each language, read with `--ocr-lang auto`."""
    drawn = [drawn_page(language) for language in LANGUAGES]
    path: Path = tmp_path_factory.mktemp("pages") / "languages.tiff"
    drawn[0].save(path, save_all=True, append_images=drawn[1:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.ocr.ppocr_runtime.has_bfloat16", lambda: True)
        rows = read_document(str(path), ExtractOptions(checkpoint, ocr=OcrOptions(language="auto")))
    yield dict(zip(LANGUAGES, rows, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_is_read_in_its_language(pages: dict[str, Row], language: str) -> None:
    row = pages[language]
    assert (row["status"], row["ocr_language"], row["missing_language"]) == ("ok", language, None)
    assert len(set(row["words"]) & set(words_of(language))) >= 0.9 * len(set(words_of(language))), row["words"]
    assert row["read_quality"] > 0.9 and row["needs_review"] is False


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_has_a_label(pages: dict[str, Row], language: str) -> None:
    assert None not in pages[language]["labels"]
    assert len(pages[language]["labels"]) == len(pages[language]["words"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_entities_are_written_as_their_language_is(pages: dict[str, Row], language: str) -> None:
    row = pages[language]
    page_text = "".join(PAGES[language]).replace(" ", "")
    for entity in row["entities"]:
        assert entity["text"] == join_words([row["words"][word] for word in entity["words"]])
        if language != "deu":
            assert " " not in entity["text"]
    assert row["entities"] and all(character in page_text for character in row["entities"][0]["text"].replace(" ", ""))
