"""Labelled pages read once, kept, and found again."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipelines.datasets.preprocess import PreprocessOptions
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import BrokenAnnotationError, Corpus
from pipelines.runtime.pools import plan_pools
from pipelines.stages.model_loader import load_tokenizer
from pipelines.storage.files import Storage
from pipelines.training.example_cache import COUNTED_EXAMPLE, ExampleIndex, ExampleReader, prepare_examples
from tests.pipelines.datasets.drawn_corpus import draw_corpus

OPTIONS = PreprocessOptions("funsd", "token-classification", "untrained")
POOLS = plan_pools(2, 0, read_workers=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_corpus(tmp_path_factory.mktemp("corpus"), forms=6)


@pytest.fixture(scope="module")
def corpus(data: Path) -> Corpus:
    return read_corpus("funsd", str(data), "train+dev", "token-classification")


@dataclass(frozen=True)
class Cache:
    """A folder of examples, and where they are made: in this process, or on Ray."""

    folder: Path
    on_ray: bool = False

    def prepare(self, corpus: Corpus, options: PreprocessOptions = OPTIONS) -> ExampleIndex:
        in_process = 0 if self.on_ray else len(corpus.pages)
        return prepare_examples(Storage(), str(self.folder), corpus, options, POOLS, max_pages_in_process=in_process)


@pytest.fixture(
    scope="module",
    params=["in process", pytest.param("on ray", marks=[pytest.mark.slow, pytest.mark.xdist_group("ray")])],
)
def cache(request: pytest.FixtureRequest, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Cache:
    if request.param == "on ray":
        request.getfixturevalue("ray_cluster")
    made = Cache(tmp_path_factory.mktemp("examples"), request.param == "on ray")
    made.prepare(corpus)
    return made


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/pages/*")}


def test_every_page_is_there_in_the_order_of_the_corpus(corpus: Corpus, cache: Cache) -> None:
    index = cache.prepare(corpus)
    reader = ExampleReader(Storage())
    assert len(index.pages) == len(corpus.pages) == 6 and not index.failed
    tokenizer = load_tokenizer("untrained")
    for number, (position, labelled) in enumerate(zip(index.pages, corpus.pages, strict=True)):
        row = reader.read(index.files[position.file], position.row_group)
        assert set(row) == set(COUNTED_EXAMPLE.names)
        assert row["document_id"] == labelled.document_id
        assert row["words"] == list(labelled.words or ()) and row["true_labels"] == list(labelled.labels or ())
        assert len(row["model_image"]) == 3 * 224 * 224 and set(row["model_image"]) != {255}
        (window,) = (index.page == number).nonzero()[0]
        assert index.tokens[window] == 2 + sum(len(tokenizer.tokenize(word)) for word in row["words"])
        assert index.targets[window] == len(row["words"])


def test_a_second_run_takes_what_is_there(corpus: Corpus, cache: Cache) -> None:
    before = times(cache.folder)
    cache.prepare(corpus)
    assert times(cache.folder) == before


def test_only_missing_pages_are_made_again(corpus: Corpus, cache: Cache) -> None:
    before = times(cache.folder)
    lost = sorted(before)[0]
    Path(lost).unlink()
    index = cache.prepare(corpus)
    after = times(cache.folder)
    assert len(index.pages) == 6
    assert {name: time for name, time in after.items() if name != lost} == {
        name: time for name, time in before.items() if name != lost
    }


def test_examples_of_other_options_or_annotations_lie_beside_and_disturb_nobody(corpus: Corpus, tmp_path: Path) -> None:
    few = replace(corpus, pages=corpus.pages[:2])
    cache = Cache(tmp_path)
    first = cache.prepare(few)
    other = cache.prepare(few, replace(OPTIONS, stride=64))
    relabelled = replace(few.pages[0], labels=("O",) * len(few.pages[0].words or ()))
    changed = replace(few, pages=(relabelled, few.pages[1]))
    index = cache.prepare(changed)
    assert len({uri.rsplit("/", 2)[0] for made in (first, other, index) for uri in made.files}) == 3
    labels = [
        set(ExampleReader(Storage()).read(made.files[made.pages[0].file], made.pages[0].row_group)["true_labels"])
        for made in (first, index)
    ]
    assert labels[0] != {"O"} and labels[1] == {"O"}


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_a_page_that_cannot_be_read_is_named_and_left_out(
    corpus: Corpus, s3_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    gone = replace(corpus.pages[0], uri="/nowhere/form.png", document_id="gone")
    broken = replace(corpus, pages=(gone, *corpus.pages[1:3]))
    with caplog.at_level(logging.WARNING):
        index = prepare_examples(Storage(), s3_prefix, broken, OPTIONS, POOLS, max_pages_in_process=0)
    assert len(index.pages) == 2
    assert "/nowhere/form.png page 0: not_found" in caplog.text
    assert all(uri.startswith(s3_prefix) for uri in index.files)
    with pytest.raises(BrokenAnnotationError, match="1 of 3 pages"):
        prepare_examples(Storage(), s3_prefix, broken, OPTIONS, POOLS, strict=True)
