"""Rows of pages with pairs and form fields, made by hand."""

from __future__ import annotations

from typing import Any

from pipelines.schema import Row


def pair(key: str, value: str | None, score: float = 0.9, **others: Any) -> Row:
    """A pair of a page; its key stands left of its value."""
    boxes = {"key_box": [100, 100, 200, 120], "value_box": [220, 100, 320, 120]}
    words = {"key_words": [0], "value_words": [1]}
    return {"section": None, "key": key, "value": value, "score": score, **boxes, **words, **others}


def form_field(name: str, value: str | None, **others: Any) -> Row:
    """A text field of an interactive form."""
    return {"name": name, "label": None, "value": value, "type": "text", "box": [500, 500, 600, 520], **others}


def page(*pairs: Row, index: int = 0, form_fields: list[Row] | None = None, **others: Any) -> Row:
    """A page of the document a.pdf."""
    return {
        "document_id": "a" * 32,
        "uri": "/in/a.pdf",
        "page_index": index,
        "status": "ok",
        "error_kind": None,
        "text_source": "layer",
        "pairs": list(pairs),
        "form_fields": form_fields,
        "needs_review": False,
        **others,
    }
