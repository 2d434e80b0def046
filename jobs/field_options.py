"""Which fields are wanted of every document: the options of the jobs that make records."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import ProcessingError
from pipelines.fields.field_spec import MAX_BYTES, RecordSpec, parse_record_spec
from pipelines.fields.records import RecordOptions
from pipelines.schema import Task
from pipelines.storage.files import Storage, normalise_uri


@dataclass(frozen=True)
class FieldOptions:
    """Options of a job that makes records of the fields of documents."""

    fields: str | None = None
    """YAML file, or s3:// URI of one, with the fields that are wanted of every document: a record has a column for
    each, see docs/fields.md."""
    min_field_score: float = 0.5
    """Records in which a required field has a lower score, 0 to 1, are marked needs_review."""

    def record_options(self, task: Task) -> RecordOptions | None:
        """How records are made; None if no fields are asked for.

        Raises:
            ValueError: the options or the file make no sense.
            ProcessingError: the storage cannot be reached.
        """
        if not 0 <= self.min_field_score <= 1:
            raise ValueError(f"--min-field-score is {self.min_field_score:g}; it must be from 0 to 1")
        if self.fields is None:
            return None
        if task != "token-classification":
            raise ValueError(f"--fields is for --task token-classification, and the task is {task}")
        return RecordOptions(read_record_spec(self.fields), self.min_field_score)


def read_record_spec(uri: str) -> RecordSpec:
    """The specification in a file or an object.

    Raises:
        ValueError: there is none, or it makes no sense.
        ProcessingError: the storage cannot be reached.
    """
    storage, source = Storage(), f"--fields {uri}"
    try:
        stored = storage.find(normalise_uri(uri))
    except ProcessingError as error:
        if error.kind == "unsupported":
            raise ValueError(f"{source}: {error.message}") from error
        raise
    if stored is None:
        raise ValueError(f"{source}: there is no such file")
    if stored.size_bytes > MAX_BYTES:
        raise ValueError(f"{source} has {stored.size_bytes} bytes; a specification of fields has at most {MAX_BYTES}")
    return parse_record_spec(storage.read(stored.uri), source)
