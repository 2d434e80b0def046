"""Draws docs/pretraining-inputs.png, what pre-training makes of two pages: `python docs/draw_pretraining_inputs.py`.

The pages are those of samples/documents, read as `jobs.extract --keep-pictures` reads them. In a row, all examples have
the same masked tokens and covered lines, and only the picture differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import numpy as np  # noqa: E402

from model import LayoutLMv2Tokenizer  # noqa: E402
from pipelines.documents.page_picture import picture_array  # noqa: E402
from pipelines.options import ExtractOptions  # noqa: E402
from pipelines.read import read_document  # noqa: E402
from pipelines.schema import Row  # noqa: E402
from pipelines.stages.tokenize import TokenizeOptions, page_windows  # noqa: E402
from pipelines.training.dataloader import augmented_vocabulary  # noqa: E402
from pipelines.training.pretraining_inputs import (  # noqa: E402
    PretrainingShares,
    PretrainingWindow,
    lines_of_page,
    pretraining_example,
)
from pipelines.training.pretraining_sheet import Panel, draw_sheet  # noqa: E402

PICTURE = REPOSITORY / "docs" / "pretraining-inputs.png"

PAGES = (("supplier-form.pdf", 0), ("services-agreement.pdf", 0))
COLOURS = 256
SEED = 1

EXAMPLES = (
    ("the page's own picture (80% of the windows)", PretrainingShares(replaced_pictures=0, dropped_pictures=0)),
    ("another page's picture (15%)", PretrainingShares(replaced_pictures=1, dropped_pictures=0)),
    ("no picture (5%)", PretrainingShares(replaced_pictures=0, dropped_pictures=1)),
)


def first_window(page: Row, tokenizer: LayoutLMv2Tokenizer) -> PretrainingWindow:
    """The first window of a page that was read with its picture."""
    window = page_windows(tokenizer, page["words"], page["boxes"], TokenizeOptions())[0]
    return PretrainingWindow(
        np.asarray(window["input_ids"], dtype=np.int64),
        np.asarray(window["token_type_ids"], dtype=np.int64),
        np.asarray(window["bbox"], dtype=np.int64).reshape(-1, 4),
        np.asarray(window["word_indices"], dtype=np.int64),
        picture_array(page["picture"]),
    )


def panels(page: Row, other: Row, tokenizer: LayoutLMv2Tokenizer) -> list[Panel]:
    """A page as it is kept, and with each of the pictures that its windows may get."""
    window, lines = first_window(page, tokenizer), lines_of_page(page["boxes"], page["width"] / page["height"])
    made = [Panel("a page as it is kept", window)]
    for title, shares in EXAMPLES:
        random, vocabulary = np.random.default_rng(SEED), augmented_vocabulary(tokenizer)
        example = pretraining_example(window, picture_array(other["picture"]), lines, vocabulary, random, shares)
        made.append(Panel(f"{title}: {example.matching_label}", window, example))
    return made


def main() -> None:
    tokenizer, options = LayoutLMv2Tokenizer(), ExtractOptions("untrained", keep_pictures=True)
    read = [
        read_document(str(REPOSITORY / "samples" / "documents" / name), options, pages=[index])[0]
        for name, index in PAGES
    ]
    rows = [panels(page, other, tokenizer) for page, other in zip(read, reversed(read), strict=True)]
    sheet = draw_sheet(rows, tokenizer.mask_token_id)
    sheet.quantize(COLOURS).save(PICTURE, optimize=True)
    print(PICTURE)


if __name__ == "__main__":
    main()
