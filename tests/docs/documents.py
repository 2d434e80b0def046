"""The Markdown files of the project, taken apart: blocks of code, inline code, links, headings and tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

DOCUMENTS = (
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    REPOSITORY / "benchmarks" / "RESULTS.md",
    REPOSITORY / "model" / "bundled" / "layoutlmv2-forms-small" / "README.md",
    REPOSITORY / "model" / "bundled" / "layoutlmv2-forms-small-research" / "README.md",
    REPOSITORY / "samples" / "README.md",
)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^    \S.*\n(?:^    .*\n|^\n(?=    ))*)+", re.MULTILINE)
_INLINE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        where: file and line of its first line, for the names of tests.
        language: as the fence says.
        text: without the fences.
        output: the `text` block that follows at once, or with nothing but a comment between; None without one.
    """

    where: str
    language: str
    text: str
    output: str | None = None


def read(document: Path) -> str:
    """The text of a document."""
    return document.read_text(encoding="utf-8")


def blocks(language: str) -> list[Block]:
    """The fenced blocks of a language in all documents."""
    return [block for document in DOCUMENTS for block in _blocks(document) if block.language == language]


def _blocks(document: Path) -> Iterator[Block]:
    text = read(document)
    found = list(_FENCED.finditer(text))
    for fence, following in zip_longest(found, found[1:]):
        follows = following is not None and following[1] == "text" and not text[fence.end() : following.start()].strip()
        line = text.count("\n", 0, fence.start()) + 2
        where = f"{document.relative_to(REPOSITORY)}:{line}"
        yield Block(where, fence[1], fence[2], following[2] if following is not None and follows else None)


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCED.sub("", read(document))


def inline_code(document: Path) -> list[str]:
    """What stands between single backquotes, line breaks made spaces."""
    return [" ".join(code.split()) for code in _INLINE.findall(prose(document))]


def commands() -> list[tuple[str, list[str]]]:
    """Every command of the documents, as (where, words): of `bash` blocks, of indented ones, and `python -m` inline.

    A shell's words between `&&`, `|` or `&` are commands of their own; comments are left out.
    """
    found = [(block.where, words) for block in blocks("bash") for words in split_commands(block.text)]
    for document in DOCUMENTS:
        name, text = document.relative_to(REPOSITORY), prose(document)
        for block in _INDENTED.findall(text):
            found += [(f"{name}, indented", words) for words in split_commands(block)]
        inline = [code for code in inline_code(document) if re.match(r"(\.venv/bin/)?python -m ", code)]
        found += [(f"{name}, inline", words) for code in inline for words in split_commands(code)]
    return found


def split_commands(text: str) -> list[list[str]]:
    """The commands of a piece of shell, each as its words."""
    result: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("&|;"):
                result.append(words)
                words = []
            else:
                words.append(word)
        result.append(words)
    return [words for words in result if words]


def links(document: Path) -> list[str]:
    """The targets of a document's links and pictures."""
    return _LINK.findall(prose(document))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as they are made on GitHub."""
    headings = _HEADING.findall(prose(document))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(document: Path, heading: str) -> list[list[str]]:
    """The cells of all tables between a heading (its text) and the next heading of any level, without header rows."""
    text = read(document)
    start = re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"{document.name} has no heading {heading!r}"
    section = re.split(r"^#+ ", text[start.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    rows: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        lines = table.splitlines()[2:]
        rows += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return rows


def codes(cell: str) -> list[str]:
    """What stands between backquotes in a table's cell."""
    return _INLINE.findall(cell)


def is_there(module: str) -> bool:
    """Whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def without_measures(text: str) -> str:
    """Scores and boxes differ in their last digits between processors, and between the engines that suit them."""
    text = re.sub(r"\[\d+(, \d+){3}\]", "BOX", text)
    text = re.sub(r"( +\d{1,4}){4}$", " BOX", text, flags=re.MULTILINE)
    return re.sub(r"\b0\.\d+\b", "SCORE", text)
