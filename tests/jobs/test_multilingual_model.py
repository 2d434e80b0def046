"""The recipe of a small multilingual model, from options to figures by language."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from jobs.multilingual_model import main
from model import LayoutLMv2ForTokenClassification, LayoutLMv2Tokenizer, LayoutXLMTokenizer
from model.untrained import untrained_model
from pipelines.datasets.synthetic_forms.languages import LANGUAGES as DRAWN_LANGUAGES
from pipelines.datasets.types import LabelledPage
from pipelines.training.multilingual_options import LANGUAGES
from pipelines.training.multilingual_pages import page_texts, read_pages, unseen_share, write_language_forms
from pipelines.training.multilingual_recipe import results_table
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--forms", "4"], "--forms is 4"),
        (["--steps", "0"], "--steps is 0"),
        (["--languages", "en,xx"], "--languages is 'en,xx'; forms are drawn in en, de, fr"),
        (["--languages", ","], "--languages is ','"),
        (["--output", "s3://bucket/run"], "--output is a folder"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_and_the_reason(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--output", str(tmp_path / "run"), *arguments]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_forms_are_drawn_once_and_are_others_to_learn_and_to_measure_on(tmp_path: Path) -> None:
    write_language_forms(tmp_path, ("en", "de"), forms=5, test_forms=2, seed=0)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_language_forms(tmp_path, ("en", "de"), forms=5, test_forms=2, seed=0)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    sizes = {
        (language, split): len(read_pages(tmp_path, split, language))
        for language in ("en", "de")
        for split in ("train", "dev", "val")
    }
    assert list(sizes.values()) == [4, 1, 2, 4, 1, 2]
    texts = [*page_texts(tmp_path, "train+dev", "all"), *page_texts(tmp_path, "val", "all")]
    assert len(set(texts)) == len(texts) == 14


def test_the_recipe_has_every_language_in_which_forms_are_drawn() -> None:
    assert set(LANGUAGES) == set(DRAWN_LANGUAGES)


def test_the_share_of_unseen_words_counts_words_with_letters() -> None:
    learned = [LabelledPage("a", "", "", words=("Name:", "Ann"))]
    measured = [LabelledPage("b", "", "", words=("Name:", "Bob", "12", "Ann", "Eve"))]
    assert unseen_share(learned, measured) == 0.5
    assert unseen_share(learned, []) == 0.0


def test_the_table_has_a_row_for_each_start_and_figure() -> None:
    figures = {"en": {"f1": 0.5, "pairs": 0.25}, "de": {"f1": 0.7, "pairs": 0.35}}
    table = results_table(
        {"unseen_words": {"en": 0.1, "de": 0.2}, "starts": {"nothing": {"model": "x", "by_language": figures}}}
    )
    assert table.splitlines() == [
        "| start | figure | en | de | mean |",
        "| --- | --- | --- | --- | --- |",
        "| nothing | entities, F1 | 0.500 | 0.700 | 0.600 |",
        "| nothing | pairs, F1 | 0.250 | 0.350 | 0.300 |",
        "|  | words not in the learned forms | 10% | 20% |  |",
    ]


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_the_whole_recipe_ends_in_models_with_figures_for_each_language(tmp_path: Path) -> None:
    untrained_model(LayoutLMv2ForTokenClassification, "token-classification").save_pretrained(tmp_path / "english")
    LayoutLMv2Tokenizer().save_pretrained(tmp_path / "english")
    command = [sys.executable, "-m", "jobs.multilingual_model", "--address", ray.get_runtime_context().gcs_address]
    command += ["--model", str(tmp_path / "english"), "--output", str(tmp_path / "run"), "--start", "both"]
    command += ["--languages", "de,zh", "--forms", "5", "--test-forms", "2", "--steps", "2", "--batch-size", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert list(results["starts"]) == ["english", "nothing"]
    for result in results["starts"].values():
        assert {figures["pages"] for figures in result["by_language"].values()} == {2}
        assert LayoutXLMTokenizer.from_pretrained(result["model"]).convert_tokens_to_ids("<s>") == 0
        assert f"a model: {result['model']}" in done.stdout
    assert results_table(results) in done.stdout
