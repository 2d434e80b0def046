"""From the plan to the model's arguments, and what the model learns from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

import model as model_package
from model import LayoutLMv2Config, LayoutLMv2Tokenizer
from pipelines.datasets.preprocess import PreprocessOptions, example_steps
from pipelines.datasets.registry import read_corpus
from pipelines.datasets.types import LABELLED_PAGE, labelled_row
from pipelines.schema import TASKS, Task
from pipelines.stages.base import rows_to_table
from pipelines.stages.model_loader import MODEL_CLASSES, load_tokenizer
from pipelines.stages.ray_data import StageRunner
from pipelines.storage.files import Storage
from pipelines.training import dataloader
from pipelines.training.augment import AugmentedVocabulary, AugmentOptions
from pipelines.training.batch_plan import BatchPlan
from pipelines.training.dataloader import (
    PLANNED,
    DataLoaderOptions,
    TrainingBatch,
    augmented_vocabulary,
    iter_batches,
    load_micro_batches,
    planned_rows,
    training_batch,
)
from pipelines.training.example_cache import (
    COUNTED_EXAMPLE,
    CountTargets,
    ExampleIndex,
    read_index,
    write_example_block,
)
from pipelines.training.options import BatchOptions
from pipelines.training.page_mixing import PageMixingOptions
from tests.model.preprocessing.small_sentencepiece import TOKENS, small_layoutxlm_tokenizer
from tests.pipelines.datasets.drawn_corpus import TINY, draw_corpus

LABELS: dict[Task, tuple[str, ...]] = {
    "token-classification": (
        "O", "B-HEADER", "I-HEADER", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER",
    ),
    "sequence-classification": ("even", "odd"),
    "question-answering": (),
}  # fmt: skip


Examples = Callable[[Task], ExampleIndex]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """The drawn forms as examples of a task, made once; as documents, they are of the class "odd" or "even"."""
    data = draw_corpus(tmp_path_factory.mktemp("corpus"), forms=5, test_forms=1)

    @cache
    def make(task: Task) -> ExampleIndex:
        folder = tmp_path_factory.mktemp(task)
        read_as: Task = "question-answering" if task == "question-answering" else "token-classification"
        pages = read_corpus("funsd", str(data), "train+dev", read_as).pages
        pages = tuple(replace(page, label=LABELS["sequence-classification"][i % 2]) for i, page in enumerate(pages))
        rows = [labelled_row(page) for page in pages]
        steps = (*example_steps(PreprocessOptions("funsd", task, "untrained")), lambda: CountTargets(task))
        table = StageRunner(steps, COUNTED_EXAMPLE)(rows_to_table(rows, LABELLED_PAGE))
        write_example_block(table, Storage(), str(folder / "pages"))
        return read_index(Storage(), str(folder), rows)

    return make


def options_of(task: Task, **values: object) -> DataLoaderOptions:
    ids = {label: index for index, label in enumerate(LABELS[task])}
    vocabulary = augmented_vocabulary(load_tokenizer("untrained"))
    return DataLoaderOptions(task, ids, 0, vocabulary, **{"tokenizer": "", **values})  # type: ignore[arg-type]


def batches(
    plan: BatchPlan, options: DataLoaderOptions, end: int, rank: int = 0, workers: int = 1
) -> list[TrainingBatch]:
    planned = pa.Table.from_pylist(list(planned_rows(plan, 0, end, rank, workers)), schema=PLANNED)
    loaded = load_micro_batches(planned, Storage(), options)
    return [training_batch(loaded.slice(row, 1)) for row in range(loaded.num_rows)]


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_feed_gives_each_worker_its_micro_batches_in_order_from_any_step(
    workers: int, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataloader, "WINDOWS_PER_DATASET", 12)  # three steps a Dataset
    options = options_of("token-classification", augment=AugmentOptions(mask_words=0.3))
    plan = BatchPlan(examples("token-classification"), BatchOptions(4, 2))
    for rank in range(workers):
        wanted = [batch for batch in batches(plan, options, 11, rank, workers) if batch.step >= 3]
        fed = list(iter_batches(plan, 3, 11, rank, workers, Storage(), options))
        assert [(batch.step, batch.micro_batch_index) for batch in fed] == [
            (batch.step, batch.micro_batch_index) for batch in wanted
        ]
        for one, other in zip(fed, wanted, strict=True):
            assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())
    assert not list(iter_batches(plan, 5, 5, 0, 1, Storage(), options)), "a run that is finished is fed nothing"


def tiny_model(task: Task) -> torch.nn.Module:
    labels = LABELS[task] or ("START", "END")
    config = LayoutLMv2Config(**TINY, id2label=dict(enumerate(labels)), hidden_dropout_prob=0.0)
    torch.manual_seed(0)
    return getattr(model_package, MODEL_CLASSES[task])(config).train()


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_falls_on_what_is_seen_again_and_again(task: Task, examples: Examples) -> None:
    index = examples(task)
    plan = BatchPlan(index, BatchOptions(5, 5))
    learner = tiny_model(task)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=6e-3)
    losses = []
    for batch in batches(plan, options_of(task), end=20):
        loss = learner(**batch.tensors).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])


def test_the_parts_of_a_step_add_up_to_its_mean_loss_over_all_targets(examples: Examples) -> None:
    index = examples("token-classification")
    learner = tiny_model("token-classification").eval()
    whole = batches(BatchPlan(index, BatchOptions(5, 5)), options_of("token-classification"), end=1)
    parts = [
        batch
        for rank in (0, 1)
        for batch in batches(BatchPlan(index, BatchOptions(4, 1)), options_of("token-classification"), 2, rank, 2)
    ]
    with torch.inference_mode():
        (mean,) = (float(learner(**batch.tensors).loss) for batch in whole)
        total = sum(float(learner(**batch.tensors).loss) * batch.own_targets for batch in parts if batch.own_targets)
    assert sum(batch.own_targets for batch in parts) == whole[0].targets == whole[0].own_targets
    assert total / whole[0].targets == pytest.approx(mean, rel=1e-5)


def test_a_worker_without_a_window_of_its_own_takes_part_with_no_weight(examples: Examples) -> None:
    index = examples("token-classification")
    plan = BatchPlan(index, BatchOptions(8, 1))
    loaded = batches(plan, options_of("token-classification"), end=1)
    assert sorted(batch.own_targets > 0 for batch in loaded) == [False] * 3 + [True] * 5
    assert sum(batch.own_targets for batch in loaded) == loaded[0].targets
    assert all(batch.tensors["input_ids"].shape[0] == 1 for batch in loaded)


def test_loading_is_the_same_every_time_and_other_in_every_epoch(examples: Examples) -> None:
    index = examples("token-classification")
    plan = BatchPlan(index, BatchOptions(5, 5))
    options = options_of(
        "token-classification", augment=AugmentOptions(mask_words=0.3, shift=50, scale=0.1, jitter=3), seed=3
    )
    once, again = (batches(plan, options, end=2) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        assert one.tensors.keys() == other.tensors.keys()
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    boxes = [sorted(map(tuple, batch.tensors["bbox"][batch.tensors["labels"] >= 0].tolist())) for batch in once]
    assert boxes[0] != boxes[1], "the same windows in another epoch are moved otherwise"


def test_hidden_words_are_the_targets_of_masked_words_and_nothing_else_is(examples: Examples) -> None:
    index = examples("token-classification")
    plan = BatchPlan(index, BatchOptions(5, 5))
    (plain,) = batches(plan, options_of("token-classification"), end=1)
    (hidden,) = batches(
        plan,
        options_of("token-classification", objective="masked-words", augment=AugmentOptions(mask_words=0.4)),
        end=1,
    )
    changed = hidden.tensors["input_ids"] != plain.tensors["input_ids"]
    targets = hidden.tensors["labels"]
    assert torch.equal(changed, targets != -100)
    assert torch.equal(targets[changed], plain.tensors["input_ids"][changed])
    assert hidden.own_targets == int(changed.sum()) > 10


def test_mixed_pages_hold_words_of_two_and_each_has_its_label(examples: Examples, tmp_path: Path) -> None:
    index = examples("token-classification")
    plan = BatchPlan(index, BatchOptions(5, 5))
    plain = batches(plan, options_of("token-classification"), end=1)[0].tensors
    folder = tmp_path / "tokenizer"
    load_tokenizer("untrained").save_pretrained(folder)
    page_mixing = PageMixingOptions(splice=1, reorder=1, exchange=0.5)
    options = options_of("token-classification", page_mixing=page_mixing, tokenizer=str(folder), seed=1)
    (mixed,), (again,) = (batches(plan, options, end=1) for _ in range(2))
    assert torch.equal(mixed.tensors["input_ids"], again.tensors["input_ids"])

    def labelled_boxes(tensors: dict[str, torch.Tensor]) -> set[tuple[int, ...]]:
        first = tensors["labels"] >= 0
        boxes, labels = tensors["bbox"][first].tolist(), tensors["labels"][first].tolist()
        return {(*box, label) for box, label in zip(boxes, labels, strict=True)}

    assert labelled_boxes(mixed.tensors) <= labelled_boxes(plain)
    assert not torch.equal(mixed.tensors["bbox"][:, :8], plain["bbox"][:, :8])
    assert mixed.own_targets == int((mixed.tensors["labels"] >= 0).sum())


def test_what_is_not_changed_is_what_the_batch_job_gives_the_model(examples: Examples) -> None:
    index = examples("question-answering")
    from pipelines.stages.infer import collate
    from pipelines.training.example_cache import ExampleReader

    plan = BatchPlan(index, BatchOptions(4, 4))
    (batch,) = batches(plan, options_of("question-answering"), end=1)
    (planned,) = list(planned_rows(plan, 0, 1, 0, 1))
    reader = ExampleReader(Storage())
    pages = [reader.read(uri, group) for uri, group in zip(planned["files"], planned["row_groups"], strict=True)]
    windows = [page["windows"][index] for page, index in zip(pages, planned["windows"], strict=True)]
    for name, array in collate(windows).items():
        assert np.array_equal(array, batch.tensors[name]), name
    for row, page in enumerate(pages):
        model_image = batch.tensors["image"][batch.tensors["image_of_row"][row]]
        assert model_image.numpy().tobytes() == page["model_image"]
        words = windows[row]["word_indices"]
        question = page["questions"][windows[row]["question_index"]]
        start, end = (int(batch.tensors[f"{edge}_positions"][row]) for edge in ("start", "end"))
        assert (words[start], words[end]) == (question["first_word"], question["last_word"])


def test_windows_of_a_page_share_its_picture(examples: Examples) -> None:
    index = examples("question-answering")
    (batch,) = batches(BatchPlan(index, BatchOptions(100, 100)), options_of("question-answering"), end=1)
    assert len(batch.tensors["image"]) == len(index.pages) < len(batch.tensors["input_ids"])


def test_random_words_are_drawn_from_the_words_of_the_vocabulary(tmp_path: Path) -> None:
    bert = load_tokenizer("untrained")
    vocabulary = augmented_vocabulary(bert)
    assert (vocabulary.mask_token_id, vocabulary.first_word_id, vocabulary.end_word_id) == (103, 999, 30522)
    assert bert.convert_ids_to_tokens([998, 999]) == ["[unused993]", "!"]
    sentencepiece = augmented_vocabulary(small_layoutxlm_tokenizer(tmp_path))
    assert sentencepiece == AugmentedVocabulary(TOKENS - 1, 4, TOKENS - 1)
    with pytest.raises(ValueError, match="holds no words"):
        augmented_vocabulary(LayoutLMv2Tokenizer({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4}))
