"""XFUND: forms in Chinese, Japanese, Spanish, French, Italian, German and Portuguese (Xu et al., 2022, ACL findings,
"XFUND: A Benchmark Dataset for Multilingual Visually Rich Form Understanding").

Labels and links are those of `pipelines.datasets.form_blocks`, boxes in pixels of the size that the annotation states.
The published splits are train and val; test is another name of val, and dev is the last fifth of a language's training
forms in the order of their numbers, 29 of 149.

The annotated words of Chinese and Japanese are single characters. Characters that follow each other in a line (or stand
below each other in one column) without a space in the block's text become the words that ICU's dictionaries find, each
with the box around its characters, as the pages of other corpora are read by OCR.

On disk, as published: `LANGUAGE.train.json` and `LANGUAGE.val.json`, and their images in `LANGUAGE.train.zip` and
`LANGUAGE.val.zip`, or unzipped; the files may lie in any folder of the corpus. Other languages in this format are read
too.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pipelines.datasets.annotations import (
    coordinates,
    image_size,
    require_field,
    shortened,
    size_in_header,
    skip_if_broken,
)
from pipelines.datasets.character_words import put_together
from pipelines.datasets.form_blocks import FORM_LABELS, read_blocks
from pipelines.datasets.types import BoxRepairs, LabelledPage, PixelBox, PixelWord, Report
from pipelines.datasets.zipped_images import is_zipped_image, read_zipped_image, zipped_files
from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.schema import Task
from pipelines.storage.files import Storage

TASKS: tuple[Task, ...] = ("token-classification", "question-answering")
SPLITS = ("train", "dev", "test", "train+dev", "val")
LABELS = FORM_LABELS
LANGUAGES = ("zh", "ja", "es", "fr", "it", "de", "pt")
DEV_SHARE = 5
"""The dev split is one form of so many."""

_ANNOTATION = re.compile(r"(?:^|/)([a-z]{2,3})\.(train|val)\.json$")
_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_DIGITS = re.compile(r"(\d+)")


def read(
    storage: Storage, data: str, split: str, task: Task, report: Report, language: str | None = None
) -> tuple[LabelledPage, ...]:
    """The forms of a split, language by language, in the order of their numbers.

    Args:
        language: a language such as "de", several as in "de,fr", or "all"; None if the corpus has only one.

    Raises:
        ValueError: the data has no such language or part, too few forms to hold some out, or several languages and
            `language` is None.
    """
    part = "val" if split in ("test", "val") else "train"
    files = [stored.uri for stored in storage.list_existing(data)]
    annotations = _annotations(files, data)
    pages: list[LabelledPage] = []
    for code in _chosen(language, annotations, data):
        uri = annotations[code].get(part)
        if uri is None:
            raise ValueError(f"{data} has no {code}.{part}.json, which the split {split} of XFUND is read from")
        forms = _of_split(_named_forms(storage, uri, report), split, uri)
        images = _images(storage, files, f"{code}.{part}", report) if forms else {}
        pages += _read_forms(storage, forms, code, images, report)
    return tuple(pages)


def form_language(document_id: str) -> str:
    """The language of a form by its `document_id`."""
    return document_id.split("/")[1]


def _annotations(files: Iterable[str], data: str) -> dict[str, dict[str, str]]:
    """The annotation file of each language and part; of several with one name that with the first path."""
    found: dict[str, dict[str, str]] = {}
    for uri in sorted(files):
        if match := _ANNOTATION.search(uri):
            found.setdefault(match[1], {}).setdefault(match[2], uri)
    if not found:
        raise ValueError(
            f"{data} has no *.train.json or *.val.json; XFUND is laid out as LANGUAGE.train.json and LANGUAGE.val.json "
            f"({', '.join(LANGUAGES)}), each with its images beside it in a zip archive of the same name, or unzipped"
        )
    return found


def _chosen(language: str | None, annotations: dict[str, Any], data: str) -> list[str]:
    known = ", ".join(annotations)
    if language is None:
        if len(annotations) > 1:
            raise ValueError(f"{data} has forms in {known}: choose with --language, such as de, or de,fr, or all")
        return list(annotations)
    if language == "all":
        return list(annotations)
    wanted = list(dict.fromkeys(code.strip().lower() for code in language.split(",") if code.strip()))
    missing = [code for code in wanted if code not in annotations]
    if missing or not wanted:
        raise ValueError(f"--language is {language!r}; {data} has forms in {known}")
    return wanted


def _named_forms(storage: Storage, uri: str, report: Report) -> list[tuple[str, Any]]:
    """The forms of a file, each with the URI that names it, in the order of their numbers; none if it is broken."""
    forms: list[tuple[str, Any]] = []
    with skip_if_broken(uri, report):
        for number, form in enumerate(require_field(json.loads(storage.read(uri)), "documents", list)):
            name = form.get("id") if isinstance(form, dict) else None
            forms.append((f"{uri}#{name if isinstance(name, str) else number}", form))
    return sorted(forms, key=lambda named: _natural_order(named[0]))


def _natural_order(name: str) -> list[tuple[int, str]]:
    """de_train_9 before de_train_10."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _of_split(forms: list[tuple[str, Any]], split: str, uri: str) -> list[tuple[str, Any]]:
    held_out = len(forms) // DEV_SHARE
    if split == "dev" and forms and not held_out:
        raise ValueError(f"{uri} has {len(forms)} forms, too few to hold one out as dev; use another split")
    first_held_out = len(forms) - held_out
    return {"train": forms[:first_held_out], "dev": forms[first_held_out:]}.get(split, forms)


