"""Preview: a page as a JPEG for people; runs in a sandbox, like every stage that parses documents."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipelines.documents.document import Document
from pipelines.documents.rendering import render_preview
from pipelines.schema import Row, mark_failed

JPEG_QUALITY = 72


class Preview:
    """Page rows with the column `path` (see `Fetch`) in, with a JPEG in the column `preview` out."""

    def __init__(self, longer_side: int, passwords: Sequence[str] = ()) -> None:
        """`longer_side`: of the JPEG, in pixels; `passwords`: tried in turn on PDFs that need one."""
        self.longer_side = longer_side
        self._passwords = passwords

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            jpeg = io.BytesIO()
            try:
                with Document(Path(row["path"]), passwords=self._passwords) as document:
                    image = render_preview(document, row["page_index"], self.longer_side)
                image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
            except Exception as error:  # the file may have changed since it was read
                yield mark_failed(row, error)
                continue
            yield {**row, "preview": jpeg.getvalue(), "status": "ok", "error_kind": None, "error": None}
