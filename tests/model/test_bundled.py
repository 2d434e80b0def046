"""The model included in this package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import LayoutLMv2ForTokenClassification
from model.checkpoint_source import BUNDLED_FORMS, BUNDLED_FORMS_RESEARCH, resolve_checkpoint
from model.decoding import load_decoding
from model.segment_joins import FEATURES
from pipelines.datasets.labelled_pages import write_labelled_pages
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.evaluation.corpus import read_split
from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.options import EvaluateOptions
from pipelines.storage.files import Storage

FORM_LABELS = ["O", "B-HEADER", "I-HEADER", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER"]


@pytest.mark.parametrize("name", [BUNDLED_FORMS, BUNDLED_FORMS_RESEARCH])
def test_the_bundled_models_are_small_and_found_by_their_names(name: str) -> None:
    folder = resolve_checkpoint(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 60_000_000
    model = LayoutLMv2ForTokenClassification.from_pretrained(folder)
    assert list(model.config.id2label.values()) == FORM_LABELS
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(("name", "licence"), [(BUNDLED_FORMS, "apache-2.0"), (BUNDLED_FORMS_RESEARCH, "other")])
def test_their_cards_state_the_licence_the_data_and_the_scores(name: str, licence: str) -> None:
    card = (resolve_checkpoint(name) / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"---\nlicense: {licence}\n")
    for part in ("FUNSD", "research", "Apache-2.0", "jobs.forms_model", "| header |", "Known failures"):
        assert part in card
    assert "@" not in card, "no blank is left to fill in"


@pytest.mark.parametrize("name", [BUNDLED_FORMS, BUNDLED_FORMS_RESEARCH])
def test_they_are_decoded_by_segments_with_joins_of_their_own(name: str) -> None:
    decoding = load_decoding(resolve_checkpoint(name))
    assert decoding.method == "segments"
    assert decoding.joins is not None and set(decoding.joins.features) == set(FEATURES)


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_it_finds_the_entities_of_unseen_forms(tmp_path: Path) -> None:
    seeds = range(1_000_000, 1_000_002)  # the recipe's are far below
    pages = [(page, image, "dev") for page, image in drawn_pages(seeds)]
    write_labelled_pages(Storage(), str(tmp_path / "pages.parquet"), pages)
    asked = EvaluateOptions(dataset="labelled-pages", data=str(tmp_path), split="dev", model=BUNDLED_FORMS)
    figures = evaluate(asked, read_split(asked))
    assert figures["support"] > 40
    assert figures["f1"] > 0.6, "chance is below 0.05"
