"""Kleister-NDA's contracts: both layouts, values looked up in the words, and written as the corpus writes them."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path

import pytest

from pipelines.datasets import kleister_nda
from pipelines.datasets.kleister_nda import label_words, locate_answers, normalise_value
from pipelines.datasets.types import LabelledPage, labelled_row
from pipelines.documents.document import Document
from pipelines.documents.text_layer import read_text_layer
from pipelines.storage.files import Storage, join_uri
from tests.drawn_pdf import DrawnPage, draw_pdf, show

PAIRS = "effective_date=2017-02-10 jurisdiction=New_York party=Acme_and_Sons_Inc. party=Ann_B._Lee term=2_years"
KEYS = (
    ("effective_date", "2017-02-10"),
    ("jurisdiction", "New York"),
    ("party", "Acme and Sons Inc."),
    ("party", "Ann B. Lee"),
    ("term", "2 years"),
)

OPENING = [
    "This",
    "Agreement",
    "is",
    "made",
    "this",
    "10th",
    "day",
    "of",
    "February,",
    "2017",
    "by",
    "and",
    "between",
    "ACME",
    "&",
    "SONS,",
    "INC.,",
    "a",
    "corporation",
    "of",
    "good",
    "standing",
    "with",
    "its",
    "seat",
    "in",
    "New",
    "York",
    "City",
    "on",
    "the",
    "river,",
    "and",
    "Ann",
    "B.",
    "Lee.",
    "It",
    "lasts",
    "for",
    "a",
    "period",
    "of",
    "two",
    "(2)",
    "years.",
]
CLOSING = ["governed", "by", "the", "laws", "of", "the", "State", "of", "New", "York."]


def write_contract(data: Path, name: str, pages: int = 1) -> None:
    (data / "documents").mkdir(parents=True, exist_ok=True)
    drawn = [DrawnPage(show(f"page {number}", 72, 700)) for number in range(pages)]
    (data / "documents" / name).write_bytes(draw_pdf(*drawn))


def write_simple(data: Path, part: str, *lines: str) -> None:
    (data / f"{part}.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(data: Path | str, split: str = "train") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = kleister_nda.read(
        Storage(),
        str(data),
        split,
        "token-classification",
        lambda uri, text: problems.append(f"{Path(uri).name}: {text}"),
    )
    return pages, problems


def labelled(words: list[str], keys: tuple[tuple[str, str], ...] = KEYS) -> list[tuple[str, str]]:
    """(key, text) of each labelled run of words."""
    found: list[tuple[str, str]] = []
    for word, label in zip(words, label_words(words, [(0, 0, 1, 1)] * len(words), keys), strict=True):
        if label.startswith("B-"):
            found.append((label[2:].lower(), word))
        elif label.startswith("I-"):
            key, text = found.pop()
            assert key == label[2:].lower()
            found.append((key, f"{text} {word}"))
    return found


def test_labels_are_the_four_keys() -> None:
    names = ("EFFECTIVE_DATE", "JURISDICTION", "PARTY", "TERM")
    assert ("O", *(f"{prefix}-{name}" for name in names for prefix in "BI")) == kleister_nda.LABELS


def test_each_page_of_a_contract_knows_what_the_contract_says(tmp_path: Path) -> None:
    write_contract(tmp_path, "b.pdf", pages=2)
    write_contract(tmp_path, "a.pdf")
    write_simple(tmp_path, "train", f"b.pdf\t{PAIRS}", "a.pdf\tparty=“Acme”_LLC")
    pages, problems = read(tmp_path)
    assert problems == []
    assert [(page.document_id, page.page_index, page.page_count) for page in pages] == [
        ("kleister-nda/a", 0, 1),
        ("kleister-nda/b", 0, 2),
        ("kleister-nda/b", 1, 2),
    ]
    assert pages[0].keys == (("party", "“Acme” LLC"),)
    assert pages[1].keys == pages[2].keys == KEYS
    assert all(page.words is None and page.media_type == "application/pdf" for page in pages)
    assert pages[0].uri.endswith("documents/a.pdf")


@pytest.mark.parametrize("packed", [False, True])
def test_the_published_layout_is_read(tmp_path: Path, packed: bool) -> None:
    for folder, name in (("train", "a.pdf"), ("dev-0", "b.pdf"), ("test-A", "c.pdf")):
        write_contract(tmp_path, name)
        (tmp_path / folder).mkdir()
        line = f'{name}\teffective_date jurisdiction party term\tsome "text\u2028 \x85here\\n\tother\n'.encode()
        (tmp_path / folder / ("in.tsv.xz" if packed else "in.tsv")).write_bytes(lzma.compress(line) if packed else line)
        if folder != "test-A":
            (tmp_path / folder / "expected.tsv").write_text(f"{PAIRS}\n")
    found = {
        split: [(page.document_id, page.keys) for page in read(tmp_path, split)[0]] for split in kleister_nda.SPLITS
    }
    assert found == {
        "train": [("kleister-nda/a", KEYS)],
        "dev": [("kleister-nda/b", KEYS)],
        "test": [("kleister-nda/c", ())],
        "train+dev": [("kleister-nda/a", KEYS), ("kleister-nda/b", KEYS)],
    }


def test_a_question_is_asked_for_each_key_that_has_a_value(tmp_path: Path) -> None:
    write_contract(tmp_path, "a.pdf")
    write_simple(tmp_path, "train", "a.pdf\tjurisdiction=Utah party=Ann party=Bob")
    (page,), _ = read(tmp_path)
    assert [(question.text, question.answers) for question in page.questions] == [
        ("Which jurisdiction's law governs the agreement?", ("Utah",)),
        ("Who are the parties to the agreement?", ("Ann", "Bob")),
    ]


def test_broken_lines_and_files_are_left_out_and_told(tmp_path: Path) -> None:
    write_contract(tmp_path, "good.pdf")
    (tmp_path / "documents" / "bad.pdf").write_bytes(b"%PDF-1.4 cut")
    (tmp_path / "documents" / "image.pdf").write_bytes(b"\x89PNG\r\n\x1a\n")
    write_simple(
        *(tmp_path, "train", "good.pdf\tparty=Ann", "good.pdf\tparty=Ann", "x.pdf\tparty", "y.pdf\tage=7"),
        *("z.pdf\tparty=", "\tparty=Ann", "gone.pdf\tparty=Ann", "bad.pdf\tparty=Ann", "image.pdf\tparty=Ann"),
    )
    pages, problems = read(tmp_path)
    assert [page.document_id for page in pages] == ["kleister-nda/good"]
    told = dict.fromkeys(issue.split(" left out")[0] for issue in problems)
    assert list(told) == [
        *("train.tsv: line 2", "train.tsv: line 3", "train.tsv: line 4", "train.tsv: line 5", "train.tsv: line 6"),
        *("gone.pdf:", "bad.pdf:", "image.pdf:"),
    ]
    assert "has a line before" in problems[0] and "'age=7' is not key=value" in problems[2]


def test_files_of_unlike_length_are_told(tmp_path: Path) -> None:
    write_contract(tmp_path, "a.pdf")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "in.tsv").write_text("a.pdf\tparty\nb.pdf\tparty\n")
    (tmp_path / "train" / "expected.tsv").write_text("party=Ann\n")
    pages, (issue,) = read(tmp_path)
    assert len(pages) == 1 and issue.startswith("expected.tsv: 1 lines for 2 of ")


def test_another_layout_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no dev\.tsv, nor dev-0/in\.tsv .* laid out as documents/\*\.pdf beside"):
        read(tmp_path, "dev")


def test_contracts_in_a_bucket_are_the_same(tmp_path: Path, s3_prefix: str) -> None:
    write_contract(tmp_path, "a.pdf", pages=2)
    write_simple(tmp_path, "train", f"a.pdf\t{PAIRS}")
    for path in tmp_path.rglob("*.*"):
        Storage().write(join_uri(s3_prefix, *path.relative_to(tmp_path).parts), path.read_bytes())
    here, there = read(tmp_path)[0], read(s3_prefix)[0]
    assert [(page.document_id, page.page_index, page.keys) for page in there] == [
        (page.document_id, page.page_index, page.keys) for page in here
    ]


def test_words_are_labelled_where_the_values_stand() -> None:
    assert labelled(OPENING) == [
        ("effective_date", "10th day of February, 2017"),
        ("party", "ACME & SONS, INC.,"),
        ("party", "Ann B. Lee."),
        ("term", "two (2) years."),
    ]


def test_a_state_is_the_jurisdiction_where_law_is_spoken_of() -> None:
    assert labelled(CLOSING) == [("jurisdiction", "New York.")]
    assert labelled(["offices", "in", "New", "York"]) == []


def test_of_values_that_overlap_the_longer_one_is_labelled() -> None:
    keys = (("party", "Acme Inc."), ("party", "Big Acme Inc."), ("jurisdiction", "Delaware"))
    assert labelled(["Big", "Acme", "Inc.", "and", "Acme,", "Inc."], keys) == [
        ("party", "Big Acme Inc."),
        ("party", "Acme, Inc."),
    ]


def test_a_page_without_words_or_values_has_no_labels() -> None:
    assert label_words([], [], KEYS) == []
    assert label_words(["word"], [(0, 0, 1, 1)], ()) == ["O"]


def test_answers_are_located_and_count_as_right_as_they_are_worded(tmp_path: Path) -> None:
    write_contract(tmp_path, "a.pdf")
    write_simple(tmp_path, "train", f"a.pdf\t{PAIRS}")
    (page,), _ = read(tmp_path)
    asked = labelled_row(page)["questions"]
    located = locate_answers(OPENING, asked)
    places = {
        question["text"].split()[0]: " ".join(OPENING[question["first_word"] : question["last_word"] + 1])
        if question["first_word"] >= 0
        else None
        for question in located
    }
    assert places == {
        "When": "10th day of February, 2017",
        "Which": None,
        "Who": "ACME & SONS, INC.,",
        "How": "two (2) years.",
    }
    assert located[0]["answers"] == ["2017-02-10", "10th day of February, 2017"]
    assert located[1] == asked[1]
    own = [{"text": "Who signs?", "answers": ["ann lee"], "first_word": -1, "last_word": -1}]
    assert locate_answers(["Ann", "Lee"], own)[0]["last_word"] == 1
    assert locate_answers(["Ann"], None) == []


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("effective_date", "10th day of February, 2017", "2017-02-10"),
        ("effective_date", "as of 02/10/2017,", "2017-02-10"),
        ("effective_date", "the date hereof", ""),
        ("jurisdiction", "the State of New York,", "New_York"),
        ("jurisdiction", "Commonwealth of Massachusetts", "Massachusetts"),
        ("jurisdiction", "Indiana\u2019s", "Indiana"),
        ("party", "KITE PHARMA, INC.,", "KITE_PHARMA_Inc."),
        ("party", "Escalade, Incorporated", "Escalade_Inc."),
        ("party", "Leonard Green & Partners, L.P.", "Leonard_Green_and_Partners_LP"),
        ("party", "Altimo Holdings Limited", "Altimo_Holdings_Ltd."),
        ("party", "“Vimpel-Communications”", "Vimpel-Communications"),
        ("party", "Company “Vimpel”,", "Company_“Vimpel”"),
        ("party", "/s/Richard Maltz", "Richard_Maltz"),
        ("party", "3M Company", "3M_Company"),
        ("party", "Ray M. Dolby's", "Ray_M._Dolby"),
        ("party", " ,", ""),
        ("term", "seven (7) years", "7_years"),
        ("term", "one-year", "1_year"),
        ("term", "eighteen (18) months", "18_months"),
        ("term", "until the second anniversary", "2_years"),
        ("term", "55.50 months", "55.5_months"),
        ("term", "one hundred days", "100_days"),
        ("term", "indefinitely", ""),
        ("other", "some: thing", "some_thing"),
    ],
)
def test_values_are_written_as_the_corpus_does(key: str, text: str, value: str) -> None:
    assert normalise_value(key, text) == value


@pytest.mark.parametrize(("split", "contracts"), [("dev", 30), pytest.param("train", 130, marks=pytest.mark.slow)])
def test_the_values_of_the_real_contracts_are_located_and_written_alike(
    shared_directory: Path, split: str, contracts: int
) -> None:
    pages, problems = read(shared_directory / "corpora" / "kleister-nda", split)
    assert problems == []
    assert len({page.document_id for page in pages}) == contracts
    values = {(page.document_id, key, value) for page in pages for key, value in page.keys}
    spans: Counter[str] = Counter()
    right: Counter[str] = Counter()
    back = set()
    for page in pages:
        with Document(Path(page.uri).read_bytes()) as document:
            layer = read_text_layer(document, page.page_index)
        assert layer is not None
        expected = {(key, value.replace(" ", "_").upper()): value for key, value in page.keys}
        for key, text in labelled(layer.words, page.keys):
            spans[key] += 1
            value = expected.get((key, normalise_value(key, text).upper()))
            if value is not None:
                right[key] += 1
                back.add((page.document_id, key, value))
    known = Counter(key for _, key, _ in values)
    found = Counter(key for _, key, _ in back)
    # What is missing is wrong in the corpus, or computed: "16 days" of two dates.
    least = {"effective_date": 0.95, "jurisdiction": 0.99, "party": 0.96, "term": 0.9}
    assert {key for key in least if found[key] < least[key] * known[key]} == set(), (found, known)
    assert {key for key in least if right[key] < 0.95 * spans[key]} == set(), (right, spans)
