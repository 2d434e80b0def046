"""WordPiece in Rust with its special tokens: a BERT tokenizer, without boxes."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors

from model.preprocessing.encoding import is_tensor
from model.preprocessing.tokenizer_files import SPECIAL_TOKEN_NAMES, build_wordpiece

if TYPE_CHECKING:
    import torch


class WordPieceTokenizer:
    """Converts between text, tokens and ids.

    Args:
        vocab: a vocabulary file (one token per line), a mapping of tokens to ids, or None for the one in this package
            (30,522 entries, BERT uncased), which the published LayoutLMv2 checkpoints use.
        do_lower_case, strip_accents, tokenize_chinese_chars: BERT's normalisation. `strip_accents=None` strips accents
            if and only if the text is lowercased.
        special_tokens: the spelling of each of `SPECIAL_TOKEN_NAMES`.
        clean_up_tokenization_spaces: the default of `decode`: whether to remove spaces before punctuation.
        split_special_tokens: whether "[SEP]" and the like, spelled out in a text, are split like other text.
        additional_special_tokens: further tokens that are never split.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
    """

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Mapping[str, int] | None,
        do_lower_case: bool,
        strip_accents: bool | None,
        tokenize_chinese_chars: bool,
        special_tokens: Mapping[str, str | AddedToken],
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        additional_special_tokens: Sequence[str | AddedToken] = (),
    ) -> None:
        self.do_lower_case = do_lower_case
        self.strip_accents = strip_accents
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.unk_token = str(special_tokens["unk_token"])
        self.sep_token = str(special_tokens["sep_token"])
        self.pad_token = str(special_tokens["pad_token"])
        self.cls_token = str(special_tokens["cls_token"])
        self.mask_token = str(special_tokens["mask_token"])
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.additional_special_tokens = [str(token) for token in additional_special_tokens]

        rust = Tokenizer(build_wordpiece(vocab, self.unk_token))
        rust.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            lowercase=do_lower_case,
        )
        rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        rust.decoder = decoders.WordPiece(prefix="##")
        named = dict.fromkeys(getattr(self, name) for name in SPECIAL_TOKEN_NAMES)
        rust.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in named])
        if additional_special_tokens:
            rust.add_special_tokens(list(additional_special_tokens))
        rust.post_processor = processors.TemplateProcessing(
            single=f"{self.cls_token}:0 $A:0 {self.sep_token}:0",
            pair=f"{self.cls_token}:0 $A:0 {self.sep_token}:0 $B:1 {self.sep_token}:1",
            special_tokens=[
                (self.cls_token, rust.token_to_id(self.cls_token)),
                (self.sep_token, rust.token_to_id(self.sep_token)),
            ],
        )
        rust.encode_special_tokens = split_special_tokens
        self._rust = rust
        # Truncation and padding are state of the Rust tokenizer, so only one call at a time can set and use them.
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """The number of tokens, added ones included."""
        return self._rust.get_vocab_size(with_added_tokens=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size})"

    def __bool__(self) -> bool:
        return True

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False) -> list[str]:
        """The tokens of a text."""
        with self._lock:
            self._rust.no_truncation()
            self._rust.no_padding()
            return self._rust.encode(text, pair or None, add_special_tokens=add_special_tokens).tokens

    def decode(
        self,
        token_ids: int | Sequence[int] | Sequence[Sequence[int]] | np.ndarray | torch.Tensor,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str | list[str]:
        """The text of a sequence of ids, or the texts of a batch of sequences."""
        ids: Any = token_ids
        if isinstance(token_ids, (np.ndarray, np.generic)) or is_tensor(token_ids):
            ids = ids.tolist()
        if isinstance(ids, int):
            ids = [ids]
        ids = [item.tolist() if hasattr(item, "tolist") else item for item in ids]
        if ids and isinstance(ids[0], (list, tuple)):
            return [str(self.decode(row, skip_special_tokens, clean_up_tokenization_spaces)) for row in ids]
        text = self._rust.decode(ids, skip_special_tokens=skip_special_tokens)
        clean = (
            self.clean_up_tokenization_spaces if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        )
        return _remove_spaces(text) if clean else text

    def batch_decode(
        self,
        sequences: Sequence[int] | Sequence[Sequence[int]] | np.ndarray | torch.Tensor,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> list[str]:
        """The texts of a batch of sequences of ids."""
        texts = self.decode(sequences, skip_special_tokens, clean_up_tokenization_spaces)
        return [texts] if isinstance(texts, str) else texts

    def convert_ids_to_tokens(self, ids: int | Sequence[int], skip_special_tokens: bool = False) -> Any:
        """The token of an id, or the tokens of several; None for an id that is not in the vocabulary."""
        if isinstance(ids, int):
            return self._rust.id_to_token(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._rust.id_to_token(int(index)) for index in ids if int(index) not in skipped]

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a token, or the ids of several; unknown tokens have the id of `unk_token`."""
        if isinstance(tokens, str):
            index = self._rust.token_to_id(tokens)
            return self.unk_token_id if index is None else index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        return self._rust.decoder.decode(list(tokens))

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """The number of special tokens in a window: 2, or 3 with a question."""
        return self._rust.num_special_tokens_to_add(pair)

    def add_tokens(self, new_tokens: str | Sequence[str | AddedToken], special_tokens: bool = False) -> int:
        """Append tokens to the vocabulary (the model's word embeddings must grow with it); return how many were new."""
        added = [new_tokens] if isinstance(new_tokens, (str, AddedToken)) else list(new_tokens)
        return self._rust.add_special_tokens(added) if special_tokens else self._rust.add_tokens(added)

    def get_vocab(self) -> dict[str, int]:
        """Every token with its id, added tokens included."""
        return self._rust.get_vocab(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """The number of tokens without the added ones."""
        return self._rust.get_vocab_size(with_added_tokens=False)

    def _id_of(self, token: str) -> int:
        index = self._rust.token_to_id(token)
        if index is None:
            raise ValueError(
                f"{token!r} is not in the vocabulary: add it with add_tokens([{token!r}], special_tokens=True)"
            )
        return index

    @property
    def unk_token_id(self) -> int:
        return self._id_of(self.unk_token)

    @property
    def sep_token_id(self) -> int:
        return self._id_of(self.sep_token)

    @property
    def pad_token_id(self) -> int:
        return self._id_of(self.pad_token)

    @property
    def cls_token_id(self) -> int:
        return self._id_of(self.cls_token)

    @property
    def mask_token_id(self) -> int:
        return self._id_of(self.mask_token)

    @property
    def pad_token_type_id(self) -> int:
        return 0

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The named special tokens."""
        return {name: getattr(self, name) for name in SPECIAL_TOKEN_NAMES}

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        return list(dict.fromkeys([*self.special_tokens_map.values(), *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The Rust tokenizer. Calls set its truncation and padding, so other threads should not use it directly."""
        return self._rust


def _remove_spaces(text: str) -> str:
    for part in (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"):
        text = text.replace(part, part.strip())
    return text
