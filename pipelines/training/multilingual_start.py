"""Starts of a small multilingual model: a vocabulary, and a checkpoint from nothing or from an English model."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from model.decoding import Decoding, save_decoding
from pipelines.datasets.form_blocks import FORM_LABELS
from pipelines.stages.model_loader import load_model_decoding, load_tokenizer
from pipelines.training.initialization import choose_init, initialize_model
from pipelines.training.multilingual_options import Start

if TYPE_CHECKING:
    from model import LayoutXLMTokenizer

logger = logging.getLogger(__name__)

CHARACTER_COVERAGE = 1.0
"""Share of the characters of a text that have pieces of their own: all, since drawn texts have no stray ones."""

DONE = "decoding.json"
"""The file of a start that is written last."""


def train_vocabulary(texts: Iterable[str], pieces: int, path: Path) -> None:
    """Train a SentencePiece Unigram vocabulary (Kudo, 2018, arXiv 1804.10959) with XLM-RoBERTa's normalisation.

    Args:
        texts: with spaces between words, also in scripts that are written without: words are tokenized one by one.
        pieces: the most pieces; fewer where the texts have too few different parts of words.
        path: of the SentencePiece model, which is replaced.
    """
    from sentencepiece import SentencePieceTrainer

    content = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=content,
        model_type="unigram",
        vocab_size=pieces,
        hard_vocab_limit=False,
        character_coverage=CHARACTER_COVERAGE,
        normalization_rule_name="nmt_nfkc",
        max_sentence_length=1_000_000,
        num_threads=1,  # with more, the order of sums and with it the scores would change
        minloglevel=2,
    )
    path.write_bytes(content.getvalue())


def write_start(folder: Path, start: Start, english: str, vocabulary: Path, seed: int) -> Path:
    """Write a checkpoint with FORM_LABELS and a vocabulary, but for one that exists.

    Args:
        start: "english": all weights of the English model, with word embeddings made from its own; "nothing": random
            weights of the same sizes.
        english: folder, hub id or s3:// URI of the English model, with a WordPiece vocabulary.
        vocabulary: the SentencePiece model.
        seed: of what is random.

    Returns:
        `folder`.
    """
    if (folder / DONE).exists():
        return folder
    import torch

    from model import LayoutLMv2ForTokenClassification, LayoutLMv2ImageProcessor, LayoutXLMTokenizer
    from model.vocabulary_transfer import transfer_vocabulary

    tokenizer = LayoutXLMTokenizer(vocabulary)
    model = initialize_model(choose_init(english, None, None), "token-classification", FORM_LABELS, seed).model.float()
    tokens = _tokens(tokenizer)
    made = transfer_vocabulary(model, load_tokenizer(english).get_vocab(), tokens, _pad_token_id(tokenizer), seed)
    if start == "nothing":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = LayoutLMv2ForTokenClassification(model.config)
    else:
        logger.info("word embeddings: %d copied, %d averaged, %d random", made.copied, made.averaged, made.drawn)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    LayoutLMv2ImageProcessor().save_pretrained(folder)
    save_decoding(Decoding("segments", joins=load_model_decoding(english).joins), folder)
    return folder


def _tokens(tokenizer: LayoutXLMTokenizer) -> list[str]:
    """All tokens in the order of their ids."""
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _pad_token_id(tokenizer: LayoutXLMTokenizer) -> int:
    identity = tokenizer.pad_token_id
    if identity is None:
        raise ValueError("the vocabulary has no padding token")
    return identity
