"""Provided words: the words and boxes of a page that come with a request, so that nothing has to be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipelines.serving.errors import bad_request

MAX_WORDS, MAX_CHARACTERS = 10_000, 100_000
"""Of a page, all its words together: each character may become a token, and the model processes every one of them."""

SIDE = 1000
"""Boxes are in thousandths of the page's width and height."""


@dataclass(frozen=True)
class ProvidedWords:
    """The words of a page.

    Attributes:
        words: in reading order.
        boxes: x0, y0, x1, y1 of each, from 0 to 1000, on the page as displayed.
    """

    words: list[str]
    boxes: list[list[int]]


def parse_words(words: str | None, boxes: str | None) -> ProvidedWords | None:
    """Parse the fields `words` and `boxes` of a request, both JSON; None if it has neither.

    Raises:
        RequestError: 400; the message names the position of the error.
    """
    if words is None and boxes is None:
        return None
    if words is None or boxes is None:
        raise bad_request("words and boxes come together: a box for each word")
    word_list, box_list = _parse_list("words", words), _parse_list("boxes", boxes)
    if len(word_list) != len(box_list):
        raise bad_request(f"there are {len(word_list)} words and {len(box_list)} boxes; each word has one")
    if len(word_list) > MAX_WORDS:
        raise bad_request(f"{len(word_list)} words are more than the {MAX_WORDS} taken of a page")
    characters = sum(len(word) for word in word_list if isinstance(word, str))
    if characters > MAX_CHARACTERS:
        raise bad_request(f"{characters} characters are more than the {MAX_CHARACTERS} taken of a page")
    for index, (word, box) in enumerate(zip(word_list, box_list, strict=True)):
        if not isinstance(word, str) or not word.strip():
            raise bad_request(f"words[{index}] is not a word: {_short(word)}")
        if not _is_box(box):
            raise bad_request(
                f"boxes[{index}] is {_short(box)}; a box is [x0, y0, x1, y1], whole numbers from 0 to {SIDE} of the "
                "page's width and height, x0 <= x1 and y0 <= y1"
            )
    return ProvidedWords([word.encode("utf-8", "replace").decode() for word in word_list], box_list)


def _parse_list(name: str, text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"{name} is not JSON: {str(error)[:100]}") from error
    if not isinstance(value, list):
        raise bad_request(f"{name} is {_short(value)}; send a JSON list")
    return value


def _is_box(box: Any) -> bool:
    if not isinstance(box, list) or len(box) != 4 or any(type(edge) is not int for edge in box):
        return False
    x0, y0, x1, y1 = box
    return 0 <= x0 <= x1 <= SIDE and 0 <= y0 <= y1 <= SIDE


def _short(value: Any) -> str:
    """The beginning of a client's value, for an error message, however long or deep it is."""
    return "".join(islice(json.JSONEncoder().iterencode(value), 20))[:60]
