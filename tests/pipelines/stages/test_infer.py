from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from model import LayoutLMv2Tokenizer
from model.pretrained import LayoutLMv2PreTrainedModel
from model.runtimes.torch_runtime import TorchRuntime
from pipelines.schema import MODEL_IMAGE_SHAPE, TASKS, Row, Task
from pipelines.stages.infer import (
    Answers,
    Infer,
    InferOptions,
    PageFeatures,
    WindowPosition,
    collate,
    longest_page_first,
    plan_batches,
    window_positions,
)
from pipelines.stages.model_loader import load_runtime
from pipelines.stages.tokenize import Tokenize, TokenizeOptions

TOKENIZER = LayoutLMv2Tokenizer()


def page(word_count: int, task: Task = "token-classification", seed: int = 0) -> Row:
    random = np.random.default_rng(seed)
    words = [str(number) for number in random.integers(0, 10_000, word_count)]
    corners = random.integers(0, 900, (word_count, 2))
    row = {
        "status": "ok",
        "page_index": seed,
        "words": words,
        "boxes": [[x, y, x + 50, y + 20] for x, y in corners.tolist()],
        "model_image": random.integers(0, 256, MODEL_IMAGE_SHAPE, dtype=np.uint8).tobytes(),
        "seconds": {"rasterize": 0.0, "ocr": 0.0, "infer": 0.0},
    }
    questions = ("What?", "Who is it?") if task == "question-answering" else ()
    return next(Tokenize(TOKENIZER, TokenizeOptions(task, questions))([row]))


load_once = cache(load_runtime)


def infer(task: Task = "token-classification", **options: object) -> Infer:
    infer_options = InferOptions(task=task, **options)  # type: ignore[arg-type]
    loaded = load_once("untrained", infer_options)
    return Infer(loaded.runtime, loaded.name, infer_options)


def network(stage: Infer) -> LayoutLMv2PreTrainedModel:
    assert isinstance(stage.runtime, TorchRuntime)
    return stage.runtime.model


def as_on_a_gpu(stage: Infer) -> Infer:
    """The same stage, with batches across pages."""
    stage.answer = stage.batch_by_batch
    stage.pages_at_once = None
    return stage


@pytest.mark.parametrize("way", [as_on_a_gpu, lambda stage: stage], ids=["in batches", "window by window"])
@pytest.mark.parametrize("task", TASKS)
def test_logits_of_a_window_equal_those_of_the_model_on_it_alone(task: Task, way: Callable[[Infer], Infer]) -> None:
    rows = [page(count, task, seed) for seed, count in enumerate((5, 250, 0))]
    stage = way(infer(task))
    for row, result in zip(rows, stage(rows), strict=True):
        model_image = torch.from_numpy(
            np.frombuffer(row["model_image"], np.uint8).reshape(1, *MODEL_IMAGE_SHAPE).copy()
        )
        assert len(result["window_logits"]) == len(row["windows"])
        for window, logits in zip(row["windows"], result["window_logits"], strict=True):
            with torch.inference_mode():
                tensors = {name: torch.from_numpy(array) for name, array in collate([window]).items()}
                alone = network(stage)(**tensors, image=model_image)
            if task == "question-answering":
                expected = torch.stack([alone.start_logits, alone.end_logits], -1)[0, : len(window["input_ids"])]
            elif task == "token-classification":
                expected = alone.logits[0, : len(window["input_ids"])]
            else:
                expected = alone.logits[0]
            np.testing.assert_allclose(logits, expected.numpy().reshape(-1), atol=1e-4)


def test_windows_of_similar_length_are_batched_and_none_is_left_out() -> None:
    lengths = [512, 12, 300, 17, 512, 20, 290, 9]
    rows = [{"windows": [{"input_ids": [0] * length}]} for length in lengths]
    windows = [WindowPosition(page, 0) for page in range(len(lengths))]
    batches = plan_batches(rows, windows, batch_tokens=1024)
    assert sorted(window for batch in batches for window in batch) == windows
    assert [[lengths[page] for page, _ in batch] for batch in batches] == [[512, 512], [300, 290, 20], [17, 12, 9]]


def test_a_window_larger_than_the_batch_limit_is_a_batch_of_its_own() -> None:
    rows = [{"windows": [{"input_ids": [0] * 512}, {"input_ids": [0] * 512}]}]
    assert len(plan_batches(rows, [WindowPosition(0, 0), WindowPosition(0, 1)], batch_tokens=100)) == 2


def test_on_a_cpu_windows_of_the_longest_page_come_first() -> None:
    pages = [[9], [512, 12], [300], [512, 512, 512]]
    rows = [{"windows": [{"input_ids": [0] * length} for length in lengths]} for lengths in pages]
    windows = [WindowPosition(page, window) for page, lengths in enumerate(pages) for window in range(len(lengths))]
    assert [page for page, _ in longest_page_first(rows, windows)] == [3, 3, 3, 1, 1, 2, 0]


def test_batches_are_padded_to_their_longest_window_and_not_to_the_maximum() -> None:
    rows = [page(5), page(40)]
    tensors = collate([row["windows"][0] for row in rows])
    longest = max(len(row["windows"][0]["input_ids"]) for row in rows)
    assert collate(rows[0]["windows"])["input_ids"].shape == (1, len(rows[0]["windows"][0]["input_ids"]))
    assert longest <= tensors["input_ids"].shape[1] < longest + 8
    assert tensors["attention_mask"].sum() == sum(len(row["windows"][0]["input_ids"]) for row in rows)
    assert tensors["bbox"].shape == (*tensors["input_ids"].shape, 4)


