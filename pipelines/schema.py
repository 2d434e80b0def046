"""The page row that every stage receives and returns, and the Arrow schemas of what is written.

A row is a plain dictionary with the column names below, one row a page from the listing to the result. A stage
that fails on a page marks the row (`status`, `error_kind`, `error`) and passes it on; later stages leave it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import pyarrow as pa

from pipelines.errors import describe_error, raise_infrastructure_error

Task = Literal["token-classification", "sequence-classification", "question-answering"]
TASKS: tuple[Task, ...] = get_args(Task)

Row = dict[str, Any]

MODEL_IMAGE_SHAPE = (3, 224, 224)
"""Channels, height and width of the model's image of a page: uint8, blue-green-red."""


def mark_failed(row: Row, error: BaseException) -> Row:
    """`row` as a failed one: with the reason, and without what was computed for it.

    Raises:
        InfrastructureError: the machine or the storage is at fault, so that the row must be computed again.
    """
    raise_infrastructure_error(error)
    kind, message = describe_error(error)
    kept = {name: row.get(name) for name in ("width", "height", "model", "seconds")}
    return {**row, **EMPTY_RESULT, **kept, "status": "failed", "error_kind": kind, "error": message}


def page_questions(row: Row, questions: Sequence[str]) -> Sequence[str]:
    """`questions`, which are asked of all pages, or else those that the row of a labelled page has itself."""
    return questions or [question["text"] for question in row.get("questions") or ()]


SECONDS = pa.struct([("rasterize", pa.float32()), ("ocr", pa.float32()), ("infer", pa.float32())])
BOX = pa.list_(pa.int16(), 4)

FORM_FIELD = pa.struct(
    [
        ("name", pa.string()),
        ("label", pa.string()),
        ("value", pa.string()),
        ("type", pa.string()),
        ("box", BOX),
    ]
)
"""A field of an interactive PDF form: its full name, its tooltip or null, its value or null, and its type: text,
check_box, radio, choice or signature."""

PAGE_TO_DO = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("page_index", pa.int32(), nullable=False),
        pa.field("page_count", pa.int32(), nullable=False),
    ]
)
"""A page that a document is expected to have; `page_index` counts from 0."""

_STATUS = [
    pa.field("status", pa.string(), nullable=False),
    pa.field("error_kind", pa.string()),
    pa.field("error", pa.string()),
]

_READ = [
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("text_source", pa.string()),
    pa.field("words", pa.list_(pa.string())),
    pa.field("boxes", pa.list_(BOX)),
    pa.field("word_confidences", pa.list_(pa.float32())),
    pa.field("word_sources", pa.list_(pa.string())),
    pa.field("ocr_engine", pa.string()),
    pa.field("ocr_language", pa.string()),
    pa.field("missing_language", pa.string()),
    pa.field("rotation", pa.int16()),
    pa.field("skew", pa.float32()),
    pa.field("read_quality", pa.float32()),
    pa.field("form_fields", pa.list_(FORM_FIELD)),
]
"""`rotation` and `skew`: degrees clockwise that make the page upright. `read_quality`: 0 to 1, see
`pipelines.stages.read_quality`; null for words that were given. `ocr_language`, `missing_language`: in which language
OCR read the page, and the one that it needs and that is not installed, by Tesseract's names. `form_fields`: null unless
the page has some."""

PAGE_IMAGE = pa.schema([*PAGE_TO_DO, *_READ, *_STATUS, ("seconds", SECONDS), ("model_image", pa.binary())])
"""After `ocr` (and, with the column `page_image`, after `rasterize`): words, boxes and the model's image."""

RASTERIZED = PAGE_IMAGE.append(pa.field("page_image", pa.binary()))
RASTERIZED = RASTERIZED.append(pa.field("ocr_regions", pa.list_(pa.list_(pa.float32(), 4))))
"""`page_image`: height x width grey bytes where the page still has to be read by OCR, else null. `ocr_regions`: what
has to be read of it, x0, y0, x1, y1 as fractions of the page, beside the words that the row has; null for all."""

PAGE = pa.schema([PAGE_TO_DO.field(name) for name in ("document_id", "uri", "page_index")])
"""The identity of a page and its document."""

PREVIEWED = pa.schema([*PAGE, *_STATUS, ("preview", pa.binary())])
"""`preview`: a JPEG of the page for people to look at."""

WINDOW = pa.struct(
    [
        ("question_index", pa.int32()),
        ("first_token", pa.int32()),
        ("input_ids", pa.list_(pa.int32())),
        ("token_type_ids", pa.list_(pa.int8())),
        ("bbox", pa.list_(pa.int16())),
        ("word_indices", pa.list_(pa.int32())),
    ]
)
"""One sequence for the model: `bbox` is flat, 4 numbers a token; `word_indices` is -1 for special and question tokens;
`first_token` counts the page's tokens before this window; `question_index` is -1 without a question."""

