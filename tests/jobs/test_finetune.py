"""Fine-tuning as users run it: on one worker and two, killed in part and as a whole, on a folder and on S3."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

import model as model_package
from jobs.finetune import Options, main
from pipelines.runtime.output_record import OutputConflictError
from pipelines.stages.model_loader import check_task, load_model, load_tokenizer, model_labels
from pipelines.storage.files import Storage, join_uri
from pipelines.training.errors import TrainingError
from pipelines.training.finetune import finetune
from pipelines.training.metrics_log import read_metrics
from tests.conftest import REPOSITORY
from tests.model.small_layoutxlm import write_layoutxlm_checkpoint
from tests.pipelines.datasets.drawn_corpus import draw_corpus, write_tiny_config

pytestmark = pytest.mark.xdist_group("ray")
on_ray = pytest.mark.usefixtures("ray_cluster")

STEPS, EVALUATED_EVERY = 12, 4
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
    def curve(self) -> list[tuple[int, float]]:
        return [(line["step"], line["loss"]) for line in self.lines if "loss" in line]

    @property
    def evaluations(self) -> list[tuple[int, dict[str, Any]]]:
        return [(line["step"], line["dev_values"]) for line in self.lines if "dev" in line]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finetune")
    draw_corpus(folder / "corpus")
    write_tiny_config(folder)
    return folder


def options_for(home: Path, output: str | Path, **values: Any) -> Options:
    defaults: dict[str, Any] = {
        "dataset": "funsd",
        "data": str(home / "corpus"),
        "output": str(output),
        "config": str(home / "tiny.json"),
        "train_split": "train+dev",
        "dev_split": "test",
        "steps": STEPS,
        "batch_size": 4,
        "micro_batch_size": 2,
        "new_parts_learning_rate": 3e-3,
        "average_weights": 0.5,
        "mask_words": 0.1,
        "warmup_fraction": 0.2,
        "evaluate_every": EVALUATED_EVERY,
        "log_every": 1,
        "cache": str(home / "examples"),
        "threads": 1,
    }
    return Options(**{**defaults, **values})


def run(options: Options) -> Finished:
    return Finished(options, finetune(options.finetune_options()))


@pytest.fixture(scope="module")
def undisturbed(home: Path, ray_cluster: None) -> Finished:
    return run(options_for(home, home / "undisturbed"))


def arguments_of(options: Options) -> list[str]:
    arguments = []
    for name, value in vars(options).items():
        if value is not None and value is not False:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    return arguments


@contextlib.contextmanager
def once(condition: Callable[[], bool], action: Callable[[], None]) -> Iterator[list[bool]]:
    """While the block runs, wait for a condition and act on it; yields a list that is not empty when that was done."""
    done: list[bool] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            if condition():
                action()
                done.append(True)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def training_processes() -> list[int]:
    """The processes of Ray Train's workers below this one."""
    parents: dict[int, int] = {}
    titles: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                status = (folder / "status").read_text()
                parents[int(folder.name)] = int(status.split("PPid:")[1].split()[0])
                titles[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")

    def is_below(process: int) -> bool:
        while process in parents:
            process = parents[process]
            if process == os.getpid():
                return True
        return False

    return sorted(pid for pid, title in titles.items() if title.startswith("ray::RayTrainWorker") and is_below(pid))


def has_evaluated(storage: Storage, output: str, times: int = 1) -> bool:
    return sum("dev" in line for line in read_metrics(storage, output)) >= times


@on_ray
def test_the_loss_falls_and_the_best_checkpoint_is_a_model_for_extraction(undisturbed: Finished) -> None:
    losses = [loss for _, loss in undisturbed.curve]
    assert losses[-1] < 0.8 * losses[0]
    output = Path(undisturbed.options.output)
    best = max(undisturbed.evaluations, key=lambda each: each[1]["f1"])
    assert undisturbed.record["best"]["dev"] == best[1]["f1"]
    model = str(output / "model")
    check_task(model, "token-classification")
    assert (
        model_labels(model, "token-classification")[0] == "O" and len(model_labels(model, "token-classification")) == 7
    )
    assert load_tokenizer(model).tokenize("Invoice")
    loaded = load_model(model, "token-classification").model
    assert torch.equal(loaded.state_dict()["classifier.weight"], undisturbed.weights["classifier.weight"])
    names = {path.name for path in (output / "model").iterdir()}
    assert "training_state.pt" not in names and {"config.json", "vocab.txt"} <= names
    assert model_package.LayoutLMv2Processor.from_pretrained(output / "model").image_processor.apply_ocr
    for checkpoint in output.glob("checkpoints/step-*"):
        model_package.LayoutLMv2ForTokenClassification.from_pretrained(checkpoint)


@on_ray
def test_metrics_and_curve_tell_of_every_step_once(undisturbed: Finished) -> None:
    assert [step for step, _ in undisturbed.curve] == list(range(1, STEPS + 1))
    assert [step for step, _ in undisturbed.evaluations] == [4, 8, 12]
    assert all(line["windows_per_second"] > 0 for line in undisturbed.lines if "loss" in line)
    rates = [line["new_parts_learning_rate"] for line in undisturbed.lines if "loss" in line]
    assert max(rates) == pytest.approx(3e-3) and rates.index(max(rates)) in (1, 2) and rates[-1] < rates[-2]
    assert Path(undisturbed.options.output, "curve.png").read_bytes().startswith(b"\x89PNG")


@on_ray
def test_a_finished_run_is_not_done_again_and_another_one_not_mixed_in(undisturbed: Finished) -> None:
    output = Path(undisturbed.options.output)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    assert run(undisturbed.options).record == undisturbed.record
    with pytest.raises(OutputConflictError, match=r"options.training.optimizer.learning_rate was 5e-05 and is 0.001"):
        run(replace(undisturbed.options, learning_rate=1e-3))
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()} == before


