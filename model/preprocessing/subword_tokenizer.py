"""A tokenizer in Rust with its special tokens: text, tokens and ids, without boxes."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, processors

from model.preprocessing.encoding import is_tensor
from model.preprocessing.special_tokens import SpecialTokens, as_special

if TYPE_CHECKING:
    import torch


class SubwordTokenizer(SpecialTokens):
    """Converts between text, tokens and ids; a subclass has the pieces, WordPiece's or SentencePiece's.

    Args:
        rust: the tokenizer in Rust: normalisation, pieces and decoder, without special tokens.
        special_tokens: the named special tokens. Those that the vocabulary lacks are added at its end, in this order.
        extra_special_tokens: further tokens that are never split.
        clean_up_tokenization_spaces: the default of `decode`: whether to remove spaces before punctuation.
        split_special_tokens: whether special tokens, spelled out in a text, are split like other text.
        added_tokens: tokens added before all others, in this order; special ones are marked as such.

    Raises:
        ValueError: there is no unknown, separator or class token.
        TypeError: a special token is neither a string nor an AddedToken.
    """

    def __init__(
        self,
        rust: Tokenizer,
        special_tokens: Mapping[str, str | AddedToken | None],
        extra_special_tokens: Sequence[str | AddedToken] = (),
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        added_tokens: Sequence[AddedToken] = (),
    ) -> None:
        super().__init__(special_tokens, extra_special_tokens)
        for name in ("unk_token", "sep_token", "cls_token"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is missing: every window contains it")
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces

        first = [copy(token) for token in added_tokens]
        for token in first:
            token.special = token.special or token.content in self.all_special_tokens
        rust.add_tokens(first)
        # A token added again would lose its settings, so only the others follow.
        known = {token.content for token in rust.get_added_tokens_decoder().values()}
        named = [token for token in self._named_tokens.values() if token is not None]
        rust.add_special_tokens([as_special(token) for token in named if str(token) not in known])
        known.update(str(token) for token in named)
        rust.add_tokens([as_special(token) for token in extra_special_tokens if str(token) not in known])
        second_type = self.second_token_type
        rust.post_processor = processors.TemplateProcessing(
            single=f"{self.cls_token}:0 $A:0 {self.sep_token}:0",
            pair=(
                f"{self.cls_token}:0 $A:0"
                + f" {self.sep_token}:0" * self.separators_between
                + f" $B:{second_type} {self.sep_token}:{second_type}"
            ),
            special_tokens=[
                (self.cls_token, rust.token_to_id(self.cls_token)),
                (self.sep_token, rust.token_to_id(self.sep_token)),
            ],
        )
        self._rust = rust
        self.split_special_tokens = split_special_tokens
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
        token_ids: int | Sequence[int] | Sequence[Sequence[int]] | np.ndarray | torch.Tensor | Mapping[str, Any],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **ignored: Any,
    ) -> str | list[str]:
        """The text of a sequence of ids, or the texts of a batch of sequences.

        As in the reference implementation, `clean_up_tokenization_spaces=None` means the tokenizer's default for one
        sequence and False for a batch; `batch_decode` uses the default.

        Args:
            token_ids: an id, ids, a batch of ids, or a mapping whose `input_ids` they are.
            skip_special_tokens: whether to leave out special tokens.
            clean_up_tokenization_spaces: whether to remove spaces before punctuation.
            ignored: further options of the reference implementation, without effect here as there.
        """
        ids: Any = token_ids["input_ids"] if isinstance(token_ids, Mapping) else token_ids
        if isinstance(ids, (np.ndarray, np.generic)) or is_tensor(ids):
            ids = ids.tolist()
        if isinstance(ids, int):
            ids = [ids]
        ids = [item.tolist() if hasattr(item, "tolist") else item for item in ids]
        if ids and isinstance(ids[0], (list, tuple)):
            return [str(self.decode(row, skip_special_tokens, bool(clean_up_tokenization_spaces))) for row in ids]
        text = self._rust.decode(ids, skip_special_tokens=skip_special_tokens)
        return self.clean_up_tokenization(text) if self._cleans_up(clean_up_tokenization_spaces) else text

    def batch_decode(
        self,
        sequences: Sequence[int] | Sequence[Sequence[int]] | np.ndarray | torch.Tensor,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **ignored: Any,
    ) -> list[str]:
        """The texts of a batch of sequences of ids."""
        texts = self.decode(sequences, skip_special_tokens, self._cleans_up(clean_up_tokenization_spaces))
        return [texts] if isinstance(texts, str) else texts

    def _cleans_up(self, wanted: bool | None) -> bool:
        return self.clean_up_tokenization_spaces if wanted is None else wanted

    def clean_up_tokenization(self, text: str) -> str:
        """A text without the spaces before punctuation and English contractions."""
        for part in (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"):
            text = text.replace(part, part.strip())
        return text

    def convert_ids_to_tokens(self, ids: int | Sequence[int], skip_special_tokens: bool = False) -> Any:
        """The token of an id, or the tokens of several; None for an id that is not in the vocabulary."""
        if isinstance(ids, int):
            return self._rust.id_to_token(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._rust.id_to_token(int(index)) for index in ids if int(index) not in skipped]

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a token, or the ids of several; unknown tokens have the id of `unk_token`.

        Raises:
            ValueError: a token is unknown, and so is `unk_token`.
        """
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        index = self._rust.token_to_id(tokens)
        if index is not None or self.unk_token is None:
            return index
        unknown = self._rust.token_to_id(self.unk_token)
        if unknown is None:
            raise ValueError(
                f"{self.unk_token!r} is not in the vocabulary: add it with "
                f"add_special_tokens({{'unk_token': {self.unk_token!r}}})"
            )
        return unknown

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        return self._rust.decoder.decode(list(tokens))

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """The number of special tokens in a window; with `pair` in one that has a question."""
        return self._rust.num_special_tokens_to_add(pair)

    def add_tokens(
        self, new_tokens: str | AddedToken | Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Append tokens to the vocabulary (the model's word embeddings must grow with it); return how many were new."""
        added = [new_tokens] if isinstance(new_tokens, (str, AddedToken)) else list(new_tokens)
        return self._rust.add_special_tokens(added) if special_tokens else self._rust.add_tokens(added)

    def get_vocab(self) -> dict[str, int]:
        """Every token with its id, added tokens included."""
        return self._rust.get_vocab(with_added_tokens=True)

    def get_added_vocab(self) -> dict[str, int]:
        """Every added or special token with its id, by id."""
        return {token.content: index for index, token in sorted(self.added_tokens_decoder.items())}

    @abstractmethod
    def save_vocabulary(self, folder: str | os.PathLike[str], filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write the vocabulary, without the added tokens, in the format of its kind; return the path of the file."""

    def to_json(self) -> str:
        """The content of tokenizer.json: everything that decides how a text becomes tokens."""
        with self._lock:
            return self._serialized()

    @abstractmethod
    def _serialized(self) -> str:
        """The content of tokenizer.json, without truncation and padding. The caller holds `_lock`."""

    @property
    def is_fast(self) -> bool:
        """True: the tokenizer in Rust does the work."""
        return True

    @property
    def vocab(self) -> dict[str, int]:
        """As `get_vocab`."""
        return self.get_vocab()

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """As `get_added_vocab`."""
        return self.get_added_vocab()

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Every added or special token by its id."""
        return self._rust.get_added_tokens_decoder()

    @property
    def split_special_tokens(self) -> bool:
        """Whether special tokens, spelled out in a text, are split like other text."""
        return self._rust.encode_special_tokens

    @split_special_tokens.setter
    def split_special_tokens(self, split: bool) -> None:
        self._rust.encode_special_tokens = split

    @property
    def vocab_size(self) -> int:
        """The number of tokens without the added ones."""
        return self._rust.get_vocab_size(with_added_tokens=False)

    @property
    def pad_token_type_id(self) -> int:
        return 0

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The Rust tokenizer. Calls set its truncation and padding, so other threads should not use it directly."""
        return self._rust

    @property
    def decoder(self) -> decoders.Decoder:
        """The part of the Rust tokenizer that joins tokens into text."""
        return self._rust.decoder
