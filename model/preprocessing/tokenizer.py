"""LayoutLMv2's tokenizer: words and boxes in, token ids and token boxes out.

Arguments, defaults and results are those of the reference implementation's `LayoutLMv2Tokenizer`. This file has the
settings and the files; `page_tokenizer.py` has the calls, `wordpiece.py` what every BERT tokenizer can do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from model.checkpoint_source import resolve_checkpoint, split_source_options
from model.hub import Publishable
from model.preprocessing.page_tokenizer import PageTokenizer
from model.preprocessing.tokenizer_files import SETTING_NAMES, read_tokenizer_folder, write_tokenizer_folder
from model.preprocessing.tokenizer_inputs import UNLIMITED

# Options of the reference implementation's `from_pretrained` that do not concern this tokenizer.
_WITHOUT_EFFECT = ("use_fast", "trust_remote_code", "tokenizer_type", "proxies", "resume_download", "config")


class LayoutLMv2Tokenizer(Publishable, PageTokenizer):
    """BERT's uncased WordPiece with layout.

    Args:
        vocab: a vocabulary file (one token per line), a mapping of tokens to ids, or None for the one in this package
            (30,522 entries, BERT uncased), which the published LayoutLMv2 checkpoints use.
        do_lower_case, strip_accents, tokenize_chinese_chars: BERT's normalisation. `strip_accents=None` strips accents
            if and only if the text is lowercased.
        unk_token, sep_token, pad_token, cls_token, mask_token: the special tokens' spelling.
        cls_token_box, sep_token_box, pad_token_box: their boxes, 4 numbers in 0-1000.
        pad_token_label: the label of tokens without one (the loss ignores -100).
        only_label_first_subword: whether a word's further pieces get `pad_token_label` instead of the word's label.
        model_max_length: the default length for truncation and `padding="max_length"`, in tokens.
        padding_side, truncation_side: "right" or "left".
        clean_up_tokenization_spaces: the default of `decode`: whether to remove spaces before punctuation.
        split_special_tokens: whether "[SEP]" and the like, spelled out in a word, are split like other text.
        extra_special_tokens: further tokens that are never split; or a mapping of names to tokens, each then an
            attribute. `additional_special_tokens` is its older name.
        vocab_file: the same as `vocab`, if that is None.
        tokenizer_file: a tokenizer.json to use instead, with its normalisation.
        bos_token, eos_token: not used by this model.
        added_tokens_decoder: added tokens by id, added before all others.
        model_input_names: the entries that a call returns by default.
        name_or_path: where the tokenizer comes from.
        other_settings: `<name>_token="..."` names a further special token, an attribute. The reference implementation
            ignores everything else; it is written to tokenizer_config.json.

    Raises:
        FileNotFoundError: the file `vocab` does not exist.
        ValueError: a side is neither "left" nor "right", or there is no [UNK], [SEP] or [CLS].
        TypeError: a special token is neither a string nor an AddedToken.
    """

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Mapping[str, int] | None = None,
        do_lower_case: bool = True,
        unk_token: str | AddedToken = "[UNK]",
        sep_token: str | AddedToken = "[SEP]",
        pad_token: str | AddedToken | None = "[PAD]",
        cls_token: str | AddedToken = "[CLS]",
        mask_token: str | AddedToken | None = "[MASK]",
        cls_token_box: Sequence[int] = (0, 0, 0, 0),
        sep_token_box: Sequence[int] = (1000, 1000, 1000, 1000),
        pad_token_box: Sequence[int] = (0, 0, 0, 0),
        pad_token_label: int = -100,
        only_label_first_subword: bool = True,
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        model_max_length: int | None = 512,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        additional_special_tokens: Sequence[str | AddedToken] | None = None,
        vocab_file: str | os.PathLike[str] | None = None,
        *,
        tokenizer_file: str | os.PathLike[str] | None = None,
        extra_special_tokens: Sequence[str | AddedToken] | Mapping[str, str | AddedToken] | None = None,
        bos_token: str | AddedToken | None = None,
        eos_token: str | AddedToken | None = None,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        model_input_names: Sequence[str] | None = None,
        name_or_path: str = "",
        **other_settings: Any,
    ) -> None:
        for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
            if side not in ("left", "right"):
                raise ValueError(f"{name}={side!r}: choose 'left' or 'right'")
        extra = (additional_special_tokens if extra_special_tokens is None else extra_special_tokens) or ()
        named = dict(extra) if isinstance(extra, Mapping) else {}
        for name, value in list(other_settings.items()):
            if name.endswith("_token") and isinstance(value, (str, AddedToken)):
                named[name] = other_settings.pop(name)
        super().__init__(
            vocab_file if vocab is None else vocab,
            do_lower_case=do_lower_case,
            strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
            special_tokens={
                "bos_token": bos_token,
                "eos_token": eos_token,
                "unk_token": unk_token,
                "sep_token": sep_token,
                "pad_token": pad_token,
                "cls_token": cls_token,
                "mask_token": mask_token,
                **named,
            },
            extra_special_tokens=() if isinstance(extra, Mapping) else extra,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            split_special_tokens=split_special_tokens,
            added_tokens=[token for _, token in sorted((added_tokens_decoder or {}).items(), key=lambda item: item[0])],
            tokenizer_file=tokenizer_file,
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

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **settings: Any
    ) -> LayoutLMv2Tokenizer:
        """Load a tokenizer from a folder, a hub id or `s3://...`.

        Args:
            pretrained_model_name_or_path: folder, hub id, `s3://bucket/prefix`, or one file: tokenizer.json, or a
                vocabulary.
            settings: constructor arguments that override the files; those of `model.checkpoint_source.SOURCE_OPTIONS`,
                as in `resolve_checkpoint`; and `use_fast`, `trust_remote_code` and the like, without effect.

        Raises:
            FileNotFoundError: there is neither tokenizer.json nor vocab.txt.
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
        files = read_tokenizer_folder(resolve_checkpoint(pretrained_model_name_or_path, weights=False, **options))
        arguments = {**files.other_settings, **files.arguments, "added_tokens_decoder": files.added_tokens}
        return cls(**{**arguments, **settings})

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        """Write tokenizer.json, vocab.txt, tokenizer_config.json and special_tokens_map.json; return their paths.

        Args:
            save_directory: created if necessary.
            legacy_format: without effect: both formats are written.
            filename_prefix: precedes the names of the files, with a hyphen.
        """
        settings = {
            **self.other_settings,
            **self.special_tokens_map,
            **{name: getattr(self, name) for name in SETTING_NAMES},
            "tokenizer_class": "LayoutLMv2Tokenizer",
        }
        if self.extra_special_tokens:
            settings["additional_special_tokens"] = self.extra_special_tokens
        if list(self.model_input_names) != list(type(self).model_input_names):
            settings["model_input_names"] = list(self.model_input_names)
        with self._lock:
            self._rust.no_truncation()
            self._rust.no_padding()
            return write_tokenizer_folder(
                Path(save_directory), self._rust, settings, self.special_tokens_map, filename_prefix
            )


# The reference implementation's other name for the same class.
LayoutLMv2TokenizerFast = LayoutLMv2Tokenizer
