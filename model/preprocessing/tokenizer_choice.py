"""Which tokenizer a checkpoint has, by its files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from model.checkpoint_source import resolve_checkpoint, split_source_options
from model.preprocessing.layout_tokenizer import LayoutTokenizer
from model.preprocessing.tokenizer import LayoutLMv2Tokenizer
from model.preprocessing.tokenizer_files import UNIGRAM, tokenizer_format


def tokenizer_class(folder: Path) -> type[LayoutTokenizer]:
    """The class for a folder's tokenizer; LayoutLMv2's for a folder without one.

    Raises:
        ValueError: its tokenizer is of a kind that this package does not have, or a file is damaged.
    """
    if tokenizer_format(folder) is not UNIGRAM:
        return LayoutLMv2Tokenizer
    # Here, so that SentencePiece is loaded only where it is used.
    from model.preprocessing.layoutxlm_tokenizer import LayoutXLMTokenizer

    return LayoutXLMTokenizer


def load_page_tokenizer(source: str | PathLike[str], **settings: Any) -> LayoutTokenizer:
    """The tokenizer of a checkpoint, whatever model it belongs to.

    Args:
        source: folder, hub id or `s3://bucket/prefix`.
        settings: as for `from_pretrained` of the class.

    Raises:
        FileNotFoundError: there is no tokenizer.
        ValueError: as in `tokenizer_class`.
        CheckpointError: `source` does not exist, access is denied, or it is unreachable.
    """
    options, _ = split_source_options(settings)
    folder = resolve_checkpoint(source, weights=False, **options)
    return tokenizer_class(folder).from_pretrained(source, **settings)
