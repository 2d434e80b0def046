"""RVL-CDIP: 400,000 scanned pages in 16 classes (Harley et al., 2015), as the LayoutLMv2 paper classifies them.

On disk as published: `labels/train.txt`, `labels/val.txt` and `labels/test.txt` (320,000, 40,000 and 40,000 lines such
as `imagesq/q/o/c/qoc54c00/80035521.tif 15`) and the images under `images/`; perhaps within `rvl-cdip/`. The classes and
their numbers are those of the data set's readme. Words come from OCR (paper, section 4.1).

Images are neither opened nor checked here, since there are too many; the stages report missing and broken ones.
"""

from __future__ import annotations

from pipelines.datasets.types import LabelledPage, Report
from pipelines.errors import ProcessingError
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("sequence-classification",)
SPLITS = ("train", "dev", "test", "val")
LABELS = (
    "letter",
    "form",
    "email",
    "handwritten",
    "advertisement",
    "scientific report",
    "scientific publication",
    "specification",
    "file folder",
    "news article",
    "budget",
    "invoice",
    "presentation",
    "questionnaire",
    "resume",
    "memo",
)
"""Class n is `LABELS[n]`."""

_LAYOUT = "RVL-CDIP is laid out as labels/train.txt, labels/val.txt, labels/test.txt and images/"


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The pages of a split in the order of its label file, which is shuffled; "dev" and "val" are the same.

    Lines without a path and a class, and further lines of the same image, are reported and left out.

    Raises:
        ValueError: the split has no label file.
        ProcessingError: it cannot be read.
    """
    root, uri, content = _label_file(storage, data, "val" if split == "dev" else split)
    pages: dict[str, LabelledPage] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            path, label = _parse(line)
            if path in pages:
                raise ValueError(f"{path} is named again, here as {label}; first as {pages[path].label}")
        except ValueError as error:
            report(uri, f"line {number} left out: {error}")
            continue
        pages[path] = LabelledPage(f"rvl-cdip/{path}", join_uri(root, "images", path), "image/tiff", label=label)
    return tuple(pages.values())


def _label_file(storage: Storage, data: str, name: str) -> tuple[str, str, bytes]:
    """The folder with `labels` in it, the label file's URI and its content."""
    for root in (data, join_uri(data, "rvl-cdip")):
        uri = join_uri(root, "labels", f"{name}.txt")
        try:
            return root, uri, storage.read(uri)
        except ProcessingError as error:
            if error.kind != "not_found":
                raise
    raise ValueError(f"{data} has no labels/{name}.txt; {_LAYOUT}")


def _parse(line: str) -> tuple[str, str]:
    path, _, number = line.strip().rpartition(" ")
    path = path.strip()
    if not path or not number.isascii() or not number.isdigit():
        raise ValueError(f"{line.strip()[:100]!r} is not a path and the number of a class")
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path!r} does not lie under images/")
    if int(number) >= len(LABELS):
        raise ValueError(f"{path} has class {number}, and they end at {len(LABELS) - 1}")
    return path, LABELS[int(number)]
