"""Fetch: from a document's URI to a local file, which the process that parses it can open."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.errors import InfrastructureError, ProcessingError
from pipelines.runtime.scratch_folder import ScratchFolder
from pipelines.schema import Row, mark_failed
from pipelines.storage.files import S3Options, Storage, is_s3
from pipelines.storage.local import KnownMounts, translated_errors

MAX_DISK_SHARE = 0.5
"""A document that takes more than this share of the disk for temporary files is too large for it, whatever else is
there; where a smaller one finds no room, the disk is full."""


class Fetch:
    """Page or document rows in, the same rows with the column `path` out. Failed rows pass through.

    The last document is kept, so that its pages cost one download, within one block or over consecutive blocks.

    Raises:
        InfrastructureError: the storage, the credentials or this machine's disk is at fault.
    """

    def __init__(self, s3: S3Options = S3Options()) -> None:  # noqa: B008
        """`s3`: how requests to S3 are made."""
        self.storage = Storage(s3=s3)
        self._folder = ScratchFolder("documents")
        self._kept: tuple[str, Path] | None = None
        self._mounts = KnownMounts()

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row.get("status") == "failed":
                yield row
                continue
            try:
                yield {**row, "path": str(self._fetch(row["uri"]))}
            except Exception as error:  # a bad file fails its own pages only
                if isinstance(error, ProcessingError) and error.kind == "not_found" and not is_s3(row["uri"]):
                    self._mounts.check(row["uri"])
                yield mark_failed(row, error)

    def _fetch(self, uri: str) -> Path:
        if self._kept is not None and self._kept[0] == uri:
            return self._kept[1]
        self._drop()
        path = self.storage.local_file(uri)
        if path is not None:
            self._mounts.add(uri)
            return path
        path = self._folder.path / "document"
        self._kept = uri, path
        try:
            with translated_errors(str(path)):
                self.storage.download(uri, path)
        except InfrastructureError as error:
            taken = path.stat().st_size if path.exists() else 0
            self._drop()
            disk_bytes = shutil.disk_usage(self._folder.path).total
            if error.fault != "disk_full" or taken <= MAX_DISK_SHARE * disk_bytes:
                raise
            message = f"{uri}: no room for it on the {disk_bytes / 1e6:.0f} MB of {self._folder.path}"
            raise ProcessingError("too_large", message) from None
        except BaseException:
            self._drop()
            raise
        return path

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept[1].unlink(missing_ok=True)
            self._kept = None
