"""Probe: a page of our own, to check that pages are read and answered."""

from __future__ import annotations

import io
import secrets

from PIL import Image, ImageDraw, ImageFont

from pipelines.schema import MODEL_IMAGE_SHAPE, Row

PROBE_NAME = "probe.png"
PROBE_TEXT = "Date: 1 March"


def probe_document() -> tuple[bytes, Row]:
    """A small image with a line of text, and its row of `LISTED`."""
    image = Image.new("L", (480, 120), 255)
    ImageDraw.Draw(image).text((20, 30), PROBE_TEXT, fill=0, font=ImageFont.load_default(48))
    file = io.BytesIO()
    image.save(file, "PNG")
    content = file.getvalue()
    row = {"document_id": secrets.token_hex(8), "uri": PROBE_NAME, "size_bytes": len(content), "etag": None}
    return content, row


def probe_page() -> Row:
    """A page with words: a row of `PAGE_IMAGE`, as `ocr` returns it."""
    words = PROBE_TEXT.split()
    channels, height, width = MODEL_IMAGE_SHAPE
    return {
        "document_id": "0" * 16,
        "uri": PROBE_NAME,
        "media_type": "image/png",
        "page_index": 0,
        "page_count": 1,
        "width": 480,
        "height": 120,
        "text_source": "ocr",
        "words": words,
        "boxes": [[100 + 250 * index, 300, 300 + 250 * index, 700] for index in range(len(words))],
        "word_confidences": [1.0] * len(words),
        "word_sources": ["ocr"] * len(words),
        "ocr_engine": "ppocr",
        "ocr_language": "eng",
        "missing_language": None,
        "rotation": 0,
        "skew": 0.0,
        "read_quality": 1.0,
        "status": "ok",
        "error_kind": None,
        "error": None,
        "seconds": {"rasterize": 0.0, "ocr": 0.0, "infer": 0.0},
        "model_image": bytes([255]) * (channels * height * width),
        "questions": [{"text": "When?"}],
        "preview": None,
        "preview_requested": False,
    }
