"""Reading a labelled page: its file is fetched here and parsed in a sandbox, under the limits of a page.

Corpora come from anywhere, so their files are untrusted input like those of the batch job: one that crashes, hangs or
fills the memory of its parser costs its own page.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial

from model.ocr.engine import OcrOptions, OcrUnavailableError
from pipelines.datasets.page_images import is_inside_file, read_image_file
from pipelines.datasets.types import LABELLED_PAGE
from pipelines.errors import ProcessingError
from pipelines.runtime.scratch_folder import ScratchFolder
from pipelines.schema import DOCUMENTS, LISTED, PAGE_IMAGE, Row, mark_failed
from pipelines.stages.base import StageFactory
from pipelines.stages.count_pages import CountPages, ListingOptions, pending_document
from pipelines.stages.fetch import Fetch
from pipelines.stages.ocr import OCR_SHARE, Ocr
from pipelines.stages.rasterize import Rasterize, RasterizeOptions
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_protocol import PageLimits


class ReadLabelled:
    """Rows of `LABELLED_PAGE` in, the same with the columns of `PAGE_IMAGE` out.

    Where the corpus gives the words, the file is parsed for its image alone and `text_source` is "given"; elsewhere the
    page is read as the batch job reads it.
    """

    def __init__(self, rasterize: RasterizeOptions, ocr: OcrOptions, limits: PageLimits) -> None:
        parsers: tuple[StageFactory, ...] = (partial(Rasterize, rasterize),)
        if rasterize.text != "layer":
            parsers += (partial(OcrOnDemand, ocr, OCR_SHARE * limits.seconds),)
        self._fetch = Fetch()
        self._sandbox = Sandbox(parsers, PAGE_IMAGE, LABELLED_PAGE, limits)
        self._folder = ScratchFolder("images")

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if is_inside_file(row["uri"]):
                yield self._read_embedded(row)
            else:
                yield from self._sandbox(self._fetch([row]))

    def close(self) -> None:
        """End the sandbox's process."""
        self._sandbox.close()

    def _read_embedded(self, row: Row) -> Row:
        """An image inside another file: a document of one page, whichever page of its own document it shows."""
        path = self._folder.path / "image"
        try:
            content = read_image_file(self._fetch.storage, row["uri"])
            path.unlink(missing_ok=True)  # the sandbox may still have the last one open
            path.write_bytes(content)
        except Exception as error:  # one page's failure is that page's alone
            return mark_failed(row, error)
        (read,) = self._sandbox([{**row, "path": str(path), "page_index": 0}])
        return {**read, "page_index": row["page_index"]}


class OcrOnDemand:
    """`Ocr` whose engine starts with the first page that needs it: most corpora bring their words along."""

    def __init__(self, options: OcrOptions, time_limit_seconds: float) -> None:
        self.options, self.time_limit_seconds = options, time_limit_seconds
        self._ocr: Ocr | None = None

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row.get("page_image") is None:
                yield row
                continue
            try:
                self._ocr = self._ocr or Ocr(self.options, self.time_limit_seconds)
            except OcrUnavailableError as error:
                yield mark_failed(row, ProcessingError("ocr_failed", str(error)))
                continue
            yield from self._ocr([row])


def open_documents(uris: Iterable[str]) -> Generator[Row, None, None]:
    """For each document of a corpus one row of `DOCUMENTS`, with its `media_type` and `page_count`.

    A document that cannot be opened is a failed row. Documents are opened in a sandbox, under the default `PageLimits`.
    """
    listed = (pending_document({"document_id": uri, "uri": uri, "size_bytes": None, "etag": None}) for uri in uris)
    sandbox = Sandbox((partial(CountPages, ListingOptions()),), DOCUMENTS, LISTED, PageLimits())
    try:
        yield from sandbox(Fetch()(listed))
    finally:
        sandbox.close()
