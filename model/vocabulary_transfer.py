"""Another vocabulary for a trained model: word embeddings of new tokens, made from those of the old WordPieces.

A token whose text the old vocabulary has keeps its vector; another one gets the mean of the vectors of the WordPieces
that spell its text (Mosin et al., 2021, "Fine-Tuning Transformers: Vocabulary Transfer", arXiv 2112.14569); one that
the old vocabulary cannot spell is drawn at random like the old ones.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from model.pretrained import LayoutLMv2PreTrainedModel

WORD_START = "\u2581"
"""What SentencePiece puts before a token that begins a word."""

CONTINUED = "##"
"""What WordPiece puts before a token that continues a word."""

SAME_TOKENS = {"<s>": "[CLS]", "<pad>": "[PAD]", "</s>": "[SEP]", "<unk>": "[UNK]", "<mask>": "[MASK]"}
"""Special tokens of XLM-RoBERTa by those of BERT that do the same."""


@dataclass(frozen=True)
class TransferredTable:
    """Word embeddings for a new vocabulary.

    Attributes:
        weight: float32 [new tokens, hidden_size].
        copied, averaged, drawn: how many tokens kept a vector, got a mean of vectors, and are random.
    """

    weight: torch.Tensor
    copied: int
    averaged: int
    drawn: int


def word_pieces(token: str, vocabulary: Mapping[str, int]) -> list[int]:
    """The ids of the WordPieces that spell a token of SentencePiece, without case and accents; empty if none do.

    The longest WordPiece is taken at each place, as WordPiece itself does. Chinese characters begin a word each, as in
    BERT. Within a token that continues a word, a piece of another kind (`ing` for `##ing`) is better than none; a
    character that no piece has is left out.

    Args:
        token: such as "▁Antrag" or "ung".
        vocabulary: WordPieces by their texts.
    """
    text = unicodedata.normalize("NFD", token.removeprefix(WORD_START).lower())
    text = "".join(character for character in text if not unicodedata.combining(character))
    found: list[int] = []
    start, begins = 0, token.startswith(WORD_START)
    while start < len(text):
        for end in range(len(text), start, -1):
            piece = text[start:end]
            kinds = (piece, CONTINUED + piece) if begins or _is_chinese(text[start]) else (CONTINUED + piece, piece)
            known = next((vocabulary[kind] for kind in kinds if kind in vocabulary), None)
            if known is not None:
                found.append(known)
                begins, start = _is_chinese(text[end - 1]), end
                break
        else:
            start += 1
    return found


def transferred_table(
    table: torch.Tensor, vocabulary: Mapping[str, int], tokens: Sequence[str], seed: int = 0
) -> TransferredTable:
    """Word embeddings of the tokens of a new vocabulary.

    Args:
        table: the word embeddings of the old vocabulary, [old tokens, hidden_size].
        vocabulary: the old WordPieces by their texts.
        tokens: of the new vocabulary in the order of their ids; those of `SAME_TOKENS` keep the vectors of BERT's.
        seed: of the vectors that are drawn; they have the mean and the deviation of the old ones in each dimension.
    """
    old = table.detach().float().cpu()
    random = torch.Generator().manual_seed(seed)
    weight = old.mean(dim=0) + old.std(dim=0) * torch.randn(len(tokens), old.shape[1], generator=random)
    counts = {"copied": 0, "averaged": 0, "drawn": 0}
    for row, token in enumerate(tokens):
        special = SAME_TOKENS.get(token)
        known = vocabulary.get(special) if special is not None else None
        pieces = word_pieces(token, vocabulary) if known is None else [known]
        if pieces:
            weight[row] = old[pieces].mean(dim=0)
        counts["drawn" if not pieces else "copied" if len(pieces) == 1 else "averaged"] += 1
    return TransferredTable(weight, **counts)


def transfer_vocabulary(
    model: LayoutLMv2PreTrainedModel,
    vocabulary: Mapping[str, int],
    tokens: Sequence[str],
    pad_token_id: int,
    seed: int = 0,
) -> TransferredTable:
    """Give a model with a WordPiece vocabulary another one, in place; all other weights stay.

    Args:
        model: whose word embeddings are replaced by float32 ones; its configuration follows.
        vocabulary, tokens, seed: see `transferred_table`.
        pad_token_id: the padding token of the new vocabulary; its vector is 0.

    Raises:
        ValueError: the vocabulary is not that of the model, or the padding token is not one of the tokens.
    """
    old = model.get_input_embeddings().weight
    if not vocabulary or max(vocabulary.values()) >= len(old):
        largest = max(vocabulary.values(), default=-1)
        raise ValueError(
            f"the old vocabulary has ids up to {largest}, and the model has {len(old)} tokens: not its own"
        )
    if not 0 <= pad_token_id < len(tokens):
        raise ValueError(f"pad_token_id is {pad_token_id}; the vocabulary has {len(tokens)} tokens")
    transferred = transferred_table(old, vocabulary, tokens, seed)
    transferred.weight[pad_token_id] = 0
    model.set_input_embeddings(nn.Embedding.from_pretrained(transferred.weight, freeze=False, padding_idx=pad_token_id))
    config: Any = model.config
    config.pad_token_id = model.base_model.config.pad_token_id = pad_token_id
    return transferred


def _is_chinese(character: str) -> bool:
    """Whether BERT takes the character for a word of its own (`BasicTokenizer._is_chinese_char`)."""
    return unicodedata.name(character, "").startswith("CJK")
