"""The recipe of the model that comes with this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import ray
from safetensors import safe_open

from model import LayoutLMv2Config, LayoutLMv2ForTokenClassification
from model.decoding import load_decoding
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.training import recipe_pages
from pipelines.training.forms_recipe import SIZES
from pipelines.training.recipe_pages import write_drawn_pages, write_read_pages, write_unlabelled_pages
from tests.conftest import REPOSITORY
from tests.pipelines.datasets.drawn_corpus import draw_corpus
from tests.pipelines.datasets.test_sroie import write_receipt
from tests.pipelines.training.text_checkpoint import write_text_checkpoint


def test_drawn_forms_are_a_corpus_with_a_part_to_measure_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_pages, "DRAWN_DEV_PAGES", 4)
    write_drawn_pages(tmp_path, 7, seed=0)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_drawn_pages(tmp_path, 7, seed=0)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}, "what is there is not drawn again"
    train = read_corpus("labelled-pages", str(tmp_path), "train", "token-classification")
    dev = read_corpus("labelled-pages", str(tmp_path), "dev", "token-classification")
    assert (len(train.pages), len(dev.pages)) == (3, 4)
    assert set(train.labels) == {"O", *(f"{p}-{n}" for p in "BI" for n in ("HEADER", "QUESTION", "ANSWER"))}


def test_pages_for_hidden_words_tell_no_label(tmp_path: Path) -> None:
    lines = [f"100,{y},300,{y},300,{y + 20},100,{y + 20},Item number {y} Sub total" for y in range(100, 700, 30)]
    write_receipt(tmp_path / "sroie", "X1", lines)
    write_unlabelled_pages(tmp_path / "pages", {"sroie": str(tmp_path / "sroie")})
    (page,) = read_corpus("labelled-pages", str(tmp_path / "pages"), "all", "token-classification").pages
    assert page.words is not None and len(page.words) == 100
    assert set(page.labels or ()) == {"O"} and not page.questions and not page.keys


def test_forms_are_read_as_ocr_reads_them(tmp_path: Path) -> None:
    write_read_pages(tmp_path, 2, first_seed=50)
    pages = read_corpus("labelled-pages", str(tmp_path), "train", "token-classification").pages
    drawn = [page for page, _ in drawn_pages(range(50, 52))]
    assert [page.document_id for page in pages] == [f"{page.document_id}-read" for page in drawn]
    assert all(set(page.labels or ()) > {"O"} for page in pages)
    assert [page.words for page in pages] != [page.words for page in drawn]


def test_the_sizes_make_a_model_that_is_small_enough_to_ship() -> None:
    text = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536, "coordinate_size": 64}
    model = LayoutLMv2ForTokenClassification(LayoutLMv2Config(**text, shape_size=64, num_labels=7, **SIZES))
    assert sum(parameter.numel() for parameter in model.parameters()) * 2 < 60_000_000


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_the_whole_recipe_ends_in_a_model_for_everyone_and_one_for_research(tmp_path: Path) -> None:
    data = draw_corpus(tmp_path / "funsd", forms=31)
    steps = [
        "--words-steps",
        "2",
        "--drawn-steps",
        "2",
        "--forms-steps",
        "2",
        "--drawn-forms",
        "104",
        "--read-forms",
        "2",
    ]
    command = [sys.executable, "-m", "jobs.forms_model", "--address", ray.get_runtime_context().gcs_address, *steps]
    command += ["--text-model", str(write_text_checkpoint(tmp_path / "text")), "--funsd", str(data)]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "run")], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("bundle", "bundle-research"):
        folder = tmp_path / "run" / name
        model = LayoutLMv2ForTokenClassification.from_pretrained(folder)
        assert model.config.id2label[1] == "B-HEADER" and model.config.num_labels == 7
        assert load_decoding(folder).method == "segments"
        with safe_open(folder / "model.safetensors", "pt") as weights:
            assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F16"}  # noqa: SIM118
