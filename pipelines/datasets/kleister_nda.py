"""Kleister-NDA: contracts with values but without their positions (Stanislawek et al., 2021, arXiv 2105.05796).

On disk as published (applicaai/kleister-nda): `documents/*.pdf`, and for each of `train/`, `dev-0/` and `test-A/` a
file `in.tsv` or `in.tsv.xz` (file name, keys, texts; only the first column is read) beside `expected.tsv`,
line by line the pairs `key=value`, `_` for a space; of `test-A` it is hidden and may lack. Or, simpler, `train.tsv`,
`dev.tsv` and `test.tsv`: file name, tab, pairs. All without quoting, as the corpus's README says.

The words come from the page's text layer or from OCR; then `label_words` and `locate_answers` look the values up. The
paper's baselines tag their training data in the same way ("autotagging").
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Iterator, Sequence

from pipelines.datasets.alignment import PageText, Span, find_answer, locate
from pipelines.datasets.labelled_reader import open_documents
from pipelines.datasets.types import Box, LabelledPage, Question, Report, bio_labels
from pipelines.datasets.value_formats import find_dates, find_durations, split_company
from pipelines.documents.media_type import PDF
from pipelines.schema import Row, Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification", "question-answering")
SPLITS = ("train", "dev", "test", "train+dev")
KEYS = ("effective_date", "jurisdiction", "party", "term")
LABELS = bio_labels([key.upper() for key in KEYS])

QUESTIONS = {
    "effective_date": "When does the agreement become effective?",
    "jurisdiction": "Which jurisdiction's law governs the agreement?",
    "party": "Who are the parties to the agreement?",
    "term": "How long is the term of the agreement?",
}

WORDS_TO_LAW = 20
"""A state counts as the jurisdiction if there is a legal term at most this many words before or after it: contracts
also name states as the seat and the origin of companies."""

_Keys = tuple[tuple[str, str], ...]

_PUBLISHED_FOLDERS = {"train": "train", "dev": "dev-0", "test": "test-A"}
_LAW = re.compile(r"\W*(govern|laws?\b|court|construe|interpret|jurisdiction|venue|enforce)", re.IGNORECASE)
_LEADING_WORDS = re.compile(r"(the\s+)?((state|commonwealth|province|laws)\s+of\s+(the\s+)?)*", re.IGNORECASE)
_EDGES = " \t,;:.\"'()[]\u2018\u2019\u201c\u201d*_"


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The pages of the contracts of a split, by file name; their words have still to be read.

    Raises:
        ValueError: the data has no such split.
    """
    pages: list[LabelledPage] = []
    for part in split.split("+"):
        contracts = list(_contracts(storage, data, part, report))
        uris = [join_uri(data, "documents", name) for name, _ in contracts]
        for (name, keys), uri, document in zip(contracts, uris, open_documents(uris), strict=True):
            if document["status"] == "failed":
                report(uri, f"left out: {document['error']}")
                continue
            media_type, count = document["media_type"], document["page_count"]
            if media_type != PDF:
                report(uri, f"left out: it is {media_type}, not a PDF")
                continue
            questions = tuple(_questions(keys))
            pages += (
                LabelledPage(
                    document_id=f"kleister-nda/{name.removesuffix('.pdf')}",
                    uri=uri,
                    media_type=media_type,
                    page_index=index,
                    page_count=count,
                    questions=questions,
                    keys=keys,
                )
                for index in range(count)
            )
    return tuple(sorted(pages, key=lambda page: (page.uri, page.page_index)))


def label_words(words: Sequence[str], boxes: Sequence[Box], keys: Iterable[tuple[str, str]]) -> list[str]:
    """One label of `LABELS` for each word of a page, from the positions of the document's values.

    Every position of a value counts, but those of a jurisdiction only near a legal term (`WORDS_TO_LAW`). Where two
    values overlap, the longer one is labelled.

    Args:
        words: of the page, in reading order.
        boxes: one a word; not used, since the words decide.
        keys: of the document, as `read` returns them.
    """
    page = PageText(words)
    spans = [(span, key) for key, value in keys if key in KEYS for span in _spans(page, key, value)]
    labels = ["O"] * len(words)
    for (first, last), key in sorted(spans, key=lambda found: (found[0].first_word - found[0].last_word, found)):
        if all(label == "O" for label in labels[first : last + 1]):
            labels[first : last + 1] = [f"I-{key.upper()}"] * (last + 1 - first)
            labels[first] = f"B-{key.upper()}"
    return labels


def locate_answers(words: Sequence[str], questions: Sequence[Row] | None) -> list[Row]:
    """Questions of a page's row with the positions of their answers on this page, -1 if there is none.

    Answers are looked up as in `label_words`. The wording found there is added to the true answers, since a model that
    extracts words cannot write "2017-02-10" for "February 10, 2017".
    """
    page = PageText(words)
    keys = {text: key for key, text in QUESTIONS.items()}
    located = []
    for question in questions or ():
        key, answers = keys.get(question["text"]), list(question["answers"])
        if key is None:
            span = find_answer(page, answers)
        else:
            span = min((found for answer in answers for found in _spans(page, key, answer)), default=None)
        if span is None:
            located.append({**question, "first_word": -1, "last_word": -1})
            continue
        wording = " ".join(words[span.first_word : span.last_word + 1])
        answers += [wording] if wording not in answers else []
        located.append({**question, "answers": answers, "first_word": span.first_word, "last_word": span.last_word})
    return located