def _images(storage: Storage, files: Iterable[str], part: str, report: Report) -> dict[str, str]:
    """The URIs of the images by name: first those that are unzipped, then those of the archive of the part."""
    found: dict[str, str] = {}
    for uri in sorted(files):
        if uri.lower().endswith(_IMAGE_ENDINGS):
            found.setdefault(_name(uri), uri)
    for archive in sorted(uri for uri in files if _name(uri) == f"{part}.zip"):
        try:
            members = zipped_files(storage, archive)
        except ProcessingError as error:
            raise_infrastructure_error(error)
            report(archive, f"left out: {error}")
            continue
        for uri in members:
            if uri.lower().endswith(_IMAGE_ENDINGS):
                found.setdefault(_name(uri), uri)
    return found


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1].rsplit("#", 1)[-1]


def _read_forms(
    storage: Storage, forms: Iterable[tuple[str, Any]], language: str, images: dict[str, str], report: Report
) -> Iterator[LabelledPage]:
    seen: set[str] = set()
    for uri, form in forms:
        with skip_if_broken(uri, report):
            name = require_field(form, "id", str)
            if name in seen:
                raise ValueError("a form of this id came before")
            page = _read_form(storage, form, uri, language, images, report)
            seen.add(name)
            yield page


def _read_form(
    storage: Storage, form: Any, uri: str, language: str, images: dict[str, str], report: Report
) -> LabelledPage:
    image = require_field(form, "img", dict)
    file_name = require_field(image, "fname", str)
    image_uri = images.get(_name(file_name))
    if image_uri is None:
        raise ValueError(f"there is no image {shortened(file_name)}, neither in an archive nor unzipped")
    blocks = require_field(form, "document", list)
    size = _stated_size(image) or _own_size(storage, image_uri)
    annotation = read_blocks(blocks, size, uri, report, _block_words)
    return LabelledPage(
        document_id=f"xfund/{language}/{form['id']}",
        uri=image_uri,
        media_type=mimetypes.guess_type(file_name)[0] or "image/jpeg",
        words=annotation.words,
        boxes=annotation.boxes,
        labels=annotation.labels,
        questions=annotation.questions,
        links=annotation.links,
    )


def _stated_size(image: dict[str, Any]) -> tuple[float, float] | None:
    """The width and height that the boxes refer to; None if they are not stated."""
    if image.get("width") is None or image.get("height") is None:
        return None
    width, height = coordinates([image["width"], image["height"]], 2)
    if width < 1 or height < 1:
        raise ValueError(f"the image's size is {shortened([width, height])}")
    return width, height


def _own_size(storage: Storage, image_uri: str) -> tuple[int, int]:
    if not is_zipped_image(image_uri):
        return image_size(storage, image_uri)
    size = size_in_header(read_zipped_image(storage, image_uri))
    if size is None:
        raise ProcessingError("unreadable", f"{image_uri}: no PNG, JPEG or TIFF image")
    return size


def _block_words(block: Any, repairs: BoxRepairs) -> list[PixelWord]:
    """The words of a block: as annotated, and those of unspaced scripts put together.

    Raises:
        ValueError: the words are not as they should be.
    """
    text = block.get("text") if isinstance(block, dict) and isinstance(block.get("text"), str) else ""
    words = require_field(block, "words", list)
    if text.strip() and not words:
        raise ValueError(f"the block of the text {shortened(text)} has no words with boxes")
    annotated = []
    for word in words:
        characters = require_field(word, "text", str).strip()
        if characters:
            annotated.append(PixelWord(characters, _corners(word.get("box"), repairs)))
    return put_together(annotated, text)


def _corners(box: Any, repairs: BoxRepairs) -> PixelBox:
    """The bounds of a box of two corners, or of the four of a quadrilateral, as in the published code."""
    count = 8 if isinstance(box, list) and len(box) == 8 else 4
    values = coordinates(box, count)
    xs, ys = values[0::2], values[1::2]
    repairs.inverted += count == 4 and (xs[0] > xs[1] or ys[0] > ys[1])
    return min(xs), min(ys), max(xs), max(ys)
