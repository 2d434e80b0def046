"""The page `/docs`: an OpenAPI description as HTML that loads nothing from other hosts."""

from __future__ import annotations

import html
import json
from typing import Any


def render_docs(description: dict[str, Any]) -> str:
    """A whole HTML page."""
    parts = [f"<h1>{html.escape(description['info']['title'])}</h1>", _paragraph(description["info"]["description"])]
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>")
            parts.append(_paragraph(route.get("description") or route.get("summary", "")))
            parts += _fields(route)
            for status, response in route["responses"].items():
                parts.append(f"<h3>{html.escape(str(status))}</h3>{_paragraph(response['description'])}")
                for media_type, content in response.get("content", {}).items():
                    if "example" in content:
                        parts.append(f"<p><code>{html.escape(media_type)}</code></p>{_example(content['example'])}")
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
