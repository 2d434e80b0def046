"""Upload: from a request's multipart body to a document's bytes and the fields beside it.

The body is read as it arrives, and refused as soon as it is too large; large documents are kept in a temporary file
until they are complete. Nothing in it is ever used as a path or an address.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pipelines.documents.media_type import JPEG_SIGNATURE, PNG_SIGNATURE
from pipelines.errors import infrastructure_error
from pipelines.serving.bodies import Bodies
from pipelines.serving.errors import RequestError, bad_request, server_fault
from pipelines.serving.options import RequestLimits
from pipelines.serving.page_ranges import MAX_CHARACTERS
from pipelines.serving.provided_words import ProvidedWords, parse_words

FORM_BYTES = 64_000
"""Of a body, beside the document: boundaries, headers and all fields but questions, words and boxes."""

WORDS_BYTES = 1_000_000
"""Of the field `words`, and of the field `boxes`."""

UTF_8 = (b"utf-8", b"utf8")
"""The charsets accepted: decoding some others takes time quadratic in the length of a field."""

FIELDS = ("questions", "pages", "model", "previews", "words", "boxes")

FIELD_CHARACTERS = {"pages": MAX_CHARACTERS, "model": 200, "previews": 20, "words": WORDS_BYTES, "boxes": WORDS_BYTES}
"""Upper bounds of the fields; that of a question is one of the limits of a request."""

MAX_NAME_LENGTH = 255

MAX_LENGTH_DIGITS = 18
"""Of a `Content-Length` that is taken for a number."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Upload:
    """A document and what is requested about it.

    Attributes:
        upload_id: unique to the request.
        content: the document's bytes.
        name: of its file according to the client, without folders; no file of this name is ever opened.
        questions: in the order of the request.
        pages: ranges; None for all pages.
        model: None for the default.
        previews: whether to add a picture of each page.
        words: of the one page requested; None has the page read.
    """

    upload_id: str
    content: bytes
    name: str
    questions: tuple[str, ...] = ()
    pages: str | None = None
    model: str | None = None
    previews: bool = False
    words: ProvidedWords | None = None

    @property
    def has_one_page(self) -> bool:
        """Whether at most one page can be meant, according to `pages`, `words` or the document's first bytes."""
        return (
            (self.pages or "").isdigit()
            or self.words is not None
            or self.content.startswith((PNG_SIGNATURE, JPEG_SIGNATURE))
        )

    @property
    def digest(self) -> str:
        """Of the content, 32 hexadecimal digits."""
        return hashlib.blake2b(self.content, digest_size=16).hexdigest()


async def read_upload(request: Request, limits: RequestLimits, bodies: Bodies) -> Upload:
    """The document and fields of a request, whose body is one of `bodies` while it arrives.

    Raises:
        RequestError: 400, 408, 413 or 415; 503, the disk is full.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise RequestError(415, "unsupported", "send the document as multipart/form-data, in a field named file")
    if parameters.get(b"charset", b"utf-8").lower() not in UTF_8:
        raise RequestError(415, "unsupported", "send the fields in UTF-8; no other charset is taken")
    max_bytes = max_body_bytes(limits)
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > MAX_LENGTH_DIGITS or int(length) > max_bytes):
        raise _too_large(limits)
    try:
        with bodies.receive() as body:
            parser = MultiPartParser(
                request.headers,
                _at_most(body.chunks(request.stream()), max_bytes, limits),
                max_files=1,
                max_fields=limits.questions + 8,
                max_part_size=max(WORDS_BYTES, 4 * limits.question_characters),
            )
            form = await parser.parse()
    except (MultiPartException, FormParserError) as error:
        raise bad_request(f"the multipart body cannot be read: {error}") from error
    except OSError as error:
        fault = infrastructure_error(error)
        if fault is None:
            raise
        raise server_fault(fault) from error
    except (UnicodeDecodeError, LookupError, KeyError, ValueError) as error:  # malformed headers of a part
        raise bad_request(f"the multipart body cannot be read ({type(error).__name__})") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_request("there is no document: send it in a multipart field named file, with a file name")
        if (file.size or 0) > limits.upload_bytes:
            raise _too_large(limits)
        fields: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
        unknown = sorted(set(fields) - set(FIELDS))
        if unknown:
            raise bad_request(f"no field is named {unknown[0][:60]!r}; there are file and {', '.join(FIELDS)}")
        _check_lengths(fields, limits)
        questions = tuple(question for question in fields.get("questions", ()) if question.strip())
        _check_questions(questions, limits)
        return Upload(
            upload_id=secrets.token_hex(16),
            content=await file.read(),
            name=_file_name(file.filename or ""),
            questions=questions,
            pages=_single_value(fields, "pages"),
            model=_single_value(fields, "model"),
            previews=_boolean(fields, "previews"),
            words=parse_words(_single_value(fields, "words"), _single_value(fields, "boxes")),
        )
    finally:
        await form.close()


def max_body_bytes(limits: RequestLimits) -> int:
    """The most that the body of a request may have, in bytes."""
    questions = limits.questions * limits.question_characters * 4
    return limits.upload_bytes + FORM_BYTES + questions + 2 * WORDS_BYTES


async def _at_most(
    chunks: AsyncGenerator[bytes, None], max_bytes: int, limits: RequestLimits
) -> AsyncGenerator[bytes, None]:
    """The body as it arrives.

    Raises:
        RequestError: 413, as soon as it has more than `max_bytes`.
    """
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: RequestLimits) -> RequestError:
    megabytes = limits.upload_bytes / 1_000_000
    return RequestError(
        413, "too_large", f"the document has more than the {megabytes:g} MB taken here; send a part of it"
    )


def _check_questions(questions: tuple[str, ...], limits: RequestLimits) -> None:
    if len(questions) > limits.questions:
        raise bad_request(f"{len(questions)} questions are more than the {limits.questions} answered at once")


def _check_lengths(fields: dict[str, list[str]], limits: RequestLimits) -> None:
    """Check each value before anything else is done with it."""
    for name, values in fields.items():
        limit = limits.question_characters if name == "questions" else FIELD_CHARACTERS[name]
        longest = max(map(len, values))
        if longest > limit:
            what = "a question" if name == "questions" else f"the field {name}"
            raise bad_request(f"{what} has {longest} characters, more than the {limit} taken here")


def _single_value(fields: dict[str, list[str]], name: str) -> str | None:
    values = [value.strip() for value in fields.get(name, ()) if value.strip()]
    if len(values) > 1:
        raise bad_request(f"the field {name} is there {len(values)} times")
    return values[0] if values else None


def _boolean(fields: dict[str, list[str]], name: str) -> bool:
    value = (_single_value(fields, name) or "").lower()
    if value not in _BOOLEANS:
        raise bad_request(f"{name} is {value[:60]!r}; write true or false")
    return _BOOLEANS[value]


def _file_name(client_name: str) -> str:
    """The last part of a client's file name, printable and of limited length."""
    last = PureWindowsPath(PurePosixPath(client_name).name).name
    printable = "".join(letter for letter in last if letter.isprintable()).encode("utf-8", "replace").decode()
    return printable[-MAX_NAME_LENGTH:] or "document"
