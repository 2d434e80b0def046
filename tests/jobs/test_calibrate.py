from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.calibrate import Options, main, summary
from jobs.evaluate import Options as EvaluatedPages
from model import LayoutLMv2ForTokenClassification
from model.checkpoint_source import checkpoint_fingerprint
from model.decoding import Decoding, load_decoding, save_decoding
from model.untrained import untrained_model
from pipelines.datasets.labelled_pages import write_labelled_pages
from pipelines.datasets.synthetic_forms.pages import drawn_pages
from pipelines.evaluation.evaluate import evaluate
from pipelines.storage.files import Storage


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn forms as labelled pages, all of the dev split."""
    folder = tmp_path_factory.mktemp("pages")
    rows = ((page, image, "dev") for page, image in drawn_pages(range(3)))
    write_labelled_pages(Storage(), str(folder / "pages.parquet"), rows)
    return folder


@pytest.fixture
def overconfident(tmp_path: Path) -> Path:
    """A checkpoint with random labels of which it is sure."""
    model = untrained_model(LayoutLMv2ForTokenClassification, "token-classification")
    with torch.no_grad():
        model.classifier.weight *= 30
    model.save_pretrained(str(tmp_path / "overconfident"))
    return tmp_path / "overconfident"


def arguments(pages: Path, model: Path | str, *more: str) -> list[str]:
    given = ["--dataset", "labelled-pages", "--data", str(pages), "--model", str(model), *more]
    return [*given, "--read-workers", "1"]


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_a_calibrated_copy_says_how_sure_it_may_be(
    pages: Path,
    overconfident: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("jobs.calibrate.connect_to_ray", lambda address: None)  # this process is connected
    output = tmp_path / "calibrated"
    assert main(arguments(pages, overconfident, "--output", str(output))) == 0
    *told, last = capsys.readouterr().out.splitlines()
    record = json.loads(last)
    assert (record["split"], record["pages"], record["failed_pages"]) == ("dev", 3, 0)
    assert record["words"] == sum(record["words_by_label"].values()) > 150
    assert record["held_out"][record["scaling"]] < record["held_out"]["before"]
    assert record["after"]["ece"]["words"] < record["before"]["ece"]["words"]
    assert any(line.split()[:2] == ["B-QUESTION", str(record["words_by_label"]["B-QUESTION"])] for line in told)
    assert f"the model: {output}" in told[-1]

    decoding = load_decoding(output)
    assert decoding.temperatures == record["temperatures"] and max(decoding.temperatures.values()) > 1
    assert decoding.score_curves["entities"][-1].predictions > 0
    assert load_decoding(overconfident) == Decoding(), "the model itself stays as it is"
    assert (output / "model.safetensors").read_bytes() == (overconfident / "model.safetensors").read_bytes()
    assert checkpoint_fingerprint(output) != checkpoint_fingerprint(overconfident)

    options, corpus = EvaluatedPages(
        "labelled-pages", str(pages), "dev", str(output), output=str(tmp_path / "figures"), read_workers=1
    ).checked()
    figures = evaluate(options, corpus)
    assert figures["ece"] == pytest.approx(record["after"]["ece"]), "the stages apply what was fitted"
    assert figures["calibration"]["words"]["count"] == record["words"]
    assert (tmp_path / "figures" / "risk-coverage.png").read_bytes()[:4] == b"\x89PNG"


RECORD = {
    "words_by_label": {"O": 50, "B-ANSWER": 9},
    "temperatures": {"O": 1.5, "B-ANSWER": 1.0},
    "scaling": "per_label",
    "held_out": {"before": 0.5, "per_label": 0.4, "shared": 0.45},
    "before": {"nll": 0.5, "right": {"words": 0.8}, "ece": {"words": 0.2}, "entity_f1": 0.7},
    "after": {"nll": 0.3, "right": {"words": 0.8}, "ece": {"words": 0.1}, "entity_f1": 0.7},
    "thresholds": {},
    "pages": 4,
    "failed_pages": 0,
    "words": 59,
    "words_left_out": 0,
    "labels_with_too_few_words": {"B-ANSWER": 9},
}


def test_the_summary_says_which_label_has_too_few_words() -> None:
    assert "B-ANSWER keeps the temperature 1: it has 9 words" in summary(RECORD, None)
    assert "B-ANSWER keeps" not in summary({**RECORD, "scaling": None}, None)


@pytest.mark.parametrize(("scaling", "told"), [(None, "stay as they were"), ("shared", "the same temperature")])
def test_the_summary_says_why_temperatures_are_not_one_for_each_label(scaling: str | None, told: str) -> None:
    line = next(line for line in summary({**RECORD, "scaling": scaling}, None).splitlines() if told in line)
    assert "0.4000 with one for each label, 0.4500 with one for all" in line


@pytest.mark.parametrize(
    ("folder", "thresholds", "told"),
    [
        (None, {}, "give --output FOLDER"),
        ("m", {}, "no links of keys and values"),
        ("m", {"pairs": {"0.8": None, "0.9": None}}, "not surely right often enough"),
        (
            "m",
            {
                "pairs": {
                    "0.8": {"min_score": 0.5, "accepted": 0.9},
                    "0.9": {"min_score": 0.7, "accepted": 0.4},
                    "0.95": None,
                }
            },
            "jobs.extract --model m --accept-precision 0.9",
        ),
    ],
)
def test_the_summary_ends_with_what_to_do_next(folder: str | None, thresholds: dict[str, Any], told: str) -> None:
    assert told in summary({**RECORD, "thresholds": thresholds}, folder).splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["--split", "nonsense"], "nonsense"),
        (["--limit", "0"], "--limit is 0"),
        (["--stride", "300"], "--stride is 300"),
        (["--dataset", "rvl-cdip"], "token-classification"),
        (["--output", "s3://bucket/model"], "--output is a folder"),
        (["--model", "untrained", "--output", "calibrated"], "untrained has no files"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_and_the_reason(
    changes: list[str], reason: str, pages: Path, overconfident: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(pages, overconfident), *changes]) == 2
    assert reason in capsys.readouterr().err


def test_a_folder_with_another_model_is_not_written_to(
    pages: Path, overconfident: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    assert main(arguments(pages, overconfident, "--output", str(other))) == 2
    assert "holds another checkpoint" in capsys.readouterr().err


def test_a_damaged_decoding_ends_with_status_1(
    pages: Path, overconfident: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_decoding(Decoding(), overconfident)
    (overconfident / "decoding.json").write_text("{")
    assert main(arguments(pages, overconfident)) == 1
    assert "decoding.json is damaged" in capsys.readouterr().err


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for name in Options.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in told
