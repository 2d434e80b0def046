from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model.checkpoint_source import BUNDLED_FORMS, checkpoint_fingerprint
from model.decoding import Decoding, load_decoding, save_decoding
from pipelines.errors import JobError
from pipelines.evaluation.calibrated_checkpoint import check_output, write_calibrated

DECODING = Decoding(temperatures={"O": 2.0})


@pytest.fixture
def checkpoint(fixtures_directory: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(fixtures_directory / "goldens" / "tiny" / "checkpoint-base", tmp_path / "model"))
    (folder / "optimizer.pt").write_bytes(b"of no use to readers")
    (folder / "README.md").write_text("who may use it")
    return folder


def test_a_new_folder_gets_the_files_of_the_model_and_the_decoding(checkpoint: Path, tmp_path: Path) -> None:
    save_decoding(Decoding(temperatures={"O": 9.0}), checkpoint)
    written = write_calibrated(str(checkpoint), str(tmp_path / "new" / "calibrated"), DECODING)
    assert sorted(path.name for path in written.iterdir()) == [
        "README.md",
        "config.json",
        "decoding.json",
        "model.safetensors",
    ]
    assert load_decoding(written) == DECODING
    assert load_decoding(checkpoint).temperatures == {"O": 9.0}
    save_decoding(DECODING, checkpoint)
    assert checkpoint_fingerprint(written) == checkpoint_fingerprint(checkpoint)


def test_an_empty_folder_becomes_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert load_decoding(write_calibrated(str(checkpoint), str(tmp_path / "empty"), DECODING)) == DECODING


def test_what_cannot_be_written_leaves_nothing_behind(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(JobError, match=r"--output .* cannot be written: .*No space left"):
        write_calibrated(str(checkpoint), str(tmp_path / "new"), DECODING)
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.name]


def test_the_own_folder_of_the_model_gets_a_decoding_only(checkpoint: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    linked = tmp_path / "linked"
    linked.symlink_to(checkpoint)
    check_output(str(checkpoint), str(linked))
    write_calibrated(str(checkpoint), str(linked), DECODING)
    assert load_decoding(checkpoint) == DECODING
    assert {path.name: path.read_bytes() for path in checkpoint.iterdir() if path.name != "decoding.json"} == before


def test_an_empty_folder_and_a_new_one_are_accepted(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_output(str(checkpoint), str(tmp_path / "empty"))
    check_output(BUNDLED_FORMS, str(tmp_path / "new"))


@pytest.mark.parametrize(("name", "told"), [("config.json", "another checkpoint"), ("letter.pdf", "other files")])
def test_a_folder_with_something_else_is_refused(name: str, told: str, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / name).write_text("{}")
    with pytest.raises(ValueError, match=f"holds {told}"):
        check_output(str(checkpoint), str(tmp_path / "taken"))


def test_a_file_a_bucket_and_a_model_without_files_are_refused(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="is a file"):
        check_output(str(checkpoint), str(checkpoint / "config.json"))
    with pytest.raises(ValueError, match="copied to S3"):
        check_output(str(checkpoint), "s3://bucket/model")
    with pytest.raises(ValueError, match="untrained has no files"):
        check_output("untrained", "/nowhere/new")
