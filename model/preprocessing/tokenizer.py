"""Converts words and boxes to token ids and token boxes: WordPiece with one box (and label) per token.

The `tokenizers` library in Rust does the work; this file adds LayoutLMv2's layout: each token has the box of its word,
and [CLS], [SEP] and [PAD] have boxes of their own (LayoutLMv2 paper, section 2.1). Arguments, defaults and results are
those of the reference implementation's `LayoutLMv2Tokenizer`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Encoding

from model.checkpoint_source import resolve_checkpoint
from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.tokenizer_files import SETTING_NAMES, read_tokenizer_folder, write_tokenizer_folder
from model.preprocessing.tokenizer_inputs import (
    Lengths,
    Pages,
    arrange_pages,
    choose_lengths,
    explain_bad_words,
    explain_no_room,
    plain,
)
from model.preprocessing.wordpiece import WordPieceTokenizer

logger = logging.getLogger(__name__)


class LayoutLMv2Tokenizer(WordPieceTokenizer):
    """BERT's uncased WordPiece with layout.

    Args:
        vocab: a vocabulary file (one token per line), a mapping of tokens to ids, or None for the one in this package
            (30,522 entries, BERT uncased), which the published LayoutLMv2 checkpoints use.
        do_lower_case, strip_accents, tokenize_chinese_chars: BERT's normalisation. `strip_accents=None` strips accents
            if and only if the text is lowercased.
        unk_token, sep_token, pad_token, cls_token, mask_token: the special tokens' spelling.
        cls_token_box, sep_token_box, pad_token_box: their boxes, 4 numbers in 0-1000.
        pad_token_label: the label of tokens without one (the loss ignores -100).
        only_label_first_subword: whether a word's further pieces get `pad_token_label` instead of the word's label.
        model_max_length: the default length for truncation and `padding="max_length"`, in tokens.
        padding_side, truncation_side: "right" or "left".
        clean_up_tokenization_spaces: the default of `decode`: whether to remove spaces before punctuation.
        split_special_tokens: whether "[SEP]" and the like, spelled out in a word, are split like other text.
        additional_special_tokens: further tokens that are never split.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
        ValueError: a side is neither "left" nor "right".
    """

    model_input_names = ("input_ids", "attention_mask", "token_type_ids")

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Mapping[str, int] | None = None,
        do_lower_case: bool = True,
        unk_token: str = "[UNK]",
        sep_token: str = "[SEP]",
        pad_token: str = "[PAD]",
        cls_token: str = "[CLS]",
        mask_token: str = "[MASK]",
        cls_token_box: Sequence[int] = (0, 0, 0, 0),
        sep_token_box: Sequence[int] = (1000, 1000, 1000, 1000),
        pad_token_box: Sequence[int] = (0, 0, 0, 0),
        pad_token_label: int = -100,
        only_label_first_subword: bool = True,
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        model_max_length: int = 512,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        additional_special_tokens: Sequence[str | AddedToken] = (),
        vocab_file: str | os.PathLike[str] | None = None,
    ) -> None:
        for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
            if side not in ("left", "right"):
                raise ValueError(f"{name}={side!r}: choose 'left' or 'right'")
        super().__init__(
            vocab_file if vocab is None else vocab,
            do_lower_case=do_lower_case,
            strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
            special_tokens={
                "unk_token": unk_token,
                "sep_token": sep_token,
                "pad_token": pad_token,
                "cls_token": cls_token,
                "mask_token": mask_token,
            },
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            split_special_tokens=split_special_tokens,
            additional_special_tokens=additional_special_tokens,
        )
        self.cls_token_box, self.sep_token_box = list(cls_token_box), list(sep_token_box)
        self.pad_token_box = list(pad_token_box)
        self.pad_token_label = pad_token_label
        self.only_label_first_subword = only_label_first_subword
        self.model_max_length = model_max_length
        self.padding_side, self.truncation_side = padding_side, truncation_side
        # Further entries of a loaded tokenizer_config.json, written back unchanged.
        self.other_settings: dict[str, Any] = {}
        self._warned_about_length = False

    # -- Encoding ----------------------------------------------------------------------------------------------------

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]],
        text_pair: Sequence[str] | Sequence[Sequence[str]] | None = None,
        boxes: Any = None,
        word_labels: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
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
            return_tensors: "pt", "np", or None for lists.
            return_token_type_ids, return_attention_mask: False omits them.
            return_overflowing_tokens: return truncated tokens as further windows (rows), and
                `overflow_to_sample_mapping` with the example of each.
            return_special_tokens_mask: add `special_tokens_mask`, 1 at special tokens.
            return_offsets_mapping: add `offset_mapping`, (start, end) of each token within its word, in characters.
            return_length: add `length` of each window, in tokens.
            verbose: whether to warn about sequences longer than the model's maximum.

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
            data["token_type_ids"] = [window.type_ids for window in windows]
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
        data["bbox"] = [
            self._token_boxes(window, words, pages.boxes[page], pages.questions is not None)
            for window, words, page in zip(windows, word_ids, page_of_window, strict=True)
        ]
        if pages.labels is not None:
            data["labels"] = [
                self._token_labels(window, words, pages.labels[page])
                for window, words, page in zip(windows, word_ids, page_of_window, strict=True)
            ]
        if not pages.batched and return_tensors is None and not return_overflowing_tokens:
            data = {name: rows[0] if isinstance(rows[0], list) else rows for name, rows in data.items()}
        return BatchEncoding(data, windows, return_tensors)

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

    def _token_boxes(self, window: Encoding, word_ids: list[int | None], boxes: Sequence[Any], pair: bool) -> list[Any]:
        # Later entries win if two special tokens have the same id: [CLS] before [SEP] before [PAD].
        special = {
            self.pad_token_id: self.pad_token_box,
            self.sep_token_id: self.sep_token_box,
            self.cls_token_id: self.cls_token_box,
        }
        if not pair:
            return [
                boxes[word] if word is not None else special[token]
                for token, word in zip(window.ids, word_ids, strict=True)
            ]
        return [
            special[token] if word is None else (self.pad_token_box if sequence == 0 else boxes[word])
            for token, word, sequence in zip(window.ids, word_ids, window.sequence_ids, strict=True)
        ]

    def _token_labels(self, window: Encoding, word_ids: list[int | None], labels: Sequence[Any]) -> list[Any]:
        """The label of every token.

        As in the reference implementation, a first piece is one that starts at character 0 of its word (so a word whose
        first character is normalised away has no label), and the words of a question get labels by their index.
        """
        count, other = len(labels), self.pad_token_label
        if self.only_label_first_subword:
            return [
                labels[word] if word is not None and start == 0 and word < count else other
                for word, (start, _) in zip(word_ids, window.offsets, strict=True)
            ]
        return [labels[word] if word is not None and word < count else other for word in word_ids]

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
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad the results of earlier calls to one length, to batch them.

        Args:
            encoded_inputs: one encoding, or a list of encodings of one page each. Entries other than `input_ids`,
                `attention_mask`, `token_type_ids`, `bbox`, `labels` and `special_tokens_mask` are unchanged.
            padding, max_length, pad_to_multiple_of, padding_side, return_tensors: as for encoding.
            return_attention_mask: False adds no missing attention mask.

        Raises:
            ValueError: there are no `input_ids`, an option is unknown, or as for `BatchEncoding`.
        """
        lengths = choose_lengths(padding, None, max_length, None, self.model_max_length, verbose=False)
        if not isinstance(encoded_inputs, Mapping):
            encoded_inputs = {name: [one[name] for one in encoded_inputs] for name in encoded_inputs[0]}
        if "input_ids" not in encoded_inputs:
            raise ValueError(f"there are no input_ids to pad, only {sorted(encoded_inputs)}")
        data = {name: plain(value) for name, value in encoded_inputs.items()}
        single = not (len(data["input_ids"]) and isinstance(data["input_ids"][0], (list, tuple)))
        if single:
            data = {name: [value] for name, value in data.items()}
        fillers = {
            "input_ids": self.pad_token_id,
            "attention_mask": 0,
            "token_type_ids": self.pad_token_type_id,
            "bbox": self.pad_token_box,
            "labels": self.pad_token_label,
            "special_tokens_mask": 1,
        }
        side = self.padding_side if padding_side is None else padding_side
        if side not in ("left", "right"):
            raise ValueError(f"padding_side={side!r}: choose 'left' or 'right'")
        counts = [len(row) for row in data["input_ids"]]
        if return_attention_mask is not False:
            data.setdefault("attention_mask", [[1] * count for count in counts])
        if lengths.padding is not None:
            target = max(counts) if lengths.padding == "longest" or lengths.max_length is None else lengths.max_length
            if pad_to_multiple_of:
                target = -(-target // pad_to_multiple_of) * pad_to_multiple_of
            for name in fillers.keys() & data.keys():
                gaps = [[fillers[name]] * (target - count) for count in counts]
                rows = zip(data[name], gaps, strict=True)
                data[name] = [[*gap, *row] if side == "left" else [*row, *gap] for row, gap in rows]
        if single:
            data = {name: rows[0] for name, rows in data.items()}
        return BatchEncoding(data, tensor_type=return_tensors)

    # -- Files -------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike[str], **settings: Any) -> LayoutLMv2Tokenizer:
        """Load a tokenizer from a folder, a hub id or `s3://...`.

        Args:
            source: folder, hub id or `s3://bucket/prefix`.
            settings: constructor arguments that override the files.

        Raises:
            FileNotFoundError: there is neither tokenizer.json nor vocab.txt.
            CheckpointError: `source` does not exist, access is denied, or it is unreachable.
        """
        files = read_tokenizer_folder(resolve_checkpoint(source, weights=False))
        tokenizer = cls(**{**files.arguments, **settings})
        for token in files.added_tokens:
            tokenizer.add_tokens([token], special_tokens=token.special)
        tokenizer.other_settings = files.other_settings
        return tokenizer

    def save_pretrained(self, folder: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write tokenizer.json, vocab.txt, tokenizer_config.json and special_tokens_map.json; return their paths."""
        settings = {
            **self.other_settings,
            **self.special_tokens_map,
            **{name: getattr(self, name) for name in SETTING_NAMES if name != "split_special_tokens"},
            "split_special_tokens": self._rust.encode_special_tokens,
            "tokenizer_class": "LayoutLMv2Tokenizer",
        }
        if self.additional_special_tokens:
            settings["additional_special_tokens"] = self.additional_special_tokens
        with self._lock:
            self._rust.no_truncation()
            self._rust.no_padding()
            return write_tokenizer_folder(Path(folder), self._rust, settings, self.special_tokens_map)


# The reference implementation's other name for the same class.
LayoutLMv2TokenizerFast = LayoutLMv2Tokenizer
