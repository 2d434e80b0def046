"""What `--input` can be: a folder, file or prefix, a pattern, a list of these in a file, an inventory of a bucket."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from pipelines.batch.inventory import is_inventory, list_inventory
from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.storage.files import Storage, StoredObject, is_s3, join_uri, normalise_uri
from pipelines.storage.uris import split_s3

LIST_PREFIX = "@"

LOOKUPS_AT_ONCE, LOOKUP_THREADS = 256, 32
"""Documents of a list in S3 that are looked up together, and the requests that are under way for them."""

_WILDCARD = re.compile(r"[*?[]")


def normalise_input(text: str) -> str:
    """An input as the user gives it, with local paths made absolute.

    Raises:
        ValueError: another scheme, or no bucket.
    """
    if text.startswith(LIST_PREFIX):
        return LIST_PREFIX + normalise_uri(text.removeprefix(LIST_PREFIX))
    return normalise_uri(text)


def can_repeat(uri: str) -> bool:
    """Whether an input alone can list a document more than once."""
    return uri.startswith(LIST_PREFIX) or _is_manifest(uri) or _WILDCARD.search(uri) is not None


def list_input(uri: str, storage: Storage) -> Iterator[StoredObject]:
    """The documents of an input, lazily.

    Args:
        uri: a folder, file or prefix; a pattern; `@` and the URI of a list; the URI of an inventory's manifest.

    Raises:
        ProcessingError: `not_found`, `access_denied` or `unreadable`, with the reason.
    """
    if uri.startswith(LIST_PREFIX):
        yield from _list_lines(uri.removeprefix(LIST_PREFIX), storage)
    elif _is_manifest(uri) and (manifest := is_inventory(uri, storage)) is not None:
        yield from list_inventory(uri, manifest, storage)
    elif _WILDCARD.search(uri) and not any(True for _ in storage.list_existing(uri)):
        yield from _list_pattern(uri, storage)
    else:
        yield from storage.list(uri)


def _is_manifest(uri: str) -> bool:
    return uri.endswith("/manifest.json")


def _list_pattern(pattern: str, storage: Storage) -> Iterator[StoredObject]:
    if not is_s3(pattern):
        for path in sorted(glob.iglob(pattern, recursive=True)):
            yield from storage.list(path)
        return
    bucket, key_pattern = split_s3(pattern)
    if _WILDCARD.search(bucket):
        raise ProcessingError("not_found", f"{pattern}: a pattern is of the keys of one bucket, and not of its name")
    try:
        matches = re.compile(glob_to_regex(key_pattern))
    except re.error as error:
        raise ProcessingError("not_found", f"{pattern}: not a pattern ({error})") from error
    fixed = key_pattern[: _WILDCARD.search(key_pattern).start()]  # type: ignore[union-attr]  # it is a pattern
    folder = fixed.rpartition("/")[0]
    for stored in storage.list_existing(join_uri(f"s3://{bucket}", folder, "") if folder else f"s3://{bucket}/"):
        if matches.fullmatch(split_s3(stored.uri)[1]):
            yield stored


def glob_to_regex(pattern: str) -> str:
    """A regular expression for the keys that a pattern matches, or that lie in a folder that it matches."""
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", pattern, re.DOTALL)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    regex = ""
    for part in parts:
        if part in known:
            regex += known[part]
        elif len(part) > 1:
            inside = part[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            regex += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        else:
            regex += re.escape(part)
    return f"(?s:{regex}(?:/.*)?)"


def _list_lines(uri: str, storage: Storage) -> Iterator[StoredObject]:
    """The documents of a list, in its order."""
    try:
        lines = storage.read(uri).decode("utf-8-sig", "surrogateescape").split("\n")
    except ProcessingError as error:
        raise ProcessingError(error.kind, f"the list of inputs {error.message}") from error
    remaining = iter(_line_uris(uri, lines))
    with ThreadPoolExecutor(LOOKUP_THREADS) as pool:
        while batch := list(islice(remaining, LOOKUPS_AT_ONCE)):
            found = pool.map(lambda each: _find(each, storage), batch)
            for each, stored in zip(batch, found, strict=True):
                if stored is not None:
                    yield stored
                else:
                    yield from _list_line(each, storage)


def _line_uris(uri: str, lines: Iterable[str]) -> Iterator[str]:
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix("\r")
        if not line.strip():
            continue
        try:
            if is_s3(uri) and "://" not in line:
                yield f"s3://{split_s3(uri)[0]}/{line.removeprefix('/')}"
            else:
                yield normalise_uri(line)
        except ValueError as error:
            raise ProcessingError("not_found", f"the list of inputs {uri}, line {number}: {error}") from error


def _find(uri: str, storage: Storage) -> StoredObject | None:
    """The document of that very name; one that may not be looked up is listed, and reported when it is read."""
    if uri.endswith("/") or (is_s3(uri) and not split_s3(uri)[1]) or _is_manifest(uri):
        return None
    try:
        return storage.find(uri)
    except ProcessingError as error:
        raise_infrastructure_error(error)
        if error.kind != "access_denied":
            raise
        return StoredObject(uri, 0, "")


def _list_line(uri: str, storage: Storage) -> Iterator[StoredObject]:
    """What a line stands for that names no document; nothing at all is a document that does not exist."""
    is_empty = True
    try:
        for stored in list_input(uri, storage):
            is_empty = False
            yield stored
    except ProcessingError as error:
        if error.kind != "not_found":
            raise
    if is_empty:
        yield StoredObject(uri, 0, "")
