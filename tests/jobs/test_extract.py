from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.extract import Options, main, summary
from model import LayoutLMv2ForTokenClassification
from model.decoding import Decoding, save_decoding
from model.score_curve import ScorePoint
from model.untrained import untrained_model
from tests.model.small_layoutxlm import write_layoutxlm_checkpoint
from tests.s3_server import S3Server

REPOSITORY = Path(__file__).resolve().parents[2]


def run_job(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The job as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "jobs.extract", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.xdist_group("ray")
@pytest.mark.parametrize(
    "workers",
    [
        pytest.param(("--read-workers", "1"), id="in its own process"),
        pytest.param(("--model-workers", "2"), id="on a Ray that it starts", marks=pytest.mark.slow),
    ],
)
def test_the_command_reads_a_folder_and_says_what_it_did(
    workers: tuple[str, str], samples_directory: Path, small_scan: Path, tmp_path: Path
) -> None:
    done = run_job(
        "--input",
        str(small_scan),
        str(samples_directory / "supplier-form.pdf"),
        "--output",
        str(tmp_path / "out"),
        *workers,
    )
    assert done.returncode == 0, done.stderr
    assert "2 documents: 2 ok, 0 failed" in done.stdout
    assert "4 pages: 4 ok, 0 failed, 0 missing" in done.stdout
    assert "untrained" not in done.stdout
    assert f"report: {tmp_path}/out/report.html" in done.stdout
    assert re.search(r"pages 4/4 \(0 failed\), [\d.]+ pages/s", done.stderr), done.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "done"
    pages = pq.read_table(tmp_path / "out" / "pages").to_pylist()
    assert len(pages) == 4
    answers = [entity for page in pages for entity in page["entities"] if entity["label"] == "ANSWER"]
    assert len(answers) > 20, "the model that comes with the package reads forms"


def test_a_layoutxlm_checkpoint_reads_a_document(
    samples_directory: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_layoutxlm_checkpoint(tmp_path / "layoutxlm")
    arguments = ["--model", str(checkpoint), "--output", str(tmp_path / "out"), "--read-workers", "1"]
    arguments += ["--input", str(samples_directory / "supplier-form.pdf"), "--text", "layer", "--decode", "words"]
    assert main(arguments) == 0, capfd.readouterr().err
    pages = pq.read_table(tmp_path / "out" / "pages").to_pylist()
    assert [page["status"] for page in pages] == ["ok"] * 3
    assert {page["model"].partition("@")[0] for page in pages} == {"layoutxlm"}
    for page in pages:
        assert len(page["labels"]) == len(page["words"]) > 0
        assert set(page["labels"]) <= {"O", "B-KEY", "I-KEY"}


@pytest.mark.xdist_group("ray")
def test_wrong_credentials_end_the_job_with_one_clear_line(s3_server: S3Server, tmp_path: Path) -> None:
    done = run_job("--input", "s3://documents/forms", "--output", str(tmp_path), AWS_SECRET_ACCESS_KEY="wrong")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "access_denied" in errors[0] and "check the credentials" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--task", "question-answering"], "give --model"),
        (["--task", "question-answering", "--model", "untrained"], "at least one question"),
        (["--questions", "Why?"], "--task question-answering"),
        (["--dpi", "0"], "--dpi is 0"),
        (["--limit", "-3"], "--limit is -3"),
        (["--stride", "300"], "--stride is 300"),
        (["--ocr-lang", "tlh"], "tlh"),
        (["--input", "gs://bucket/x"], "only local paths and s3://"),
        (["--accept-precision", "0.95", "--model", "untrained"], "run jobs.calibrate"),
        (["--fields", "nothing.yaml"], "--fields nothing.yaml: there is no such file"),
        (["--accept-precision", "95", "--model", "untrained"], "--accept-precision is 95"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_and_the_reason(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["--input", str(tmp_path), "--output", str(tmp_path / "out"), *arguments]
    assert main(given) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--input", "x"], ["--input", "x", "--output", "y", "--task", "guess"]])
def test_options_that_cannot_be_parsed_end_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_a_model_that_is_not_there_is_said_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert (
        main(["--input", str(tmp_path), "--output", str(tmp_path / "out"), "--model", str(tmp_path / "nothing")]) == 1
    )
    assert "nothing" in capsys.readouterr().err


def test_a_precision_becomes_the_score_at_which_fields_are_accepted(tmp_path: Path) -> None:
    model = untrained_model(LayoutLMv2ForTokenClassification, "token-classification")
    model.save_pretrained(str(tmp_path / "model"))
    curve = (ScorePoint(0.9, 1000, 980), ScorePoint(0.2, 2000, 1200))
    save_decoding(Decoding(score_curves={"pairs": curve}), tmp_path / "model")
    given = Options((str(tmp_path),), str(tmp_path / "out"), str(tmp_path / "model"), text="layer")
    assert given.run_options().acceptance is None
    accepting = replace(given, accept_precision=0.95).run_options()
    assert accepting.acceptance is not None and accepting.acceptance.min_score == 0.9
    assert accepting.result_options() == given.run_options().result_options(), "pages do not depend on it"


def test_an_output_of_the_version_before_is_completed_by_the_default_decoding(tmp_path: Path) -> None:
    given = Options((str(tmp_path),), str(tmp_path / "out"), "untrained", text="layer")
    assert "decode" not in given.run_options().result_options()["extract"]
    asked = replace(given, decode="words").run_options()
    assert asked.result_options()["extract"]["decode"] == "words"


def test_an_output_without_pictures_is_completed_by_the_default_and_one_with_them_by_the_option(tmp_path: Path) -> None:
    given = Options((str(tmp_path),), str(tmp_path / "out"), "untrained", text="layer")
    assert "keep_pictures" not in given.run_options().result_options()["extract"]
    assert replace(given, keep_pictures=True).run_options().result_options()["extract"]["keep_pictures"] is True


def test_the_summary_says_what_was_accepted_and_what_is_to_review() -> None:
    counts = {"listed": 1, "ok": 1, "failed": 0, "by_error_kind": {}, "promised": 1, "missing": 0}
    record = {"documents": counts, "pages": counts, "pages_this_run": 1, "pages_per_second": 1.0, "model": "m"}
    record |= {"fields": {"rows": 240}, "records": None}
    assert "\n240 fields\n" in summary(record, "out")
    record |= {"fields_accepted": 210, "fields_needs_review": 30, "fields_errors_left": {"low": 4.0, "high": 10.5}}
    assert "\n240 fields: 210 accepted, of which 4 to 10.5 are wrong, 30 to review\n" in summary(record, "out")


def test_help_explains_every_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for name in Options.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in printed
    assert "dots per inch" in printed and "(default: 200)" in printed
