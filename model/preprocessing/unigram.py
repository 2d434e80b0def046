"""Unigram in Rust: the tokenizer of a SentencePiece vocabulary, and what tokenizer.json says about one."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from model.preprocessing.sentencepiece_cuts import SentencePieceCuts
from model.preprocessing.sentencepiece_model import (
    SPACE,
    Normalization,
    SentencePieceModel,
    default_normalization,
)
from model.preprocessing.sentencepiece_normalizer import SentencePieceRules


def unigram_tokenizer(vocabulary: SentencePieceModel, unk_token: str) -> Tokenizer:
    """The tokenizer of a vocabulary, without special tokens and with the library's own parts (`use_library_parts`).

    Raises:
        ValueError: the vocabulary lacks `unk_token`.
    """
    pieces = list(vocabulary.pieces)
    unknown = next((index for index, (piece, _) in enumerate(pieces) if piece == unk_token), None)
    if unknown is None:
        raise ValueError(f"the vocabulary of {len(pieces)} pieces lacks the unk_token {unk_token!r}")
    rust = Tokenizer(Unigram(pieces, unk_id=unknown, byte_fallback=False))
    use_library_parts(rust, vocabulary.normalization)
    scheme = "always" if vocabulary.normalization.adds_prefix else "never"
    rust.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme=scheme)
    return rust


def use_library_parts(rust: Tokenizer, normalization: Normalization) -> None:
    """Let the library's own parts normalise and cut, as in the tokenizer.json of published checkpoints."""
    parts: list[normalizers.Normalizer] = []
    if normalization.charsmap:
        parts.append(normalizers.Precompiled(normalization.charsmap))
    if normalization.removes_spaces:
        parts += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    rust.normalizer = normalizers.Sequence(parts)
    rust.pre_tokenizer = _prefix(normalization)


def use_sentencepiece_parts(
    rust: Tokenizer, normalization: Normalization, cutting_model: bytes, special_tokens: Sequence[str]
) -> None:
    """Let SentencePiece normalise and cut, which cannot be written into tokenizer.json.

    Args:
        rust: the tokenizer, which is changed.
        normalization: what is done to a text first.
        cutting_model: see `SentencePieceCuts`.
        special_tokens: tokens of the vocabulary that are no pieces of words.
    """
    rust.normalizer = normalizers.Normalizer.custom(SentencePieceRules(normalization))
    cuts = pre_tokenizers.PreTokenizer.custom(SentencePieceCuts(cutting_model, special_tokens))
    rust.pre_tokenizer = pre_tokenizers.Sequence([_prefix(normalization), cuts])


def _prefix(normalization: Normalization) -> pre_tokenizers.PreTokenizer:
    scheme = "always" if normalization.adds_prefix else "never"
    return pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme, split=False)


def stored_vocabulary(serialized: Mapping[str, Any]) -> SentencePieceModel:
    """The vocabulary and the normalisation of a tokenizer.json.

    Raises:
        ValueError: its pieces have no scores, or the rules of normalisation are damaged.
    """
    model = serialized.get("model")
    pieces = model.get("vocab") if isinstance(model, Mapping) else None
    if not isinstance(pieces, list) or not all(map(_is_scored_piece, pieces)):
        raise ValueError(
            "tokenizer.json is damaged: a Unigram vocabulary is a list of pieces with scores; copy the checkpoint again"
        )
    try:
        normalization = stored_normalization(serialized)
    except ValueError as error:
        raise ValueError(f"tokenizer.json is damaged: {error}; copy the checkpoint again") from error
    return SentencePieceModel(tuple((piece, score) for piece, score in pieces), normalization)


def _is_scored_piece(entry: Any) -> bool:
    """Whether an entry of a vocabulary is a piece with a finite score."""
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    piece, score = entry
    return isinstance(piece, str) and isinstance(score, (int, float)) and math.isfinite(score)


def stored_normalization(serialized: Mapping[str, Any]) -> Normalization:
    """The normalisation of a tokenizer.json.

    One without rules is of a version of the reference implementation that loses them; the vocabularies of this kind
    were made with SentencePiece's own, which therefore replace what is missing.

    Raises:
        ValueError: the rules are damaged.
    """
    prefixed = [part for part in _parts(serialized.get("pre_tokenizer")) if part.get("type") == "Metaspace"]
    adds_prefix = all(_adds_prefix(part) for part in prefixed)
    for part in _parts(serialized.get("normalizer")):
        if part.get("type") == "Precompiled" and part.get("precompiled_charsmap"):
            return Normalization(base64.b64decode(str(part["precompiled_charsmap"]), validate=True), adds_prefix)
    return Normalization(default_normalization().charsmap, adds_prefix)


def _adds_prefix(metaspace: Mapping[str, Any]) -> bool:
    # Files of older versions have `add_prefix_space` instead of `prepend_scheme`.
    return metaspace.get("prepend_scheme", "always") != "never" and bool(metaspace.get("add_prefix_space", True))


def _parts(component: Any) -> Iterator[Mapping[str, Any]]:
    """A normaliser or pre-tokenizer of tokenizer.json, and if it is a sequence each of its parts."""
    if not isinstance(component, Mapping):
        return
    yield component
    for part in component.get("normalizers") or component.get("pretokenizers") or ():
        yield from _parts(part)
