from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.evaluate import Options, main
from model.untrained import untrained_config, untrained_model
from tests.drawn_form import Block, write_form

FORM: list[Block] = [
    ("header", ["ORDER", "FORM"]),
    ("question", ["Name:"]),
    ("answer", ["Ann", "Berg"]),
    ("other", ["page", "1"]),
]


@pytest.fixture
def forms(tmp_path: Path) -> Path:
    """Three forms in FUNSD's layout, as its test split."""
    for number in range(3):
        write_form(tmp_path / "funsd" / "testing_data", f"form-{number}", FORM)
    return tmp_path / "funsd"


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_the_last_line_is_one_json_object_of_figures(
    forms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("jobs.evaluate.connect_to_ray", lambda address: None)  # this process is connected
    (forms / "testing_data" / "annotations" / "form-2.json").write_text('{"form": [')
    arguments = ["--task", "token-classification", "--dataset", "funsd", "--data", str(forms), "--split", "test"]
    arguments += ["--model", "untrained", "--output", str(tmp_path / "out"), "--predictions", "--read-workers", "1"]
    assert main(arguments) == 0
    *table, report, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert (figures["dataset"], figures["split"], figures["metric"]) == ("funsd", "test", "f1")
    assert (figures["pages"], figures["support"], figures["problems"]) == (2, 6, 1)
    assert set(figures["by_label"]) >= {"HEADER", "QUESTION", "ANSWER"}
    assert any(line.split()[:1] == ["overall"] and line.split()[-1] == "6" for line in table)
    assert report == f"report: {tmp_path}/out/report.html"
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == figures
    assert "form-2.json" in caplog.text, "a broken annotation is named"
    assert list((tmp_path / "out" / "predictions").iterdir())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--split", "nonsense"], "nonsense"),
        (["--limit", "0"], "--limit is 0"),
        (["--stride", "300"], "--stride is 300"),
        (["--report-pages", "-1"], "--report-pages is -1"),
        (["--predictions"], "--output"),
        (["--dataset", "nonsense"], "nonsense"),
        (["--language", "de"], "--language is 'de', and funsd has one language"),
        (["--data", "gs://bucket/x"], "only local paths and s3://"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_and_the_reason(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str], forms: Path
) -> None:
    given = ["--dataset", "funsd", "--data", str(forms), "--split", "test", *arguments]
    assert main(given) == 2
    assert reason in capsys.readouterr().err


def test_forms_in_several_languages_need_a_choice_of_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for language in ("de", "zh"):
        (tmp_path / f"{language}.val.json").write_text('{"documents": []}')
    given = ["--dataset", "xfund", "--data", str(tmp_path), "--split", "val"]
    assert main(given) == 2
    assert "has forms in de, zh: choose with --language" in capsys.readouterr().err
    assert main([*given, "--language", "fr"]) == 2
    assert "--language is 'fr'" in capsys.readouterr().err


def test_a_model_whose_labels_do_not_fit_ends_with_status_2_and_both_label_sets(
    capsys: pytest.CaptureFixture[str], forms: Path, tmp_path: Path
) -> None:
    from model import LayoutLMv2ForTokenClassification

    config = untrained_config("token-classification")
    config.id2label, config.label2id = {0: "O", 1: "B-TOTAL"}, {"O": 0, "B-TOTAL": 1}
    LayoutLMv2ForTokenClassification(config).save_pretrained(str(tmp_path / "model"))
    given = ["--dataset", "funsd", "--data", str(forms), "--split", "test", "--model", str(tmp_path / "model")]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert "O, B-TOTAL" in error and "B-QUESTION" in error


def test_a_model_for_another_task_ends_with_status_2(
    capsys: pytest.CaptureFixture[str], forms: Path, tmp_path: Path
) -> None:
    from model import LayoutLMv2ForSequenceClassification

    model = untrained_model(LayoutLMv2ForSequenceClassification, "sequence-classification")
    model.save_pretrained(str(tmp_path / "model"))
    given = ["--dataset", "funsd", "--data", str(forms), "--split", "test", "--model", str(tmp_path / "model")]
    assert main(given) == 2
    assert "SequenceClassification" in capsys.readouterr().err


@pytest.mark.parametrize(("missing", "status"), [("data", 2), ("model", 1)])
def test_data_or_a_model_that_is_not_there_ends_the_run_and_is_named(
    missing: str, status: int, capsys: pytest.CaptureFixture[str], forms: Path, tmp_path: Path
) -> None:
    given = {"dataset": "funsd", "data": str(forms), "split": "test", "model": "untrained"}
    given[missing] = str(tmp_path / "nothing-here")
    assert main([word for name, value in given.items() for word in (f"--{name}", value)]) == status
    assert "nothing-here" in capsys.readouterr().err


def test_a_broken_annotation_ends_a_strict_run_with_status_1(capsys: pytest.CaptureFixture[str], forms: Path) -> None:
    (forms / "testing_data" / "annotations" / "form-1.json").write_text("{")
    assert main(["--dataset", "funsd", "--data", str(forms), "--split", "test", "--strict"]) == 1
    assert "form-1.json" in capsys.readouterr().err


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for name in Options.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in told
