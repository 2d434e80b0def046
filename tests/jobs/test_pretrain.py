"""`jobs.pretrain`: from kept pages to a checkpoint, the same weights whatever happens on the way."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from jobs.extract import main as extract
from jobs.pretrain import Options, main
from model import LayoutLMv2ForPreTraining
from pipelines.runtime.output_record import OutputConflictError
from pipelines.schema import Row
from pipelines.storage.files import Storage, join_uri
from pipelines.training.errors import TrainingError
from pipelines.training.initialization import choose_init, initialize_model
from pipelines.training.metrics_log import read_metrics
from pipelines.training.pretrain import check_learned, pretrain
from tests.conftest import BUCKET, REPOSITORY
from tests.jobs.test_finetune import once, training_processes
from tests.pipelines.datasets.drawn_corpus import write_tiny_config
from tests.pipelines.training.kept_pages import kept_page, many_pages, write_kept_pages
from tests.s3_server import S3Server

pytestmark = pytest.mark.xdist_group("ray")
on_ray = pytest.mark.usefixtures("ray_cluster")

STEPS, EVALUATED_EVERY = 6, 3
WAIT_SECONDS = 180


@dataclass(frozen=True)
class Finished:
    """A run that ended: its options, what it returned, its lines and its weights."""

    options: Options
    record: dict[str, Any]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return read_metrics(Storage(), self.options.output)

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load(Storage().read(join_uri(self.options.output, "model", "model.safetensors")))

    @property
    def curve(self) -> list[tuple[int, dict[str, float]]]:
        return [(line["step"], line["losses"]) for line in self.lines if "losses" in line]

    @property
    def evaluations(self) -> list[tuple[int, dict[str, Any]]]:
        return [(line["step"], line["held_out"]) for line in self.lines if "held_out" in line]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    write_kept_pages(str(folder / "kept"), corpus())
    write_tiny_config(folder)
    return folder


def corpus() -> list[Row]:
    """Pages of twelve documents; the picture of one page of a document that is learned is damaged."""
    pages = many_pages(12, 3)
    learned = max(pages, key=lambda page: page["document_id"][16:])  # held out are those where this is least
    learned["picture"] = b"no image"
    return pages


def options_for(home: Path, output: str | Path, **values: Any) -> Options:
    defaults: dict[str, Any] = {
        "data": (str(home / "kept"),),
        "output": str(output),
        "config": str(home / "tiny.json"),
        "steps": STEPS,
        "batch_size": 8,
        "micro_batch_size": 4,
        "learning_rate": 3e-3,
        "held_out_fraction": 0.25,
        "evaluate_every": EVALUATED_EVERY,
        "log_every": 1,
        "threads": 1,
    }
    return Options(**{**defaults, **values})


def run(options: Options) -> Finished:
    return Finished(options, pretrain(options.pretrain_options()))


@pytest.fixture(scope="module")
def undisturbed(home: Path, ray_cluster: None) -> Finished:
    return run(options_for(home, home / "undisturbed"))


@pytest.fixture(scope="module")
def disturbed(home: Path, s3_server: S3Server, ray_cluster: None) -> Finished:
    """A run of two workers on S3, of which one dies after the first evaluation."""
    prefix = f"s3://{BUCKET}/{secrets.token_hex(6)}"
    data = join_uri(prefix, "kept")
    write_kept_pages(data, corpus())
    return run_of_which_a_worker_dies(options_for(home, join_uri(prefix, "two"), data=(data,), workers=2))


@on_ray
def test_the_losses_fall_and_the_result_is_a_checkpoint_to_fine_tune_from(disturbed: Finished) -> None:
    steps, losses = zip(*disturbed.curve, strict=True)
    assert list(steps) == list(range(1, STEPS + 1))
    assert losses[-1]["masked-words"] < 0.95 * losses[0]["masked-words"]
    model = join_uri(disturbed.options.output, "model")
    names = {file.uri.rsplit("/", 1)[-1] for file in Storage().list(model)}
    assert {"config.json", "model.safetensors", "vocab.txt", "preprocessor_config.json"} <= names
    assert "training_state.pt" not in names
    assert not LayoutLMv2ForPreTraining.from_pretrained(model).new_tensors
    start = choose_init(model, None, None)
    finetuned = initialize_model(start, "token-classification", ("O", "B-X"), seed=0)
    assert finetuned.new == {"classifier.weight", "classifier.bias"}
    for name, tensor in disturbed.weights.items():
        if name.startswith("layoutlmv2."):
            assert torch.equal(tensor, finetuned.model.state_dict()[name]), name


@on_ray
def test_each_objective_is_measured_on_held_out_pages_beside_its_chance(disturbed: Finished) -> None:
    assert [step for step, _ in disturbed.evaluations] == [3, 6]
    figures = disturbed.evaluations[-1][1]
    assert list(figures) == ["masked-words", "alignment", "matching"]
    for name, each in figures.items():
        assert each["targets"] > 0 and 0 <= each["accuracy"] <= 1 and 0 < each["chance_accuracy"] <= 1, name
    assert disturbed.record["held_out"] == figures
    assert Storage().read(join_uri(disturbed.options.output, "curve.png")).startswith(b"\x89PNG")


@on_ray
def test_pages_that_cannot_be_read_are_counted_and_named(disturbed: Finished) -> None:
    epochs = STEPS * disturbed.options.batch_size // disturbed.record["corpus"]["training_pages"]
    lost = [line for line in disturbed.lines if "lost" in line]
    assert len(lost) == disturbed.record["lost_pages"] >= epochs
    for line in lost:
        assert line["lost_pages"] == 1 and "the picture of a page cannot be read" in line["lost"][0]
        assert re.search(r"pages/part-00000001-.*\.parquet, row \d of row group \d", line["lost"][0])


@on_ray
def test_a_finished_run_is_not_done_again_and_other_options_or_pages_are_not_mixed_in(
    home: Path, disturbed: Finished
) -> None:
    assert run(disturbed.options).record == disturbed.record
    with pytest.raises(OutputConflictError, match=r"options.training.shares.covered_lines was 0.15 and is 0.3"):
        run(replace(disturbed.options, covered_lines=0.3))
    write_kept_pages(str(home / "more"), [kept_page(f"{number}.pdf", 0) for number in range(5)])
    with pytest.raises(OutputConflictError, match=r"corpus.training_pages was \d+ and is \d+; options.data"):
        run(replace(disturbed.options, data=(*disturbed.options.data, str(home / "more"))))


@pytest.mark.slow
@on_ray
def test_two_workers_of_which_one_dies_have_the_curve_of_one(disturbed: Finished, undisturbed: Finished) -> None:
    assert [step for step, _ in disturbed.curve] == [step for step, _ in undisturbed.curve]
    for (_, losses), (_, alone) in zip(disturbed.curve, undisturbed.curve, strict=True):
        assert losses == pytest.approx(alone, rel=1e-3)
    for (_, figures), (_, alone) in zip(disturbed.evaluations, undisturbed.evaluations, strict=True):
        assert all(figures[name]["targets"] == alone[name]["targets"] for name in alone)
        assert all(figures[name]["loss"] == pytest.approx(alone[name]["loss"], rel=1e-2) for name in alone)
    assert disturbed.record["lost_pages"] == undisturbed.record["lost_pages"]


def has_evaluated(storage: Storage, output: str) -> bool:
    return any("held_out" in line for line in read_metrics(storage, output))


def run_of_which_a_worker_dies(options: Options) -> Finished:
    """A run of which a worker is killed after the first evaluation."""

    def kill() -> None:
        os.kill(training_processes()[-1], signal.SIGKILL)

    storage = Storage()  # it takes longer to make than to ask
    with once(lambda: has_evaluated(storage, options.output), kill) as killed:
        finished = run(options)
    assert killed, "the run ended before its worker was killed"
    return finished


def assert_same_run(finished: Finished, undisturbed: Finished) -> None:
    assert finished.curve == undisturbed.curve
    assert finished.evaluations == undisturbed.evaluations
    assert finished.weights.keys() == undisturbed.weights.keys()
    assert all(torch.equal(tensor, undisturbed.weights[name]) for name, tensor in finished.weights.items())


@pytest.mark.slow
@on_ray
def test_a_run_whose_worker_is_killed_ends_with_the_very_same_weights(home: Path, undisturbed: Finished) -> None:
    assert_same_run(run_of_which_a_worker_dies(options_for(home, home / "worker-killed")), undisturbed)


@pytest.mark.slow
@on_ray
def test_a_job_that_is_killed_and_started_again_ends_with_the_very_same_weights(
    home: Path, undisturbed: Finished
) -> None:
    options = options_for(home, home / "job-killed")
    command = [sys.executable, "-m", "jobs.pretrain", *arguments_of(options), "--address", "local"]
    storage = Storage()
    with (home / "killed.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + WAIT_SECONDS
            while process.poll() is None and time.monotonic() < deadline and not has_evaluated(storage, options.output):
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
    told = (home / "killed.log").read_text()
    assert has_evaluated(storage, options.output) and not Path(options.output, "model").exists(), told[-3000:]
    assert_same_run(run(options), undisturbed)


@pytest.mark.slow
@on_ray
def test_pages_of_jobs_extract_are_learned_from_an_earlier_pre_training_on(
    home: Path, samples_directory: Path, undisturbed: Finished
) -> None:
    extracted = ["--input", str(samples_directory / "supplier-form.pdf"), "--output", str(home / "extracted")]
    assert extract([*extracted, "--model", "untrained", "--text", "layer", "--keep-pictures"]) == 0
    earlier = join_uri(undisturbed.options.output, "model")
    values = {"data": (str(home / "extracted"),), "model": earlier, "config": None, "held_out_fraction": 0.0}
    finished = run(options_for(home, home / "further", steps=1, objectives=("masked-words",), **values))
    assert [line["step"] for line in finished.lines] == [1] and "losses" not in finished.lines[0]
    head = "cls.predictions.bias"
    assert not torch.equal(finished.weights[head], undisturbed.weights[head])
    assert torch.allclose(finished.weights[head], undisturbed.weights[head], atol=0.01)


def test_a_run_without_any_window_to_learn_from_is_no_success() -> None:
    nothing: dict[str, Any] = {"step": 1, "loss": 0.0, "windows_per_second": 0.0}
    check_learned([nothing, {**nothing, "windows_per_second": 0.5}, {"step": 1, "held_out": {}}])
    with pytest.raises(TrainingError, match="no page has words and a picture"):
        check_learned([nothing, {"step": 1, "held_out": {}}])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": ("kept", "kept/")}, "--data names an output twice"),
        ({"epochs": 2}, "--epochs and --steps both"),
        ({"workers": 3}, "3 workers cannot share evenly"),
        ({"masked_tokens": 1.5}, "masked_tokens is 1.5"),
        ({"hidden": 0.8, "random": 0.3}, "hidden and random are more than 1"),
        ({"held_out_fraction": 1.0}, "--held-out-fraction is 1"),
        ({"held_out_pages": 0}, "--held-out-pages is 0"),
        ({"objectives": ("matching", "matching")}, "each once"),
        ({"learning_rate": -1.0}, "--learning-rate is -1"),
        ({"stride": 400}, "--stride is 400"),
        ({"model": "a", "init_text": "b"}, "give one of them"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_before_anything_starts(
    home: Path, tmp_path: Path, values: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments_of(options_for(home, tmp_path / "out", **values))) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def arguments_of(options: Options) -> list[str]:
    """The command line of these options."""
    found: list[str] = []
    for name, value in vars(options).items():
        if value is not None and value is not False:
            found += [f"--{name.replace('_', '-')}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    return found
