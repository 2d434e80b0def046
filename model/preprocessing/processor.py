"""Image processor and tokenizer combined: from a page image and its words to all inputs of the model.

The five ways to call it (`apply_ocr` is a setting of the image processor):

1. an image, words read by OCR: `processor(image)`
2. an image with its words: `processor(image, words, boxes=boxes)` (apply_ocr=False)
3. with labels: `processor(image, words, boxes=boxes, word_labels=labels)` (apply_ocr=False)
4. an image and a question, words read by OCR: `processor(image, question)`
5. an image, a question and words: `processor(image, question, words, boxes=boxes)` (apply_ocr=False)
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from model.checkpoint_source import split_source_options
from model.hub import Publishable
from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.image_processor import LayoutLMv2ImageProcessor
from model.preprocessing.image_settings import SETTING_DEFAULTS
from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.layoutxlm_tokenizer import LayoutXLMTokenizer
from model.preprocessing.tokenizer import LayoutLMv2Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Self


class LayoutLMv2Processor(Publishable):
    """An image processor and a tokenizer, with the reference implementation's arguments.

    Args:
        image_processor: default `LayoutLMv2ImageProcessor()`, which reads words with Tesseract.
        tokenizer: default `LayoutLMv2Tokenizer()`, with the vocabulary included in this package.
    """

    model_input_names: tuple[str, ...] = ("input_ids", "bbox", "token_type_ids", "attention_mask", "image")
    tokenizer_class: ClassVar[type[LayoutLMv2Tokenizer] | type[LayoutXLMTokenizer]] = LayoutLMv2Tokenizer

    def __init__(
        self,
        image_processor: LayoutLMv2ImageProcessor | None = None,
        tokenizer: LayoutTokenizer | None = None,
    ) -> None:
        self.image_processor = LayoutLMv2ImageProcessor() if image_processor is None else image_processor
        self.tokenizer = self.tokenizer_class() if tokenizer is None else tokenizer

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
        **tokenizer_arguments: Any,
    ) -> BatchEncoding:
        """Prepare one page or a batch of pages.

        Args:
            images: see `LayoutLMv2ImageProcessor.preprocess`; one image per page.
            text, text_pair, boxes, word_labels: see the module's docstring; for the rest see the tokenizer, whose other
                arguments (`padding_side` ...) are taken too.

        Returns:
            The tokenizer's output and `image`: (batch, 3, 224, 224) BGR uint8 with `return_tensors`, else a list of
            images. With `return_overflowing_tokens` it is a list with one image per window: that of the window's page.

        Raises:
            ValueError: boxes or labels are given with OCR, words without boxes, windows without offsets, or the numbers
                of images and pages differ; or as for the tokenizer and the image processor.
        """
        applies_ocr = self.image_processor.apply_ocr
        if applies_ocr and boxes is not None:
            raise ValueError(
                "You cannot provide bounding boxes if you initialized the image processor with apply_ocr set to True."
            )
        if applies_ocr and word_labels is not None:
            raise ValueError(
                "You cannot provide word labels if you initialized the image processor with apply_ocr set to True."
            )
        if return_overflowing_tokens and not return_offsets_mapping:
            raise ValueError(
                "You cannot return overflowing tokens without returning the offsets mapping: pass "
                "return_offsets_mapping=True as well."
            )
        if not applies_ocr and (text is None or boxes is None):
            raise ValueError("with apply_ocr=False, words (text) and their boxes must be provided")

        features = self.image_processor(images, return_tensors=return_tensors)
        page_images = features["pixel_values"]
        if applies_ocr and text_pair is None:
            if text is None:
                text = features["words"]
            else:
                # OCR returns a batch, so a question must be one too.
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
            return_tensors=return_tensors,
            return_token_type_ids=return_token_type_ids,
            return_attention_mask=return_attention_mask,
            return_overflowing_tokens=return_overflowing_tokens,
            return_special_tokens_mask=return_special_tokens_mask,
            return_offsets_mapping=return_offsets_mapping,
            return_length=return_length,
            verbose=verbose,
            **tokenizer_arguments,
        )
        if return_overflowing_tokens:
            pages = encoding["overflow_to_sample_mapping"]
            _check_counts(len(page_images), len({int(page) for page in pages}))
            encoding["image"] = self.get_overflowing_images(page_images, pages)
        else:
            _check_counts(len(page_images), len(encoding.encodings or []))
            encoding["image"] = page_images
        return encoding

    def get_overflowing_images(self, images: Any, overflow_to_sample_mapping: Any) -> list[Any]:
        """The image of each window: a list in the order of the windows.

        Args:
            images: one per page, as a list or a tensor.
            overflow_to_sample_mapping: the index of each window's page, as the tokenizer returns it.
        """
        return [images[int(page)] for page in overflow_to_sample_mapping]

    def decode(self, *arguments: Any, **options: Any) -> str | list[str]:
        """See the tokenizer."""
        return self.tokenizer.decode(*arguments, **options)

    def batch_decode(self, *arguments: Any, **options: Any) -> list[str]:
        """See the tokenizer."""
        return self.tokenizer.batch_decode(*arguments, **options)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        image_processor_class: type[LayoutLMv2ImageProcessor] = LayoutLMv2ImageProcessor,
        **settings: Any,
    ) -> Self:
        """Load both from a folder, a hub id or `s3://...`.

        Args:
            pretrained_model_name_or_path: folder, hub id or `s3://bucket/prefix`.
            image_processor_class: `LayoutLMv2ImageProcessor` or `LayoutLMv2ImageProcessorPil`.
            settings: settings of the image processor (`apply_ocr=False`) and of the tokenizer
                (`only_label_first_subword=False`) that override their files, and the options of
                `model.checkpoint_source.resolve_checkpoint` (`revision="no_ocr"`).

        Raises:
            FileNotFoundError: the files of either are missing.
            CheckpointError: `pretrained_model_name_or_path` does not exist, access is denied, or it is unreachable.
            TypeError: a setting belongs to neither.
        """
        options, settings = split_source_options(settings)
        settings = {name: value for name, value in settings.items() if name not in ("use_fast", "trust_remote_code")}
        of_images, of_text = set(SETTING_DEFAULTS), set(inspect.signature(cls.tokenizer_class).parameters)
        if unknown := settings.keys() - of_images - of_text:
            raise TypeError(f"{cls.__name__} has no setting {', '.join(map(repr, sorted(unknown)))}")
        for_images = {name: value for name, value in settings.items() if name in of_images}
        for_text = {name: value for name, value in settings.items() if name in of_text}
        return cls(
            image_processor_class.from_pretrained(pretrained_model_name_or_path, **options, **for_images),
            cls.tokenizer_class.from_pretrained(pretrained_model_name_or_path, **options, **for_text),
        )

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write the files of both, marked as parts of this processor; return their paths."""
        for part in (self.image_processor, self.tokenizer):
            part.other_settings["processor_class"] = type(self).__name__
        return (*self.image_processor.save_pretrained(save_directory), *self.tokenizer.save_pretrained(save_directory))


class LayoutXLMProcessor(LayoutLMv2Processor):
    """An image processor and LayoutXLM's tokenizer; it is called as `LayoutLMv2Processor`.

    Args:
        image_processor: default `LayoutLMv2ImageProcessor()`, which reads words with Tesseract.
        tokenizer: a `LayoutXLMTokenizer`; there is no default, since this package has no vocabulary for it.
    """

    model_input_names = ("input_ids", "bbox", "attention_mask", "image")
    tokenizer_class = LayoutXLMTokenizer


def _check_counts(images: int, pages: int) -> None:
    if images != pages:
        raise ValueError(f"there are {images} images but words or questions for {pages} pages")
