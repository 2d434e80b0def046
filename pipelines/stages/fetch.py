"""Fetch: from a document's URI to a local file, which the process that parses it can open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.runtime.scratch_folder import ScratchFolder
from pipelines.schema import Row, mark_failed
from pipelines.storage.files import S3Options, Storage


class Fetch:
    """Page or document rows in, the same rows with the column `path` out. Failed rows pass through.

    The last document is kept, so that its pages cost one download, within one block or over consecutive blocks.
    """

    def __init__(self, s3: S3Options = S3Options()) -> None:  # noqa: B008
        """`s3`: how requests to S3 are made."""
        self.storage = Storage(s3=s3)
        self._folder = ScratchFolder("documents")
        self._kept: tuple[str, Path] | None = None

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row.get("status") == "failed":
                yield row
                continue
            try:
                yield {**row, "path": str(self._fetch(row["uri"]))}
            except Exception as error:  # a bad file fails its own pages only
                yield mark_failed(row, error)

    def _fetch(self, uri: str) -> Path:
        if self._kept is not None and self._kept[0] == uri:
            return self._kept[1]
        self._drop()
        path = self.storage.local_file(uri)
        if path is not None:
            return path
        path = self._folder.path / "document"
        self._kept = uri, path
        try:
            self.storage.download(uri, path)
        except BaseException:
            self._drop()
            raise
        return path

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept[1].unlink(missing_ok=True)
            self._kept = None
