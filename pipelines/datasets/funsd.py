"""FUNSD: noisy scanned forms with headers, questions and answers (Jaume et al., 2019, arXiv 1905.13538).

Labels, boxes, their order and links are those of `pipelines.datasets.form_blocks`. The dev split is the last 29 of the
149 training forms by file name.

On disk: `training_data/` and `testing_data/` (as in the published archive, there within `dataset/`), each with
`annotations/NAME.json` and `images/NAME.png`.
"""

from __future__ import annotations

import json

from pipelines.datasets.annotations import image_size, require_field, skip_if_broken
from pipelines.datasets.form_blocks import FORM_LABELS, read_blocks
from pipelines.datasets.types import LabelledPage, Report
from pipelines.schema import Task
from pipelines.storage.files import Storage, join_uri

TASKS: tuple[Task, ...] = ("token-classification", "question-answering")
SPLITS = ("train", "dev", "test", "train+dev")
LABELS = FORM_LABELS
DEV_FORMS = 29


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The forms of a split, by file name. The questions of a form are its "question" entities with linked answers.

    Raises:
        ValueError: the data has no such folder, or too few forms to hold some out.
    """
    folder = "testing_data" if split == "test" else "training_data"
    names = _annotations(storage, data, folder)
    if split == "train":
        if len(names) <= DEV_FORMS:
            raise ValueError(f"{data} has {len(names)} training forms, all held out as dev; train on train+dev")
        names = names[:-DEV_FORMS]
    elif split == "dev":
        names = names[-DEV_FORMS:]
    pages: list[LabelledPage] = []
    for uri in names:
        with skip_if_broken(uri, report):
            pages.append(_read_form(storage, uri, folder, report))
    return tuple(pages)


def _annotations(storage: Storage, data: str, folder: str) -> list[str]:
    for root in (data, join_uri(data, "dataset")):
        listed = storage.list_existing(join_uri(root, folder, "annotations"))
        names = sorted(stored.uri for stored in listed if stored.uri.endswith(".json"))
        if names:
            return names
    raise ValueError(
        f"{data} has no {folder}/annotations/*.json; FUNSD is laid out as training_data/ and testing_data/, each with "
        "annotations/ and images/"
    )


def _read_form(storage: Storage, uri: str, folder: str, report: Report) -> LabelledPage:
    name = uri.rsplit("/", 1)[-1].removesuffix(".json")
    image_uri = join_uri(uri.rsplit("/", 2)[0], "images", f"{name}.png")
    blocks = require_field(json.loads(storage.read(uri)), "form", list)
    form = read_blocks(blocks, image_size(storage, image_uri), uri, report)
    return LabelledPage(
        document_id=f"funsd/{folder}/{name}",
        uri=image_uri,
        media_type="image/png",
        words=form.words,
        boxes=form.boxes,
        labels=form.labels,
        questions=form.questions,
        links=form.links,
    )
