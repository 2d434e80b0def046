"""Real pages in a small file: the inputs of `benchmarks.gpu`, made from samples/documents.

    python -m benchmarks.accelerator.pages

Only making the file reads documents; loading it needs numpy alone. Pictures are stored in 16 levels of grey, which is
all that a scanned page has at 224 pixels, and have three equal channels again once they are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

PAGES = 64
FILE = Path(__file__).with_name("pages.npz")
SIDE = 224
GREY_STEP = 17
"""255 / 15: what a level of grey is worth."""

UNREADABLE = ("agreement-cut-short.pdf", "form-with-password.pdf")
"""Samples of what cannot be opened."""


@dataclass(frozen=True)
class Options:
    """Options of `python -m benchmarks.accelerator.pages`."""

    output: Path = FILE
    """The file to write."""


@dataclass(frozen=True)
class Window:
    """A window of a page: int64 `input_ids` [tokens] and `bbox` [tokens, 4], in thousandths of the page."""

    page: int
    input_ids: npt.NDArray[np.int64]
    bbox: npt.NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """How many, with those at the window's beginning and end."""
        return len(self.input_ids)


@dataclass(frozen=True)
class Pages:
    """Pages as the model gets them.

    Attributes:
        pictures: uint8 [pages, 3, 224, 224], 0..255.
        scanned: bool [pages], whether OCR read the page; the others have a text layer.
        windows: of all pages, page by page.
    """

    pictures: npt.NDArray[np.uint8]
    scanned: npt.NDArray[np.bool_]
    windows: tuple[Window, ...]

    def first(self, count: int) -> Pages:
        """The first pages alone."""
        windows = tuple(window for window in self.windows if window.page < count)
        return Pages(self.pictures[:count], self.scanned[:count], windows)


def load_pages(count: int = PAGES, path: Path = FILE) -> Pages:
    """So many pages: those of the file in turn, from the first again where it has fewer."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    packed = arrays["pictures"]
    levels = np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(packed), SIDE, SIDE)
    pictures = np.repeat((levels * GREY_STEP).astype(np.uint8)[:, None], 3, axis=1)
    ends = np.cumsum(arrays["tokens"])[:-1]
    ids, boxes = (np.split(arrays[name].astype(np.int64), ends) for name in ("input_ids", "bbox"))
    of_page: list[list[int]] = [[] for _ in range(len(pictures))]
    for number, page in enumerate(arrays["page"]):
        of_page[page].append(number)
    chosen = np.arange(count) % len(pictures)
    windows = [
        Window(page, ids[number], boxes[number]) for page, source in enumerate(chosen) for number in of_page[source]
    ]
    return Pages(pictures[chosen], arrays["scanned"][chosen], tuple(windows))


def make_pages(output: Path) -> None:
    """Read samples/documents with the stages of the batch job, and write the file. Text layers and scans take turns."""
    from benchmarks.plan import SAMPLES, rows_of
    from pipelines.extract import ExtractOptions, read_steps

    rows = rows_of(sorted(path.name for path in SAMPLES.iterdir() if path.name not in UNREADABLE))
    for make in read_steps(ExtractOptions(model="untrained")):
        rows = list(make()(rows))
    read = [row for row in rows if row["status"] == "ok" and row["windows"]]  # blank pages go through no model
    scans = [row for row in read if row["text_source"] != "layer"]
    layers = [row for row in read if row["text_source"] == "layer"]
    longer, shorter = sorted((scans, layers), key=len, reverse=True)
    ordered = list(longer)
    for number, row in enumerate(shorter):  # spread over the others, so that the first few pages are of both kinds
        ordered.insert(1 + number * (len(longer) // max(1, len(shorter)) + 1), row)
    pictures = [np.frombuffer(row["model_image"], np.uint8).reshape(3, SIDE, SIDE).mean(axis=0) for row in ordered]
    levels = np.round(np.stack(pictures) / GREY_STEP).astype(np.uint8).reshape(len(ordered), -1, 2)
    windows = [(page, window) for page, row in enumerate(ordered) for window in row["windows"]]
    np.savez_compressed(
        output,
        pictures=levels[..., 0] << 4 | levels[..., 1],
        scanned=np.array([row["text_source"] != "layer" for row in ordered]),
        page=np.array([page for page, _ in windows], np.uint16),
        tokens=np.array([len(window["input_ids"]) for _, window in windows], np.uint16),
        input_ids=np.concatenate([np.asarray(window["input_ids"], np.uint16) for _, window in windows]),
        bbox=np.concatenate([np.asarray(window["bbox"], np.uint16).reshape(-1, 4) for _, window in windows]),
    )
    print(
        f"{len(ordered)} pages, {len(scans)} of them scanned, {len(windows)} windows: {output.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    import tyro

    make_pages(tyro.cli(Options, description=__doc__).output)
