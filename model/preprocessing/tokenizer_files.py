"""A tokenizer's files: tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json, added_tokens.json.

Published checkpoints contain various subsets of them, so each is optional.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocab.txt"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"

# Tokens that a vocabulary lacks are added at its end, in this order.
SPECIAL_TOKEN_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
SETTING_NAMES = (
    "do_lower_case",
    "strip_accents",
    "tokenize_chinese_chars",
    "cls_token_box",
    "sep_token_box",
    "pad_token_box",
    "pad_token_label",
    "only_label_first_subword",
    "model_max_length",
    "padding_side",
    "truncation_side",
    "clean_up_tokenization_spaces",
    "split_special_tokens",
)
# Entries of tokenizer_config.json in some versions that are either written anew or specific to one machine.
_NOT_KEPT = ("tokenizer_class", "added_tokens_decoder", "name_or_path", "special_tokens_map_file", "tokenizer_file")


@dataclass(frozen=True)
class TokenizerFiles:
    """The content of a tokenizer's files.

    Attributes:
        arguments: constructor arguments, `vocab` among them.
        added_tokens: added and special tokens by id.
        other_settings: everything else in tokenizer_config.json.
    """

    arguments: dict[str, Any]
    added_tokens: dict[int, AddedToken]
    other_settings: dict[str, Any]


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


def read_tokenizer_folder(folder: Path) -> TokenizerFiles:
    """Read a tokenizer's files in a folder.

    Raises:
        FileNotFoundError: there is neither tokenizer.json nor vocab.txt.
        ValueError: tokenizer.json is not WordPiece.
    """
    config = _read_json(folder / CONFIG_FILE)
    arguments: dict[str, Any] = {}
    added: dict[int, AddedToken] = {}

    if (folder / TOKENIZER_FILE).is_file():
        serialized = _read_json(folder / TOKENIZER_FILE)
        arguments.update(_from_serialized(serialized, folder / TOKENIZER_FILE))
        added.update({entry["id"]: _as_token(entry) for entry in serialized.get("added_tokens", [])})
    elif (folder / VOCABULARY_FILE).is_file():
        arguments["vocab"] = folder / VOCABULARY_FILE
    else:
        raise FileNotFoundError(f"no tokenizer in {folder}: it has neither {TOKENIZER_FILE} nor {VOCABULARY_FILE}")
    added.update({index: _as_token(token) for token, index in _read_json(folder / ADDED_TOKENS_FILE).items()})
    added.update({int(index): _as_token(entry) for index, entry in config.get("added_tokens_decoder", {}).items()})

    named = {**_read_json(folder / SPECIAL_TOKENS_FILE), **config}
    tokens = {name for name, value in named.items() if name.endswith("_token") and _is_token(value)}
    for name in tokens:
        arguments[name] = named[name] if isinstance(named[name], str) else _as_token(named[name], special=True)
    further = named.get("extra_special_tokens") or named.get("additional_special_tokens")
    if isinstance(further, list) and further:
        arguments["extra_special_tokens"] = [_as_token(token, special=True) for token in further]
    elif isinstance(further, dict):
        arguments["extra_special_tokens"] = further
    for name in SETTING_NAMES:
        if name in config:
            arguments[name] = config[name]

    known = {*SETTING_NAMES, *SPECIAL_TOKEN_NAMES, *tokens, *_NOT_KEPT}
    known |= {"additional_special_tokens", "extra_special_tokens"}
    return TokenizerFiles(
        arguments=arguments,
        added_tokens=added,
        other_settings={name: value for name, value in config.items() if name not in known},
    )


def write_tokenizer_folder(
    folder: Path,
    tokenizer: Tokenizer,
    settings: Mapping[str, Any],
    special_tokens: Mapping[str, str],
    prefix: str | None = None,
) -> tuple[str, ...]:
    """Write the tokenizer's files, their names preceded by `<prefix>-` if there is one, and return their paths.

    vocab.txt is omitted if `write_vocabulary` cannot write it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / _prefixed(name, prefix) for name in (CONFIG_FILE, SPECIAL_TOKENS_FILE, TOKENIZER_FILE)]
    _write_json(paths[0], settings)
    _write_json(paths[1], special_tokens)
    tokenizer.save(str(paths[2]))
    vocabulary = write_vocabulary(folder, tokenizer, prefix)
    return tuple(str(path) for path in (*paths, vocabulary) if path is not None)


def write_vocabulary(folder: Path, tokenizer: Tokenizer, prefix: str | None = None) -> Path | None:
    """Write vocab.txt, in which the line number is the id, without added tokens; None if the ids have gaps."""
    by_id = {index: token for token, index in tokenizer.get_vocab(with_added_tokens=False).items()}
    if sorted(by_id) != list(range(len(by_id))) or any("\n" in token for token in by_id.values()):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _prefixed(VOCABULARY_FILE, prefix)
    path.write_text("".join(by_id[index] + "\n" for index in range(len(by_id))), encoding="utf-8", newline="\n")
    return path


def _prefixed(name: str, prefix: str | None) -> str:
    return f"{prefix}-{name}" if prefix else name


def _from_serialized(serialized: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Constructor arguments from tokenizer.json; those in tokenizer_config.json take precedence."""
    model = serialized.get("model", {})
    if model.get("type", "WordPiece") != "WordPiece":
        raise ValueError(f"{path} is a {model['type']} tokenizer; LayoutLMv2 uses WordPiece")
    vocabulary = model.get("vocab", {})
    if isinstance(vocabulary, list):
        vocabulary = {token[0] if isinstance(token, list) else token: index for index, token in enumerate(vocabulary)}
    arguments: dict[str, Any] = {"vocab": vocabulary}
    normalizer = serialized.get("normalizer") or {}
    if normalizer.get("type") == "BertNormalizer":
        arguments["do_lower_case"] = normalizer.get("lowercase", True)
        arguments["strip_accents"] = normalizer.get("strip_accents")
        arguments["tokenize_chinese_chars"] = normalizer.get("handle_chinese_chars", True)
    if serialized.get("truncation"):
        arguments["truncation_side"] = serialized["truncation"].get("direction", "right").lower()
    if serialized.get("padding"):
        arguments["padding_side"] = serialized["padding"].get("direction", "right").lower()
    return arguments


def _is_token(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and "content" in value)


def _as_token(token: Any, special: bool = False) -> AddedToken:
    if isinstance(token, dict):
        options = {name: value for name, value in token.items() if name not in ("id", "content", "__type")}
        return AddedToken(token["content"], **{"special": special, **options})
    return AddedToken(token, special=special, normalized=not special)


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