def run_of_which_one_worker_dies(options: Options) -> Finished:
    def kill_one() -> None:
        os.kill(training_processes()[-1], signal.SIGKILL)

    storage = Storage()  # it takes longer to make than to ask
    with once(lambda: has_evaluated(storage, options.output), kill_one) as killed:
        finished = run(options)
    assert killed, "the run ended before a worker was killed"
    return finished


@pytest.mark.slow
@on_ray
def test_two_workers_of_which_one_dies_come_to_the_same_curve_as_one(home: Path, undisturbed: Finished) -> None:
    finished = run_of_which_one_worker_dies(options_for(home, home / "two", workers=2))
    steps, losses = zip(*finished.curve, strict=True)
    assert list(steps) == list(range(1, STEPS + 1))
    assert list(losses) == pytest.approx([loss for _, loss in undisturbed.curve], rel=1e-4)
    for name, tensor in finished.weights.items():
        torch.testing.assert_close(tensor, undisturbed.weights[name], rtol=1e-2, atol=1e-4)


def stopped(options: Options, evaluations: int, how: signal.Signals, log: Path) -> int:
    """The job as a process, stopped by a signal after so many evaluations; returns its exit status."""
    command = [sys.executable, "-m", "jobs.finetune", *arguments_of(options), "--address", "local"]
    storage = Storage()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=file,
            stderr=file,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )
        try:
            deadline = time.monotonic() + WAIT_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                if has_evaluated(storage, options.output, evaluations):
                    break
                time.sleep(0.05)
            process.send_signal(how)
            return process.wait(WAIT_SECONDS)
        finally:
            process.kill()
            process.wait()


@pytest.mark.slow
@on_ray
def test_a_run_stopped_and_killed_as_a_whole_goes_on_to_the_very_same_weights(
    home: Path, undisturbed: Finished
) -> None:
    options = options_for(home, home / "killed")
    status = stopped(options, 1, signal.SIGINT, home / "stopped.log")
    told = (home / "stopped.log").read_text()
    assert status == 130 and "the same command goes on from the last checkpoint" in told, told[-3000:]
    assert stopped(options, 2, signal.SIGKILL, home / "killed.log") == -signal.SIGKILL
    killed = Finished(options, {})
    assert killed.evaluations and not Path(options.output, "model").exists(), (home / "killed.log").read_text()[-3000:]
    finished = run(options)
    assert finished.curve == undisturbed.curve
    assert finished.evaluations == undisturbed.evaluations
    assert finished.weights.keys() == undisturbed.weights.keys()
    assert all(torch.equal(tensor, undisturbed.weights[name]) for name, tensor in finished.weights.items())


@pytest.mark.slow
@on_ray
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(home: Path, undisturbed: Finished) -> None:
    options = options_for(home, home / "damaged", evaluate_every=3)
    assert stopped(options, 3, signal.SIGINT, home / "damaged.log") == 130
    checkpoints = Path(options.output, "checkpoints")
    snapshot = json.loads((checkpoints / "checkpoint_manager_snapshot.json").read_text())
    folder = checkpoints / snapshot["latest_checkpoint_result"]["checkpoint_dir_name"]
    others = {path.name for path in checkpoints.glob("step-*")} - {folder.name}
    assert others, "the one before it is kept"
    os.truncate(folder / "training_state.pt", 5000)
    with pytest.raises(TrainingError, match=f"{folder}/training_state.pt is damaged.*remove the folder {folder}"):
        run(options)
    assert {path.name for path in checkpoints.glob("step-*")} == {folder.name, *others}
    shutil.rmtree(folder)
    finished = run(options)
    assert finished.record["status"] == "done" and finished.curve == undisturbed.curve


