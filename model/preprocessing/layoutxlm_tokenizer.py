"""LayoutXLM's tokenizer: words and boxes of a page in any language in, token ids and token boxes out.

Arguments, defaults and results are those of the reference implementation's `LayoutXLMTokenizer`, except that words are
normalised by SentencePiece's rules, as for the published model; the reference has lost them since its version 5.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.sentencepiece_cuts import cutting_model
from model.preprocessing.sentencepiece_model import (
    FAIRSEQ_TOKENS,
    SentencePieceModel,
    default_normalization,
    read_sentencepiece_model,
)
from model.preprocessing.tokenizer_files import UNIGRAM, TokenizerFiles, prefixed
from model.preprocessing.unigram import (
    stored_vocabulary,
    unigram_tokenizer,
    use_library_parts,
    use_sentencepiece_parts,
)


class LayoutXLMTokenizer(LayoutTokenizer):
    """XLM-RoBERTa's SentencePiece with layout.

    A question and the words of a page are `<s> question </s></s> words </s>`, and there are no token types: all are 0
    where they are asked for.

    Args:
        vocab: a SentencePiece model file (`sentencepiece.bpe.model`), or the pieces with their scores in the order of
            their ids. This package has no vocabulary for it.
        bos_token, eos_token, sep_token, cls_token, unk_token, pad_token, mask_token: the special tokens' spelling.
        cls_token_box, sep_token_box, pad_token_box: their boxes, 4 numbers in 0-1000.
        pad_token_label: the label of tokens without one (the loss ignores -100).
        only_label_first_subword: whether a word's further pieces get `pad_token_label` instead of the word's label.
        model_max_length: the default length for truncation and `padding="max_length"`, in tokens.
        padding_side, truncation_side: "right" or "left".
        clean_up_tokenization_spaces: the default of `decode`: whether to remove spaces before punctuation.
        split_special_tokens: whether "<s>" and the like, spelled out in a word, are split like other text.
        extra_special_tokens: further tokens that are never split; or a mapping of names to tokens, each then an
            attribute. `additional_special_tokens` is its older name.
        vocab_file: the same as `vocab`, if that is None.
        tokenizer_file: a tokenizer.json to use instead, with its normalisation.
        added_tokens_decoder: added tokens by id, added before all others.
        model_input_names: the entries that a call returns by default.
        name_or_path: where the tokenizer comes from.
        other_settings: as for `LayoutLMv2Tokenizer`.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
        ValueError: there is no vocabulary, it is damaged or of another kind, a side is neither "left" nor "right", or
            there is no unknown, separator or class token.
        TypeError: a special token is neither a string nor an AddedToken.
    """

    format = UNIGRAM
    model_input_names: Sequence[str] = ("input_ids", "attention_mask")
    separators_between = 2
    second_token_type = 0
    _no_vocabulary_file = (
        "the vocabulary was not read from a SentencePiece model file, so there is none to write: save_pretrained "
        "writes tokenizer.json"
    )

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Sequence[tuple[str, float]] | SentencePieceModel | None = None,
        bos_token: str | AddedToken | None = "<s>",
        eos_token: str | AddedToken | None = "</s>",
        sep_token: str | AddedToken = "</s>",
        cls_token: str | AddedToken = "<s>",
        unk_token: str | AddedToken = "<unk>",
        pad_token: str | AddedToken | None = "<pad>",
        mask_token: str | AddedToken | None = "<mask>",
        cls_token_box: Sequence[int] = (0, 0, 0, 0),
        sep_token_box: Sequence[int] = (1000, 1000, 1000, 1000),
        pad_token_box: Sequence[int] = (0, 0, 0, 0),
        pad_token_label: int = -100,
        only_label_first_subword: bool = True,
        model_max_length: int | None = 512,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        additional_special_tokens: Sequence[str | AddedToken] | None = None,
        vocab_file: str | os.PathLike[str] | None = None,
        *,
        tokenizer_file: str | os.PathLike[str] | None = None,
        extra_special_tokens: Sequence[str | AddedToken] | Mapping[str, str | AddedToken] | None = None,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        model_input_names: Sequence[str] | None = None,
        name_or_path: str = "",
        **other_settings: Any,
    ) -> None:
        vocabulary = _vocabulary(vocab_file if vocab is None else vocab, tokenizer_file)
        if mask_token is not None and str(mask_token) not in (piece for piece, _ in vocabulary.pieces):
            # The mask is the last token of the vocabulary, and takes in the space before it, as words do.
            vocabulary = replace(vocabulary, pieces=(*vocabulary.pieces, (str(mask_token), 0.0)))
        if isinstance(mask_token, str):
            mask_token = AddedToken(mask_token, lstrip=True, special=True, normalized=False)
        self._normalization = vocabulary.normalization
        self._model_file = vocabulary.content
        super().__init__(
            unigram_tokenizer(vocabulary, str(unk_token)),
            {
                "bos_token": bos_token,
                "eos_token": eos_token,
                "unk_token": unk_token,
                "sep_token": sep_token,
                "pad_token": pad_token,
                "cls_token": cls_token,
                "mask_token": mask_token,
            },
            other_settings,
            cls_token_box=cls_token_box,
            sep_token_box=sep_token_box,
            pad_token_box=pad_token_box,
            pad_token_label=pad_token_label,
            only_label_first_subword=only_label_first_subword,
            model_max_length=model_max_length,
            padding_side=padding_side,
            truncation_side=truncation_side,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            split_special_tokens=split_special_tokens,
            extra_special_tokens=additional_special_tokens if extra_special_tokens is None else extra_special_tokens,
            added_tokens_decoder=added_tokens_decoder,
            model_input_names=model_input_names,
            name_or_path=name_or_path,
        )
        self._special_pieces = [*FAIRSEQ_TOKENS, *self.all_special_tokens, *vocabulary.control_symbols]
        self._cutting_model = cutting_model(vocabulary, str(unk_token), self._special_pieces)
        self._use_sentencepiece_parts()

    def _use_sentencepiece_parts(self) -> None:
        use_sentencepiece_parts(self._rust, self._normalization, self._cutting_model, self._special_pieces)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_rust": self.to_json(), "_splits": self.split_special_tokens}

    def __setstate__(self, state: dict[str, Any]) -> None:
        splits = state.pop("_splits")
        super().__setstate__({**state, "_rust": Tokenizer.from_str(state["_rust"])})
        self._use_sentencepiece_parts()
        self.split_special_tokens = splits

    @classmethod
    def _vocabulary_arguments(cls, files: TokenizerFiles) -> dict[str, Any]:
        if not files.serialized:
            return {"vocab": files.vocabulary}
        vocabulary = stored_vocabulary(files.serialized)
        if files.vocabulary is not None:
            # The model file says more about the normalisation. A file of another vocabulary is left behind.
            stored = read_sentencepiece_model(files.vocabulary)
            names = [piece for piece, _ in vocabulary.pieces[: len(stored.pieces)]]
            if names == [piece for piece, _ in stored.pieces]:
                vocabulary = replace(stored, pieces=vocabulary.pieces)
        return {"vocab": vocabulary}

    def _serialized(self) -> str:
        rust = self._rust
        rust.no_truncation()
        rust.no_padding()
        use_library_parts(rust, self._normalization)
        try:
            return rust.to_str(pretty=True)
        finally:
            self._use_sentencepiece_parts()

    def _write_vocabulary(self, folder: Path, filename_prefix: str | None) -> Path | None:
        if self._model_file is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        path = prefixed(folder / self.format.vocabulary_file, filename_prefix)
        path.write_bytes(self._model_file)
        return path


def _vocabulary(
    vocab: str | os.PathLike[str] | Sequence[tuple[str, float]] | SentencePieceModel | None,
    tokenizer_file: str | os.PathLike[str] | None,
) -> SentencePieceModel:
    if tokenizer_file is not None:
        return stored_vocabulary(json.loads(Path(tokenizer_file).read_text(encoding="utf-8")))
    if vocab is None:
        raise ValueError(
            "LayoutXLM's vocabulary is not part of this package: give vocab, a sentencepiece.bpe.model, or load the "
            "tokenizer of a checkpoint with from_pretrained"
        )
    if isinstance(vocab, SentencePieceModel):
        return vocab
    if isinstance(vocab, (str, os.PathLike)):
        return read_sentencepiece_model(vocab)
    return SentencePieceModel(tuple((piece, score) for piece, score in vocab), default_normalization())


# The reference implementation's other name for the same class.
LayoutXLMTokenizerFast = LayoutXLMTokenizer
