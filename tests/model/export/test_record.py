from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.checkpoint_source import CheckpointError, checkpoint_fingerprint, find_weights
from model.export.record import EXPORT_VERSION, ExportRecord, check_files, read_record, write_record
from model.file_hash import file_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that a record names; their content is no matter here."""
    for name in ("image.onnx", "text.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "config.json").write_text("{}")
    files = {name: file_hash(tmp_path / name) for name in ("image.onnx", "text.onnx")}
    task = "token-classification"
    write_record(ExportRecord(EXPORT_VERSION, "onnx", task, "float32", "none", "forms@1", (), files, {}, {}), tmp_path)
    return tmp_path


def change(folder: Path, **values: object) -> None:
    path = folder / "export.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_record_is_read_as_it_was_written(folder: Path) -> None:
    record = read_record(folder)
    assert (record.format, record.source, record.float_layers) == ("onnx", "forms@1", ())
    check_files(folder, record)


def test_an_export_of_another_version_is_refused(folder: Path) -> None:
    change(folder, version=EXPORT_VERSION + 1)
    with pytest.raises(ValueError, match=r"another version of this package.*python -m jobs.export"):
        read_record(folder)


@pytest.mark.parametrize(
    "values", [{"format": "tflite"}, {"files": {}}, {"quantization": "int2"}, {"more": 1}], ids=str
)
def test_a_record_of_unknown_content_is_called_damaged(folder: Path, values: dict[str, object]) -> None:
    change(folder, **values)
    with pytest.raises(ValueError, match=r"export.json is damaged"):
        read_record(folder)


def test_a_record_that_is_not_json_is_called_damaged(folder: Path) -> None:
    (folder / "export.json").write_text('{"version": ')
    with pytest.raises(ValueError, match=r"export.json is damaged"):
        read_record(folder)


def test_a_graph_that_is_missing_is_named(folder: Path) -> None:
    (folder / "text.onnx").unlink()
    with pytest.raises(ValueError, match=r"lacks text.onnx"):
        check_files(folder, read_record(folder))


def test_a_graph_with_other_content_is_named(folder: Path) -> None:
    (folder / "image.onnx").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"image.onnx is damaged"):
        check_files(folder, read_record(folder))


def test_the_fingerprint_depends_on_the_graphs(folder: Path) -> None:
    before = checkpoint_fingerprint(folder)
    change(folder, source="forms@2")
    assert checkpoint_fingerprint(folder) == before
    (folder / "text.onnx").write_bytes(b"other")
    assert checkpoint_fingerprint(folder) != before


def test_weights_are_not_looked_for_in_an_exported_model(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is an exported model, which jobs run as --model"):
        find_weights(folder)
