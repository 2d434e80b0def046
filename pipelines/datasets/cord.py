"""CORD: photographed receipts with the fields of their lines (Park et al., 2019, "CORD: A Consolidated Receipt Dataset
for Post-OCR Parsing"), version 1 and 2.

The 30 fields under 4 categories are those of the LayoutLMv2 paper, section 4.1, by the names in the data. The paper's
authors published no reader with LayoutLMv2; labels, their order and their rule are those of their reader for the next
model (microsoft/unilm, `layoutlmv3/layoutlmft/data/cord.py`), where "B-" is for the first word of a line and "I-" for
the others, in capitals, whether a word is a key (`is_key`: "TOTAL") or a value; "other" is O; words without text are
dropped. Boxes are a word's own, from the bounds of its quadrilateral, `int(1000 * x / width)`.

On disk either as the archive of version 1 has it, perhaps within `CORD/`: `train/`, `dev/` and `test/`, each with
`json/NAME.json` and `image/NAME.png`, where the JSON is the annotation or holds it as `ground_truth` (an object, or a
text of JSON). Or as version 2 is published (huggingface.co/datasets/naver-clova-ix/cord-v2): `data/train-*.parquet`,
`data/validation-*.parquet` and `data/test-*.parquet` with the columns `image` and `ground_truth`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.datasets.annotations import coordinates, image_size, require_field, shortened, skip_if_broken
from pipelines.datasets.types import Box, BoxRepairs, LabelledPage, Report
from pipelines.errors import ProcessingError, raise_infrastructure_error
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification",)
SPLITS = ("train", "dev", "test")

FIELDS = (
    "menu.nm",
    "menu.num",
    "menu.unitprice",
    "menu.cnt",
    "menu.discountprice",
    "menu.price",
    "menu.itemsubtotal",
    "menu.vatyn",
    "menu.etc",
    "menu.sub_nm",
    "menu.sub_unitprice",
    "menu.sub_cnt",
    "menu.sub_price",
    "menu.sub_etc",
    "void_menu.nm",
    "void_menu.price",
    "sub_total.subtotal_price",
    "sub_total.discount_price",
    "sub_total.service_price",
    "sub_total.othersvc_price",
    "sub_total.tax_price",
    "sub_total.etc",
    "total.total_price",
    "total.total_etc",
    "total.cashprice",
    "total.changeprice",
    "total.creditcardprice",
    "total.emoneyprice",
    "total.menutype_cnt",
    "total.menuqty_cnt",
)
LABELS = ("O", *(prefix + field.upper() for prefix in ("B-", "I-") for field in FIELDS))
"""61, all "B-" before all "I-", as published."""

_PARQUET_NAMES = {"train": "train", "dev": "validation", "test": "test"}


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The receipts of a split, by file name (and row).

    Raises:
        ValueError: the data has none.
    """
    for root in (data, join_uri(data, "CORD")):
        uris = _files(storage, join_uri(root, split, "json"), "", ".json")
        if uris:
            return tuple(_from_json(storage, uris, split, report))
    for root in (data, join_uri(data, "data")):
        uris = _files(storage, root, f"{_PARQUET_NAMES[split]}-", ".parquet")
        if uris:
            return tuple(_from_parquet(storage, uris, split, report))
    raise ValueError(
        f"{data} has no {split}/json/*.json, nor data/{_PARQUET_NAMES[split]}-*.parquet; CORD is laid out as train/, "
        "dev/ and test/, each with image/ and json/, or as the Parquet files of version 2"
    )


def _files(storage: Storage, folder: str, start: str, end: str) -> list[str]:
    """The files of a folder, without subfolders, whose names have this start and end."""
    uris = sorted(stored.uri for stored in storage.list_existing(folder))
    prefix = join_uri(folder, start)
    return [uri for uri in uris if uri.startswith(prefix) and uri.endswith(end) and uri.rpartition("/")[0] == folder]


def _from_json(storage: Storage, uris: list[str], split: str, report: Report) -> Iterator[LabelledPage]:
    for uri in uris:
        with skip_if_broken(uri, report):
            folder, name = uri.rsplit("/", 2)[0], uri.rsplit("/", 1)[-1].removesuffix(".json")
            image_uri = join_uri(folder, "image", f"{name}.png")
            annotation = _unwrapped(json.loads(storage.read(uri)))
            size = image_size(storage, image_uri)
            yield _read_receipt(annotation, size, f"cord/{split}/{name}", image_uri, uri, report)


def _from_parquet(storage: Storage, uris: list[str], split: str, report: Report) -> Iterator[LabelledPage]:
    number = 0
    for uri in uris:
        try:
            with pq.ParquetFile(storage.open(uri)) as parquet:
                texts = parquet.read(columns=["ground_truth"])["ground_truth"].to_pylist()
        except (ProcessingError, OSError, KeyError, pa.ArrowException) as error:
            raise_infrastructure_error(error)
            report(uri, f"left out: {error}")
            continue
        for row, text in enumerate(texts):
            image_uri = f"{uri}#{row}"
            with skip_if_broken(image_uri, report):
                annotation = _unwrapped({"ground_truth": text})
                # The images of a split take a gigabyte; version 2 states their sizes.
                stated = require_field(require_field(annotation, "meta", dict), "image_size", dict)
                width, height = coordinates([stated.get("width"), stated.get("height")], 2)
                if width <= 0 or height <= 0:
                    raise ValueError(f"'image_size' is {shortened(stated)}")
                name = f"cord/{split}/{number + row:05d}"
                yield _read_receipt(annotation, (width, height), name, image_uri, image_uri, report)
        number += len(texts)


def _unwrapped(annotation: Any) -> Any:
    """The object with `valid_line`."""
    if isinstance(annotation, dict) and "ground_truth" in annotation:
        annotation = annotation["ground_truth"]
        if isinstance(annotation, str):
            annotation = json.loads(annotation)
    return annotation


def _read_receipt(
    annotation: Any, size: tuple[float, float], name: str, image_uri: str, uri: str, report: Report
) -> LabelledPage:
    words: list[str] = []
    boxes: list[Box] = []
    labels: list[str] = []
    repairs = BoxRepairs()
    for line in require_field(annotation, "valid_line", list):
        field = require_field(line, "category", str)
        if field != "other" and field not in FIELDS:
            report(uri, f"a line has the category {field!r}, which is none of CORD's 30: read as other")
            field = "other"
        first = len(words)
        for word in require_field(line, "words", list):
            text = require_field(word, "text", str)
            if not text.strip():
                continue
            inside = "I" if len(words) > first else "B"
            words.append(text)
            boxes.append(_box(require_field(word, "quad", dict), size, repairs))
            labels.append("O" if field == "other" else f"{inside}-{field.upper()}")
    repairs.report(uri, report)
    return LabelledPage(name, image_uri, "image/png", words=tuple(words), boxes=tuple(boxes), labels=tuple(labels))


def _box(quad: dict[str, Any], size: tuple[float, float], repairs: BoxRepairs) -> Box:
    """The bounds of a quadrilateral; corner 1 is the upper left corner of the text, and corner 3 is opposite to it."""
    xs = coordinates([quad.get(f"x{corner}") for corner in range(1, 5)], 4)
    ys = coordinates([quad.get(f"y{corner}") for corner in range(1, 5)], 4)
    repairs.inverted += xs[2] < xs[0] or ys[2] < ys[0]
    return repairs.box(min(xs), min(ys), max(xs), max(ys), *size)
