"""What the documents point at is there: files, headings, modules; and each document is found from the index."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, REPOSITORY, anchors, inline_code, is_there, links, read

FOLDERS = ("benchmarks", "docs", "jobs", "model", "pipelines", "samples", "tests")
NAMES = [pytest.param(document, id=str(document.relative_to(REPOSITORY))) for document in DOCUMENTS]


def test_the_readme_is_short() -> None:
    assert len(read(REPOSITORY / "README.md").splitlines()) <= 200


@pytest.mark.parametrize("document", NAMES)
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        if link.startswith("http"):
            assert link.startswith("https://"), link
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", NAMES)
def test_paths_of_the_repository_are_there(document: Path) -> None:
    for code in inline_code(document):
        if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./*-]*", code):
            assert list(REPOSITORY.glob(code)), code
        elif re.fullmatch(r"[\w-]+\.(yaml|toml|lock)|Makefile|\.ci/run", code) and code != "spec.yaml":
            assert (REPOSITORY / code).exists(), code


@pytest.mark.parametrize("document", NAMES)
def test_modules_and_their_names_are_there(document: Path) -> None:
    for code in inline_code(document):
        if not re.fullmatch(rf"({'|'.join(FOLDERS)})(\.\w+)+", code) or is_there(code):
            continue
        module, _, name = code.rpartition(".")
        assert hasattr(import_module(module), name), code


def test_every_document_is_in_the_index() -> None:
    index = REPOSITORY / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in links(index)}
    assert set(DOCUMENTS) - {index, REPOSITORY / "README.md"} <= linked