TOKENIZED = PAGE_IMAGE.append(pa.field("windows", pa.list_(WINDOW)))

INFERRED = TOKENIZED.remove(TOKENIZED.get_field_index("model_image"))
INFERRED = INFERRED.append(pa.field("window_logits", pa.list_(pa.list_(pa.float32()))))
INFERRED = INFERRED.append(pa.field("model", pa.string()))
"""`window_logits`: one flat row-major list a window (tokens x labels, labels, or tokens x 2: start and end)."""

ENTITY = pa.struct(
    [
        ("label", pa.string()),
        ("text", pa.string()),
        ("box", BOX),
        ("score", pa.float32()),
        ("first_word", pa.int32()),
        ("last_word", pa.int32()),
        ("words", pa.list_(pa.int32())),
    ]
)
"""`first_word` and `last_word` are the ends of `words`, which leave out what stands between the lines of an entity."""

PAIR = pa.struct(
    [
        ("section", pa.string()),
        ("key", pa.string()),
        ("value", pa.string()),
        ("score", pa.float32()),
        ("key_box", BOX),
        ("value_box", BOX),
        ("key_words", pa.list_(pa.int32())),
        ("value_words", pa.list_(pa.int32())),
    ]
)
"""A key and one of its values: a key over a column of values gives several pairs, from the top. `score`, 0 to 1, is
that of both entities and their link. The words are indices, in reading order."""

ANSWER = pa.struct(
    [
        ("question", pa.string()),
        ("text", pa.string()),
        ("score", pa.float32()),
        ("boxes", pa.list_(BOX)),
        ("first_word", pa.int32()),
        ("last_word", pa.int32()),
    ]
)

TASK_COLUMNS: dict[Task, list[pa.Field]] = {
    "token-classification": [
        pa.field("labels", pa.list_(pa.string())),
        pa.field("scores", pa.list_(pa.float32())),
        pa.field("entities", pa.list_(ENTITY)),
        pa.field("pairs", pa.list_(PAIR)),
    ],
    "sequence-classification": [
        pa.field("label", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("label_scores", pa.map_(pa.string(), pa.float32())),
    ],
    "question-answering": [pa.field("answers", pa.list_(ANSWER))],
}

EMPTY_RESULT: Row = {
    name: None
    for name in (
        *(field.name for field in _READ),
        *(field.name for fields in TASK_COLUMNS.values() for field in fields),
        "model_image",
        "page_image",
        "ocr_regions",
        "windows",
        "window_logits",
    )
}


def page_schema(task: Task) -> pa.Schema:
    """The columns of `pages/*.parquet` for a task."""
    identity = [field for field in PAGE_TO_DO if field.name != "media_type"]
    review = pa.field("needs_review", pa.bool_())
    model = [pa.field("model", pa.string()), pa.field("seconds", SECONDS)]
    return pa.schema([*identity, *_READ, *TASK_COLUMNS[task], *_STATUS, review, *model])


LISTED = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64()),
        pa.field("etag", pa.string()),
    ]
)
"""A listed document."""

DOCUMENTS = pa.schema(
    [
        *LISTED,
        pa.field("media_type", pa.string()),
        pa.field("page_count", pa.int32()),
        pa.field("pages_selected", pa.int32(), nullable=False),
        *_STATUS,
    ]
)
"""The columns of `documents/*.parquet`. `pages_selected` is what the limits left of `page_count`; 0 if failed."""

ANSWERS = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("page_index", pa.int32()),
        pa.field("boxes", pa.list_(BOX)),
    ]
)
"""The columns of `answers/*.parquet`; without an answer `text` and `page_index` are null, and `score` too if no page of
the document could be read."""


FIELDS = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("page_index", pa.int32(), nullable=False),
        pa.field("section", pa.string()),
        pa.field("key", pa.string(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("value_type", pa.string()),
        pa.field("value_normalized", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("key_box", BOX),
        pa.field("value_box", BOX),
        pa.field("text_source", pa.string()),
        pa.field("needs_review", pa.bool_()),
    ]
)
"""The columns of `fields/*.parquet`: the pairs of a document, in the order of its pages, and the fields of interactive
forms (`text_source` is "form", `score` is 1)."""


def page_key(row: Mapping[str, Any]) -> PageKey:
    """The identity of a page's row."""
    return row["document_id"], row["page_index"]


PageKey = tuple[str, int]
"""(document_id, page_index)"""
