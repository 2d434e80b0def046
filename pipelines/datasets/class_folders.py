"""Class folders: documents of any kind, sorted into one folder for each class.

    data/train/invoice/one.pdf   data/dev/letter/two.png   data/test/...     the split is given
    data/invoice/one.pdf         data/letter/two.png                         the split follows from the name

Without split folders the hash of a file's name below `data` (`invoice/one.pdf`) decides: 80% train, 10% dev and 10%
test, equal on every machine and at any time, whatever other files are added or removed. All pages of a document have
its class and its split.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from pipelines.datasets.labelled_reader import open_documents
from pipelines.datasets.types import LabelledPage, Report, hashed_split
from pipelines.documents.media_type import FILE_EXTENSIONS, SEVERAL_PAGES
from pipelines.schema import Task
from pipelines.storage.files import Storage

TASKS: tuple[Task, ...] = ("sequence-classification",)
SPLITS = ("train", "dev", "test")

_SPLIT_FOLDERS = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}

_LAYOUT = "class folders are laid out as SPLIT/CLASS/FILE with train, dev and test, or as CLASS/FILE"


class _File(NamedTuple):
    """A file; `name` is its path below the data; `split` and `label` are empty if it is in no class folder."""

    uri: str
    name: str
    split: str
    label: str


def read(storage: Storage, data: str, split: str, task: Task, report: Report) -> tuple[LabelledPage, ...]:
    """The pages of a split, by file name and page.

    Files that can have several pages, such as PDF and TIFF, are opened to count them; those that cannot be opened are
    reported and left out, and so are files of other types. Hidden files are ignored. A broken PNG or JPEG is found
    later, by the stages.

    Raises:
        ValueError: there are no class folders, or split folders beside class folders, or the split has no file.
    """
    files = [file for file in _files(storage, data) if file.split in (split, "")]
    if not any(file.split for file in files):
        raise ValueError(f"{data} has no file for {split}; {_LAYOUT}")
    pages: list[LabelledPage] = []
    to_open = (file.uri for file in files if file.label and _media_type(file.name) in SEVERAL_PAGES)
    with closing(open_documents(to_open)) as documents:
        for file in files:
            media_type, count = _media_type(file.name), 1
            if not file.label:
                if media_type is not None:
                    report(file.uri, f"left out: it lies in no class folder; {_LAYOUT}")
                continue
            if media_type is None:
                report(file.uri, f"left out: only {', '.join(FILE_EXTENSIONS)} files are read")
                continue
            if media_type in SEVERAL_PAGES:
                document = next(documents)
                if document["status"] == "failed":
                    report(file.uri, f"left out: {document['error']}")
                    continue
                count = document["page_count"]
            pages += [
                LabelledPage(f"class-folders/{file.name}", file.uri, media_type, index, count, label=file.label)
                for index in range(count)
            ]
    return tuple(pages)


def labels(storage: Storage, data: str, task: Task) -> tuple[str, ...]:
    """The names of the class folders with files, of all splits, sorted.

    Raises:
        ValueError: as `read`.
    """
    return tuple(sorted({file.label for file in _files(storage, data) if file.label and _media_type(file.name)}))


def _files(storage: Storage, data: str) -> Iterator[_File]:
    start = len(data.rstrip("/")) + 1
    found = sorted((stored.uri[start:], stored.uri) for stored in storage.list_existing(data))
    split_names = [(name.split("/"), name, uri) for name, uri in found]
    visible = [entry for entry in split_names if not any(part.startswith(".") for part in entry[0])]
    tops = {parts[0] for parts, _, _ in visible if len(parts) > 1}
    if not tops:
        raise ValueError(f"{data} has no class folders; {_LAYOUT}")
    given = tops & _SPLIT_FOLDERS.keys()
    if given and given != tops:
        others = ", ".join(sorted(tops - given)[:3])
        raise ValueError(
            f"{data} has folders of splits ({', '.join(sorted(given))}) beside others ({others}); {_LAYOUT}"
        )
    for parts, name, uri in visible:
        if given and len(parts) > 2:
            yield _File(uri, name, _SPLIT_FOLDERS[parts[0]], parts[1])
        elif not given and len(parts) > 1:
            yield _File(uri, name, hashed_split(name), parts[0])
        else:
            yield _File(uri, name, "", "")


def _media_type(name: str) -> str | None:
    return FILE_EXTENSIONS.get(name.rpartition(".")[2].lower())
