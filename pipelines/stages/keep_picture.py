"""Keep picture: the model's image of a page as a PNG, for the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.documents.page_picture import encode_picture
from pipelines.schema import Row


class KeepPicture:
    """Rows with the column `model_image` in, with a PNG of it in the column `picture` out; null for failed pages."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield {**row, "picture": encode_picture(row["model_image"]) if row["status"] == "ok" else None}
