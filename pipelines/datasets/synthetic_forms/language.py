"""What the sections of a form ask of its language: keys, values, captions, sentences, and how they are set."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Random = random.Random
MakeText = Callable[[Random], str]
MakeDomainText = Callable[[Random, str], str]


@dataclass(frozen=True)
class FormLanguage:
    """One language of drawn forms.

    Attributes:
        code: of two letters, ISO 639-1.
        tesseract: Tesseract's name of the language.
        spaced: whether spaces part its words; where not, ICU's dictionary does (`word_breaks`).
        domains: of offices' forms, and of other trades' forms; names for `key`, `title` and `section_title`.
        values: how a value of each kind is made. `CAPTIONS` and `VALUES` of this module name what must be there.
        captions: the texts that a section prints, by its name for them; one is chosen for each use.
        heads: of tables' columns, with the kinds of their values.
        listed_keys: keys of lists of short values, with the values' kind.
        row_groups: headings of groups of rows, and the rows of each.
        document_data, receipt_data: keys of an invoice's head and of a receipt, with the kinds of their values.
        signed_on, dated: keys beside a signature, with the kinds of their values.
        yes_no, answer_columns: the two answers, and the sets of answers of a questionnaire's columns.
        key: a key of a domain without its separator, and the kind of its value.
        amount_keys: so many keys of a domain that amounts may answer.
        value: a value of a kind, now and then with a remark behind it.
        options: so many captions of check boxes.
        title, section_title: of a form and of a section of a domain.
        long_title, long_section_title: a title with something added.
        statement, question: what yes-no lines and questionnaires ask.
        qualified: a column's head, and the kind of its values, with an adjective or another addition to it.
        joined_keys: two keys as one.
        expand: a caption with its blanks filled in.
        paragraph: so many sentences, from least to most.
        amounts: a way to write amounts, the same for a document.
        separators: what stands behind keys, one for a form.
        listed: what stands between the parts of a list.
        clause_numbers, step_numbers: how clauses and instructions are numbered; `{}` is the number.
        bullets, apart: marks of lists (`#` for numbers), and what parts the parts of a letterhead.
        cell: as much of a value as stands in a narrow cell.
        larger: by how many pixels its text is larger than English.
        key_capitals: the share of forms with keys in capitals.
        fitted: whether text with a word that is too long for its place is set in smaller letters, and marks that stand
            apart from their word never begin a line.
        families: of fonts, a key of `fonts.FAMILIES`.
        characters: that a font must have; empty for any.
        annotators: whether words and entities stand as the annotators of English forms left them: words split after
            slashes and hyphens, entities of one word before all others. Else entities stand in lines.
    """

    code: str
    tesseract: str
    spaced: bool
    domains: tuple[tuple[str, ...], tuple[str, ...]]
    values: Mapping[str, MakeText]
    captions: Mapping[str, tuple[str, ...]]
    heads: tuple[tuple[str, str], ...]
    listed_keys: tuple[tuple[str, str], ...]
    row_groups: tuple[tuple[str, tuple[str, ...]], ...]
    document_data: tuple[tuple[str, str], ...]
    receipt_data: tuple[tuple[str, str], ...]
    signed_on: tuple[tuple[str, str], ...]
    dated: tuple[tuple[str, str], ...]
    yes_no: tuple[str, str]
    answer_columns: tuple[tuple[str, ...], ...]
    key: Callable[[Random, str], tuple[str, str]]
    amount_keys: Callable[[Random, str, int], list[str]]
    value: Callable[[Random, str], str]
    options: Callable[[Random, str, int], list[str]]
    title: MakeDomainText
    section_title: MakeDomainText
    long_title: Callable[[Random, str], str]
    long_section_title: Callable[[Random, str], str]
    statement: MakeDomainText
    question: MakeText
    qualified: Callable[[Random, str, str], str]
    joined_keys: Callable[[Random, str, str], str]
    expand: Callable[[Random, str], str]
    paragraph: Callable[[Random, int, int], str]
    amounts: Callable[[Random], MakeText]
    separators: tuple[str, ...]
    listed: str
    clause_numbers: tuple[str, ...]
    step_numbers: tuple[str, ...]
    bullets: tuple[str, ...]
    apart: tuple[str, ...]
    cell: Callable[[str], str]
    larger: int
    key_capitals: float
    fitted: bool
    families: str
    characters: str
    annotators: bool

    def keys(self, rng: Random, domain: str, count: int) -> list[tuple[str, str]]:
        """Distinct keys of a domain with the kinds of their values; fewer where so many do not come up."""
        return distinct_keys(self.key, rng, domain, count)


def distinct_keys(
    key: Callable[[Random, str], tuple[str, str]], rng: Random, domain: str, count: int
) -> list[tuple[str, str]]:
    """So many different keys with their kinds, from a function that makes one; fewer where so many do not come up."""
    found: dict[str, str] = {}
    for _ in range(count * 3):
        if len(found) < count:
            text, kind = key(rng, domain)
            found.setdefault(text, kind)
    return list(found.items())
