"""The pages of an S3 listing, followed by continuation tokens, and checked for keys that come twice.

Some servers list in another order than that of names (Storj, directory buckets), and some do not know `StartAfter`:
only a continuation token, which the server itself made, says where the next page begins.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines.errors import ProcessingError

ListPage = Callable[[dict[str, str]], Mapping[str, Any]]
"""Requests one page: from the parameters that say where it begins to the answer of `ListObjectsV2`."""


def list_entries(uri: str, list_page: ListPage) -> Iterator[Mapping[str, Any]]:
    """The `Contents` of all pages, lazily, in the order of the server.

    Raises:
        ProcessingError: `unreadable`, the server gives a key twice or does not say how its listing goes on. Other keys
            may be missing from such a listing, so that it is not used.
    """
    keys, begin = ListedKeys(uri), dict[str, str]()
    while True:
        page = list_page(begin)
        for entry in page.get("Contents", []):
            keys.add(entry["Key"])
            yield entry
        if not page.get("IsTruncated"):
            return
        following = _begin_of_next_page(page, keys)
        if following is None or following == begin:
            raise ProcessingError(
                "unreadable",
                f"{uri}: the S3 server lists only a part of the objects and does not say how the listing goes on (no "
                f"new continuation token); {_WAY_OUT}",
            )
        begin = following


class ListedKeys:
    """The keys of a listing, each of which may come once.

    Keys in the order of their names cannot come twice: 8 bytes of each are kept. Only when a key is out of order do
    these become a set, of about 70 bytes a key.

    Attributes:
        last: the key that was added last; empty before the first.
        is_ordered: each key came after the one before it in the order of names.
    """

    def __init__(self, uri: str) -> None:
        self.last, self.is_ordered = "", True
        self._uri = uri
        self._ordered = array("q")
        self._seen: set[int] = set()

    def add(self, key: str) -> None:
        """Note a key.

        Raises:
            ProcessingError: `unreadable`, it has been added before.
        """
        identity = hash(key)
        if self.is_ordered and key.encode() <= self.last.encode():
            self.is_ordered = False
            self._seen.update(self._ordered)
            self._ordered = array("q")
        if self.is_ordered:
            self._ordered.append(identity)
        elif identity in self._seen:
            raise ProcessingError(
                "unreadable",
                f"{self._uri}: the S3 server lists {key} twice, a fault of the server: its pages overlap, and others "
                f"may be missing; {_WAY_OUT}",
            )
        else:
            self._seen.add(identity)
        self.last = key


_WAY_OUT = "list the bucket with another program into a file, and give --input @FILE"


def _begin_of_next_page(page: Mapping[str, Any], keys: ListedKeys) -> dict[str, str] | None:
    token = page.get("NextContinuationToken")
    if token:
        return {"ContinuationToken": token}
    # Servers of the first version of the request have no tokens; the last key serves where keys are in order.
    return {"StartAfter": keys.last} if keys.is_ordered and page.get("Contents") else None
