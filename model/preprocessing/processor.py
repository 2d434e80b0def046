"""Image processor and tokenizer as one: a page picture and its words to everything the model takes.

The five ways to call it (`apply_ocr` is a setting of the image processor):

1. a picture, words read by OCR: `processor(image)`
2. a picture with its words: `processor(image, words, boxes=boxes)` (apply_ocr=False)
3. with labels: `processor(image, words, boxes=boxes, word_labels=labels)` (apply_ocr=False)
4. a picture and a question, words read by OCR: `processor(image, question)`
5. a picture, a question and words: `processor(image, question, words, boxes=boxes)` (apply_ocr=False)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.image_processor import LayoutLMv2ImageProcessor
from model.preprocessing.tokenizer import LayoutLMv2Tokenizer


class LayoutLMv2Processor:
    """The two together, with the reference implementation's arguments.

    Args:
        image_processor: default `LayoutLMv2ImageProcessor()`, which reads words with Tesseract.
        tokenizer: default `LayoutLMv2Tokenizer()`, with the vocabulary that comes with this package.
    """

    model_input_names = ("input_ids", "bbox", "token_type_ids", "attention_mask", "image")

    def __init__(
        self,
        image_processor: LayoutLMv2ImageProcessor | None = None,
        tokenizer: LayoutLMv2Tokenizer | None = None,
    ) -> None:
        self.image_processor = LayoutLMv2ImageProcessor() if image_processor is None else image_processor
        self.tokenizer = LayoutLMv2Tokenizer() if tokenizer is None else tokenizer

    def __call__(
        self,
        images: Any,
        text: str | Sequence[str] | Sequence[Sequence[str]] | None = None,
        text_pair: Sequence[str] | Sequence[Sequence[str]] | None = None,
        boxes: Any = None,
        word_labels: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = False,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        return_tensors: str | None = None,
        padding_side: str | None = None,
    ) -> BatchEncoding:
        """Prepares one page or a batch of pages.

        Args:
            images: see `LayoutLMv2ImageProcessor.preprocess`; one picture a page.
            text, text_pair, boxes, word_labels: see the five ways above; for the rest see the tokenizer.

        Returns:
            What the tokenizer returns, and `image`: (batch, 3, 224, 224) BGR uint8 with `return_tensors`, else a list
            of pictures. With `return_overflowing_tokens` it is a list with one picture a window: the one of the
            page that the window comes from.

        Raises:
            ValueError: for boxes or labels next to OCR, words without boxes, windows without offsets, numbers of
                pictures and pages that differ; and as the tokenizer and the image processor do.
        """
        reads = self.image_processor.apply_ocr
        if reads and boxes is not None:
            raise ValueError(
                "You cannot provide bounding boxes if you initialized the image processor with apply_ocr set to True."
            )
        if reads and word_labels is not None:
            raise ValueError(
                "You cannot provide word labels if you initialized the image processor with apply_ocr set to True."
            )
        if return_overflowing_tokens and not return_offsets_mapping:
            raise ValueError(
                "You cannot return overflowing tokens without returning the offsets mapping: pass "
                "return_offsets_mapping=True as well."
            )
        if not reads and (text is None or boxes is None):
            raise ValueError("with apply_ocr=False, words (text) and their boxes have to be provided")

        features = self.image_processor(images, return_tensors=return_tensors)
        pictures = features["pixel_values"]
        if reads and text_pair is None:
            if text is None:
                text = features["words"]
            else:
                # OCR gives a batch, so a question has to be one too.
                text = [text] if isinstance(text, str) else text
                text_pair = features["words"]
        encoding = self.tokenizer(
            text,  # type: ignore[arg-type]
            text_pair=text_pair,
            boxes=features["boxes"] if boxes is None else boxes,
            word_labels=word_labels,
            add_special_tokens=add_special_tokens,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            stride=stride,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
            return_tensors=return_tensors,
            return_token_type_ids=return_token_type_ids,
            return_attention_mask=return_attention_mask,
            return_overflowing_tokens=return_overflowing_tokens,
            return_special_tokens_mask=return_special_tokens_mask,
            return_offsets_mapping=return_offsets_mapping,
            return_length=return_length,
            verbose=verbose,
        )
        if return_overflowing_tokens:
            pages = [int(page) for page in encoding["overflow_to_sample_mapping"]]
            _check_counts(len(pictures), len(set(pages)))
            encoding["image"] = [pictures[page] for page in pages]
        else:
            _check_counts(len(pictures), len(encoding.encodings or []))
            encoding["image"] = pictures
        return encoding

    def decode(self, *arguments: Any, **options: Any) -> str | list[str]:
        """See the tokenizer."""
        return self.tokenizer.decode(*arguments, **options)

    def batch_decode(self, *arguments: Any, **options: Any) -> list[str]:
        """See the tokenizer."""
        return self.tokenizer.batch_decode(*arguments, **options)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        image_processor_class: type[LayoutLMv2ImageProcessor] = LayoutLMv2ImageProcessor,
        **settings: Any,
    ) -> LayoutLMv2Processor:
        """Loads both from a folder, a hub id or `s3://...`.

        Args:
            source: where they are.
            image_processor_class: who resizes: `LayoutLMv2ImageProcessor` or `LayoutLMv2ImageProcessorPil`.
            settings: settings of the image processor (`apply_ocr`, ...) that replace what its file says.

        Raises:
            FileNotFoundError: where the files of either are missing.
        """
        return cls(
            image_processor_class.from_pretrained(source, **settings), LayoutLMv2Tokenizer.from_pretrained(source)
        )

    def save_pretrained(self, folder: str | os.PathLike[str]) -> tuple[str, ...]:
        """Writes the files of both, marked as parts of a `LayoutLMv2Processor`; gives their paths."""
        for part in (self.image_processor, self.tokenizer):
            part.other_settings["processor_class"] = "LayoutLMv2Processor"
        return (*self.image_processor.save_pretrained(folder), *self.tokenizer.save_pretrained(folder))


def _check_counts(pictures: int, pages: int) -> None:
    if pictures != pages:
        raise ValueError(f"there are {pictures} pictures and words or questions for {pages} pages")
