"""A tokenizer's files: tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json, and vocab.txt
or sentencepiece.bpe.model.

Published checkpoints contain various subsets of them, so each is optional.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocab.txt"
SENTENCEPIECE_FILE = "sentencepiece.bpe.model"  # its pieces are Unigram's in spite of the name
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"

# Tokens that a vocabulary lacks are added at its end, in this order.
SPECIAL_TOKEN_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
SETTING_NAMES = (
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
NORMALIZATION_NAMES = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
# Entries of tokenizer_config.json in some versions that are either written anew or specific to one machine.
_NOT_KEPT = ("tokenizer_class", "added_tokens_decoder", "name_or_path", "special_tokens_map_file", "tokenizer_file")


@dataclass(frozen=True)
class TokenizerFormat:
    """The files of one of the tokenizers of this package.

    Attributes:
        class_name: the class, by its name in `model`.
        pieces: the `type` of the model in tokenizer.json.
        vocabulary_file: the file of the vocabulary alone.
        setting_names: the entries of tokenizer_config.json that are arguments of the class.
    """

    class_name: str
    pieces: str
    vocabulary_file: str
    setting_names: tuple[str, ...]


WORDPIECE = TokenizerFormat("LayoutLMv2Tokenizer", "WordPiece", VOCABULARY_FILE, (*NORMALIZATION_NAMES, *SETTING_NAMES))
UNIGRAM = TokenizerFormat("LayoutXLMTokenizer", "Unigram", SENTENCEPIECE_FILE, SETTING_NAMES)
FORMATS = (WORDPIECE, UNIGRAM)


@dataclass(frozen=True)
class TokenizerFiles:
    """The content of a tokenizer's files.

    Attributes:
        arguments: constructor arguments, without the vocabulary.
        vocabulary: the file of the vocabulary alone, if there is one.
        serialized: the content of tokenizer.json; empty if there is none.
        added_tokens: added and special tokens by id.
        other_settings: everything else in tokenizer_config.json.
    """

    arguments: dict[str, Any]
    vocabulary: Path | None
    serialized: dict[str, Any]
    added_tokens: dict[int, AddedToken]
    other_settings: dict[str, Any]


def tokenizer_format(folder: Path) -> TokenizerFormat | None:
    """The kind of a folder's tokenizer by its files; None if it has none of this package's.

    A tokenizer.json says it itself. Else it is the file of the vocabulary, and if both kinds are there the class that
    tokenizer_config.json names.

    Raises:
        ValueError: the tokenizer.json is of another kind, or a file is damaged.
    """
    path = folder / TOKENIZER_FILE
    if path.is_file():
        pieces = _pieces(_read_json(path), path)
        for one in FORMATS:
            if one.pieces == pieces:
                return one
        raise ValueError(f"{path} is a {pieces} tokenizer; this package has {' and '.join(map(_described, FORMATS))}")
    present = [one for one in FORMATS if (folder / one.vocabulary_file).is_file()]
    if len(present) > 1:
        named = str(_read_json(folder / CONFIG_FILE).get("tokenizer_class") or "")
        present = [UNIGRAM if "XLM" in named else WORDPIECE]
    return present[0] if present else None


def read_tokenizer_folder(folder: Path, kind: TokenizerFormat) -> TokenizerFiles:
    """Read a tokenizer's files in a folder.

    Raises:
        FileNotFoundError: there is neither tokenizer.json nor the vocabulary.
        ValueError: tokenizer.json is of another kind, or a file is damaged.
    """
    config = _read_json(folder / CONFIG_FILE)
    arguments: dict[str, Any] = {}
    added: dict[int, AddedToken] = {}

    serialized = _read_json(folder / TOKENIZER_FILE)
    if serialized:
        if (pieces := _pieces(serialized, folder / TOKENIZER_FILE)) != kind.pieces:
            raise ValueError(
                f"{folder / TOKENIZER_FILE} is a {pieces} tokenizer; {_described(kind)}. AutoTokenizer chooses the "
                "class by the files"
            )
        arguments.update(_sides(serialized))
        added.update({entry["id"]: _as_token(entry) for entry in serialized.get("added_tokens") or ()})
    vocabulary = folder / kind.vocabulary_file
    if not serialized and not vocabulary.is_file():
        raise FileNotFoundError(f"no tokenizer in {folder}: it has neither {TOKENIZER_FILE} nor {kind.vocabulary_file}")
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
    for name in kind.setting_names:
        if name in config:
            arguments[name] = config[name]

    known = {*kind.setting_names, *SPECIAL_TOKEN_NAMES, *tokens, *_NOT_KEPT}
    known |= {"additional_special_tokens", "extra_special_tokens"}
    return TokenizerFiles(
        arguments=arguments,
        vocabulary=vocabulary if vocabulary.is_file() else None,
        serialized=serialized,
        added_tokens=added,
        other_settings={name: value for name, value in config.items() if name not in known},
    )


def write_tokenizer_folder(
    folder: Path,
    serialized: str,
    settings: Mapping[str, Any],
    special_tokens: Mapping[str, str],
    prefix: str | None = None,
) -> tuple[str, ...]:
    """Write the files that every tokenizer has, their names preceded by `<prefix>-` if there is one.

    Args:
        folder: created if necessary.
        serialized: the content of tokenizer.json.
        settings: the content of tokenizer_config.json.
        special_tokens: the content of special_tokens_map.json.
        prefix: of the names.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [prefixed(folder / name, prefix) for name in (CONFIG_FILE, SPECIAL_TOKENS_FILE, TOKENIZER_FILE)]
    _write_json(paths[0], settings)
    _write_json(paths[1], special_tokens)
    paths[2].write_text(serialized, encoding="utf-8")
    return tuple(map(str, paths))


def prefixed(path: Path, prefix: str | None) -> Path:
    """A path with `<prefix>-` before the file's name, if there is a prefix."""
    return path.with_name(f"{prefix}-{path.name}") if prefix else path


def _described(kind: TokenizerFormat) -> str:
    return f"{kind.class_name} uses {kind.pieces}"


def _pieces(serialized: Mapping[str, Any], path: Path) -> str:
    """The kind of the pieces in a tokenizer.json; files without one are of old versions, which had WordPiece alone."""
    model = serialized.get("model", {})
    if not isinstance(model, dict):
        raise ValueError(f"{path} is damaged: its model is no object; copy the checkpoint again")
    return str(model.get("type", WORDPIECE.pieces))


def _sides(serialized: Mapping[str, Any]) -> dict[str, str]:
    """The sides of tokenizer.json; those in tokenizer_config.json take precedence."""
    arguments: dict[str, str] = {}
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
    """The object in a file; empty if there is no file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; copy the checkpoint again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds no object; copy the checkpoint again")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
