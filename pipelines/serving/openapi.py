"""OpenAPI: what the description of the interface says beyond its routes: responses, examples and the upload form."""

from __future__ import annotations

import json
from typing import Any

from pipelines.documents.media_type import MEDIA_TYPES
from pipelines.serving.errors import BAD_REQUEST, OVERLOADED, UNAUTHORISED
from pipelines.serving.options import RequestLimits
from pipelines.serving.page_ranges import MAX_PARTS
from pipelines.serving.response_models import ErrorResponse, ExtractResponse, HealthResponse, ModelsResponse
from pipelines.serving.upload import FIELD_CHARACTERS

DOCUMENT_EXAMPLE = {
    "document_id": "f0267a718358aaa0",
    "uri": "invoice.png",
    "size_bytes": 31329,
    "etag": "f0267a718358aaa041cecbd93065b408",
    "media_type": "image/png",
    "page_count": 1,
    "pages_selected": 1,
    "status": "ok",
    "error_kind": None,
    "error": None,
}

PAGE_EXAMPLE = {
    "document_id": "f0267a718358aaa0",
    "uri": "invoice.png",
    "page_index": 0,
    "page_count": 1,
    "width": 935,
    "height": 1210,
    "text_source": "ocr",
    "words": ["Total", "due", "(USD)", "2,289.12"],
    "boxes": [[606, 484, 655, 498], [660, 484, 690, 498], [695, 484, 741, 498], [842, 485, 912, 497]],
    "word_confidences": [0.96, 0.95, 0.93, 0.97],
    "word_sources": ["ocr", "ocr", "ocr", "ocr"],
    "ocr_engine": "ppocr",
    "ocr_language": "eng",
    "missing_language": None,
    "rotation": 0,
    "skew": 0.0,
    "read_quality": 0.94,
    "form_fields": None,
    "labels": ["B-QUESTION", "I-QUESTION", "I-QUESTION", "B-ANSWER"],
    "scores": [0.95, 0.96, 0.94, 0.97],
    "entities": [
        {
            "label": "QUESTION",
            "text": "Total due (USD)",
            "box": [606, 484, 741, 498],
            "score": 0.95,
            "first_word": 0,
            "last_word": 2,
            "words": [0, 1, 2],
        },
        {
            "label": "ANSWER",
            "text": "2,289.12",
            "box": [842, 485, 912, 497],
            "score": 0.97,
            "first_word": 3,
            "last_word": 3,
            "words": [3],
        },
    ],
    "pairs": [
        {
            "section": None,
            "key": "Total due (USD)",
            "value": "2,289.12",
            "score": 0.92,
            "key_box": [606, 484, 741, 498],
            "value_box": [842, 485, 912, 497],
            "key_words": [0, 1, 2],
            "value_words": [3],
        }
    ],
    "status": "ok",
    "error_kind": None,
    "error": None,
    "needs_review": False,
    "model": "layoutlmv2-forms-small@3f5b",
    "seconds": {"rasterize": 0.02, "ocr": 0.25, "infer": 0.06},
}

FIELD_EXAMPLE = {
    "document_id": "f0267a718358aaa0",
    "uri": "invoice.png",
    "page_index": 0,
    "section": None,
    "key": "Total due (USD)",
    "value": "2,289.12",
    "value_type": "amount",
    "value_normalized": "2289.12 USD",
    "score": 0.92,
    "key_box": [606, 484, 741, 498],
    "value_box": [842, 485, 912, 497],
    "text_source": "ocr",
    "needs_review": None,
}

EXTRACT_EXAMPLE = {"document": DOCUMENT_EXAMPLE, "pages": [PAGE_EXAMPLE], "fields": [FIELD_EXAMPLE]}

EXAMPLE_LINES = ({"document": DOCUMENT_EXAMPLE}, {"page": PAGE_EXAMPLE, "fields": [FIELD_EXAMPLE]})

REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("The request makes no sense.", BAD_REQUEST, "pages has '3-2'; pages count from 1, and a range goes upwards"),
    401: ("A key is required.", UNAUTHORISED, "send an API key of this server, as Authorization: Bearer KEY"),
    408: ("The body arrives too slowly.", "timeout", "the request has not arrived within 60 s; send it faster"),
    413: ("It has too many bytes, pages or words.", "too_large", "the document has more than the 50 MB taken here"),
    415: ("The document is of an unsupported kind.", "unsupported", "Not a PDF or an image: a Word document"),
    422: ("The document cannot be opened.", "encrypted", "The PDF requires a password to be read"),
    429: ("Too many requests at a time; see Retry-After.", OVERLOADED, "32 requests are being answered"),
    503: ("Not ready, or busy; see Retry-After.", OVERLOADED, "the model has not answered yet"),
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses with these statuses."""
    responses: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        meaning, kind, reason = REFUSALS[status]
        content = {"application/json": {"example": {"error_kind": kind, "error": reason}}}
        responses[status] = {"model": ErrorResponse, "description": meaning, "content": content}
    return responses


def health_responses() -> dict[int | str, dict[str, Any]]:
    """Of `GET /healthz`."""
    return {200: {"model": HealthResponse}, **refusals(503)}


def models_responses() -> dict[int | str, dict[str, Any]]:
    """Of `GET /v1/models`."""
    return {200: {"model": ModelsResponse}, **refusals(401)}


def extract_responses() -> dict[int | str, dict[str, Any]]:
    """Of `POST /v1/extract`."""
    lines = "\n".join(json.dumps(line) for line in EXAMPLE_LINES)
    ok = {
        "model": ExtractResponse,
        "description": "The document, its pages and its fields, with the columns that the batch job writes.",
        "content": {
            "application/json": {"example": EXTRACT_EXAMPLE},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": lines},
        },
    }
    return {200: ok, **refusals(400, 401, 408, 413, 415, 422, 429, 503)}


def extract_body(limits: RequestLimits) -> dict[str, Any]:
    """The form of `POST /v1/extract`.

    By hand: with the form as parameters, FastAPI would read the whole body before its size could be checked.
    """
    properties = {
        "file": {
            "type": "string",
            "format": "binary",
            "description": f"PDF or image (PNG, JPEG, TIFF, WebP, HEIC, GIF, BMP, JPEG 2000), by content; up to "
            f"{limits.upload_bytes / 1_000_000:g} MB.",
        },
        "questions": {
            "type": "array",
            "maxItems": limits.questions,
            "items": {"type": "string", "minLength": 1, "maxLength": limits.question_characters},
            "description": "For a model that answers questions: one field a question.",
        },
        "pages": {
            "type": "string",
            "maxLength": FIELD_CHARACTERS["pages"],
            "description": f"Which pages, counted from 1, at most {MAX_PARTS} numbers and ranges; by default all.",
            "example": "1-3,7",
        },
        "model": {
            "type": "string",
            "maxLength": FIELD_CHARACTERS["model"],
            "description": "One of GET /v1/models; by default the first.",
        },
        "previews": {
            "type": "string",
            "enum": ["true", "false"],
            "default": "false",
            "description": "Add a JPEG of each page, 1100 pixels on its longer side, in base64.",
        },
        "words": {
            "type": "string",
            "maxLength": FIELD_CHARACTERS["words"],
            "description": "A JSON list of the words of the one page selected, which is then not read.",
            "example": '["Invoice", "No.", "17"]',
        },
        "boxes": {
            "type": "string",
            "maxLength": FIELD_CHARACTERS["boxes"],
            "description": "With words: a JSON list of the box of each, [x0, y0, x1, y1], from 0 to 1000 of the page.",
            "example": "[[80, 40, 190, 62], [200, 40, 240, 62], [250, 40, 280, 62]]",
        },
    }
    schema = {"type": "object", "required": ["file"], "properties": properties, "additionalProperties": False}
    encoding = {"file": {"contentType": ", ".join(MEDIA_TYPES)}}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema, "encoding": encoding}}}


def restore_nulls(description: dict[str, Any]) -> dict[str, Any]:
    """Put back the nulls of an example, which FastAPI leaves out; changes `description` in place."""
    ok = description["paths"]["/v1/extract"]["post"]["responses"]["200"]
    ok["content"]["application/json"]["example"] = EXTRACT_EXAMPLE
    return description
