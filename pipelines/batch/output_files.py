"""The files of an output: their names, which run wrote them, and which of them count.

    documents/part-<run>-00000.parquet          the documents that a round of a run opened
    pages/part-<run>-<document>-<page>.parquet  a block of pages, named by the first of them
    pages/part-<run>-c<number>-00000.parquet    blocks of a run in one file, made by the run of that number
    manifests/part-<run>-c<number>-00000.parquet  what the file of the same name in pages/ holds
    answers/part-<run>-00000.parquet            answers of documents
    fields/part-<run>-00000.parquet             fields of documents
    records/part-<run>-00000.parquet            records of documents by a specification of fields
    records.csv                                 the same in one file
    damaged/...                                 files that could not be read, under their own names

A run is named by a number that counts up within the output, and by chance: 00000007-5f3a1c. Of two rows of the same
page, the one of the run with the higher number counts; clocks have no say in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pipelines.storage.files import Storage, StoredObject, join_uri

RECORD = "run.json"
DAMAGED = "damaged"
RECORDS_CSV = "records.csv"
TABLES = ("documents", "pages", "manifests", "answers", "fields", "records")

_RUN = r"part-(?P<run_id>(?P<number>\d{8})-[0-9a-f]{6})"
_NAMES = {
    "documents": re.compile(_RUN + r"-\d{5,}\.parquet"),
    "pages": re.compile(_RUN + r"-(c\d{8}-\d{5,}|[0-9a-f]{32}-\d{6,})\.parquet"),
    "manifests": re.compile(_RUN + r"-c\d{8}-\d{5,}\.parquet"),
    "answers": re.compile(_RUN + r"-\d{5,}\.parquet"),
    "fields": re.compile(_RUN + r"-\d{5,}\.parquet"),
    "records": re.compile(_RUN + r"-\d{5,}\.parquet"),
}
_OLD_NAMES = re.compile(r"(documents|pages)/part-\d{8}T\d{6}-[0-9a-f]{6}-[^/]+\.parquet|answers/answers\.parquet")
"""Files of the versions before 2 of the output's format, which `--overwrite` removes too."""


def is_own_file(uri: str, output: str) -> bool:
    """Whether a run wrote this file under its output: it is never an input, and `--overwrite` may remove it."""
    folder = join_uri(output, "")
    if not uri.startswith(folder):
        return False
    name = uri.removeprefix(folder).removeprefix(f"{DAMAGED}/")
    table, _, file = name.partition("/")
    if table in _NAMES and _NAMES[table].fullmatch(file):
        return True
    return name in (RECORD, RECORDS_CSV, "report.html") or _OLD_NAMES.fullmatch(name) is not None


def run_number(name: str) -> int:
    """The number in a run's id, or in the name or URI of a file that a run wrote; 0 in those of earlier versions."""
    found = re.match(r"(?:part-)?(\d{8})-[0-9a-f]{6}", name.rsplit("/", 1)[-1])
    return int(found[1]) if found is not None else 0


def is_compacted(name: str) -> bool:
    """Whether a file of `pages/` holds compacted blocks."""
    return _NAMES["manifests"].fullmatch(name) is not None


def run_id_of(name: str) -> str:
    """The id of the run in the name or URI of a file."""
    found = re.match(_RUN, name.rsplit("/", 1)[-1])
    assert found is not None, name
    return found["run_id"]


def read_first_run(storage: Storage, output: str) -> int:
    """The number of the run that cleared the output last; what earlier runs wrote, or still write, does not count."""
    read = storage.read_versioned(join_uri(output, RECORD))
    try:
        return 0 if read is None else int(json.loads(read[0]).get("first_run", 0))
    except (ValueError, AttributeError):  # a damaged record, which the next run sets aside
        return 0


def list_files(storage: Storage, output: str, table: str) -> list[StoredObject]:
    """The files of a table that count, the oldest run first."""
    first_run = read_first_run(storage, output)
    return [stored for stored in list_written(storage, output, table) if run_number(stored.uri) >= first_run]


def list_uris(storage: Storage, output: str, table: str) -> list[str]:
    """The URIs of `list_files`."""
    return [stored.uri for stored in list_files(storage, output, table)]


def list_written(storage: Storage, output: str, table: str) -> list[StoredObject]:
    """The files of a table that runs wrote, whether they count or not, the oldest run first."""
    pattern, folder = _NAMES[table], join_uri(output, table, "")
    listed = storage.list_existing(folder.rstrip("/"))
    written = (stored for stored in listed if pattern.fullmatch(stored.uri.removeprefix(folder)))
    return sorted(written, key=lambda stored: stored.uri)


def list_own(storage: Storage, output: str) -> Iterator[str]:
    """All files of the output's tables that runs of any version wrote."""
    for table in TABLES:
        for stored in storage.list_existing(join_uri(output, table)):
            if is_own_file(stored.uri, output):
                yield stored.uri


class SetAside:
    """Moves files that cannot be read out of the way, into `damaged/`, and keeps their names."""

    def __init__(self, storage: Storage, output: str) -> None:
        self._storage, self._output = storage, output
        self.names: list[str] = []

    def __call__(self, uri: str) -> None:
        name = uri.removeprefix(join_uri(self._output, ""))
        self._storage.move(uri, join_uri(self._output, DAMAGED, name))
        self.names.append(name)
