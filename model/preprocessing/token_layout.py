"""The box and the label of every token: those of its word, or of its special token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Encoding


def token_boxes(
    window: Encoding,
    word_ids: Sequence[int | None],
    boxes: Sequence[Any],
    special: Mapping[int, Any],
    question_box: Any | None,
) -> list[Any]:
    """The box of every token.

    Args:
        window: the tokens.
        word_ids: the word of every token, None for special tokens.
        boxes: the box of every word.
        special: the box of every special token, by id.
        question_box: the box of a question's tokens; None if the window has no question.

    Raises:
        ValueError: a special token has no box.
    """
    try:
        if question_box is None:
            return [
                boxes[word] if word is not None else special[token]
                for token, word in zip(window.ids, word_ids, strict=True)
            ]
        return [
            special[token] if word is None else (question_box if sequence == 0 else boxes[word])
            for token, word, sequence in zip(window.ids, word_ids, window.sequence_ids, strict=True)
        ]
    except KeyError as error:
        raise ValueError(
            f"Id not recognized: token {error} is in every window, but is no longer cls_token, sep_token or pad_token; "
            "create a tokenizer with other tokens instead of assigning them"
        ) from None


def token_labels(
    window: Encoding, word_ids: Sequence[int | None], labels: Sequence[Any], other: Any, only_first_pieces: bool
) -> list[Any]:
    """The label of every token, `other` for special tokens and with `only_first_pieces` for a word's further pieces.

    As in the reference implementation, a first piece is one that starts at character 0 of its word (so a word whose
    first character is normalised away has no label), and the words of a question get labels by their index.
    """
    count = len(labels)
    if only_first_pieces:
        return [
            labels[word] if word is not None and start == 0 and word < count else other
            for word, (start, _) in zip(word_ids, window.offsets, strict=True)
        ]
    return [labels[word] if word is not None and word < count else other for word in word_ids]
