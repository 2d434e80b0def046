"""The interface as an OpenAPI description with examples, and as a page that needs nothing from other hosts."""

from __future__ import annotations

import html
import json
from typing import Any

from pipelines.errors import ERROR_KINDS
from pipelines.schema import DOCUMENTS, TASK_COLUMNS, page_schema
from pipelines.serving.errors import BAD_REQUEST, OVERLOADED, UNAUTHORISED
from pipelines.serving.options import RequestLimits

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
        },
        {
            "label": "ANSWER",
            "text": "2,289.12",
            "box": [842, 485, 912, 497],
            "score": 0.97,
            "first_word": 3,
            "last_word": 3,
        },
    ],
    "status": "ok",
    "error_kind": None,
    "error": None,
    "model": "layoutlmv2-forms-small@3f5b",
    "seconds": {"rasterize": 0.02, "ocr": 0.25, "infer": 0.06},
}

ANSWER_EXAMPLE = {"document": DOCUMENT_EXAMPLE, "pages": [PAGE_EXAMPLE]}

ERROR = {
    "type": "object",
    "required": ["error_kind", "error"],
    "properties": {
        "error_kind": {"type": "string", "enum": [*ERROR_KINDS, BAD_REQUEST, UNAUTHORISED, OVERLOADED]},
        "error": {"type": "string", "description": "The reason in words."},
    },
}

REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("The request makes no sense.", BAD_REQUEST, "pages has '3-2'; pages count from 1, and a range goes upwards"),
    401: ("A key is wanted.", UNAUTHORISED, "send an API key of this server, as Authorization: Bearer KEY"),
    413: ("The document has too many bytes or pages.", "too_large", "the document has more than the 50 MB taken here"),
    415: ("The document is of no kind that is read.", "unsupported", "Not a PDF, PNG, JPEG or TIFF: a Word document"),
    422: ("The document cannot be opened.", "encrypted", "The PDF wants a password before it can be read"),
    429: ("Too many requests at a time; see Retry-After.", OVERLOADED, "32 requests are being answered"),
    503: ("Not ready, or busy; see Retry-After.", OVERLOADED, "the model has not answered yet"),
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses of these statuses."""
    responses: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        meaning, kind, reason = REFUSALS[status]
        content = {"schema": ERROR, "example": {"error_kind": kind, "error": reason}}
        responses[status] = {"description": meaning, "content": {"application/json": content}}
    return responses


def extract_responses() -> dict[int | str, dict[str, Any]]:
    """Of `POST /v1/extract`."""
    document = {"type": "object", "required": DOCUMENTS.names}
    of_tasks = {field.name for fields in TASK_COLUMNS.values() for field in fields}
    shared = [name for name in page_schema("token-classification").names if name not in of_tasks]
    page = {"type": "object", "required": shared}
    schema = {
        "type": "object",
        "required": ["document", "pages"],
        "properties": {"document": document, "pages": {"type": "array", "items": page}},
    }
    lines = "\n".join(json.dumps(line) for line in ({"document": DOCUMENT_EXAMPLE}, {"page": PAGE_EXAMPLE}))
    ok = {
        "description": "The document and its pages, with the columns that the batch job writes.",
        "content": {
            "application/json": {"schema": schema, "example": ANSWER_EXAMPLE},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": lines},
        },
    }
    return {200: ok, **refusals(400, 401, 413, 415, 422, 429, 503)}


def extract_body(limits: RequestLimits) -> dict[str, Any]:
    """The form of `POST /v1/extract`."""
    properties = {
        "file": {
            "type": "string",
            "format": "binary",
            "description": f"PDF, PNG, JPEG or TIFF, told by content; up to {limits.upload_bytes / 1_000_000:g} MB.",
        },
        "questions": {
            "type": "array",
            "maxItems": limits.questions,
            "items": {"type": "string", "minLength": 1, "maxLength": limits.question_characters},
            "description": "For a model that answers questions: one field a question.",
        },
        "pages": {"type": "string", "description": "Which pages, counted from 1; by default all.", "example": "1-3,7"},
        "model": {"type": "string", "description": "One of GET /v1/models; by default the first."},
        "previews": {
            "type": "string",
            "enum": ["true", "false"],
            "default": "false",
            "description": "Add a JPEG of each page, 1100 pixels on its longer side, in base64.",
        },
        "words": {
            "type": "string",
            "description": "A JSON list of the words of the one page that is asked about, which is then not read.",
            "example": '["Invoice", "No.", "17"]',
        },
        "boxes": {
            "type": "string",
            "description": "With words: a JSON list of the box of each, [x0, y0, x1, y1], from 0 to 1000 of the page.",
            "example": "[[80, 40, 190, 62], [200, 40, 240, 62], [250, 40, 280, 62]]",
        },
    }
    schema = {"type": "object", "required": ["file"], "properties": properties, "additionalProperties": False}
    encoding = {"file": {"contentType": "application/pdf, image/png, image/jpeg, image/tiff"}}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema, "encoding": encoding}}}


def complete(description: dict[str, Any]) -> dict[str, Any]:
    """The description with the nulls of its example, which FastAPI leaves out; changed in place."""
    ok = description["paths"]["/v1/extract"]["post"]["responses"]["200"]
    ok["content"]["application/json"]["example"] = ANSWER_EXAMPLE
    return description


def describe_page(description: dict[str, Any]) -> str:
    """An OpenAPI description as HTML, without scripts and styles of other hosts."""
    parts = [f"<h1>{html.escape(description['info']['title'])}</h1>", _paragraph(description["info"]["description"])]
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>")
            parts.append(_paragraph(route.get("description") or route.get("summary", "")))
            parts += _fields(route)
            for status, response in route["responses"].items():
                parts.append(f"<h3>{html.escape(str(status))}</h3>{_paragraph(response['description'])}")
                for kind, content in response.get("content", {}).items():
                    if "example" in content:
                        parts.append(f"<p><code>{html.escape(kind)}</code></p>{_example(content['example'])}")
    body = "\n".join(parts)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(description['info']['title'])}</title></head><body>{body}"
        "<p>The same for programs: <a href=openapi.json>openapi.json</a></p></body></html>"
    )


def _fields(route: dict[str, Any]) -> list[str]:
    contents = route.get("requestBody", {}).get("content", {})
    rows = [
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(field.get('description', ''))}</td></tr>"
        for content in contents.values()
        for name, field in content["schema"]["properties"].items()
    ]
    return [f"<table>{''.join(rows)}</table>"] if rows else []


def _example(example: Any) -> str:
    text = example if isinstance(example, str) else json.dumps(example, indent=2)
    return f"<pre>{html.escape(text)}</pre>"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
