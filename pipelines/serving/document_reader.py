"""The document reader: opens uploaded documents and reads their pages, with the stages of the batch job.

An uploaded document is a temporary file, under a name of our own, while its request is in progress; only sandboxes open
it. `Fetch` is left out, so nothing that a client sends is ever used as a path or an address.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.extract import make_page_counter, make_page_reader, make_previewer, make_tokenize, tokenize_options
from pipelines.schema import EMPTY_RESULT, Row, mark_failed
from pipelines.serving.options import PREVIEW_SIDE, RequestLimits, ServeOptions
from pipelines.serving.page_ranges import count_pages, parse_page_ranges
from pipelines.serving.probe import probe_document
from pipelines.serving.provided_words import ProvidedWords
from pipelines.serving.upload_files import UploadFiles
from pipelines.stages.count_pages import ListingOptions, pending_document
from pipelines.stages.tokenize import Tokenize, check_questions

logger = logging.getLogger(__name__)

Content = bytes | Path
"""An uploaded document: its bytes, or the file in which a gateway of the same machine keeps it for its request."""

ShouldContinue = Callable[[], bool]
"""Called several times a second while a sandbox works; once it returns False, the row fails (`timeout`)."""


@dataclass(frozen=True)
class ReadRequest:
    """A request about an uploaded document.

    Attributes:
        upload_id: unique to the request.
        listed: the document's row of `LISTED`.
        model: by name.
        questions: asked of each page.
        pages: ranges, see `parse_page_ranges`; None for all pages.
        previews: whether to add a picture of each page.
        words: of the only page requested, which then needs no reading.
        max_windows: windows of the model that a page may need.
        seconds_left: after which nobody waits for the answer any longer.
    """

    upload_id: str
    listed: Row
    model: str
    questions: tuple[str, ...] = ()
    pages: str | None = None
    previews: bool = False
    words: ProvidedWords | None = None
    max_windows: int = RequestLimits.page_windows
    seconds_left: float = math.inf


@dataclass(frozen=True)
class OpenResult:
    """A document that was opened.

    Attributes:
        row: of `DOCUMENTS`; failed if the document cannot be opened. It may have more pages selected than are answered.
        pages: rows of `PAGE_TO_DO` in order, with `given_words` and `given_boxes` if the request provides words; empty
            if nothing can be answered, and if too many are selected.
        refusal: why the request makes no sense for this document; None if it does.
        is_too_large: whether it is refused for its size.
    """

    row: Row
    pages: list[Row]
    refusal: str | None = None
    is_too_large: bool = False


NO_PAGE: Row = {
    **EMPTY_RESULT,
    **{"document_id": "", "uri": "", "media_type": "", "page_index": 0, "page_count": 0, "path": None},
    **{"status": "ok", "error_kind": None, "error": None, "seconds": None},
}
"""A row of no document."""


class DocumentReader:
    """Opens documents and reads their pages, one at a time; used from one thread, apart from `drop`."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._files = UploadFiles()
        self._page_reader = make_page_reader(options.extract_of(options.models[0]))
        self._page_counter = make_page_counter(ListingOptions(), options.extract.limits)
        self._previewer = make_previewer(PREVIEW_SIDE, options.extract.limits)
        self._tokenizers: dict[str, Tokenize] = {}

    def open(
        self, request: ReadRequest, content: Content, should_continue: ShouldContinue = lambda: True
    ) -> OpenResult:
        """Open a document and count its pages."""
        with self._file(request.upload_id, content) as path:
            (row,) = self._page_counter([{**pending_document(request.listed), "path": str(path)}], should_continue)
        if row["status"] == "failed":
            return OpenResult(row, [])
        count = row["page_count"]
        try:
            ranges = [range(count)] if request.pages is None else parse_page_ranges(request.pages, count)
            selected = count_pages(ranges)
            self._check_questions(request)
            if request.words is not None and selected != 1:
                raise ValueError(f"words belong to one page, and {selected} pages are requested; use pages")
        except ValueError as error:
            return OpenResult(row, [], str(error))
        row["pages_selected"] = selected
        if selected > self._options.limits.pages:
            return OpenResult(row, [])
        page = {name: row[name] for name in ("document_id", "uri", "media_type", "page_count")}
        if request.words is not None:
            page |= {"given_words": request.words.words, "given_boxes": request.words.boxes}
        pages = [{**page, "page_index": index} for indices in ranges for index in indices]
        return OpenResult(row, pages)

    def read_page(
        self, request: ReadRequest, page: Row, content: Content, should_continue: ShouldContinue = lambda: True
    ) -> Row:
        """A page's row of `TOKENIZED`, with `questions`, `preview_requested` and `preview` (a JPEG or None).

        Args:
            page: of `OpenResult.pages`.

        Raises:
            InfrastructureError: the machine is at fault, such as a full disk; another replica may read the page.
        """
        preview = None
        try:
            with self._file(request.upload_id, content) as path:
                (row,) = self._page_reader([{**page, "path": str(path)}], should_continue)
                row["questions"] = [{"text": question} for question in request.questions]
                (row,) = self._tokenize(request.model)([row], request.max_windows)
                if request.previews:
                    (previewed,) = self._previewer([{**page, "path": str(path)}], should_continue)
                    preview = previewed.get("preview")
        except Exception as error:  # the page fails, and the request continues
            logger.exception("a page cannot be read")
            row = mark_failed(page, error)
        return {**row, "preview": preview, "preview_requested": request.previews}

    def open_and_read(
        self, request: ReadRequest, content: Content, should_continue: ShouldContinue = lambda: True
    ) -> tuple[OpenResult, Row | None]:
        """Open a document, read its first selected page (None if there is none) and drop its file.

        A request whose words need too many windows is refused.
        """
        try:
            result = self.open(request, content, should_continue)
            if not result.pages:
                return result, None
            row = self.read_page(request, result.pages[0], content, should_continue)
            if request.words is not None and row["error_kind"] == "too_large":
                return replace(result, pages=[], refusal=row["error"], is_too_large=True), None
            return result, row
        finally:
            self._files.drop(request.upload_id)

    def drop(self, upload_id: str) -> None:
        """Remove a document's file; from any thread."""
        self._files.drop(upload_id)

    def release(self, should_continue: ShouldContinue = lambda: True) -> None:
        """Close the document that was read last: the sandbox keeps it open until a row of another one comes."""
        if self._page_reader.is_running:
            list(self._page_reader([NO_PAGE], should_continue))

    def close(self) -> None:
        """End the processes that parse documents; what is read later starts them again."""
        for sandbox in (self._page_reader, self._page_counter, self._previewer):
            sandbox.close()

    def warm_up(self) -> None:
        """Read a page, so that the processes and the tokenizer are ready for the first request.

        Raises:
            RuntimeError: the page cannot be read.
        """
        content, listed = probe_document()
        model = self._options.models[0].name
        _, row = self.open_and_read(ReadRequest(listed["document_id"], listed, model, ("When?",)), content)
        if row is None or row["status"] != "ok":
            raise RuntimeError(f"the probe page cannot be read: {row and row['error']}")

    def _file(self, upload_id: str, content: Content) -> AbstractContextManager[Path]:
        """The path of a document's file, at least until the context ends."""
        return nullcontext(content) if isinstance(content, Path) else self._files.open(upload_id, content)

    def _check_questions(self, request: ReadRequest) -> None:
        served = self._options.model_named(request.model)
        if served.task == "question-answering":
            extract = replace(self._options.extract_of(served), questions=request.questions)
            tokenizer = self._tokenize(request.model).tokenizer
            check_questions(tokenizer, tokenize_options(extract, tokenizer))

    def _tokenize(self, model: str) -> Tokenize:
        if model not in self._tokenizers:
            self._tokenizers[model] = make_tokenize(self._options.extract_of(self._options.model_named(model)))
        return self._tokenizers[model]
