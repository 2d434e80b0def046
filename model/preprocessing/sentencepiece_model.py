"""SentencePiece's model file: the pieces of a Unigram vocabulary with their scores, and how text is normalised.

The file is a protocol buffer (`sentencepiece_model.proto` of https://github.com/google/sentencepiece). XLM-RoBERTa and
LayoutXLM number the pieces as fairseq did: four special tokens, then the pieces from the fourth on, then the mask.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sentencepiece import SentencePieceNormalizer, sentencepiece_model_pb2
from tokenizers.normalizers import Precompiled

schema: Any = sentencepiece_model_pb2
"""The classes of the file's messages, which are made at import and so unknown to type checkers."""

SPACE = "\u2581"
"""What stands for a space in pieces: "▁"."""

FIRST_PIECES = ("<unk>", "<s>", "</s>")
FAIRSEQ_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
"""What stands in a vocabulary in place of the first pieces of the file."""


@dataclass(frozen=True)
class Normalization:
    """How SentencePiece normalises text.

    Attributes:
        charsmap: the rules, which replace the longest known sequence of characters at each place: a trie, as compiled
            by SentencePiece. Empty for none.
        adds_prefix: whether a space is put before a text.
        removes_spaces: whether spaces at the ends are removed, and several in a row become one.

    Raises:
        ValueError: the rules are damaged.
    """

    charsmap: bytes
    adds_prefix: bool = True
    removes_spaces: bool = True

    def __post_init__(self) -> None:
        try:
            if self.charsmap:
                Precompiled(self.charsmap)
        except Exception as error:  # the library has no class of its own for this
            raise ValueError(f"the rules of normalisation are damaged ({error})") from error

    def specification(self) -> bytes:
        """These rules as SentencePiece reads them, for a text that stays without prefix; its spaces become `SPACE`."""
        return schema.NormalizerSpec(
            precompiled_charsmap=self.charsmap,
            add_dummy_prefix=False,
            remove_extra_whitespaces=self.removes_spaces,
        ).SerializeToString()


@dataclass(frozen=True)
class SentencePieceModel:
    """A Unigram vocabulary.

    Attributes:
        pieces: every token of the vocabulary with its score (a natural logarithm of its probability), in the order of
            their ids; the special tokens of `FAIRSEQ_TOKENS` first. The mask is last, or absent.
        normalization: what is done to a text before it is cut into pieces.
        content: the bytes of the file; None if the vocabulary does not come from one.
        control_symbols: pieces besides the special tokens that stand for no text, so that a word which spells one is
            cut into others.
    """

    pieces: tuple[tuple[str, float], ...]
    normalization: Normalization
    content: bytes | None = None
    control_symbols: tuple[str, ...] = ()


def read_sentencepiece_model(path: str | os.PathLike[str]) -> SentencePieceModel:
    """Read a model file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or its pieces are not those of a vocabulary like XLM-RoBERTa's; the message names the
            file.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no SentencePiece model at {os.fspath(path)}")
    content = Path(path).read_bytes()
    stored = schema.ModelProto()
    try:
        stored.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(f"{os.fspath(path)} is damaged or not a SentencePiece model: copy it again") from error
    if reason := _unsupported(stored):
        raise ValueError(
            f"{os.fspath(path)} is not a vocabulary like XLM-RoBERTa's: {reason}. Put the file of the model here, "
            "or of the text model that it began with"
        )
    special = [(token, 0.0) for token in FAIRSEQ_TOKENS]
    words = stored.pieces[len(FIRST_PIECES) :]
    rules = stored.normalizer_spec
    try:
        normalization = Normalization(
            rules.precompiled_charsmap, rules.add_dummy_prefix, rules.remove_extra_whitespaces
        )
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} is damaged: {error}; copy it again") from error
    return SentencePieceModel(
        pieces=(*special, *((piece.piece, piece.score) for piece in words)),
        normalization=normalization,
        content=content,
        control_symbols=tuple(piece.piece for piece in words if piece.type == schema.ModelProto.SentencePiece.CONTROL),
    )


@cache
def default_normalization() -> Normalization:
    """The rules of XLM-RoBERTa's and LayoutXLM's vocabulary: `nmt_nfkc`, which is part of SentencePiece."""
    rules = schema.NormalizerSpec()
    rules.ParseFromString(SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_normalizer_spec())
    return Normalization(rules.precompiled_charsmap)


def _unsupported(stored: Any) -> str | None:
    """Why the pieces cannot be used; None if they can."""
    kinds = schema.ModelProto.SentencePiece
    first = tuple(piece.piece for piece in stored.pieces[: len(FIRST_PIECES)])
    if stored.trainer_spec.model_type != schema.TrainerSpec.UNIGRAM:
        name = schema.TrainerSpec.ModelType.Name(stored.trainer_spec.model_type)
        return f"its pieces are of the kind {name}, not UNIGRAM"
    if first != FIRST_PIECES:
        return f"its first pieces are {', '.join(first) or 'missing'}, not {', '.join(FIRST_PIECES)}"
    if len(stored.pieces) == len(FIRST_PIECES):
        return "it has no pieces but the special ones"
    if stored.trainer_spec.treat_whitespace_as_suffix:
        return "it puts spaces after words"
    for piece in stored.pieces:
        if piece.type in (kinds.USER_DEFINED, kinds.BYTE, kinds.UNUSED):
            return f"the piece {piece.piece!r} is of the kind {kinds.Type.Name(piece.type)}"
        if not math.isfinite(piece.score):
            return f"the piece {piece.piece!r} has the score {piece.score}"
    return None
