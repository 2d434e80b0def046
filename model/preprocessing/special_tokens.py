"""Special tokens as attributes of a tokenizer: the spelling (`pad_token`) and the id (`pad_token_id`) of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tokenizers import AddedToken

from model.preprocessing.tokenizer_files import SPECIAL_TOKEN_NAMES


class SpecialTokens(ABC):
    """The named special tokens, and extra ones without a name.

    An assignment to a name (`tokenizer.pad_token = "[X]"`) or to its id changes only which token has that role: the
    token is not added to the vocabulary (`add_special_tokens` does both), and a token that is not in the vocabulary has
    the id of `unk_token`. None means that there is no such token.

    Args:
        named: the token of each name; of `SPECIAL_TOKEN_NAMES`, absent ones are None. Further names are possible.
        extra: tokens without a name.
    """

    separators_between: ClassVar[int] = 1
    """The separator tokens between a question and the words of a window."""
    second_token_type: ClassVar[int] = 1
    """The token type of what follows a question."""

    bos_token: str | None
    eos_token: str | None
    unk_token: str
    sep_token: str
    pad_token: str
    cls_token: str
    mask_token: str
    bos_token_id: int | None
    eos_token_id: int | None
    unk_token_id: int
    sep_token_id: int
    pad_token_id: int
    cls_token_id: int
    mask_token_id: int

    def __init__(self, named: Mapping[str, str | AddedToken | None], extra: Sequence[str | AddedToken]) -> None:
        for name, token in named.items():
            if token is not None and not isinstance(token, (str, AddedToken)):
                raise TypeError(f"{name} must be a string or an AddedToken, not {type(token).__name__}")
        self._named_tokens = {**dict.fromkeys(SPECIAL_TOKEN_NAMES), **named}
        self._extra_tokens = list(extra)

    @abstractmethod
    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a token, or the ids of several."""

    @abstractmethod
    def convert_ids_to_tokens(self, ids: int | Sequence[int], skip_special_tokens: bool = False) -> Any:
        """The token of an id, or the tokens of several."""

    @abstractmethod
    def add_tokens(
        self, new_tokens: str | AddedToken | Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Append tokens to the vocabulary; return how many were new."""

    if not TYPE_CHECKING:  # so that a misspelled attribute is still a type error

        def __getattr__(self, name: str) -> Any:
            # Copying and unpickling call this before there are any tokens.
            named = self.__dict__.get("_named_tokens", {})
            role = name if name in named else name.removesuffix("_id")
            if role not in named:
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            if named[role] is None:
                return None
            return str(named[role]) if role == name else self.convert_tokens_to_ids(str(named[role]))

        def __setattr__(self, name: str, value: Any) -> None:
            named = self.__dict__.get("_named_tokens", {})
            role = name if name in named else name.removesuffix("_id")
            if role not in named:
                super().__setattr__(name, value)
                return
            if role != name and value is not None:
                value = self.convert_ids_to_tokens(value)
            if value is not None and not isinstance(value, (str, AddedToken)):
                raise ValueError(f"{role} must be a string, an AddedToken or None, not {value!r}")
            named[role] = value

    @property
    def extra_special_tokens(self) -> list[str]:
        """The special tokens without a name."""
        return [str(token) for token in self._extra_tokens]

    @extra_special_tokens.setter
    def extra_special_tokens(self, tokens: Sequence[str | AddedToken] | None) -> None:
        if tokens is not None and not isinstance(tokens, (list, tuple)):
            raise ValueError(f"extra_special_tokens must be a list of tokens, not {type(tokens).__name__}")
        self._extra_tokens = list(tokens or ())

    @property
    def extra_special_tokens_ids(self) -> list[int]:
        """The ids of `extra_special_tokens`."""
        return self.convert_tokens_to_ids(self.extra_special_tokens)

    @property
    def additional_special_tokens(self) -> list[str]:
        """The older name of `extra_special_tokens`."""
        return self.extra_special_tokens

    @additional_special_tokens.setter
    def additional_special_tokens(self, tokens: Sequence[str | AddedToken] | None) -> None:
        self.extra_special_tokens = tokens

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The older name of `extra_special_tokens_ids`."""
        return self.extra_special_tokens_ids

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The named special tokens that there are."""
        return {name: str(token) for name, token in self._named_tokens.items() if token is not None}

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once, those with a name first."""
        return list(dict.fromkeys([*self.special_tokens_map.values(), *self.extra_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, str | AddedToken | Sequence[str | AddedToken]],
        replace_extra_special_tokens: bool = True,
    ) -> int:
        """Give tokens a role, and append those that are new to the vocabulary (the model's embeddings must grow too).

        Args:
            special_tokens_dict: the token of each name of `SPECIAL_TOKEN_NAMES`, and lists of tokens named
                `extra_special_tokens` or, its older name, `additional_special_tokens`.
            replace_extra_special_tokens: whether the list replaces the present extra tokens, or is appended to them.

        Returns:
            The number of tokens new to the vocabulary.

        Raises:
            ValueError: a name is unknown, or a token is neither a string nor an AddedToken.
        """
        roles = dict(special_tokens_dict)
        if "additional_special_tokens" in roles:
            roles.setdefault("extra_special_tokens", roles.pop("additional_special_tokens"))
        added: list[AddedToken] = []
        for name, value in roles.items():
            if name == "extra_special_tokens":
                if not isinstance(value, (list, tuple)) or not all(isinstance(one, (str, AddedToken)) for one in value):
                    raise ValueError(f"{name} must be a list of strings or AddedTokens, not {value!r}")
                known = [] if replace_extra_special_tokens else self.extra_special_tokens
                new = [as_special(token) for token in value if str(token) not in known]
                kept = [] if replace_extra_special_tokens and new else self._extra_tokens
                self._extra_tokens = [*kept, *new]
                added += new
            elif name not in self._named_tokens:
                names = [*self._named_tokens, "extra_special_tokens"]
                raise ValueError(f"{name!r} is not the name of a special token: use one of {names}")
            elif not isinstance(value, (str, AddedToken)):
                raise ValueError(f"{name} must be a string or an AddedToken, not {value!r}")
            else:
                token = as_special(value)
                self._named_tokens[name] = token
                added.append(token)
        return self.add_tokens(added, special_tokens=True)

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """1 for every special token of a window, 0 for the others.

        Args:
            token_ids_0: the ids of a whole window with `already_has_special_tokens`; else those of a sequence, for
                which the mask of `build_inputs_with_special_tokens(token_ids_0, token_ids_1)` is returned.
            token_ids_1: the ids of a second sequence.
            already_has_special_tokens: whether `token_ids_0` contains the special tokens.

        Raises:
            ValueError: there is a second sequence although the first is already a whole window.
        """
        if not already_has_special_tokens:
            second = [*[1] * (self.separators_between - 1), *[0] * len(token_ids_1), 1] if token_ids_1 else []
            return [1, *[0] * len(token_ids_0), 1, *second]
        if token_ids_1 is not None:
            raise ValueError("with already_has_special_tokens=True, token_ids_0 is the whole window: omit token_ids_1")
        special = set(self.all_special_ids)
        return [int(int(token) in special) for token in token_ids_0]

    def build_inputs_with_special_tokens(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The ids of a window with one or two sequences, such as [CLS] first [SEP] second [SEP]."""
        if not token_ids_1:
            return [self.cls_token_id, *token_ids_0, self.sep_token_id]
        between = [self.sep_token_id] * self.separators_between
        return [self.cls_token_id, *token_ids_0, *between, *token_ids_1, self.sep_token_id]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The token types of that window: 0 up to the separators, `second_token_type` after them."""
        if not token_ids_1:
            return [0] * (len(token_ids_0) + 2)
        first = len(token_ids_0) + 1 + self.separators_between
        return [0] * first + [self.second_token_type] * (len(token_ids_1) + 1)


def as_special(token: str | AddedToken) -> AddedToken:
    """A string as a special token; an AddedToken, with its own settings, as it is."""
    return token if isinstance(token, AddedToken) else AddedToken(token, special=True, normalized=False)
