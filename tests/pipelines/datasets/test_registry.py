"""One way to read any labelled corpus."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets.registry import DATASETS, PROBLEMS_SHOWN, read_corpus
from pipelines.datasets.types import AnnotationIssue, BrokenAnnotationError
from pipelines.schema import TASKS
from tests.pipelines.datasets.drawn_corpus import draw_corpus

NAMES = ["funsd", "xfund", "cord", "sroie", "kleister-nda", "docvqa", "rvl-cdip", "class-folders", "labelled-pages"]


def break_form(data: Path, name: str, content: str = "{") -> str:
    path = data / "testing_data" / "annotations" / f"{name}.json"
    path.write_text(content)
    return str(path)


def test_there_are_seven_published_corpora_and_two_general_layouts() -> None:
    assert list(DATASETS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_says_what_it_serves(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.tasks and set(dataset.tasks) <= set(TASKS)
    assert {"train", "dev", "test"} <= set(dataset.splits)


def test_a_corpus_has_pages_and_the_labels_of_its_task(tmp_path: Path) -> None:
    data = str(draw_corpus(tmp_path, forms=1, test_forms=3))
    corpus = read_corpus("funsd", data, "test", "token-classification")
    assert [page.document_id[-8:] for page in corpus.pages] == ["form-000", "form-001", "form-002"]
    assert corpus.labels[:3] == ("O", "B-HEADER", "I-HEADER") and corpus.problems == ()
    asked = read_corpus("funsd", data, "test", "question-answering")
    assert asked.labels == () and asked.pages[0].questions[0].text == "Name:"


def test_problems_are_kept_counted_and_the_first_of_them_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draw_corpus(tmp_path, forms=1, test_forms=1)
    broken = [break_form(tmp_path, f"broken-{number:02d}") for number in range(PROBLEMS_SHOWN + 2)]
    with caplog.at_level(logging.WARNING):
        corpus = read_corpus("funsd", str(tmp_path), "test", "token-classification")
    assert len(corpus.pages) == 1
    assert [issue.uri for issue in corpus.problems] == broken
    assert isinstance(corpus.problems[0], AnnotationIssue) and "not JSON" in corpus.problems[0].message
    (record,) = caplog.records
    lines = record.getMessage().splitlines()
    assert lines[0] == f"funsd, split test: {len(broken)} annotations are not as they should be"
    assert [line.split(": ")[0].strip() for line in lines[1:]] == [*broken[:PROBLEMS_SHOWN], "and 2 more"]


def test_a_problem_ends_a_strict_reading(tmp_path: Path) -> None:
    draw_corpus(tmp_path, forms=1, test_forms=1)
    assert len(read_corpus("funsd", str(tmp_path), "test", "token-classification", strict=True).pages) == 1
    uri = break_form(tmp_path, "broken")
    with pytest.raises(BrokenAnnotationError, match=f"1 annotations are not as they should be\n  {uri}: left out"):
        read_corpus("funsd", str(tmp_path), "test", "token-classification", strict=True)


@pytest.mark.parametrize(
    ("dataset", "split", "task", "message"),
    [
        ("fundsd", "test", "token-classification", f"no dataset 'fundsd'; choose one of {', '.join(NAMES)}"),
        ("funsd", "valid", "token-classification", "no split 'valid'; choose one of train, dev, test, "),
        ("cord", "test", "question-answering", "not labelled for question-answering; it serves token-classification"),
    ],
)
def test_an_unknown_name_is_refused_with_the_choices(dataset: str, split: str, task: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_corpus(dataset, "/nowhere", split, task)


def test_a_language_is_refused_where_a_corpus_has_only_one() -> None:
    with pytest.raises(ValueError, match="--language is 'de', and funsd has one language; only xfund takes it"):
        read_corpus("funsd", "/nowhere", "test", "token-classification", language="de")


@pytest.mark.parametrize("name", NAMES)
def test_data_that_is_not_there_is_refused_with_the_layout_that_is_wanted(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"laid out as"):
        read_corpus(name, str(tmp_path / "nowhere"), "test", DATASETS[name].tasks[0])


def test_a_corpus_of_which_nothing_can_be_read_is_refused_with_the_reasons(tmp_path: Path) -> None:
    draw_corpus(tmp_path, forms=1, test_forms=1)
    break_form(tmp_path, "form-000", json.dumps({"form": 7}))
    with pytest.raises(ValueError, match=r"no page of funsd's split test could be read\n.*form-000\.json: left out"):
        read_corpus("funsd", str(tmp_path), "test", "token-classification")


def test_a_contract_s_values_are_located_in_the_words_that_were_read() -> None:
    locate = DATASETS["kleister-nda"].locate
    assert locate is not None
    words = ["This", "Agreement", "is", "made", "by", "Acme", "Tools", "Inc.", "of", "the", "State", "of", "Delaware"]
    row = {
        "words": words,
        "boxes": [[0, 0, 10, 10]] * len(words),
        "keys": [{"key": "party", "value": "Acme_Tools_Inc."}],
        "questions": [{"text": "Who?", "answers": ["Acme Tools Inc."], "first_word": -1, "last_word": -1}],
    }
    located = locate(row)
    assert located["true_labels"][5:8] == ["B-PARTY", "I-PARTY", "I-PARTY"]
    assert (located["questions"][0]["first_word"], located["questions"][0]["last_word"]) == (5, 7)
