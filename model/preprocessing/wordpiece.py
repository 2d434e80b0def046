"""WordPiece in Rust: BERT's tokenizer, and what tokenizer.json says about one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece


def wordpiece_tokenizer(
    vocab: str | os.PathLike[str] | Mapping[str, int] | None,
    unk_token: str,
    do_lower_case: bool,
    strip_accents: bool | None,
    tokenize_chinese_chars: bool,
) -> Tokenizer:
    """BERT's tokenizer, without special tokens; the arguments are those of `LayoutLMv2Tokenizer`.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
    """
    rust = Tokenizer(build_wordpiece(vocab, unk_token))
    rust.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=tokenize_chinese_chars,
        strip_accents=strip_accents,
        lowercase=do_lower_case,
    )
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.decoder = decoders.WordPiece(prefix="##")
    return rust


def build_wordpiece(vocab: str | os.PathLike[str] | Mapping[str, int] | None, unk_token: str) -> WordPiece:
    """The WordPiece model of a vocabulary.

    Args:
        vocab: a file with one token per line (the line number, from 0, is its id), a mapping of tokens to ids, or None
            for BERT's uncased vocabulary (30,522 entries) in this package.
        unk_token: the token of words that have no pieces.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
    """
    if isinstance(vocab, Mapping):
        return WordPiece(vocab=dict(vocab), unk_token=unk_token)
    if vocab is None:
        with resources.as_file(resources.files("model") / "vocabulary" / "bert-base-uncased-vocab.txt") as shipped:
            return WordPiece.from_file(str(shipped), unk_token=unk_token)
    if not os.path.isfile(vocab):
        raise FileNotFoundError(f"no vocabulary file at {os.fspath(vocab)}")
    return WordPiece.from_file(os.fspath(vocab), unk_token=unk_token)


def write_vocabulary(path: Path, tokenizer: Tokenizer) -> Path | None:
    """Write a file of lines, in which the line number is the id, without added tokens; None if the ids have gaps."""
    by_id = {index: token for token, index in tokenizer.get_vocab(with_added_tokens=False).items()}
    if sorted(by_id) != list(range(len(by_id))) or any("\n" in token for token in by_id.values()):
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(by_id[index] + "\n" for index in range(len(by_id))), encoding="utf-8", newline="\n")
    return path


def wordpiece_arguments(serialized: Mapping[str, Any]) -> dict[str, Any]:
    """The vocabulary and the normalisation of a tokenizer.json, as arguments of `LayoutLMv2Tokenizer`."""
    vocabulary = serialized.get("model", {}).get("vocab", {})
    if isinstance(vocabulary, list):
        vocabulary = {token[0] if isinstance(token, list) else token: index for index, token in enumerate(vocabulary)}
    arguments: dict[str, Any] = {"vocab": vocabulary}
    normalizer = serialized.get("normalizer") or {}
    if normalizer.get("type") == "BertNormalizer":
        arguments["do_lower_case"] = normalizer.get("lowercase", True)
        arguments["strip_accents"] = normalizer.get("strip_accents")
        arguments["tokenize_chinese_chars"] = normalizer.get("handle_chinese_chars", True)
    return arguments
