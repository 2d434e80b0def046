"""Annotations on disk: JSON that may hold anything, and the sizes of images."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from pipelines.datasets.types import Report
from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.storage.files import Storage

HEAD_BYTES = 1 << 16
"""Bytes of an image that are first read for its size; in a JPEG a preview and a colour profile may come before it."""

MAX_COORDINATE = 1_000_000
"""The largest valid coordinate, in pixels."""

_KIND_NAMES: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}


@contextmanager
def skip_if_broken(uri: str, report: Report) -> Iterator[None]:
    """Reports an error of the `with` block as one of the annotation `uri`, and skips the rest of the block."""
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        report(uri, f"left out: it is not JSON: {error}")
    except RecursionError:
        report(uri, "left out: it is nested too deeply")
    except (ProcessingError, OSError, ValueError) as error:
        raise_infrastructure_error(error)
        report(uri, f"left out: {error}")


def image_size(storage: Storage, uri: str) -> tuple[int, int]:
    """Width and height in pixels from the header of a PNG, JPEG or TIFF file; of most files only 64 KiB are read.

    Raises:
        ProcessingError: `not_found`, `access_denied`, or `unreadable` if it is no such image.
    """
    with storage.open(uri) as file:
        head = file.read(HEAD_BYTES)
    size = size_in_header(head) or (size_in_header(storage.read(uri)) if len(head) == HEAD_BYTES else None)
    if size is None:
        raise ProcessingError("unreadable", f"{uri}: no PNG, JPEG or TIFF image")
    return size


def require_field(container: Any, name: str, kind: type) -> Any:
    """`container[name]` of a JSON object, which must be of a type (dict, list or str).

    Raises:
        ValueError: the field is missing or of another type.
    """
    if not isinstance(container, dict):
        raise ValueError(f"{shortened(container)} stands where an object with {name!r} is expected")
    if name not in container:
        raise ValueError(f"{name!r} is missing in {shortened(container)}")
    value = container[name]
    if not isinstance(value, kind):
        raise ValueError(f"{name!r} is {shortened(value)}, and not {_KIND_NAMES[kind]}")
    return value


def coordinates(values: Any, count: int) -> list[float]:
    """The numbers of a box or of a size, checked.

    Raises:
        ValueError: there are not `count`, or one is no number or too large.
    """
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{shortened(values)} stands where {count} numbers are expected")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MAX_COORDINATE:
            raise ValueError(f"{shortened(value)} in {shortened(values)} is no coordinate")
    return values


def shortened(value: Any) -> str:
    """A JSON value for a message, at most 60 characters long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def size_in_header(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG or TIFF file, of which the header is enough; None if it is no such."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, which are not decoded here
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "TIFF")) as image:
                width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return (width, height) if width > 0 and height > 0 else None
