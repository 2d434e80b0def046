from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.image_processor import LayoutLMv2ImageProcessor, LayoutLMv2ImageProcessorPil
from model.preprocessing.processor import LayoutLMv2Processor
from model.preprocessing.tokenizer import LayoutLMv2Tokenizer
from tests.model.preprocessing.test_image_processor import page_image, tesseract_is

TEXT_FIXTURES = Path(__file__).parents[2] / "fixtures" / "text"
WORDS = ["hello", "world"]
BOXES = [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.fixture(scope="module")
def tokenizer() -> LayoutLMv2Tokenizer:
    return LayoutLMv2Tokenizer()


@pytest.fixture(scope="module")
def processor(tokenizer: LayoutLMv2Tokenizer) -> LayoutLMv2Processor:
    return LayoutLMv2Processor(LayoutLMv2ImageProcessorPil(apply_ocr=False), tokenizer)


class ReadsTwoWords(LayoutLMv2ImageProcessorPil):
    """A fake image processor with OCR that returns the same words for every page."""

    def preprocess(self, images: Any, return_tensors: str | None = None, **settings: Any) -> BatchEncoding:  # type: ignore[override]
        features = super().preprocess(images, return_tensors, apply_ocr=False, **settings)
        features["words"] = [WORDS] * len(features["pixel_values"])
        features["boxes"] = [BOXES] * len(features["pixel_values"])
        return features


@pytest.fixture(scope="module")
def reading_processor(tokenizer: LayoutLMv2Tokenizer) -> LayoutLMv2Processor:
    return LayoutLMv2Processor(ReadsTwoWords(apply_ocr=True), tokenizer)


def plain_page(grey: int = 128) -> Image.Image:
    return Image.new("RGB", (60, 80), (grey, grey, grey))


# -- Equality with the reference implementation ------------------------------------------------------------------------

USES: dict[str, tuple[bool, dict[str, Any]]] = {
    "1 image, ocr": (True, {}),
    "2 words, no ocr": (False, {"text": WORDS, "boxes": BOXES}),
    "3 words and labels": (False, {"text": WORDS, "boxes": BOXES, "word_labels": [1, 2]}),
    "4 question, ocr": (True, {"text": "What's his name?"}),
    "5 question, no ocr": (False, {"text": "What's his name?", "text_pair": WORDS, "boxes": BOXES}),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("return_tensors", ["np", "pt"])
def test_the_five_uses_return_exactly_the_references_arrays(
    shared_directory: Path, tokenizer: LayoutLMv2Tokenizer, use: str, return_tensors: str
) -> None:
    apply_ocr, call = USES[use]
    if apply_ocr and not tesseract_is("5.3.0"):
        pytest.skip("words are compared under the same Tesseract, 5.3.0")
    processor = LayoutLMv2Processor(LayoutLMv2ImageProcessorPil(apply_ocr=apply_ocr), tokenizer)
    answer = processor(page_image(shared_directory, "0000971160.png"), **call, return_tensors=return_tensors)
    with np.load(TEXT_FIXTURES / "processor.npz") as stored:
        expected = {name.split("|")[1]: stored[name] for name in stored if name.startswith(f"{use}|")}
    assert list(answer) == list(expected)
    for name, array in expected.items():
        value = np.asarray(answer[name])
        assert value.dtype == array.dtype
        np.testing.assert_array_equal(value, array)


# -- The five uses on pages made here ----------------------------------------------------------------------------------


def test_words_alone_and_with_labels(processor: LayoutLMv2Processor) -> None:
    plain = processor(plain_page(), WORDS, boxes=BOXES, return_tensors="pt")
    labelled = processor(plain_page(), WORDS, boxes=BOXES, word_labels=[3, 4], return_tensors="pt")
    assert set(processor.model_input_names) == set(plain) == set(labelled) - {"labels"}
    assert plain["image"].shape == (1, 3, 224, 224)
    assert labelled["labels"].tolist() == [[-100, 3, 4, -100]]


def test_words_from_ocr_are_used(processor: LayoutLMv2Processor, reading_processor: LayoutLMv2Processor) -> None:
    read = reading_processor(plain_page(), return_tensors="pt")
    given = processor(plain_page(), WORDS, boxes=BOXES, return_tensors="pt")
    assert all(torch.equal(read[name], given[name]) for name in given)


def test_the_question_precedes_the_words(
    processor: LayoutLMv2Processor, reading_processor: LayoutLMv2Processor
) -> None:
    read = reading_processor(plain_page(), "Who?", return_tensors="pt")
    given = processor(plain_page(), "Who?", WORDS, boxes=BOXES, return_tensors="pt")
    assert all(torch.equal(read[name], given[name]) for name in given)
    assert processor.decode(given["input_ids"][0]) == "[CLS] who? [SEP] hello world [SEP]"
    assert processor.batch_decode(given["input_ids"], skip_special_tokens=True) == ["who? hello world"]


def test_a_batch_has_one_image_per_page(reading_processor: LayoutLMv2Processor) -> None:
    batch = reading_processor([plain_page(10), plain_page(20)], ["Who?", "When?"], return_tensors="pt", padding=True)
    assert batch["image"][:, 0, 0, 0].tolist() == [10, 20]
    assert batch["input_ids"].shape[0] == 2


def test_every_window_has_the_image_of_its_page(processor: LayoutLMv2Processor) -> None:
    long, short = ["word"] * 40, ["word"] * 3
    batch = processor(
        [plain_page(10), plain_page(20)],
        [long, short],
        boxes=[[[1, 1, 2, 2]] * 40, [[1, 1, 2, 2]] * 3],
        truncation=True,
        padding="max_length",
        max_length=16,
        stride=4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    assert batch["overflow_to_sample_mapping"].tolist() == [0, 0, 0, 0, 1]
    assert [int(image[0, 0, 0]) for image in batch["image"]] == [10, 10, 10, 10, 20]


# -- Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"text": WORDS, "boxes": BOXES}, "cannot provide bounding boxes"),
        ({"text": WORDS, "word_labels": [1, 2]}, "cannot provide word labels"),
        ({"return_overflowing_tokens": True}, "return_offsets_mapping=True"),
        ({"text": ["Who?", "When?"]}, "2 does not match batch length of `text_pair`: 1|words for 1|1 images"),
    ],
)
def test_arguments_that_contradict_ocr_are_rejected(
    reading_processor: LayoutLMv2Processor, call: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        reading_processor(plain_page(), **call)


@pytest.mark.parametrize(
    ("images", "call", "message"),
    [
        (plain_page(), {}, "words .* and their boxes"),
        (plain_page(), {"text": WORDS}, "words .* and their boxes"),
        ([plain_page(), plain_page()], {"text": WORDS, "boxes": BOXES}, "2 images .* 1 pages"),
        (plain_page(), {"text": [WORDS, WORDS], "boxes": [BOXES, BOXES]}, "1 images .* 2 pages"),
    ],
)
def test_pages_without_words_or_images_are_rejected(
    processor: LayoutLMv2Processor, images: Any, call: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        processor(images, **call)


# -- Files -------------------------------------------------------------------------------------------------------------


def test_saved_files_load_again(tmp_path: Path, processor: LayoutLMv2Processor) -> None:
    names = {Path(path).name for path in processor.save_pretrained(tmp_path)}
    assert {"preprocessor_config.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt"} <= names
    again = LayoutLMv2Processor.from_pretrained(tmp_path, LayoutLMv2ImageProcessorPil)
    first = processor(plain_page(), WORDS, boxes=BOXES, return_tensors="pt")
    second = again(plain_page(), WORDS, boxes=BOXES, return_tensors="pt")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert '"processor_class": "LayoutLMv2Processor"' in (tmp_path / "tokenizer_config.json").read_text()
    assert LayoutLMv2Processor.from_pretrained(tmp_path, apply_ocr=True).image_processor.apply_ocr is True


def test_by_default_it_applies_ocr_and_has_the_included_vocabulary() -> None:
    processor = LayoutLMv2Processor()
    assert isinstance(processor.image_processor, LayoutLMv2ImageProcessor)
    assert processor.image_processor.apply_ocr is True
    assert processor.tokenizer.vocab_size == 30522
