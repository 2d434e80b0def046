"""XFUND's forms in several languages, zipped as published or unzipped, whatever the annotations are like."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets import xfund
from pipelines.datasets.page_images import read_image_file
from pipelines.datasets.types import LabelledPage
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

WIDTH, HEIGHT = 500, 1000


def block(identity: int, label: str, text: str, *words: tuple[str, list[int]], linking: Any = ()) -> dict[str, Any]:
    return {
        "id": identity,
        "label": label,
        "text": text,
        "box": [0, 0, 1, 1],
        "words": [{"text": word, "box": box} for word, box in words],
        "linking": list(linking),
    }


GERMAN = [
    block(0, "header", "Antrag auf Kindergeld",
          ("Antrag", [10, 10, 60, 30]), ("auf", [65, 10, 90, 30]), ("Kindergeld", [95, 10, 180, 30]), linking=[[0, 1]]),
    block(1, "question", "Name:", ("Name:", [10, 50, 60, 70]), linking=[[1, 2], [0, 1]]),
    block(2, "answer", "Jürgen Groß", ("Jürgen", [100, 50, 150, 70]), ("Groß", [155, 50, 190, 70]), linking=[[1, 2]]),
    block(3, "other", "Seite 1", ("Seite", [10, 900, 50, 920]), (" ", [50, 900, 60, 920]), ("1", [60, 900, 70, 920])),
]  # fmt: skip


def characters(text: str, x: int, y: int) -> list[tuple[str, list[int]]]:
    return [(character, [x + 10 * index, y, x + 10 * index + 10, y + 10]) for index, character in enumerate(text)]


JAPANESE = [
    block(0, "question", "氏名：", *characters("氏名：", 10, 50), linking=[[0, 1]]),
    block(1, "answer", "山田太郎", *characters("山田太郎", 100, 50), linking=[[0, 1]]),
    block(2, "question", "生年月日", *characters("生年月日", 10, 70), linking=[[2, 3]]),
    block(3, "answer", "2026年3月", ("2026", [100, 70, 140, 80]), *characters("年3月", 140, 70), linking=[[2, 3]]),
]
FRENCH = [
    block(7, "question", "Montant :", ("Montant", [10, 50, 60, 70]), (":", [62, 50, 65, 70]), linking=[[7, 9]]),
    block(9, "answer", "12 €", ("12", [100, 50, 120, 70]), ("€", [122, 50, 130, 70])),
]


def picture(kind: str = "JPEG") -> bytes:
    content = io.BytesIO()
    Image.new("L", (WIDTH, HEIGHT), 255).save(content, kind)
    return content.getvalue()


def form(name: str, blocks: Any = GERMAN, **image: Any) -> dict[str, Any]:
    return {
        "id": name,
        "uid": name,
        "document": blocks,
        "img": {"fname": f"{name}.jpg", "width": WIDTH, "height": HEIGHT} | image,
    }


def write(folder: Path, part: str, forms: list[Any] | str, *, zipped: bool = True) -> None:
    """`LANGUAGE.SPLIT.json` and its images: zipped, or in a folder of that name."""
    language, split = part.split(".")
    content = {"lang": language, "version": "0.1", "split": split, "documents": forms}
    (folder / f"{part}.json").write_text(forms if isinstance(forms, str) else json.dumps(content), encoding="utf-8")
    names = [made["img"]["fname"] for made in forms if isinstance(made, dict) and "img" in made]
    if zipped:
        with zipfile.ZipFile(folder / f"{part}.zip", "w") as archive:
            for name in names:
                archive.writestr(name, picture())
    else:
        (folder / part).mkdir(exist_ok=True)
        for name in names:
            (folder / part / name).write_bytes(picture())


def read(
    data: Path | str, split: str = "test", language: str | None = None, task: Task = "token-classification"
) -> tuple[tuple[LabelledPage, ...], list[str]]:
    problems: list[str] = []
    pages = xfund.read(
        Storage(),
        str(data),
        split,
        task,
        lambda uri, text: problems.append(f"{uri.rsplit('/', 1)[-1]}: {text}"),
        language,
    )
    return pages, problems


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """German and French zipped, Japanese unzipped: eleven German training forms, and a validation form each."""
    write(tmp_path, "de.train", [form(f"de_train_{number}") for number in reversed(range(11))])
    write(tmp_path, "de.val", [form("de_val_0")])
    write(tmp_path, "fr.val", [form("fr_val_0", FRENCH)])
    write(tmp_path, "ja.val", [form("ja_val_0", JAPANESE)], zipped=False)
    return tmp_path


def test_words_boxes_labels_and_links_are_as_published(corpus: Path) -> None:
    (page,), problems = read(corpus, language="de")
    assert problems == []
    assert page.document_id == "xfund/de/de_val_0"
    assert page.words == ("Antrag", "auf", "Kindergeld", "Name:", "Jürgen", "Groß", "Seite", "1")
    assert page.labels == (
        "B-HEADER", "I-HEADER", "I-HEADER", "B-QUESTION", "B-ANSWER", "I-ANSWER", "O", "O",
    )  # fmt: skip
    assert page.boxes is not None and page.boxes[0] == (20, 10, 120, 30)
    assert page.links == ((0, 3), (3, 4))
    assert [(question.text, question.answers) for question in page.questions] == [("Name:", ("Jürgen Groß",))]


def test_characters_become_words_and_texts_without_spaces(corpus: Path) -> None:
    (page,), problems = read(corpus, language="ja")
    assert problems == []
    assert page.words == ("氏名：", "山田", "太郎", "生年月日", "2026年", "3月")
    assert page.boxes is not None and page.boxes[:2] == ((20, 50, 80, 60), (200, 50, 240, 60))
    assert page.labels is not None and page.labels[:3] == ("B-QUESTION", "B-ANSWER", "I-ANSWER")
    assert page.links == ((0, 1), (3, 4))
    texts = [(question.text, question.answers) for question in page.questions]
    assert texts == [("氏名：", ("山田太郎",)), ("生年月日", ("2026年3月",))]


def test_punctuation_stays_a_word_where_it_is_annotated_as_one(corpus: Path) -> None:
    (page,), _ = read(corpus, language="fr")
    assert page.words == ("Montant", ":", "12", "€")
    assert page.questions[0].text == "Montant :"


def test_images_are_read_out_of_the_archive_or_beside_it(corpus: Path) -> None:
    pages, _ = read(corpus, language="all")
    assert [page.uri.removeprefix(f"{corpus}/") for page in pages] == [
        "de.val.zip#de_val_0.jpg",
        "fr.val.zip#fr_val_0.jpg",
        "ja.val/ja_val_0.jpg",
    ]
    assert {page.media_type for page in pages} == {"image/jpeg"}
    assert all(read_image_file(Storage(), page.uri) == picture() for page in pages)


def test_an_unzipped_image_goes_before_the_one_in_the_archive(corpus: Path) -> None:
    write(corpus, "de.val", [form("de_val_0")], zipped=False)
    (page,), _ = read(corpus, language="de")
    assert page.uri == f"{corpus}/de.val/de_val_0.jpg"


def test_one_language_several_and_all_are_chosen_by_name(corpus: Path) -> None:
    def languages(wanted: str) -> list[str]:
        return [page.document_id.split("/")[1] for page in read(corpus, language=wanted)[0]]

    assert languages("ja") == ["ja"]
    assert languages("ja, DE,ja") == ["ja", "de"]
    assert languages("all") == ["de", "fr", "ja"]


def test_a_language_has_to_be_chosen_where_there_are_several(corpus: Path) -> None:
    with pytest.raises(ValueError, match="has forms in de, fr, ja: choose with --language, such as de, or de,fr, or"):
        read(corpus)


def test_the_only_language_needs_no_choice(tmp_path: Path) -> None:
    write(tmp_path, "pt.val", [form("pt_val_0")])
    assert read(tmp_path)[0][0].document_id == "xfund/pt/pt_val_0"


@pytest.mark.parametrize("language", ["zh", "de,zh", "", "german"])
def test_a_language_that_is_not_there_is_refused_with_those_that_are(corpus: Path, language: str) -> None:
    with pytest.raises(ValueError, match="has forms in de, fr, ja"):
        read(corpus, language=language)


def test_dev_is_the_last_fifth_of_the_training_forms_by_number(corpus: Path) -> None:
    def numbers(split: str) -> list[int]:
        return [int(page.document_id.rsplit("_", 1)[1]) for page in read(corpus, split, "de")[0]]

    assert numbers("train") == list(range(9))
    assert numbers("dev") == [9, 10]
    assert numbers("train+dev") == list(range(11))
    assert [page.document_id for page in read(corpus, "val", "de")[0]] == ["xfund/de/de_val_0"]


def test_a_part_that_is_missing_and_too_few_forms_are_refused(corpus: Path) -> None:
    with pytest.raises(ValueError, match=r"no fr\.train\.json, which the split train of XFUND is read from"):
        read(corpus, "train", "fr")
    write(corpus, "de.train", [form("de_train_0")])
    with pytest.raises(ValueError, match=r"de\.train\.json has 1 forms, .* use another split"):
        read(corpus, "dev", "de")


def test_another_layout_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"XFUND is laid out as LANGUAGE\.train\.json and LANGUAGE\.val\.json"):
        read(tmp_path)


def test_boxes_of_four_corners_are_the_bounds_around_them(tmp_path: Path) -> None:
    corners = [12, 20, 60, 22, 58, 40, 10, 38]
    write(tmp_path, "de.val", [form("de_val_0", [block(0, "answer", "schief", ("schief", corners))])])
    (page,), problems = read(tmp_path)
    assert page.boxes == ((20, 20, 120, 40),) and problems == []


def test_broken_boxes_and_links_are_repaired_and_told(tmp_path: Path) -> None:
    blocks = [
        block(0, "question", "a", ("a", [90, 10, 20, 5]), linking=[[0, 1], [0, 7], "x"]),
        block(1, "answer", "b", ("b", [400, 950, 600, 1020])),
    ]
    write(tmp_path, "de.val", [form("de_val_0", blocks)])
    (page,), problems = read(tmp_path)
    assert page.boxes == ((40, 5, 180, 10), (800, 950, 1000, 1000))
    assert page.links == ((0, 1),)
    assert problems == [
        "de.val.json#de_val_0: 1 inverted boxes were put in order; 1 boxes off the page were clipped to it",
        'de.val.json#de_val_0: 2 links that are no pair of the form\'s blocks are ignored: [[0, 7], "x"]',
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_size_is_the_image_s_own_where_none_is_stated(tmp_path: Path, kind: str, zipped: bool) -> None:
    made = form("de_val_0")
    del made["img"]["width"]
    write(tmp_path, "de.val", [made], zipped=zipped)
    if zipped:
        with zipfile.ZipFile(tmp_path / "de.val.zip", "w") as archive:
            archive.writestr("inner/de_val_0.jpg", picture(kind))
    else:
        (tmp_path / "de.val" / "de_val_0.jpg").write_bytes(picture(kind))
    (page,), problems = read(tmp_path)
    assert page.boxes is not None and page.boxes[0] == (20, 10, 120, 30) and problems == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (7, "de.val.json#1: left out: 7 stands where an object with 'id' is expected"),
        ({"id": 7}, "'id' is 7, and not a text"),
        (form("bad", img=None) | {"img": None}, "'img' is null, and not an object"),
        (form("bad", fname="../../etc/passwd"), 'there is no image "../../etc/passwd"'),
        (form("bad", fname="gone.jpg"), 'there is no image "gone.jpg", neither in an archive nor unzipped'),
        (form("bad", width=-1), "the image's size is [-1, 1000]"),
        (form("bad", width=1e-320), "the image's size is [1e-320, 1000]"),
        (form("bad", width="wide"), '"wide" in ["wide", 1000] is no coordinate'),
        (form("bad", {"0": 1}), "'document' is {\"0\": 1}, and not a list"),
        (form("bad", [block(0, "answer", "x", ("x", [1, 2]))]), "[1, 2] stands where 4 numbers are expected"),
        (form("bad", [{"label": "answer", "text": "x"}]), "'words' is missing"),
        (form("bad", [block(0, "answer", "x y")]), 'the block of the text "x y" has no words with boxes'),
        (form("bad", [7]), "7 stands where an object with 'label' is expected"),
        (form("de_val_0"), "a form of this id came before"),
    ],
)
def test_a_broken_form_is_left_out_and_named(tmp_path: Path, broken: Any, reason: str) -> None:
    write(tmp_path, "de.val", [form("de_val_0")])
    documents = [form("de_val_0"), broken]
    (tmp_path / "de.val.json").write_text(json.dumps({"documents": documents}))
    with zipfile.ZipFile(tmp_path / "de.val.zip", "a") as archive:
        archive.writestr("bad.jpg", picture())
    pages, problems = read(tmp_path)
    assert [page.document_id for page in pages] == ["xfund/de/de_val_0"]
    (problem,) = problems
    assert "left out: " in problem and reason in problem


@pytest.mark.parametrize("content", ["{", "[]", '{"documents": 7}', '{"lang": "de"}', "[" * 100_000, "\ud800"])
def test_a_broken_file_costs_its_own_language_alone(corpus: Path, content: str) -> None:
    (corpus / "de.val.json").write_text(content, encoding="utf-8", errors="surrogatepass")
    pages, (problem,) = read(corpus, language="de,fr")
    assert [page.document_id for page in pages] == ["xfund/fr/fr_val_0"]
    assert problem.startswith("de.val.json: left out: ")


def test_a_broken_archive_is_named_once_beside_the_forms_that_miss_it(corpus: Path) -> None:
    (corpus / "de.val.zip").write_bytes(b"no archive")
    _, problems = read(corpus, language="de")
    assert problems[0].startswith("de.val.zip: left out: ") and "File is not a zip file" in problems[0]
    assert problems[1] == (
        'de.val.json#de_val_0: left out: there is no image "de_val_0.jpg", neither in an archive nor unzipped'
    )


def test_an_image_is_found_by_its_name_whatever_folders_are_stated_and_nothing_is_unpacked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write(data, "de.val", [form("de_val_0", fname="../images/de_val_0.jpg")])
    (page,), problems = read(data)
    assert page.uri.endswith("de.val.zip#../images/de_val_0.jpg") and problems == []
    assert read_image_file(Storage(), page.uri) == picture()
    assert not list(tmp_path.rglob("*.jpg"))


def test_blocks_without_text_and_their_links_are_left_out_as_in_the_published_code(tmp_path: Path) -> None:
    blocks = [
        block(0, "question", "a", ("a", [1, 1, 2, 2]), linking=[[0, 1], [0, 2], [2, 0], [0, 2]]),
        block(1, "answer", ""),
        block(2, "answer", "b", ("b", [3, 1, 4, 2]), linking=[[0, 2]]),
    ]
    write(tmp_path, "de.val", [form("de_val_0", blocks)])
    (page,), problems = read(tmp_path)
    assert (page.words, page.links, problems) == (("a", "b"), ((0, 1),), [])


def test_an_id_of_several_blocks_is_told(tmp_path: Path) -> None:
    blocks = [block(3, "answer", text, (text, [1, 1, 2, 2])) for text in "ab"]
    write(tmp_path, "de.val", [form("de_val_0", blocks)])
    (page,), (problem,) = read(tmp_path)
    assert page.words == ("a", "b") and "several blocks have the id 3" in problem


def test_an_unknown_label_is_told_and_counts_as_other(tmp_path: Path) -> None:
    write(tmp_path, "de.val", [form("de_val_0", [block(7, "footer", "Ende", ("Ende", [1, 1, 2, 2]))])])
    (page,), (problem,) = read(tmp_path)
    assert page.labels == ("O",) and "block 7 has the label 'footer'" in problem


def test_forms_in_a_bucket_are_the_same(corpus: Path, s3_prefix: str) -> None:
    for path in corpus.rglob("*.*"):
        if path.is_file():
            Storage().write(join_uri(s3_prefix, *path.relative_to(corpus).parts), path.read_bytes())
    here, there = (read(data, language="all")[0] for data in (corpus, s3_prefix))
    assert [(page.document_id, page.words, page.boxes) for page in here] == [
        (page.document_id, page.words, page.boxes) for page in there
    ]
    assert read_image_file(Storage(), there[0].uri) == picture()
