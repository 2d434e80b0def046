"""Text: the deployment that reads pages, with the stages that the batch job reads them with.

An uploaded document is a temporary file, of a name of our own, while a request needs it, and is opened in the sandbox
only. `Fetch` is left out: nothing that a client sends is ever taken for a path or an address.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, cast

from pipelines.extract import count_steps, read_steps, tokenize_options
from pipelines.schema import EMPTY_RESULT, PAGE, PREVIEWED, Row, mark_failed
from pipelines.serving.options import PREVIEW_SIDE, ServeOptions
from pipelines.serving.page_ranges import parse_page_ranges
from pipelines.serving.probe import probe_document
from pipelines.serving.provided_words import GivenWords
from pipelines.serving.upload_files import UploadFiles
from pipelines.stages.count_pages import ListingOptions, pending_document
from pipelines.stages.preview import Preview
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.tokenize import Tokenize, check_questions

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class ReadRequest:
    """What is asked about an uploaded document.

    Attributes:
        upload_id: of this request alone.
        listed: the document's row of `LISTED`.
        model: by name.
        questions: asked of each page.
        pages: ranges, see `parse_page_ranges`; None for all pages.
        previews: whether pictures of the pages are wanted.
        words: of its one page, where they need not be read.
    """

    upload_id: str
    listed: Row
    model: str
    questions: tuple[str, ...] = ()
    pages: str | None = None
    previews: bool = False
    words: GivenWords | None = None


@dataclass(frozen=True)
class OpenResult:
    """What opening a document has shown.

    Attributes:
        row: the document's, of `DOCUMENTS`; failed where it cannot be opened.
        pages: rows of `PAGE_TO_DO`, with words where they are given, in order; empty where nothing can be answered.
        refusal: why what is asked of it makes no sense, if so.
    """

    row: Row
    pages: list[Row]
    refusal: str | None = None


NO_PAGE: Row = {
    **EMPTY_RESULT,
    **{"document_id": "", "uri": "", "media_type": "", "page_index": 0, "page_count": 0, "path": None},
    **{"status": "ok", "error_kind": None, "error": None, "seconds": None},
}
"""A row that is about nothing."""


class Reader:
    """Opens documents and reads their pages, one at a time: a replica is a core's worth of work."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._files = UploadFiles()
        _, make_reader, _ = read_steps(options.extract_of(options.models[0]))
        _, _, make_counter = count_steps(ListingOptions(), options.extract.limits)
        self._reader = cast(Sandbox, make_reader())
        self._counter = cast(Sandbox, make_counter())
        self._previewer = Sandbox((partial(Preview, PREVIEW_SIDE),), PREVIEWED, PAGE, options.extract.limits)
        self._tokenizers: dict[str, Tokenize] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reads-pages")
        self._try_out()

    async def open(self, asked: ReadRequest, content: bytes) -> OpenResult:
        """Open a document and count its pages."""
        return await self._run(partial(self._open, asked, content))

    async def read(self, asked: ReadRequest, page: Row, content: bytes) -> Row:
        """A page's row of `TOKENIZED`, with `questions`, `wants_preview` and `preview`.

        Args:
            page: of `Opened.pages`.
        """
        return await self._run(partial(self._read_page, asked, page, content))

    async def open_and_read(self, asked: ReadRequest, content: bytes) -> tuple[OpenResult, Row | None]:
        """Both at once, for a document of which one page is wanted; None where there is none."""
        try:
            return await self._run(partial(self._open_and_read, asked, content))
        finally:
            self._thread.submit(self._let_go)

    async def forget(self, upload_id: str) -> None:
        """The document is not needed any more."""
        self._files.drop(upload_id)
        await self._run(self._let_go)

    async def is_here(self) -> None:
        """Asked by fronts, to see whether anybody answers."""

    def check_health(self) -> None:
        """Asked by Serve.

        Raises:
            RuntimeError: pages cannot be read any more.
        """
        if self._thread._shutdown:
            raise RuntimeError("the thread that reads pages has ended")

    async def _run(self, work: Callable[[], Result]) -> Result:
        """Do it after what came before. When its caller has gone, it is ended, or never begun."""
        is_given_up = threading.Event()

        def wanted_work() -> Result:
            for sandbox in (self._counter, self._reader, self._previewer):
                sandbox.should_continue = lambda: not is_given_up.is_set()
            return work()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, wanted_work)
        except asyncio.CancelledError:
            is_given_up.set()
            raise

    def _open_and_read(self, asked: ReadRequest, content: bytes) -> tuple[OpenResult, Row | None]:
        try:
            opened = self._open(asked, content)
            return opened, self._read_page(asked, opened.pages[0], content) if opened.pages else None
        finally:
            self._files.drop(asked.upload_id)

    def _open(self, asked: ReadRequest, content: bytes) -> OpenResult:
        with self._files.open(asked.upload_id, content) as path:
            (row,) = self._counter([{**pending_document(asked.listed), "path": str(path)}])
        if row["status"] == "failed":
            return OpenResult(row, [])
        count = row["page_count"]
        try:
            indices = range(count) if asked.pages is None else parse_page_ranges(asked.pages, count)
            self._check_questions(asked)
            if asked.words is not None and len(indices) != 1:
                raise ValueError(f"words are given, which are of one page, and {len(indices)} are asked for; use pages")
        except ValueError as error:
            return OpenResult(row, [], str(error))
        page = {name: row[name] for name in ("document_id", "uri", "media_type", "page_count")}
        if asked.words is not None:
            page |= {"given_words": asked.words.words, "given_boxes": asked.words.boxes}
        pages = [{**page, "page_index": index} for index in indices]
        return OpenResult({**row, "pages_selected": len(pages)}, pages)

    def _check_questions(self, asked: ReadRequest) -> None:
        served = self._options.model_named(asked.model)
        if served.task == "question-answering":
            extract = replace(self._options.extract_of(served), questions=asked.questions)
            tokenizer = self._tokenize(asked.model).tokenizer
            check_questions(tokenizer, tokenize_options(extract, tokenizer))

    def _read_page(self, asked: ReadRequest, page: Row, content: bytes) -> Row:
        preview = None
        try:
            with self._files.open(asked.upload_id, content) as path:
                (row,) = self._reader([{**page, "path": str(path)}])
                row["questions"] = [{"text": question} for question in asked.questions]
                (row,) = self._tokenize(asked.model)([row])
                if asked.previews:
                    preview = self._previewed({**page, "path": str(path)})
        except Exception as error:  # such as a full disk: the page fails and the request goes on
            logger.exception("a page cannot be read")
            row = mark_failed(page, error)
        return {**row, "preview": preview, "wants_preview": asked.previews}

    def _let_go(self) -> None:
        """Have the sandbox close the document that it read last: a row without a path makes it look for another."""
        if self._reader.is_running:
            list(self._reader([NO_PAGE]))

    def _tokenize(self, model: str) -> Tokenize:
        if model not in self._tokenizers:
            *_, make_tokenize = read_steps(self._options.extract_of(self._options.model_named(model)))
            self._tokenizers[model] = cast(Tokenize, make_tokenize())
        return self._tokenizers[model]

    def _previewed(self, row: Row) -> bytes | None:
        (previewed,) = self._previewer([row])
        return previewed.get("preview")

    def _try_out(self) -> None:
        """Read a page, so that a replica that takes requests has its processes and tokenizer at hand.

        Raises:
            RuntimeError: it cannot be read.
        """
        content, listed = probe_document()
        model = self._options.models[0].name
        _, row = self._open_and_read(ReadRequest(listed["document_id"], listed, model, ("When?",)), content)
        if row is None or row["status"] != "ok":
            raise RuntimeError(f"a page for trial cannot be read: {row and row['error']}")
