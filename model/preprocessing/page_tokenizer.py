"""Encodes words and boxes: pieces of words with one box (and label) per token.

The `tokenizers` library in Rust does the work; this file adds LayoutLMv2's layout: each token has the box of its word,
and [CLS], [SEP] and [PAD] have boxes of their own (LayoutLMv2 paper, section 2.1).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from tokenizers import Encoding

from model.preprocessing.encoding import BatchEncoding, option_value
from model.preprocessing.padding import pad_encodings
from model.preprocessing.subword_tokenizer import SubwordTokenizer
from model.preprocessing.token_layout import token_boxes, token_labels
from model.preprocessing.tokenizer_inputs import (
    Lengths,
    Pages,
    arrange_pages,
    choose_lengths,
    explain_bad_words,
    explain_no_room,
    split_pairs,
)

logger = logging.getLogger(__name__)


class PageTokenizer(SubwordTokenizer):
    """Encodes pages with the settings that `LayoutLMv2Tokenizer` describes."""

    model_input_names: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids")
    cls_token_box: list[int]
    sep_token_box: list[int]
    pad_token_box: list[int]
    pad_token_label: int
    only_label_first_subword: bool
    model_max_length: int
    padding_side: str
    truncation_side: str
    _warned_about_length = False

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]],
        text_pair: Sequence[str] | Sequence[Sequence[str]] | None = None,
        boxes: Any = None,
        word_labels: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str | Enum = False,
        truncation: bool | str | Enum | None = None,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | Enum | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        *,
        is_split_into_words: bool = True,
        prepend_batch_axis: bool = False,
    ) -> BatchEncoding:
        """Encode a page or a batch of pages.

        Args:
            text: the words of a page (list[str]) or of a batch (list[list[str]]); with `text_pair` a question (str)
                or a batch of questions.
            text_pair: the words, if `text` contains questions.
            boxes: one box per word, [x0, y0, x1, y1] in 0-1000, nested like the words.
            word_labels: one label per word, nested like the words.
            add_special_tokens: whether to add [CLS] and [SEP].
            padding: False; True or "longest" (of the batch); "max_length".
            truncation: False; True or "longest_first"; "only_first"; "only_second" (keeps the question whole). None
                means False, unless `max_length` is given.
            max_length: in tokens, special tokens included; default `model_max_length`.
            stride: how many tokens consecutive windows share.
            pad_to_multiple_of: pad lengths to a multiple of this.
            padding_side: "left" or "right"; default the tokenizer's.
            return_tensors: "pt", "np", or None for lists. This, `padding` and `truncation` can be an Enum with such a
                value.
            return_token_type_ids, return_attention_mask: False omits them.
            return_overflowing_tokens: return truncated tokens as further windows (rows), and
                `overflow_to_sample_mapping` with the example of each.
            return_special_tokens_mask: add `special_tokens_mask`, 1 at special tokens.
            return_offsets_mapping: add `offset_mapping`, (start, end) of each token within its word, in characters.
            return_length: add `length` of each window, in tokens.
            verbose: whether to warn about sequences longer than the model's maximum.
            is_split_into_words: without effect: pages are always lists of words.
            prepend_batch_axis: whether tensors get one more axis of length 1 in front.

        Returns:
            `input_ids`, `token_type_ids`, `attention_mask` (rows, tokens), `bbox` (rows, tokens, 4), with labels also
            `labels` (rows, tokens); tensors are int64. A single page without tensors and windows has no row axis.

        Raises:
            ValueError: boxes are missing, counts differ, an option is unknown, `max_length` is too small for the tokens
                that must be kept, or rows have unequal lengths with "pt".
            TypeError: a word is not a string.
        """
        pages = arrange_pages(text, text_pair, boxes, word_labels)
        lengths = choose_lengths(
            padding, truncation, max_length, pad_to_multiple_of, self.model_max_length, verbose=verbose
        )
        encodings = self._encode(pages, lengths, stride, pad_to_multiple_of, padding_side, add_special_tokens)

        windows: list[Encoding] = []
        page_of_window: list[int] = []
        for index, encoding in enumerate(encodings):
            group = [encoding, *encoding.overflowing] if return_overflowing_tokens else [encoding]
            windows += group
            page_of_window += [index] * len(group)

        data: dict[str, Any] = {"input_ids": [window.ids for window in windows]}
        if return_token_type_ids or (return_token_type_ids is None and "token_type_ids" in self.model_input_names):
            # The Rust tokenizer leaves the type of truncated words at 1, whatever the template of the window says.
            one_type = self.second_token_type == 0
            data["token_type_ids"] = [[0] * len(window) if one_type else window.type_ids for window in windows]
        if return_attention_mask or (return_attention_mask is None and "attention_mask" in self.model_input_names):
            data["attention_mask"] = [window.attention_mask for window in windows]
        if return_special_tokens_mask:
            data["special_tokens_mask"] = [window.special_tokens_mask for window in windows]
        if return_offsets_mapping:
            data["offset_mapping"] = [window.offsets for window in windows]
        if return_length:
            data["length"] = [len(ids) for ids in data["input_ids"]]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = page_of_window
        self._warn_about_length(data["input_ids"], lengths.max_length, verbose)

        word_ids = [window.word_ids for window in windows]
        # Later entries win if two special tokens have the same id: [CLS] before [SEP] before [PAD].
        special = {
            self.pad_token_id: self.pad_token_box,
            self.sep_token_id: self.sep_token_box,
            self.cls_token_id: self.cls_token_box,
        }
        question_box = None if pages.questions is None else self.pad_token_box
        data["bbox"] = [
            token_boxes(window, words, pages.boxes[page], special, question_box)
            for window, words, page in zip(windows, word_ids, page_of_window, strict=True)
        ]
        if pages.labels is not None:
            other, only_first = self.pad_token_label, self.only_label_first_subword
            data["labels"] = [
                token_labels(window, words, pages.labels[page], other, only_first)
                for window, words, page in zip(windows, word_ids, page_of_window, strict=True)
            ]
        if not pages.batched and return_tensors is None and not return_overflowing_tokens:
            data = {name: rows[0] if isinstance(rows[0], list) else rows for name, rows in data.items()}
        return BatchEncoding(data, windows, option_value(return_tensors), prepend_batch_axis)

    def encode_plus(
        self,
        text: str | Sequence[str],
        text_pair: Sequence[str] | None = None,
        boxes: Any = None,
        word_labels: Any = None,
        *further: Any,
        **options: Any,
    ) -> BatchEncoding:
        """Encode one page; arguments and their order are those of a call."""
        return self(text, text_pair, boxes, word_labels, *further, **options)

    def encode(
        self,
        text: str | Sequence[str],
        text_pair: Sequence[str] | None = None,
        add_special_tokens: bool = True,
        padding: bool | str | Enum = False,
        truncation: bool | str | Enum | None = None,
        max_length: int | None = None,
        stride: int = 0,
        padding_side: str | None = None,
        return_tensors: str | Enum | None = None,
        **options: Any,
    ) -> Any:
        """The `input_ids` of one page: list[int], or (1, tokens) with `return_tensors`. `boxes` are necessary."""
        return self(
            text,
            text_pair,
            add_special_tokens=add_special_tokens,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            stride=stride,
            padding_side=padding_side,
            return_tensors=return_tensors,
            **options,
        )["input_ids"]

    def batch_encode_plus(
        self,
        batch_text_or_text_pairs: list[Any],
        is_pair: bool | None = None,
        boxes: Any = None,
        word_labels: Any = None,
        *further: Any,
        **options: Any,
    ) -> BatchEncoding:
        """Encode a batch.

        Args:
            batch_text_or_text_pairs: the words of every page, or a pair (question, words) for every page.
            is_pair: whether they are pairs; by default, whether they look like it.
            boxes, word_labels, further, options: the arguments of a call, in its order.

        Raises:
            TypeError: the batch is not a list, or as for a call.
            ValueError: as for a call.
        """
        text, text_pair = split_pairs(batch_text_or_text_pairs, is_pair)
        return self(text, text_pair, boxes, word_labels, *further, **options)

    def _encode(
        self,
        pages: Pages,
        lengths: Lengths,
        stride: int,
        pad_to_multiple_of: int | None,
        padding_side: str | None,
        add_special_tokens: bool,
    ) -> list[Encoding]:
        with self._lock:
            if lengths.truncation is None or lengths.max_length is None:
                self._rust.no_truncation()
            else:
                self._rust.enable_truncation(
                    max_length=lengths.max_length,
                    stride=stride,
                    strategy=lengths.truncation,
                    direction=self.truncation_side,
                )
            if lengths.padding is None:
                self._rust.no_padding()
            else:
                self._check_pad_token()
                self._rust.enable_padding(
                    length=lengths.max_length if lengths.padding == "max_length" else None,
                    direction=padding_side if padding_side is not None else self.padding_side,
                    pad_id=self.pad_token_id,
                    pad_token=self.pad_token,
                    pad_type_id=0,
                    pad_to_multiple_of=pad_to_multiple_of,
                )
            try:
                return self._rust.encode_batch(
                    pages.sequences(), add_special_tokens=add_special_tokens, is_pretokenized=True
                )
            except TypeError as error:
                raise TypeError(explain_bad_words(pages) or str(error)) from error
            except BaseException as error:
                # The Rust side panics (not a subclass of Exception) if a question leaves no more room than the stride.
                if type(error) is Exception or type(error).__name__ == "PanicException":
                    raise ValueError(
                        explain_no_room(str(error), lengths, stride, pages.questions is not None)
                    ) from error
                raise

    def _warn_about_length(self, rows: list[list[int]], max_length: int | None, verbose: bool) -> None:
        longest = max(len(row) for row in rows)
        if verbose and max_length is None and longest > self.model_max_length > 0 and not self._warned_about_length:
            self._warned_about_length = True
            logger.warning(
                "a sequence of %d tokens is longer than the model's maximum of %d: pass truncation=True, and "
                "return_overflowing_tokens=True to keep the rest as further windows",
                longest,
                self.model_max_length,
            )

    def pad(
        self,
        encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        padding: bool | str | Enum = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | Enum | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad the results of earlier calls to one length, to batch them.

        Args:
            encoded_inputs: one encoding, or a list of encodings of one page each. Entries other than `input_ids`,
                `attention_mask`, `token_type_ids`, `bbox`, `labels` and `special_tokens_mask` are unchanged.
            padding, max_length, pad_to_multiple_of, padding_side: as for encoding.
            return_attention_mask: False adds no missing attention mask.
            return_tensors: "pt", "np", or None for what the `input_ids` are: lists, tensors or arrays.

        Raises:
            ValueError: there are no `input_ids`, an option is unknown, there is no `pad_token`, or as for
                `BatchEncoding`.
        """
        lengths = choose_lengths(padding, None, max_length, None, self.model_max_length, verbose=False)
        if lengths.padding is not None:
            self._check_pad_token()
        fillers = {
            "input_ids": self.pad_token_id,
            "attention_mask": 0,
            "token_type_ids": self.pad_token_type_id,
            "bbox": self.pad_token_box,
            "labels": self.pad_token_label,
            "special_tokens_mask": 1,
        }
        return pad_encodings(
            encoded_inputs,
            lengths,
            pad_to_multiple_of,
            self.padding_side if padding_side is None else padding_side,
            fillers,
            "attention_mask" in self.model_input_names if return_attention_mask is None else return_attention_mask,
            option_value(return_tensors),
        )

    def _check_pad_token(self) -> None:
        if self.pad_token is None:
            raise ValueError("there is no pad_token to pad with: assign tokenizer.pad_token")
