"""--fields: a specification from a file or a bucket, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.extract import Options
from jobs.field_options import FieldOptions, read_record_spec
from pipelines.fields.field_spec import MAX_BYTES
from pipelines.storage.files import Storage, join_uri

SPEC = b"fields:\n  - {name: total, keys: [Total due], type: amount}\n"


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_bytes(SPEC)
    return path


def test_a_specification_is_read_from_a_file(spec_file: Path) -> None:
    assert [wanted.name for wanted in read_record_spec(str(spec_file)).fields] == ["total"]


@pytest.mark.xdist_group("ray")
def test_a_specification_is_read_from_a_bucket(s3_prefix: str) -> None:
    uri = join_uri(s3_prefix, "spec.yaml")
    Storage().write(uri, SPEC)
    assert [wanted.name for wanted in read_record_spec(uri).fields] == ["total"]
    with pytest.raises(ValueError, match="there is no such file"):
        read_record_spec(join_uri(s3_prefix, "other.yaml"))


def test_what_is_no_specification_is_refused(spec_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--fields .*nothing.yaml: there is no such file"):
        read_record_spec(str(tmp_path / "nothing.yaml"))
    with pytest.raises(ValueError, match="there is no such file"):
        read_record_spec(str(tmp_path))
    spec_file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match=f"at most {MAX_BYTES}"):
        read_record_spec(str(spec_file))
    spec_file.write_bytes(b"fields:\n  - {name: total}\n")
    with pytest.raises(ValueError, match=r"--fields .*spec.yaml, line 2: field total: keys is missing"):
        read_record_spec(str(spec_file))


def test_records_are_for_the_fields_that_a_model_finds(spec_file: Path) -> None:
    options = FieldOptions(str(spec_file), min_field_score=0.75)
    made = options.record_options("token-classification")
    assert made is not None and (made.min_score, made.spec.fields[0].type) == (0.75, "amount")
    assert FieldOptions().record_options("question-answering") is None
    with pytest.raises(ValueError, match="--fields is for --task token-classification"):
        options.record_options("question-answering")
    with pytest.raises(ValueError, match=r"--min-field-score is 1\.5"):
        FieldOptions(min_field_score=1.5).record_options("token-classification")


def test_pages_do_not_depend_on_the_fields_that_are_asked_for(spec_file: Path, tmp_path: Path) -> None:
    plain = Options((str(tmp_path),), str(tmp_path / "out"), "untrained", text="layer")
    asked = replace(plain, fields=str(spec_file)).run_options()
    assert asked.records is not None
    assert asked.result_options() == plain.run_options().result_options()