@pytest.mark.parametrize(
    ("way", "images_of_calls"),
    [(as_on_a_gpu, [2]), (lambda stage: stage, [1, 1])],
    ids=["in batches", "window by window"],
)
def test_the_backbone_runs_once_for_all_windows_of_a_page(
    way: Callable[[Infer], Infer], images_of_calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = way(infer(threads=2, batch_tokens=600))
    seen = images_seen(stage, monkeypatch)
    rows = [page(1200), page(600)]
    windows = window_positions(rows)
    assert len(plan_batches(rows, windows, 600)) > len(rows), "a page's windows are in several batches"
    list(stage(rows))
    assert seen == images_of_calls


def test_the_backbone_runs_once_for_a_page_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = infer(threads=1)
    seen = images_seen(stage, monkeypatch)
    row = page(1200)
    features = PageFeatures([row], [0])
    for windows in stage.slices(row):
        stage.answer_slice(row, windows, features)
    assert len(stage.slices(row)) > 2 and seen == [1]


def images_seen(stage: Infer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of each call of the backbone from now on."""
    seen: list[int] = []
    image_features = stage.runtime.image_features
    monkeypatch.setattr(
        stage.runtime, "image_features", lambda images: (seen.append(len(images)), image_features(images))[1]
    )
    return seen


@pytest.mark.parametrize("way", [as_on_a_gpu, lambda stage: stage], ids=["in batches", "window by window"])
def test_a_page_whose_picture_is_damaged_fails_alone(way: Callable[[Infer], Infer]) -> None:
    rows = [page(5, seed=0), page(700, seed=1), page(5, seed=2)]
    rows[1]["model_image"] = b"short"
    results = list(way(infer())(rows))
    assert [row["status"] for row in results] == ["ok", "failed", "ok"]


@pytest.mark.parametrize("way", [as_on_a_gpu, lambda stage: stage], ids=["in batches", "window by window"])
def test_a_page_with_invalid_input_fails_alone(way: Callable[[Infer], Infer]) -> None:
    rows = [page(5, seed=0), page(5, seed=1), page(5, seed=2)]
    rows[1]["windows"][0]["bbox"] = np.full_like(rows[1]["windows"][0]["bbox"], 5000)
    results = list(way(infer())(rows))
    assert [row["status"] for row in results] == ["ok", "failed", "ok"]
    assert results[1]["error_kind"] == "internal" and "bbox" in results[1]["error"]


def test_failed_pages_pass_through() -> None:
    failed = {"status": "failed", "error_kind": "timeout", "error": "slow", "windows": None, "model_image": None}
    (result,) = infer()([failed])
    assert result["status"] == "failed" and result["error"] == "slow" and result["window_logits"] is None


@pytest.mark.parametrize("threads", [1, 2])
def test_the_logits_of_a_page_are_the_same_to_the_bit_alone_and_beside_others(threads: int) -> None:
    rows = [page(count, seed=seed) for seed, count in enumerate((30, 250, 60))]
    stage = infer(threads=threads)
    together = list(stage(rows))
    for row, expected in zip(rows, together, strict=True):
        (alone,) = stage([row])
        assert len(alone["window_logits"]) == len(expected["window_logits"]) == len(row["windows"])
        assert all(map(np.array_equal, alone["window_logits"], expected["window_logits"]))


@pytest.mark.parametrize("threads", [1, 8])
def test_results_and_their_order_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    rows = [page(count, seed=seed) for seed, count in enumerate((5, 400, 60, 0, 5))]
    (first,) = infer(threads=2)(rows[:1])
    results = list(infer(threads=threads)(rows))
    assert [row["page_index"] for row in results] == [0, 1, 2, 3, 4]
    assert [len(row["window_logits"]) for row in results] == [len(row["windows"]) for row in rows]
    np.testing.assert_allclose(results[0]["window_logits"][0], first["window_logits"][0], atol=1e-4)


@pytest.mark.parametrize(
    ("way", "slice_windows"), [(as_on_a_gpu, 2), (lambda stage: stage, 3)], ids=["on a GPU", "on a CPU"]
)
def test_a_page_in_slices_gets_the_logits_of_a_call(way: Callable[[Infer], Infer], slice_windows: int) -> None:
    row = page(1500)
    stage = way(infer(threads=3, batch_tokens=1024))
    (whole,) = stage([row])
    answers: Answers = {}
    slices, features = stage.slices(row), PageFeatures([row], [0])
    assert len(slices) > 2 and max(map(len, slices)) == slice_windows
    for windows in slices:
        answers |= stage.answer_slice(row, windows, features)
    (sliced,) = stage.results([row], answers, 1.0)
    assert sliced.keys() == whole.keys() and sliced["seconds"]["infer"] == pytest.approx(1.0)
    for ours, theirs in zip(sliced["window_logits"], whole["window_logits"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_window_of_a_slice_that_is_invalid_fails_its_page() -> None:
    row, stage = page(1500), infer(threads=2)
    row["windows"][1]["bbox"] = np.full_like(row["windows"][1]["bbox"], 5000)
    answers: Answers = {}
    features = PageFeatures([row], [0])
    for windows in stage.slices(row):
        answers |= stage.answer_slice(row, windows, features)
    (result,) = stage.results([row], answers, 1.0)
    assert result["status"] == "failed" and "bbox" in result["error"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_logits_are_finite_in_every_precision(dtype: str) -> None:
    (result,) = infer(dtype=dtype)([page(10)])
    assert np.isfinite(result["window_logits"][0]).all()
