"""FUNSD's forms as LayoutLMv2 reads them, whatever the annotations are like."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets import funsd
from pipelines.datasets.types import LabelledPage
from pipelines.storage.files import Storage, join_uri

WIDTH, HEIGHT = 762, 1000


def block(identity: int, label: str, *words: tuple[str, list[int]], linking: Any = ()) -> dict[str, Any]:
    return {
        "id": identity,
        "label": label,
        "text": " ".join(text for text, _ in words),
        "box": [0, 0, 1, 1],
        "words": [{"text": text, "box": box} for text, box in words],
        "linking": list(linking),
    }


def write_form(folder: Path, name: str, blocks: list[dict[str, Any]] | str, image: bool = True) -> None:
    for part in ("annotations", "images"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    content = blocks if isinstance(blocks, str) else json.dumps({"form": blocks})
    (folder / "annotations" / f"{name}.json").write_text(content)
    if image:
        Image.new("L", (WIDTH, HEIGHT), 255).save(folder / "images" / f"{name}.png")


def read(data: Path | str, split: str = "test") -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = funsd.read(
        Storage(),
        str(data),
        split,
        "token-classification",
        lambda uri, text: problems.append(f"{Path(uri).name}: {text}"),
    )
    return pages, problems


FORM = [
    block(0, "header", ("FAX", [100, 20, 180, 50]), ("SHEET", [190, 20, 300, 50])),
    block(1, "question", ("Date:", [100, 100, 150, 120]), linking=[[1, 2]]),
    block(2, "answer", ("May", [160, 100, 200, 120]), ("3", [205, 100, 215, 120]), linking=[[1, 2]]),
    block(3, "other", ("page", [10, 900, 50, 920]), ("  ", [50, 900, 60, 920]), ("1", [60, 900, 70, 920])),
    block(4, "answer", ("", [1, 1, 2, 2])),
]


def test_labels_are_the_seven_of_the_paper_in_its_order() -> None:
    assert funsd.LABELS == ("O", "B-HEADER", "I-HEADER", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER")


def test_words_boxes_and_labels_are_as_published(tmp_path: Path) -> None:
    write_form(tmp_path / "testing_data", "one", FORM)
    (page,), problems = read(tmp_path)
    assert problems == []
    assert page.words == ("FAX", "SHEET", "Date:", "May", "3", "page", "1")
    assert page.labels == ("B-HEADER", "I-HEADER", "B-QUESTION", "B-ANSWER", "I-ANSWER", "O", "O")
    assert page.boxes is not None
    assert page.boxes[0] == (int(1000 * 100 / WIDTH), 20, int(1000 * 180 / WIDTH), 50)
    assert page.document_id == "funsd/testing_data/one"
    assert page.uri.endswith("testing_data/images/one.png")


def test_a_linked_question_block_is_a_question_and_its_answers_tell_their_place(tmp_path: Path) -> None:
    column = [
        block(0, "question", ("Name", [0, 0, 9, 9]), linking=[[0, 1], [0, 2], [0, 4]]),
        block(1, "answer", ("Ann", [0, 10, 9, 19])),
        block(2, "answer", ("Lee", [0, 20, 9, 29]), linking=[[2, 0]]),
        block(3, "other", ("x", [0, 30, 9, 39])),
        block(4, "answer", ("Bob", [0, 40, 9, 49])),
        block(5, "question", ("Empty:", [0, 50, 9, 59]), linking=[[5, 77], [5, 3]]),
    ]
    write_form(tmp_path / "testing_data", "one", column)
    (page,), _ = read(tmp_path)
    (question,) = page.questions
    assert question.text == "Name"
    assert question.answers == ("Ann Lee", "Bob")
    assert (question.first_word, question.last_word) == (1, 2)


def test_links_lead_from_headers_to_questions_and_on_to_answers_whichever_way_they_are_stored(tmp_path: Path) -> None:
    form = [
        block(0, "answer", ("Ann", [0, 10, 9, 19]), ("Lee", [10, 10, 19, 19]), linking=[[0, 1]]),
        block(1, "question", ("Full", [0, 0, 9, 9]), ("name", [10, 0, 19, 9]), linking=[[1, 2], [1, 0], [1, 4]]),
        block(2, "header", ("People", [0, 50, 9, 59]), linking=[[2, 1], [2, 0], [2, 5]]),
        block(3, "answer", ("Bob", [0, 60, 9, 69]), linking=[[1, 3]]),
        block(4, "answer", (" ", [0, 70, 9, 79])),
        block(5, "other", ("x", [0, 80, 9, 89]), linking=[[1, 5]]),
        block(6, "question", ("Age", [0, 90, 9, 99]), linking=[[6, 1]]),
    ]
    write_form(tmp_path / "testing_data", "one", form)
    write_form(tmp_path / "testing_data", "two", FORM[3:])
    (page, unlinked), problems = read(tmp_path)
    assert problems == []
    people, name, ann, bob = 4, 2, 0, 5
    assert page.words is not None and [page.words[index] for index in (people, name, ann, bob)] == [
        "People", "Full", "Ann", "Bob",
    ]  # fmt: skip
    assert page.links == ((name, ann), (people, name), (name, bob))
    assert unlinked.links == ()


def test_links_that_lead_nowhere_are_told_and_cost_nothing_else(tmp_path: Path) -> None:
    form = [
        block(0, "question", ("Name", [0, 0, 9, 9]), linking=[[0, 1], [0, 77], [0], "1"]),
        block(1, "answer", ("Ann", [0, 10, 9, 19]), linking=[[1, 1], [1, 2]]),
        block(2, "answer", (" ", [0, 20, 9, 29])),
    ]
    write_form(tmp_path / "testing_data", "one", form)
    (page,), (issue,) = read(tmp_path)
    assert [(question.text, question.answers) for question in page.questions] == [("Name", ("Ann",))]
    assert "3 links that are no pair of the form's blocks are ignored" in issue


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_form(tmp_path / "testing_data", "one", FORM, image=False)
    (tmp_path / "testing_data" / "images" / "one.png").write_bytes(b"GIF89a")
    pages, (issue,) = read(tmp_path)
    assert pages == () and "one.png: no PNG, JPEG or TIFF image" in issue


def test_too_few_forms_to_hold_some_out_are_refused(tmp_path: Path) -> None:
    write_form(tmp_path / "training_data", "one", FORM)
    with pytest.raises(ValueError, match=r"1 training forms, all held out as dev; train on train\+dev"):
        read(tmp_path, "train")


def test_splits_hold_out_the_last_29_training_forms_by_name(tmp_path: Path) -> None:
    for number in range(31):
        write_form(tmp_path / "training_data", f"{number:03d}", FORM)
    names = {split: [page.document_id[-3:] for page in read(tmp_path, split)[0]] for split in funsd.SPLITS[:2]}
    assert names == {"train": ["000", "001"], "dev": [f"{number:03d}" for number in range(2, 31)]}
    assert len(read(tmp_path, "train+dev")[0]) == 31


def test_the_published_archive_may_lie_in_its_folder(tmp_path: Path) -> None:
    write_form(tmp_path / "dataset" / "testing_data", "one", FORM)
    assert len(read(tmp_path)[0]) == 1


def test_broken_boxes_are_repaired_and_told(tmp_path: Path) -> None:
    boxes = [("a", [90, 10, 20, 5]), ("b", [700, 950, 800, 1020]), ("c", [-4, 0, 9, 9]), ("d", [5, 5, 5, 5])]
    write_form(tmp_path / "testing_data", "one", [block(0, "answer", *boxes)])
    (page,), problems = read(tmp_path)
    assert page.boxes == ((26, 5, 118, 10), (918, 950, 1000, 1000), (0, 0, 11, 9), (6, 5, 6, 5))
    assert problems == ["one.json: 1 inverted boxes were put in order; 2 boxes off the page were clipped to it"]


@pytest.mark.parametrize(
    ("content", "image", "reason"),
    [
        ("{", True, "left out: it is not JSON: Expecting property name"),
        ("[" * 100_000, True, "left out: it is nested too deeply"),
        ('{"forms": []}', True, "left out: 'form' is missing"),
        ("[]", True, "left out: [] stands where an object with 'form' is expected"),
        (
            '{"form": [{"label": "answer", "words": [{"text": "a", "box": [1, 2]}]}]}',
            True,
            "[1, 2] stands where 4 numbers",
        ),
        ('{"form": [{"label": "answer", "words": [{"text": "a", "box": [1, 2, 1e999, 4]}]}]}', True, "no coordinate"),
        ('{"form": [{"label": "answer", "words": [{"text": "a", "box": [1, 2, "3", 4]}]}]}', True, '"3" in [1, 2, "3"'),
        (
            '{"form": [{"label": "answer", "words": [{"text": 7, "box": [1, 2, 3, 4]}]}]}',
            True,
            "'text' is 7, and not a text",
        ),
        ('{"form": [{"label": "answer", "words": null}]}', True, "'words' is null, and not a list"),
        (json.dumps({"form": FORM}), False, "no such file"),
    ],
)
def test_a_broken_form_is_left_out_and_named(tmp_path: Path, content: str, image: bool, reason: str) -> None:
    write_form(tmp_path / "testing_data", "bad", content, image)
    write_form(tmp_path / "testing_data", "good", FORM)
    pages, (issue,) = read(tmp_path)
    assert [page.document_id for page in pages] == ["funsd/testing_data/good"]
    assert issue.startswith("bad.json: ") and reason in issue


def test_an_unknown_label_is_told_and_counts_as_other(tmp_path: Path) -> None:
    write_form(tmp_path / "testing_data", "one", [block(7, "footer", ("end", [1, 1, 2, 2]))])
    (page,), (issue,) = read(tmp_path)
    assert page.labels == ("O",)
    assert "block 7 has the label 'footer'" in issue


def test_another_layout_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no testing_data/annotations/\*\.json; FUNSD is laid out as"):
        read(tmp_path)


def test_forms_in_a_bucket_are_the_same(tmp_path: Path, s3_prefix: str) -> None:
    write_form(tmp_path / "testing_data", "one", FORM)
    for path in tmp_path.rglob("*.*"):
        Storage().write(join_uri(s3_prefix, *path.relative_to(tmp_path).parts), path.read_bytes())
    (there,), _ = read(s3_prefix)
    (here,), _ = read(tmp_path)
    assert (there.document_id, there.words, there.boxes) == (here.document_id, here.words, here.boxes)


def test_the_real_forms_are_read_whole(shared_directory: Path) -> None:
    data = shared_directory / "corpora" / "funsd"
    train, train_problems = read(data, "train")
    dev, dev_problems = read(data, "dev")
    assert train_problems == dev_problems == []
    assert (len(train), len(dev)) == (120, 29)
    assert max(page.document_id for page in train) < min(page.document_id for page in dev)
    words = [len(page.words or ()) for page in train + dev]
    assert sum(words) == 21888
    assert sum(len(page.questions) for page in train + dev) == 2047
    labels = Counter(label for page in train + dev for label in page.labels or ())
    linked = Counter(
        (page.labels[source], page.labels[target])
        for page in train + dev
        if page.labels is not None
        for source, target in page.links or ()
    )
    assert linked == {("B-HEADER", "B-QUESTION"): 1015, ("B-QUESTION", "B-ANSWER"): 3049}
    assert [labels[f"B-{kind}"] for kind in ("HEADER", "QUESTION", "ANSWER")] == [441, 3253, 2732]
    for question in (question for page in train + dev for question in page.questions):
        assert 0 <= question.first_word <= question.last_word
