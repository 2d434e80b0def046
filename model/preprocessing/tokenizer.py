"""LayoutLMv2's tokenizer: words and boxes in, token ids and token boxes out.

Arguments, defaults and results are those of the reference implementation's `LayoutLMv2Tokenizer`. This file has the
arguments and the vocabulary; `layout_tokenizer.py` has the files, `page_tokenizer.py` the calls, and
`subword_tokenizer.py` what every tokenizer can do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.tokenizer_files import WORDPIECE, TokenizerFiles, prefixed
from model.preprocessing.wordpiece import wordpiece_arguments, wordpiece_tokenizer, write_vocabulary


class LayoutLMv2Tokenizer(LayoutTokenizer):
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
        extra_special_tokens: further tokens that are never split; or a mapping of names to tokens, each then an
            attribute. `additional_special_tokens` is its older name.
        vocab_file: the same as `vocab`, if that is None.
        tokenizer_file: a tokenizer.json to use instead, with its normalisation.
        bos_token, eos_token: not used by this model.
        added_tokens_decoder: added tokens by id, added before all others.
        model_input_names: the entries that a call returns by default.
        name_or_path: where the tokenizer comes from.
        other_settings: `<name>_token="..."` names a further special token, an attribute. The reference implementation
            ignores everything else; it is written to tokenizer_config.json.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
        ValueError: a side is neither "left" nor "right", or there is no [UNK], [SEP] or [CLS].
        TypeError: a special token is neither a string nor an AddedToken.
    """

    format = WORDPIECE
    _no_vocabulary_file = "the vocabulary cannot be a file of lines: ids have gaps, or a token contains a line break"

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Mapping[str, int] | None = None,
        do_lower_case: bool = True,
        unk_token: str | AddedToken = "[UNK]",
        sep_token: str | AddedToken = "[SEP]",
        pad_token: str | AddedToken | None = "[PAD]",
        cls_token: str | AddedToken = "[CLS]",
        mask_token: str | AddedToken | None = "[MASK]",
        cls_token_box: Sequence[int] = (0, 0, 0, 0),
        sep_token_box: Sequence[int] = (1000, 1000, 1000, 1000),
        pad_token_box: Sequence[int] = (0, 0, 0, 0),
        pad_token_label: int = -100,
        only_label_first_subword: bool = True,
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
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
        bos_token: str | AddedToken | None = None,
        eos_token: str | AddedToken | None = None,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        model_input_names: Sequence[str] | None = None,
        name_or_path: str = "",
        **other_settings: Any,
    ) -> None:
        if tokenizer_file is None:
            rust = wordpiece_tokenizer(
                vocab_file if vocab is None else vocab,
                str(unk_token),
                do_lower_case,
                strip_accents,
                tokenize_chinese_chars,
            )
        else:
            rust = Tokenizer.from_file(os.fspath(tokenizer_file))
        self.do_lower_case, self.strip_accents = do_lower_case, strip_accents
        self.tokenize_chinese_chars = tokenize_chinese_chars
        super().__init__(
            rust,
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

    @property
    def reserved_ids(self) -> frozenset[int]:
        """The ids of special tokens, and of those that BERT's vocabulary keeps for later, such as "[unused1]"."""
        named = {index for token, index in self.get_vocab().items() if token[0] == "[" and token[-1] == "]"}
        return super().reserved_ids | named

    @classmethod
    def _vocabulary_arguments(cls, files: TokenizerFiles) -> dict[str, Any]:
        if not files.serialized:
            return {"vocab": files.vocabulary}
        return wordpiece_arguments(files.serialized)

    def _serialized(self) -> str:
        self._rust.no_truncation()
        self._rust.no_padding()
        return self._rust.to_str(pretty=True)

    def _write_vocabulary(self, folder: Path, filename_prefix: str | None) -> Path | None:
        return write_vocabulary(prefixed(folder / self.format.vocabulary_file, filename_prefix), self._rust)


# The reference implementation's other name for the same class.
LayoutLMv2TokenizerFast = LayoutLMv2Tokenizer
