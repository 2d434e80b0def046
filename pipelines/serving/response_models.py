"""Response models: the JSON of the endpoint's responses, for its OpenAPI description.

They describe and never serialise: rows become JSON in `row_json`, and are sent as they are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipelines.errors import ERROR_KINDS, ErrorKind
from pipelines.schema import Task
from pipelines.serving.errors import BAD_REQUEST, OVERLOADED, UNAUTHORISED

Coordinate = Annotated[int, Field(ge=0, le=1000)]

Box = Annotated[
    list[Coordinate],
    Field(min_length=4, max_length=4, description="x0, y0, x1, y1 in thousandths of the page's width and height."),
]

Status = Literal["ok", "failed"]


class DocumentRow(BaseModel):
    """The document: the columns of `documents/*.parquet`."""

    document_id: str
    uri: str = Field(description="The name of the uploaded file.")
    size_bytes: int | None
    etag: str | None
    media_type: str | None
    page_count: int | None
    pages_selected: int
    status: Status
    error_kind: ErrorKind | None
    error: str | None


class FormField(BaseModel):
    """A field of an interactive PDF form."""

    name: str = Field(description="The full name that the form gives it.")
    label: str | None = Field(description="Its tooltip.")
    value: str | None
    type: Literal["text", "check_box", "radio", "choice", "signature"]
    box: Box | None


class Entity(BaseModel):
    """Words with one label."""

    label: str
    text: str
    box: Box
    score: float
    first_word: int = Field(description="The least of `words`.")
    last_word: int = Field(description="The greatest of `words`.")
    words: list[int] | None = Field(description="Indices of its words, in reading order.")


class Pair(BaseModel):
    """A key and one of its values; a key over a column of values gives several pairs, from the top."""

    section: str | None = Field(description="The heading that they stand under.")
    key: str
    value: str
    score: float = Field(description="Of both entities and their link, 0 to 1.")
    key_box: Box | None = Field(description="Null where the key is the label of the value's entity.")
    value_box: Box
    key_words: list[int] = Field(description="Indices of the key's words, in reading order.")
    value_words: list[int] = Field(description="Indices of the value's words, in reading order.")


class Answer(BaseModel):
    """The best answer to a question on one page; without one, `text` is null."""

    question: str
    text: str | None
    score: float | None
    boxes: list[Box] | None
    first_word: int | None
    last_word: int | None


class Seconds(BaseModel):
    """Time spent on a page."""

    rasterize: float
    ocr: float
    infer: float


class PageRow(BaseModel):
    """A page: the columns of `pages/*.parquet`, among them those of its model's task."""

    document_id: str
    uri: str
    page_index: int = Field(description="Counted from 0.")
    page_count: int
    width: int | None = Field(description="Of the page image, in pixels.")
    height: int | None = Field(description="Of the page image, in pixels.")
    text_source: Literal["layer", "ocr", "mixed", "none", "given"] | None
    words: list[str] | None
    boxes: list[Box] | None = Field(description="One a word.")
    word_confidences: list[float | None] | None = Field(description="One a word, by OCR; null if OCR did not read it.")
    word_sources: list[Literal["layer", "ocr", "given"]] | None = Field(description="One a word.")
    ocr_engine: str | None = Field(
        description="What read the page where the text layer did not; null if nothing had to."
    )
    ocr_language: str | None = Field(
        description="The language in which OCR read the page, by Tesseract's names; null if its words do not tell."
    )
    missing_language: str | None = Field(
        description="What the page is written in and the endpoint has no data of, by Tesseract's name; null if nothing."
    )
    rotation: int | None = Field(description="Degrees clockwise that make the page upright: 0, 90, 180 or 270.")
    skew: float | None = Field(description="Further degrees clockwise that make its lines level.")
    read_quality: float | None = Field(
        description="How well the page was read, 0 to 1; null for words that were given."
    )
    form_fields: list[FormField] | None = Field(
        description="The fields of an interactive form on this page; null if there are none."
    )
    labels: list[str | None] | None = Field(default=None, description="Token classification: one a word.")
    scores: list[float | None] | None = Field(default=None, description="Token classification: one a word.")
    entities: list[Entity] | None = Field(default=None, description="Token classification.")
    pairs: list[Pair] | None = Field(default=None, description="Token classification: keys with their values.")
    label: str | None = Field(default=None, description="Sequence classification.")
    score: float | None = Field(default=None, description="Sequence classification.")
    label_scores: dict[str, float] | None = Field(default=None, description="Sequence classification.")
    answers: list[Answer] | None = Field(default=None, description="Question answering: one a question.")
    status: Status
    error_kind: ErrorKind | None
    error: str | None
    needs_review: bool | None = Field(description="Whether the page was read less well than the endpoint accepts.")
    model: str | None = Field(description="The name of the model and the hash of its weights.")
    seconds: Seconds | None
    preview: str | None = Field(default=None, description="If requested: a JPEG in base64.")


class FieldRow(BaseModel):
    """A field of the document: the columns of `fields/*.parquet`."""

    document_id: str
    uri: str
    page_index: int = Field(description="Counted from 0.")
    section: str | None = Field(description="The heading that it stands under.")
    key: str
    value: str | None
    value_type: Literal["date", "amount", "number", "percent", "phone", "email", "check_box", "text"] | None = Field(
        description="Told from the value and its key; null if there is no value, or no time was left."
    )
    value_normalized: str | None = Field(
        description="Dates in ISO 8601, amounts as 1234.50 USD, telephone numbers in E.164, check boxes as checked or "
        "unchecked; null for text, and where the value can be read in several ways."
    )
    score: float | None
    key_box: Box | None
    value_box: Box | None
    text_source: Literal["layer", "ocr", "mixed", "none", "given", "form"] | None = Field(
        description="form: of an interactive form, as it was filled in."
    )
    needs_review: bool | None


class ExtractResponse(BaseModel):
    """A document, its pages, and its fields."""

    document: DocumentRow
    pages: list[PageRow]
    fields: list[FieldRow] | None = Field(
        default=None, description="Token classification: of all pages; null if time was over before they were found."
    )


class ErrorResponse(BaseModel):
    """Why a request is refused."""

    error_kind: str = Field(json_schema_extra={"enum": [*ERROR_KINDS, BAD_REQUEST, UNAUTHORISED, OVERLOADED]})
    error: str = Field(description="The reason in words.")


class Model(BaseModel):
    """A model that is served."""

    name: str
    task: Task
    labels: list[str] = Field(description="In the order of its logits; empty for question answering.")
    default: bool


class Limits(BaseModel):
    """Upper bounds of a request."""

    upload_megabytes: float
    pages: int
    questions: int


class ModelsResponse(BaseModel):
    """The models that are served, and the limits of a request."""

    models: list[Model]
    limits: Limits


class HealthResponse(BaseModel):
    """Pages are answered."""

    status: Literal["ok"]
