"""Upload: from a request's multipart body to a document's bytes and what is asked about it.

The body is read as it comes and given up as soon as it is too large; large ones lie in a temporary file until they are
whole. Nothing in it names a file or an address that is opened.
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
from pipelines.serving.errors import RequestError, bad_request
from pipelines.serving.options import RequestLimits
from pipelines.serving.provided_words import ProvidedWords, parse_words

FORM_BYTES = 64_000
"""Of a body, beside the document: boundaries, headers and fields but for the questions."""

WORDS_BYTES = 1_000_000
"""Of the field `words`, and of the field `boxes`."""

UTF_8 = (b"utf-8", b"utf8")
"""The charsets of a body that are taken: decoding some others takes time that grows with the square of a field."""

FIELDS = ("questions", "pages", "model", "previews", "words", "boxes")

LONGEST_NAME = 255

_SWITCHES = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Upload:
    """A document and what is asked about it.

    Attributes:
        upload_id: of this request alone.
        content: of the document.
        name: of its file as the client says, without folders; no file of this name is ever opened.
        questions: in the order asked.
        pages: ranges; None asks for all pages.
        model: None asks for the default.
        previews: whether a picture of each page is wanted.
        words: of the one page that is asked about; None has them read.
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
    def asks_one_page(self) -> bool:
        """Whether one page at the most can be meant, to tell by its first bytes or by `pages`."""
        return (self.pages or "").isdigit() or self.content.startswith((PNG_SIGNATURE, JPEG_SIGNATURE))

    @property
    def digest(self) -> str:
        """Of the content, 32 hexadecimal digits."""
        return hashlib.blake2b(self.content, digest_size=16).hexdigest()


async def read_upload(request: Request, limits: RequestLimits) -> Upload:
    """The document and fields of a request.

    Raises:
        RequestError: 400, 413 or 415.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise RequestError(415, "unsupported", "send the document as multipart/form-data, in a field named file")
    if parameters.get(b"charset", b"utf-8").lower() not in UTF_8:
        raise RequestError(415, "unsupported", "send the fields in UTF-8; no other charset is taken")
    most = limits.upload_bytes + FORM_BYTES + limits.questions * limits.question_characters * 4 + 2 * WORDS_BYTES
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_large(limits)
    parser = MultiPartParser(
        request.headers,
        _bounded(request, most, limits),
        max_files=1,
        max_fields=limits.questions + 8,
        max_part_size=max(WORDS_BYTES, 4 * limits.question_characters),
    )
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError) as error:
        raise bad_request(f"the multipart body cannot be read: {error}") from error
    except (UnicodeDecodeError, LookupError, KeyError, ValueError) as error:  # headers that are none
        raise bad_request(f"the multipart body cannot be read ({type(error).__name__})") from error
    async with _Closing(form.getlist("file")):
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
        questions = tuple(question for question in fields.get("questions", ()) if question.strip())
        _check_questions(questions, limits)
        return Upload(
            upload_id=secrets.token_hex(16),
            content=await file.read(),
            name=_file_name(file.filename or ""),
            questions=questions,
            pages=_only(fields, "pages"),
            model=_only(fields, "model"),
            previews=_switch(fields, "previews"),
            words=parse_words(_only(fields, "words"), _only(fields, "boxes")),
        )


class _Closing:
    """Closes the files of a form."""

    def __init__(self, values: list[UploadFile | str]) -> None:
        self.files = [value for value in values if isinstance(value, UploadFile)]

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        for file in self.files:
            await file.close()


async def _bounded(request: Request, most: int, limits: RequestLimits) -> AsyncGenerator[bytes, None]:
    """The body as it comes.

    Raises:
        RequestError: 413, as soon as there is more than `most` bytes of it.
    """
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen > most:
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
    longest = max(map(len, questions), default=0)
    if longest > limits.question_characters:
        raise bad_request(f"a question has {longest} characters, more than the {limits.question_characters} taken here")


def _only(fields: dict[str, list[str]], name: str) -> str | None:
    values = [value.strip() for value in fields.get(name, ()) if value.strip()]
    if len(values) > 1:
        raise bad_request(f"the field {name} is there {len(values)} times")
    return values[0] if values else None


def _switch(fields: dict[str, list[str]], name: str) -> bool:
    value = (_only(fields, name) or "").lower()
    if value not in _SWITCHES:
        raise bad_request(f"{name} is {value[:60]!r}; write true or false")
    return _SWITCHES[value]


def _file_name(named: str) -> str:
    """The last part of what a client calls its file, printable and of a sane length."""
    last = PureWindowsPath(PurePosixPath(named).name).name
    printable = "".join(letter for letter in last if letter.isprintable()).encode("utf-8", "replace").decode()
    return printable[-LONGEST_NAME:] or "document"
