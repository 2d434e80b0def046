"""From the plan to the model's arguments, whichever worker loads them and wherever it begins."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from model import LayoutLMv2Tokenizer
from pipelines.documents.page_picture import picture_array
from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.storage.files import Storage
from pipelines.training.options import BatchOptions
from pipelines.training.pretraining_buffer import BufferedPages
from pipelines.training.pretraining_inputs import COVER_COLOUR, OBJECTIVES, PretrainingShares
from pipelines.training.pretraining_loader import (
    PLANNED,
    LoaderOptions,
    PretrainingBatch,
    iter_batches,
    load_buffers,
    planned_row,
    training_batch,
)
from pipelines.training.pretraining_pages import index_pages
from pipelines.training.pretraining_plan import PretrainingPlan
from tests.pipelines.training.kept_pages import kept_page, many_pages, write_kept_pages


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tokenizer and a configuration, as a run has one."""
    from model.untrained import untrained_config

    folder = tmp_path_factory.mktemp("start")
    LayoutLMv2Tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text(untrained_config("token-classification").to_json_string())
    return str(folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    output = str(tmp_path_factory.mktemp("kept"))
    write_kept_pages(output, many_pages())
    return output


def plan_of(output: str, batch_size: int = 8, micro_batch_size: int = 4) -> PretrainingPlan:
    return PretrainingPlan(index_pages(Storage(), [output], 0.0).training, BatchOptions(batch_size, micro_batch_size))


def load(
    plan: PretrainingPlan, options: LoaderOptions, start: int, stop: int, rank: int = 0, workers: int = 1
) -> dict[tuple[int, int], PretrainingBatch]:
    """The micro batches of the steps of one buffer, by step and index."""
    batches = {}
    for buffer in plan.buffers(start, rank, workers):
        block = pa.Table.from_pylist([planned_row(plan, buffer, start, stop)], schema=PLANNED)
        loaded = load_buffers(block, Storage(), options)
        for row in range(loaded.num_rows):
            batch = training_batch(loaded.slice(row, 1))
            batches[batch.step, batch.micro_batch_index] = batch
    return batches


def assert_same(one: PretrainingBatch, other: PretrainingBatch) -> None:
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


def test_a_micro_batch_is_the_same_for_any_worker_and_any_first_step(kept: str, tokenizer: str) -> None:
    plan, options = plan_of(kept), LoaderOptions(tokenizer)
    end = plan.steps_per_epoch
    alone = load(plan, options, 0, end)
    assert sorted(alone) == [(step, lane) for step in range(end) for lane in range(2)]
    for rank in range(2):
        for key, batch in load(plan, options, 2, end, rank, 2).items():
            assert_same(batch, alone[key])


def test_what_is_drawn_differs_between_epochs_and_seeds(kept: str, tokenizer: str) -> None:
    plan = plan_of(kept, 32, 32)
    same, other_seed = load(plan, LoaderOptions(tokenizer), 0, 1), load(plan, LoaderOptions(tokenizer, seed=1), 0, 1)
    labels, other_labels = same[0, 0].tensors["labels"], other_seed[0, 0].tensors["labels"]
    assert labels.shape == other_labels.shape and not torch.equal(labels, other_labels)
    later = load(plan, LoaderOptions(tokenizer), 1, 2)
    assert not torch.equal(same[0, 0].tensors["image"], later[1, 0].tensors["image"])


def test_tensors_have_the_shapes_of_the_models_arguments(kept: str, tokenizer: str) -> None:
    (batch,) = load(plan_of(kept, 32, 32), LoaderOptions(tokenizer), 0, 1).values()
    rows, tokens = batch.tensors["input_ids"].shape
    assert rows == batch.own_windows == 32 and tokens == 512, "a page of 700 words has windows of 512 tokens"
    for name in ("token_type_ids", "attention_mask", "labels", "alignment_labels"):
        assert batch.tensors[name].shape == (rows, tokens) and batch.tensors[name].dtype == torch.int64
    assert batch.tensors["bbox"].shape == (rows, tokens, 4) and batch.tensors["matching_labels"].shape == (rows,)
    assert batch.tensors["image"].shape == (rows, 3, 224, 224) and batch.tensors["image"].dtype == torch.uint8
    padding = batch.tensors["attention_mask"] == 0
    assert padding.any() and (batch.tensors["labels"][padding] == -100).all()
    assert 0 < batch.targets("masked-words") < 0.3 * int(batch.tensors["attention_mask"].sum())
    assert batch.targets("matching") == rows


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_objective_that_is_left_out_has_no_labels(objective: Any, kept: str, tokenizer: str) -> None:
    options = LoaderOptions(tokenizer, objectives=tuple(name for name in OBJECTIVES if name != objective))
    batch = load(plan_of(kept), options, 0, 1)[0, 0]
    left_out = {"masked-words": "labels", "alignment": "alignment_labels", "matching": "matching_labels"}[objective]
    assert left_out not in batch.tensors and len(batch.tensors) == 7


def test_replaced_pictures_are_those_of_other_pages_of_the_corpus(kept: str, tokenizer: str) -> None:
    shares = PretrainingShares(covered_lines=0.0, replaced_pictures=1.0, dropped_pictures=0.0)
    options = LoaderOptions(tokenizer, objectives=("matching",), shares=shares)
    own = LoaderOptions(tokenizer, objectives=("masked-words",), shares=PretrainingShares(masked_tokens=0.0))
    plan = plan_of(kept, 32, 32)
    replaced, pictures = load(plan, options, 0, 1)[0, 0].tensors, load(plan, own, 0, 1)[0, 0].tensors["image"]
    assert (replaced["matching_labels"] == 0).all()
    for row, picture in enumerate(replaced["image"]):
        equal = [torch.equal(picture, other) for other in pictures]
        assert any(equal) and not equal[row]


def picture_of_another(output: str, page_index: int) -> np.ndarray | None:
    """What a page of the first document may get as another one's picture, in a buffer of all pages of an output."""
    index = index_pages(Storage(), [output], 0.0).training
    groups = [(index.files[file], int(group)) for file, group in zip(index.file, index.row_group, strict=True)]
    group_of_page = np.searchsorted(index.starts, np.arange(len(index)), side="right") - 1
    pages = BufferedPages(Storage(), groups, list(zip(group_of_page.tolist(), index.rows.tolist(), strict=True)))
    return pages.picture_of_another(page_index, np.random.default_rng(page_index))


def test_another_picture_is_of_another_document_where_there_is_one(tmp_path: Path) -> None:
    first = [kept_page("a.pdf", page) for page in range(8)]
    other = kept_page("b.pdf", 0)
    write_kept_pages(str(tmp_path / "one"), first)
    write_kept_pages(str(tmp_path / "two"), [*first, other])
    write_kept_pages(str(tmp_path / "page"), first[:1])
    own = [picture_array(page["picture"]) for page in first]
    for page in range(8):
        found = picture_of_another(str(tmp_path / "two"), page)
        assert np.array_equal(found, picture_array(other["picture"]))
        found = picture_of_another(str(tmp_path / "one"), page)
        equal = [np.array_equal(found, picture) for picture in own]
        assert any(equal) and not equal[page], "the only document lends its other pages"
    assert picture_of_another(str(tmp_path / "page"), 0) is None


def rows_with(values: list[Row]) -> list[Row]:
    return [kept_page(f"{number}.pdf", 0, **changed) for number, changed in enumerate(values)]


def test_pages_without_words_or_picture_are_left_out_and_a_lane_of_none_computes_nothing(
    tmp_path: Path, tokenizer: str
) -> None:
    write_kept_pages(str(tmp_path), rows_with([{"words": [], "boxes": []}, {"picture": None}]))
    (batch,) = load(plan_of(str(tmp_path), 2, 2), LoaderOptions(tokenizer), 0, 1).values()
    assert batch.own_windows == 0 and not batch.lost
    assert len(batch.tensors["input_ids"]) == 1 and not any(batch.targets(name) for name in OBJECTIVES)
    blank = batch.tensors["image"][0].flatten(1).unique(dim=1)
    assert blank.flatten().tolist() == list(COVER_COLOUR)


def test_damaged_pictures_and_row_groups_are_lost_by_name_and_the_others_learned(
    tmp_path: Path, tokenizer: str
) -> None:
    (file,) = write_kept_pages(str(tmp_path), rows_with([{"picture": b"no image"}, {}, {}, {}, {}]))
    plan = plan_of(str(tmp_path), 5, 5)
    (batch,) = load(plan, LoaderOptions(tokenizer), 0, 1).values()
    assert batch.own_windows == 4 and len(batch.lost) == 1 and f"{file}, row 0 of row group 0" in batch.lost[0]
    content = bytearray(Path(file).read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    Path(file).write_bytes(content)
    (batch,) = load(plan, LoaderOptions(tokenizer), 0, 1).values()
    assert batch.own_windows + len(batch.lost) == 5 and any("is damaged" in reason for reason in batch.lost)


def test_a_file_that_is_gone_ends_the_run_with_the_way_out(tmp_path: Path, tokenizer: str) -> None:
    (file,) = write_kept_pages(str(tmp_path), rows_with([{}, {}]))
    plan = plan_of(str(tmp_path), 2, 2)
    Path(file).unlink()
    with pytest.raises(ProcessingError, match=r"gone since training began: restore it.*--overwrite"):
        load(plan, LoaderOptions(tokenizer), 0, 1)


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_batches_come_in_order_through_ray_over_several_buffers(
    kept: str, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.training.pretraining_plan.MIN_BUFFER_PAGES", 8)
    monkeypatch.setattr("pipelines.training.pretraining_plan.BUFFERED_PAGES", 8)
    plan, options = plan_of(kept), LoaderOptions(tokenizer)
    assert plan.steps_per_buffer == 2 and plan.steps_per_epoch == 4
    stream = partial(iter_batches, plan, 1, 6, storage=Storage(), options=options, tasks=2)
    keys = [(step, lane) for step in range(1, 6) for lane in range(2)]
    alone = list(stream(0, 1))
    assert [(batch.step, batch.micro_batch_index) for batch in alone] == keys
    for rank in range(2):
        for batch, other in zip(stream(rank, 2), alone[rank::2], strict=True):
            assert_same(batch, other)
    assert not np.array_equal(alone[0].tensors["labels"], alone[8].tensors["labels"])
