"""Fuzz: any words, any boxes, any bytes. Short here; the long run is `make test-slow`."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import LayoutLMv2Tokenizer
from model.ocr.engine import normalise_boxes
from pipelines.documents.rendering import RenderOptions
from pipelines.schema import MODEL_IMAGE_SHAPE, PAGE_IMAGE, PAGE_TO_DO, TOKENIZED, Row, Task, page_schema
from pipelines.stages.base import rows_to_table
from pipelines.stages.merge import Merge, MergeOptions
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_protocol import PageLimits
from pipelines.stages.tokenize import Tokenize, TokenizeOptions
from tests.pipelines.batch.mutations import mutate

LABELS = ("O", "B-QUESTION", "I-QUESTION", "B-ANSWER", "I-ANSWER")
FORESEEN = {"unreadable", "encrypted", "empty", "unsupported", "too_large", "timeout", "out_of_memory", "crashed"}
SOURCES = (
    "supplier-form.pdf",
    "delivery-schedule-rotated.pdf",
    "fax-two-pages.tiff",
    "invoice.png",
    "receipt-photo.jpg",
)

number = st.one_of(st.integers(0, 1000), st.integers(-(10**9), 10**9))
words_and_boxes = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.tuples(*[st.integers(0, 1000)] * 4)),
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(
    page=words_and_boxes,
    seed=st.integers(0, 2**32 - 1),
    length=st.sampled_from([16, 33, 512]),
    task=st.sampled_from(["token-classification", "question-answering", "sequence-classification"]),
)
def test_any_words_come_back_each_in_its_place(
    page: list[tuple[str, tuple[int, int, int, int]]], seed: int, length: int, task: Task
) -> None:
    words, boxes = [word for word, _ in page], [ordered(box) for _, box in page]
    questions = ("What is the total?", "Who?") if task == "question-answering" else ()
    tokenize = Tokenize(tokenizer(), TokenizeOptions(task, questions, max_length=length, stride=4))
    table = rows_to_table(tokenize([read_row(words, boxes)]), TOKENIZED)
    (row,) = table.to_pylist()
    assert row["status"] == "ok" and row["words"] == words
    chance, outputs = np.random.default_rng(seed), {"token-classification": 5, "question-answering": 2}
    shape = {"sequence-classification": lambda window: 5}
    count = shape.get(task, lambda window: len(window["input_ids"]) * outputs[task])
    row["window_logits"] = [chance.normal(0, 9, count(window)).astype(np.float32) for window in row["windows"]]
    row["model"] = "m"
    (result,) = rows_to_table(Merge(MergeOptions(task, LABELS, questions))([row]), page_schema(task)).to_pylist()
    assert result["status"] == "ok", result["error"]
    if task == "token-classification":
        assert len(result["labels"]) == len(result["scores"]) == len(words)
        tokens = {index for window in row["windows"] for index in window["word_indices"]}
        assert [label is not None for label in result["labels"]] == [index in tokens for index in range(len(words))]
        for entity in result["entities"]:
            letters = "".join(words[entity["first_word"] : entity["last_word"] + 1])
            assert entity["text"].replace(" ", "") == letters.replace(" ", "")  # CJK words are joined without spaces
    for answer in result.get("answers") or []:
        assert answer["text"] is None or 0 <= answer["first_word"] <= answer["last_word"] < len(words)


@given(
    boxes=st.lists(st.tuples(number, number, number, number)), width=st.integers(1, 10**6), height=st.integers(1, 10**6)
)
def test_any_boxes_become_boxes_of_the_page(boxes: list[tuple[int, int, int, int]], width: int, height: int) -> None:
    for x0, y0, x1, y1 in normalise_boxes(boxes, width, height):
        assert 0 <= x0 <= x1 <= 1000 and 0 <= y0 <= y1 <= 1000


@cache
def tokenizer() -> LayoutLMv2Tokenizer:
    """One for all examples: the vocabulary takes longer to load than a page to cut."""
    return LayoutLMv2Tokenizer()


def ordered(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def read_row(words: list[str], boxes: list[tuple[int, int, int, int]]) -> Row:
    return {
        "document_id": "d",
        "uri": "/d.pdf",
        "media_type": "application/pdf",
        "page_index": 0,
        "page_count": 1,
        "words": words,
        "boxes": boxes,
        "word_confidences": [None] * len(words),
        "text_source": "layer",
        "status": "ok",
        "model_image": bytes(int(np.prod(MODEL_IMAGE_SHAPE))),
    }


def damaged_files(samples: Path, folder: Path, count: int) -> Iterator[Row]:
    contents = [(samples / name).read_bytes() for name in SOURCES]
    for seed in range(count):
        path = folder / "damaged"
        path.unlink(missing_ok=True)
        path.write_bytes(mutate(contents[seed % len(contents)], contents, seed))
        uri = f"/{seed}"
        for page_index in range(2):
            yield {
                "document_id": "d",
                "uri": uri,
                "path": str(path),
                "media_type": "",
                "page_index": page_index,
                "page_count": 1,
            }


def read_damaged_files(samples: Path, folder: Path, count: int) -> Counter[str]:
    limits = PageLimits(seconds=20, megabytes=800)
    render = RenderOptions(dpi=70, max_pixels=2_000_000)
    rasterize = partial(Rasterize, RasterizeOptions(text="auto", render=render))
    counts: Counter[str] = Counter()
    reader = Sandbox((rasterize,), PAGE_IMAGE, PAGE_TO_DO, limits)
    for row in reader(damaged_files(samples, folder, count)):
        kind = row["error_kind"] or "ok"
        assert kind in FORESEEN | {"ok"}, (row["uri"], row["error"])
        counts[kind] += 1
    reader.close()
    return counts


def test_damaged_files_end_as_pages_or_as_foreseen_failures(samples_directory: Path, tmp_path: Path) -> None:
    counts = read_damaged_files(samples_directory, tmp_path, 50)
    assert counts["ok"] and counts["unreadable"], counts
    assert counts.total() == 100


@pytest.mark.slow
def test_thousands_of_damaged_files_leave_nothing_behind(samples_directory: Path, tmp_path: Path) -> None:
    read_damaged_files(samples_directory, tmp_path, 200)
    gc.collect()
    files, memory = len(os.listdir("/proc/self/fd")), resident_bytes()
    counts = read_damaged_files(samples_directory, tmp_path, 4000)
    gc.collect()
    print(counts)
    assert len(os.listdir("/proc/self/fd")) <= files
    assert resident_bytes() < memory + 50_000_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
