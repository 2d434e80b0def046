"""What the tokenizers of pages share: their settings, and their files."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tokenizers import AddedToken, Tokenizer

from model.checkpoint_source import resolve_checkpoint, split_source_options
from model.hub import Publishable
from model.preprocessing.page_tokenizer import PageTokenizer
from model.preprocessing.tokenizer_files import (
    TokenizerFiles,
    TokenizerFormat,
    read_tokenizer_folder,
    write_tokenizer_folder,
)
from model.preprocessing.tokenizer_inputs import UNLIMITED

if TYPE_CHECKING:
    from typing_extensions import Self

# Options of the reference implementation's `from_pretrained` that do not concern these tokenizers.
_WITHOUT_EFFECT = ("use_fast", "trust_remote_code", "tokenizer_type", "proxies", "resume_download", "config")


class LayoutTokenizer(Publishable, PageTokenizer):
    """A tokenizer of pages with files; a subclass says which, and describes the arguments."""

    format: ClassVar[TokenizerFormat]

    def __init__(
        self,
        rust: Tokenizer,
        special_tokens: Mapping[str, str | AddedToken | None],
        other_settings: dict[str, Any],
        *,
        cls_token_box: Sequence[int],
        sep_token_box: Sequence[int],
        pad_token_box: Sequence[int],
        pad_token_label: int,
        only_label_first_subword: bool,
        model_max_length: int | None,
        padding_side: str,
        truncation_side: str,
        clean_up_tokenization_spaces: bool,
        split_special_tokens: bool,
        extra_special_tokens: Sequence[str | AddedToken] | Mapping[str, str | AddedToken] | None,
        added_tokens_decoder: Mapping[int, AddedToken] | None,
        model_input_names: Sequence[str] | None,
        name_or_path: str,
    ) -> None:
        for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
            if side not in ("left", "right"):
                raise ValueError(f"{name}={side!r}: choose 'left' or 'right'")
        extra = extra_special_tokens or ()
        named = dict(extra) if isinstance(extra, Mapping) else {}
        for name, value in list(other_settings.items()):
            if name.endswith("_token") and isinstance(value, (str, AddedToken)):
                named[name] = other_settings.pop(name)
        super().__init__(
            rust,
            special_tokens={**special_tokens, **named},
            extra_special_tokens=() if isinstance(extra, Mapping) else extra,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            split_special_tokens=split_special_tokens,
            added_tokens=[token for _, token in sorted((added_tokens_decoder or {}).items(), key=lambda item: item[0])],
        )
        self.cls_token_box, self.sep_token_box = list(cls_token_box), list(sep_token_box)
        self.pad_token_box = list(pad_token_box)
        self.pad_token_label = pad_token_label
        self.only_label_first_subword = only_label_first_subword
        self.model_max_length = UNLIMITED if model_max_length is None else model_max_length
        self.padding_side, self.truncation_side = padding_side, truncation_side
        self.model_input_names = list(model_input_names or type(self).model_input_names)
        self.name_or_path = str(name_or_path)
        # Further entries of a loaded tokenizer_config.json, written back unchanged.
        self.other_settings: dict[str, Any] = other_settings

    def __repr__(self) -> str:
        added = "".join(f"\n\t{index}: {token!r}," for index, token in self.added_tokens_decoder.items())
        return (
            f"{type(self).__name__}(name_or_path={self.name_or_path!r}, vocab_size={self.vocab_size}, "
            f"model_max_length={self.model_max_length}, padding_side={self.padding_side!r}, "
            f"truncation_side={self.truncation_side!r}, special_tokens={self.special_tokens_map}, "
            f"added_tokens_decoder={{{added}\n}})"
        )

    @property
    def max_len_single_sentence(self) -> int:
        """How many tokens of a page without question fit into `model_max_length`."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """How many tokens of a question and a page fit into `model_max_length`."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    @property
    def reserved_ids(self) -> frozenset[int]:
        """The ids of tokens that are no part of any text, such as the special ones."""
        return frozenset(self.all_special_ids)

    @classmethod
    @abstractmethod
    def _vocabulary_arguments(cls, files: TokenizerFiles) -> dict[str, Any]:
        """The arguments of the class that say what the vocabulary is, `vocab` among them."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **settings: Any) -> Self:
        """Load a tokenizer from a folder, a hub id or `s3://...`.

        Args:
            pretrained_model_name_or_path: folder, hub id, `s3://bucket/prefix`, or one file: tokenizer.json, or a
                vocabulary.
            settings: constructor arguments that override the files; those of `model.checkpoint_source.SOURCE_OPTIONS`,
                as in `resolve_checkpoint`; and `use_fast`, `trust_remote_code` and the like, without effect.

        Raises:
            FileNotFoundError: there is neither tokenizer.json nor the file of the vocabulary.
            ValueError: the tokenizer is of another kind, or a file is damaged.
            CheckpointError: `pretrained_model_name_or_path` does not exist, access is denied, or it is unreachable.
        """
        options, settings = split_source_options(settings)
        settings = {name: value for name, value in settings.items() if name not in _WITHOUT_EFFECT}
        if "additional_special_tokens" in settings:
            settings.setdefault("extra_special_tokens", settings.pop("additional_special_tokens"))
        settings["name_or_path"] = os.fspath(pretrained_model_name_or_path)
        if os.path.isfile(pretrained_model_name_or_path):
            kind = "tokenizer_file" if os.fspath(pretrained_model_name_or_path).endswith(".json") else "vocab"
            return cls(**{kind: pretrained_model_name_or_path, **settings})
        folder = resolve_checkpoint(pretrained_model_name_or_path, weights=False, **options)
        files = read_tokenizer_folder(folder, cls.format)
        arguments = {
            **files.other_settings,
            **cls._vocabulary_arguments(files),
            **files.arguments,
            "added_tokens_decoder": files.added_tokens,
        }
        return cls(**{**arguments, **settings})

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        """Write tokenizer.json, tokenizer_config.json, special_tokens_map.json and the vocabulary; return their paths.

        Args:
            save_directory: created if necessary.
            legacy_format: without effect: both formats are written.
            filename_prefix: precedes the names of the files, with a hyphen.
        """
        settings = {
            **self.other_settings,
            **self.special_tokens_map,
            **{name: getattr(self, name) for name in self.format.setting_names},
            "tokenizer_class": self.format.class_name,
        }
        if self.extra_special_tokens:
            settings["additional_special_tokens"] = self.extra_special_tokens
        if list(self.model_input_names) != list(type(self).model_input_names):
            settings["model_input_names"] = list(self.model_input_names)
        folder = Path(save_directory)
        paths = write_tokenizer_folder(folder, self.to_json(), settings, self.special_tokens_map, filename_prefix)
        vocabulary = self._write_vocabulary(folder, filename_prefix)
        return paths if vocabulary is None else (*paths, str(vocabulary))

    def save_vocabulary(self, folder: str | os.PathLike[str], filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write the vocabulary's own file (`<prefix>-...` with a prefix), without the added tokens; return its path.

        Raises:
            ValueError: the vocabulary has no such file.
        """
        path = self._write_vocabulary(Path(folder), filename_prefix)
        if path is None:
            raise ValueError(self._no_vocabulary_file)
        return (str(path),)

    _no_vocabulary_file: ClassVar[str]
    """Why a vocabulary may have no file of its own."""

    @abstractmethod
    def _write_vocabulary(self, folder: Path, filename_prefix: str | None) -> Path | None:
        """Write that file; None if there is none."""