def questions_on_s3(home: Path, output: str, start: Finished, **values: Any) -> Options:
    defaults: dict[str, Any] = {
        "task": "question-answering",
        "model": join_uri(start.options.output, "model"),
        "config": None,
        "cache": None,
        "steps": 8,
        "dtype": "bfloat16",
        "gradient_checkpointing": True,
        "freeze_backbone": True,
    }
    return options_for(home, output, **{**defaults, **values})


def check_questions_on_s3(finished: Finished, start: Finished) -> None:
    output, weights, before = finished.options.output, finished.weights, start.weights
    frozen = [name for name in weights if ".visual." in name]
    assert frozen and all(torch.equal(weights[name], before[name]) for name in frozen)
    word = "layoutlmv2.encoder.layer.0.intermediate.dense.weight"
    assert not torch.equal(weights[word], before[word]) and torch.allclose(weights[word], before[word], atol=0.01)
    assert Storage().exists(join_uri(output, "curve.png"))
    check_task(join_uri(output, "model"), "question-answering")


@pytest.mark.slow
@on_ray
def test_questions_are_learned_on_s3_from_another_checkpoint_by_workers_of_which_one_dies(
    home: Path, s3_prefix: str, undisturbed: Finished
) -> None:
    options = questions_on_s3(home, s3_prefix, undisturbed, workers=2, evaluate_every=4)
    finished = run_of_which_one_worker_dies(options)
    assert [step for step, _ in finished.curve] == list(range(1, 9))
    assert [step for step, _ in finished.evaluations] == [4, 8] and finished.record["best"]["step"] in (4, 8)
    check_questions_on_s3(finished, undisturbed)


@pytest.mark.slow
@on_ray
def test_a_layoutxlm_checkpoint_is_fine_tuned_with_its_own_tokenizer(home: Path) -> None:
    checkpoint = write_layoutxlm_checkpoint(home / "layoutxlm")
    values = {"model": str(checkpoint), "config": None, "cache": str(home / "layoutxlm-examples")}
    finished = run(options_for(home, home / "from-layoutxlm", steps=3, evaluate_every=3, **values))
    assert [step for step, _ in finished.curve] == [1, 2, 3] and finished.record["status"] == "done"
    model = join_uri(finished.options.output, "model")
    assert isinstance(load_tokenizer(model), model_package.LayoutXLMTokenizer)
    assert (
        Storage().read(join_uri(model, "sentencepiece.bpe.model"))
        == (checkpoint / "sentencepiece.bpe.model").read_bytes()
    )
    name = "layoutlmv2.embeddings.word_embeddings.weight"
    before = load((checkpoint / "model.safetensors").read_bytes())[name]
    assert not torch.equal(finished.weights[name], before) and finished.weights[name].shape == before.shape


@pytest.mark.slow
@on_ray
def test_without_a_split_to_evaluate_the_last_checkpoint_is_the_best(
    home: Path, s3_prefix: str, undisturbed: Finished
) -> None:
    finished = run(questions_on_s3(home, s3_prefix, undisturbed, evaluate_every=None, dev_split=""))
    assert finished.record["best"] == {"step": 8}
    check_questions_on_s3(finished, undisturbed)


@pytest.mark.slow
@on_ray
def test_a_loss_that_is_no_number_ends_the_run_with_the_way_out(home: Path) -> None:
    options = options_for(home, home / "diverged", new_parts_learning_rate=1e30, gradient_clip=0.0, warmup_fraction=0.0)
    with pytest.raises(TrainingError, match=r"NaN or infinite at step .*--new-parts-learning-rate"):
        run(options)


@on_ray
def test_shared_batch_statistics_are_refused_where_there_is_no_gpu(home: Path) -> None:
    with pytest.raises(ValueError, match="--synchronize-batch-norm needs GPUs"):
        run(options_for(home, home / "no-gpu", synchronize_batch_norm=True))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "mnist"}, "--dataset is 'mnist'; it is one of funsd"),
        ({"epochs": 2}, "--epochs and --steps both"),
        ({"model": "microsoft/layoutlmv2-base-uncased", "init_text": "bert-base-uncased"}, "give one of them"),
        ({"workers": 4, "micro_batch_size": 2}, "4 workers cannot share evenly"),
        ({"learning_rate": 0.0}, "--learning-rate is 0"),
        ({"warmup_fraction": 1.5}, "--warmup-fraction is 1.5"),
        ({"stride": 400}, "--stride is 400"),
        ({"mask_words": 2.0}, "mask-words is 2"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2_before_anything_starts(
    home: Path, tmp_path: Path, values: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments_of(options_for(home, tmp_path / "out", **values))) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sizes_that_make_no_model_end_with_status_2(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = json.loads((home / "tiny.json").read_text()) | {"hidden_size": 33}
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    assert main(arguments_of(options_for(home, tmp_path / "out", config=str(tmp_path / "odd.json")))) == 2
    assert "hidden_size" in capsys.readouterr().err