def normalise_value(key: str, text: str) -> str:
    """The words of an entity as the corpus writes its values; "" if they are no such value.

    Dates as YYYY-MM-DD (02/10/2017 is in February: the contracts are American), terms as number and unit (`7_years`,
    `1_year`), parties without commas, with the corpus's forms of suffixes (`Inc.`, `LLC`, `LP`, `Ltd.`) and "and" for
    "&", jurisdictions without "State of"; `_` for spaces and colons. Case stays: values are compared in upper case.
    """
    if key == "effective_date":
        dates = find_dates(text)
        return dates[0].readings[-1].isoformat() if dates else ""
    if key == "term":
        durations = find_durations(text)
        if not durations:
            return ""
        amount, unit = durations[0].duration
        return f"{amount.normalize():f}_{unit}{'' if amount == 1 else 's'}"
    text = " ".join(text.replace("_", " ").replace(":", " ").split())
    if key == "jurisdiction":
        return _LEADING_WORDS.sub("", _bare(text), count=1).strip(_EDGES).replace(" ", "_")
    if key == "party":
        return _party(text)
    return text.strip(_EDGES).replace(" ", "_")


def _bare(text: str) -> str:
    """A text without a signature mark, a genitive ending and the punctuation around it."""
    return re.sub(r"['\u2019]s$", "", re.sub(r"^/s/", "", text.strip(_EDGES)).strip(_EDGES))


def _party(text: str) -> str:
    words, forms = split_company(_bare(text).replace("&", " and "))
    name = " ".join([*words, *forms])
    if name.count("\u201c") > name.count("\u201d"):  # the closing one was stripped
        name += "\u201d"
    return name.replace(" ", "_")


def _spans(page: PageText, key: str, value: str) -> list[Span]:
    spans = locate(page, value)
    if key == "jurisdiction":
        return [span for span in spans if _is_near_law(page.words, span)]
    return spans


def _is_near_law(words: Sequence[str], span: Span) -> bool:
    near = words[max(0, span.first_word - WORDS_TO_LAW) : span.last_word + 1 + WORDS_TO_LAW]
    return any(map(_LAW.match, near))


def _questions(keys: Sequence[tuple[str, str]]) -> Iterator[Question]:
    """One question for each key of the contract; if no key is known, all questions, without answers."""
    for key in KEYS:
        values = tuple(dict.fromkeys(value for name, value in keys if name == key))
        if values or not keys:
            yield Question(QUESTIONS[key], values)


def _contracts(storage: Storage, data: str, part: str, report: Report) -> Iterator[tuple[str, _Keys]]:
    """File names and keys of a split, each file once."""
    names = set()
    for uri, number, name, pairs in _entries(storage, data, part, report):
        try:
            if not name:
                raise ValueError("no file name")
            if name in names:
                raise ValueError(f"{name} has a line before")
            keys = _keys(pairs)
        except ValueError as error:
            report(uri, f"line {number} left out: {error}")
            continue
        names.add(name)
        yield name, keys


def _entries(storage: Storage, data: str, part: str, report: Report) -> Iterator[tuple[str, int, str, str]]:
    """Annotation file, line number, name of the document and its pairs, for each line of a split's files."""
    simple = join_uri(data, f"{part}.tsv")
    if storage.exists(simple):
        for number, line in enumerate(_lines(storage, simple), start=1):
            name, _, pairs = line.partition("\t")
            yield simple, number, name.strip(), pairs
        return
    folder = _PUBLISHED_FOLDERS[part]
    inputs = [uri for name in ("in.tsv", "in.tsv.xz") if storage.exists(uri := join_uri(data, folder, name))]
    expected = join_uri(data, folder, "expected.tsv")
    hidden = part == "test" and not storage.exists(expected)
    if not inputs or not (hidden or storage.exists(expected)):
        raise ValueError(
            f"{data} has no {part}.tsv, nor {folder}/in.tsv (or in.tsv.xz) with {folder}/expected.tsv; Kleister-NDA is "
            f"laid out as documents/*.pdf beside the folders {', '.join(_PUBLISHED_FOLDERS.values())}, each with "
            "in.tsv and expected.tsv, or beside train.tsv and dev.tsv: file name, tab, key=value pairs"
        )
    names = [line.partition("\t")[0].strip() for line in _lines(storage, inputs[0])]
    pairs_of = [""] * len(names) if hidden else _lines(storage, expected)
    if len(names) != len(pairs_of):
        report(
            expected,
            f"{len(pairs_of)} lines for {len(names)} of {inputs[0]}: lines beyond the shorter file are left out",
        )
    for number, (name, pairs) in enumerate(zip(names, pairs_of, strict=False), start=1):
        yield expected, number, name, pairs


def _lines(storage: Storage, uri: str) -> list[str]:
    content = storage.read(uri)
    if uri.endswith(".xz"):
        try:
            content = lzma.decompress(content)
        except (lzma.LZMAError, EOFError) as error:
            raise ValueError(f"{uri} cannot be unpacked: {error}") from error
    lines = content.decode("utf-8-sig", "replace").split("\n")  # texts may hold other line separators
    return [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _keys(pairs: str) -> _Keys:
    keys: list[tuple[str, str]] = []
    for pair in pairs.split():
        key, _, value = pair.partition("=")
        if key not in KEYS or not value:
            raise ValueError(f"{pair!r} is not key=value with one of the keys {', '.join(KEYS)}")
        keys.append((key, value.replace("_", " ")))
    return tuple(keys)
