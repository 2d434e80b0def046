"""The fields of a response: those of all its pages together, found on a thread of their own while other requests go on.

They are the rows that the batch job writes to `fields/*.parquet`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipelines.fields.document_fields import PAGE_COLUMNS, document_fields
from pipelines.fields.value_types import Conventions, TypedValue, ValueReader
from pipelines.schema import FIELDS, Row
from pipelines.serving.row_json import rows_json

logger = logging.getLogger(__name__)

TYPING_SECONDS = 2.0
"""How long the values of one document are told apart; those that are left are text. A page of a form takes
milliseconds, but whoever fills a document with what looks like dates could keep the thread for minutes."""

MAX_COMPARED = 2_000_000
"""Pairs times form fields of the same page, over all pages: each pair is compared with what the form holds, which takes
about a microsecond. Documents with more have no fields."""

_WITH_FIELDS = (b'"pairs":[{', b'"form_fields":[{')
"""In the JSON of a page that has fields; inside its texts, quotes are escaped."""


class FieldFinder:
    """Finds the fields of documents, one document after another."""

    def __init__(self, seconds: float = TYPING_SECONDS) -> None:
        self._thread = ThreadPoolExecutor(1, "finds-fields")
        self._reader = _TimedReader()
        self._seconds = seconds

    async def page(self, answer: bytes) -> Row | None:
        """What the fields of a document are made of, from the JSON of one of its pages; None if the page has none."""
        if not any(mark in answer for mark in _WITH_FIELDS):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, _parse_page, answer)

    async def fields(self, pages: Sequence[Row], deadline: float) -> bytes:
        """The JSON of a document's fields, from what `page` returned; `null` if they cannot be had.

        Args:
            deadline: on the clock of `time.monotonic`.
        """
        if not pages:
            return b"[]"
        if sum(len(page["pairs"] or ()) * len(page["form_fields"] or ()) for page in pages) > MAX_COMPARED:
            return b"null"
        found = asyncio.get_running_loop().run_in_executor(self._thread, self._find, pages)
        try:
            return await asyncio.wait_for(found, max(0.0, deadline - time.monotonic()))
        except asyncio.TimeoutError:
            return b"null"
        except Exception:  # the pages are answered without
            logger.exception("the fields of a document cannot be told")
            return b"null"

    def _find(self, pages: Sequence[Row]) -> bytes:
        self._reader.until = time.monotonic() + self._seconds
        return rows_json(document_fields(pages, self._reader), FIELDS)


class _TimedReader(ValueReader):
    """Tells types until the time is over, and then takes all values as text."""

    until = 0.0

    def infer(self, value: str | None, key: str | None, conventions: Conventions) -> TypedValue:
        if time.monotonic() > self.until:
            return TypedValue("text", None)
        return super().infer(value, key, conventions)


def _parse_page(answer: bytes) -> Row:
    page = json.loads(answer)
    return {name: page[name] for name in PAGE_COLUMNS}
