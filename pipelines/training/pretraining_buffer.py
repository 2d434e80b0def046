"""The buffer of a lane: pages that are read at once, become micro batches, and lend one another their pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.documents.page_picture import picture_array
from pipelines.errors import ProcessingError
from pipelines.schema import Row
from pipelines.storage.files import Storage
from pipelines.storage.tables import DamagedFileError, read_row_group
from pipelines.training.pretraining_pages import NEEDED_COLUMNS, PICTURE

PAGE_COLUMNS = (*NEEDED_COLUMNS, "document_id", "width", "height")


class UnreadablePageError(Exception):
    """A page that its file does not give, though the file is there; the message names both."""


class BufferedPages:
    """The pages of a buffer, by their position in it; pictures are decoded once."""

    def __init__(
        self, storage: Storage, row_groups: Sequence[tuple[str, int]], rows: Sequence[tuple[int, int]]
    ) -> None:
        """Read the row groups.

        Args:
            row_groups: URI and number of each.
            rows: for each page, the index of its row group in `row_groups` and its row therein.

        Raises:
            ProcessingError: a file is gone, or cannot be accessed. A damaged one costs its pages only.
        """
        self._sources, self._places = row_groups, rows
        self._row_groups = [_read(storage, *source) for source in row_groups]
        self._documents = [self._document(position) for position in range(len(rows))]
        self._pictures: dict[int, npt.NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def row(self, position: int) -> Row:
        """The columns `PAGE_COLUMNS` of a page but its picture.

        Raises:
            UnreadablePageError: its row group is damaged.
        """
        table, row = self._place(position)
        return table.slice(row, 1).drop_columns([PICTURE]).to_pylist()[0]

    def picture(self, position: int) -> npt.NDArray[np.uint8] | None:
        """The picture of a page, None if it has none.

        Raises:
            UnreadablePageError: it, or its row group, is damaged.
        """
        if position not in self._pictures:
            table, row = self._place(position)
            content = table[PICTURE][row].as_py()
            if content is None:
                return None
            try:
                self._pictures[position] = picture_array(content)
            except ValueError as error:
                uri, number = self._sources[self._places[position][0]]
                raise UnreadablePageError(f"{uri}, row {row} of row group {number}: {error}") from error
        return self._pictures[position]

    def _place(self, position: int) -> tuple[pa.Table, int]:
        """The row group of a page, and its row in it."""
        row_group, row = self._places[position]
        table, (uri, number) = self._row_groups[row_group], self._sources[row_group]
        if isinstance(table, DamagedFileError):
            raise UnreadablePageError(f"{table.message} (row group {number})")
        if row >= len(table):
            raise UnreadablePageError(f"{uri} has changed since training began: row group {number} has no row {row}")
        return table, row

    def picture_of_another(self, position: int, random: np.random.Generator) -> npt.NDArray[np.uint8] | None:
        """The picture of a page of another document, as the paper has it, drawn from the buffer.

        Where the buffer has no other document with a picture, it is that of another page; None if there is none either.
        """
        others = len(self) - 1
        first = int(random.random() * others)  # one draw, so that the masks do not depend on the buffer's size
        drawn = [(position + 1 + (first + step) % others) % len(self) for step in range(others)]
        own = self._documents[position]
        for other in sorted(drawn, key=lambda other: self._documents[other] == own):
            try:
                picture = self.picture(other)
            except UnreadablePageError:  # it is lost in its own place
                continue
            if picture is not None:
                return picture
        return None

    def _document(self, position: int) -> str | None:
        """The document of a page, None if its row group is damaged."""
        try:
            table, row = self._place(position)
        except UnreadablePageError:
            return None
        return table["document_id"][row].as_py()


def _read(storage: Storage, uri: str, row_group: int) -> pa.Table | DamagedFileError:
    try:
        return read_row_group(storage, uri, row_group, PAGE_COLUMNS)
    except DamagedFileError as error:
        return error
    except ProcessingError as error:
        if error.kind != "not_found":
            raise
        message = (
            f"{uri} is gone since training began: restore it, and the same command goes on. If jobs.extract has "
            "replaced it, these pages are learned from the start, with --overwrite or into a new --output"
        )
        raise ProcessingError("not_found", message) from error
