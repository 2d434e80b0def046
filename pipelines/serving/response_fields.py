"""The fields of a response: those of all its pages together, found on a thread of their own while other requests go on.

They are the rows that the batch job writes to `fields/*.parquet`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipelines.fields.document_fields import PAGE_COLUMNS, document_fields
from pipelines.fields.value_types import Conventions, TypedValue, ValueReader
from pipelines.schema import FIELDS, Row
from pipelines.serving.row_json import rows_json

logger = logging.getLogger(__name__)

TYPING_SECONDS = 2.0
"""Processor time for the types of the values of one document; those that are left have none. A page of a form takes
milliseconds, but whoever fills a document with what looks like dates could keep the thread for minutes."""

_WARMING_VALUES = (
    ("Date", "1 March 2026"),
    ("Date", "40 mars 2026"),  # no date: all languages are tried
    ("Phone", "+1 650 253 0000"),
    ("Total", "12.50 EUR"),
)
"""Keys and values that load all parsers of values."""

_WITH_FIELDS = (b'"pairs":[{', b'"form_fields":[{')
"""In the JSON of a page that has fields; inside its texts, quotes are escaped."""


def has_fields(answer: bytes) -> bool:
    """Whether the JSON of a page has something that the fields of a document are made of."""
    return any(mark in answer for mark in _WITH_FIELDS)


class FieldFinder:
    """Finds the fields of documents, one document after another."""

    def __init__(self, seconds: float = TYPING_SECONDS) -> None:
        """
        Args:
            seconds: see `TYPING_SECONDS`.
        """
        self._thread = ThreadPoolExecutor(1, "finds-fields")
        self._reader = _BoundedReader()
        self._seconds = seconds

    async def warm(self) -> None:
        """Load what values are read with, so that the first document does not wait for it."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._warm)

    async def fields(self, answers: Sequence[bytes], deadline: float) -> bytes:
        """The JSON of a document's fields, from that of its pages; `null` if they cannot be had.

        Args:
            answers: those that `has_fields`.
            deadline: on the clock of `time.monotonic`.
        """
        if not answers:
            return b"[]"
        try:
            found = asyncio.get_running_loop().run_in_executor(self._thread, self._find, answers, deadline)
            return await asyncio.wait_for(found, max(0.0, deadline - time.monotonic()))
        except asyncio.TimeoutError:
            return b"null"
        except Exception:  # the pages are answered without
            logger.exception("the fields of a document cannot be told")
            return b"null"

    def _find(self, answers: Sequence[bytes], deadline: float) -> bytes:
        pages = list[Row]()
        for answer in answers:
            if time.monotonic() > deadline:  # nobody waits any more
                return b"null"
            page = json.loads(answer)
            pages.append({name: page[name] for name in PAGE_COLUMNS})
        self._reader.until = time.thread_time() + self._seconds
        return rows_json(document_fields(pages, self._reader), FIELDS)

    def _warm(self) -> None:
        self._reader.until = math.inf
        for key, value in _WARMING_VALUES:
            self._reader.infer(value, key, Conventions())


class _BoundedReader(ValueReader):
    """Tells types until its thread has used the time; the values after that have no type."""

    until = 0.0
    """On the clock of `time.thread_time`, which stands still while other threads and processes have the processor."""

    def infer(self, value: str | None, key: str | None, conventions: Conventions) -> TypedValue:
        if time.thread_time() > self.until:
            return TypedValue(None, None)
        return super().infer(value, key, conventions)
