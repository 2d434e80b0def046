from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
import numpy as np
import pytest

from model.checkpoint_source import CheckpointError, checkpoint_fingerprint, resolve_checkpoint
from model.decoding import Decoding, load_decoding, save_decoding
from model.score_curve import ScorePoint
from tests.s3_server import S3Server

LABELS = ("O", "B-ANSWER", "I-ANSWER")
DECODING = Decoding(
    method="segments",
    temperatures={"O": 1.5, "B-ANSWER": 0.8},
    join_weights={"gap": -2.5},
    score_curves={"pairs": (ScorePoint(0.9, 10, 9), ScorePoint(0.4, 30, 20)), "entities": ()},
)


@pytest.fixture
def checkpoint(fixtures_directory: Path, tmp_path: Path) -> Path:
    """A checkpoint with a decoding."""
    folder = Path(shutil.copytree(fixtures_directory / "goldens" / "tiny" / "checkpoint-base", tmp_path / "checkpoint"))
    save_decoding(DECODING, folder)
    return folder


def test_a_checkpoint_without_the_file_is_decoded_by_words_with_its_own_probabilities(tmp_path: Path) -> None:
    assert load_decoding(tmp_path) == Decoding()
    assert Decoding().method == "words"
    assert Decoding().temperature_vector(LABELS).tolist() == [1, 1, 1]


def test_a_decoding_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_decoding(DECODING, tmp_path)
    assert load_decoding(tmp_path) == DECODING
    assert [path.name for path in tmp_path.iterdir()] == ["decoding.json"]


def test_a_decoding_is_replaced_at_once_and_can_be_read_by_others(tmp_path: Path) -> None:
    save_decoding(Decoding(), tmp_path)
    with (tmp_path / "decoding.json").open() as earlier:
        save_decoding(DECODING, tmp_path)
        assert json.load(earlier)["method"] == "words", "whoever reads the old file reads it to its end"
    assert load_decoding(tmp_path) == DECODING
    assert os.stat(tmp_path / "decoding.json").st_mode & 0o444 == 0o444


def test_temperatures_stand_in_the_order_of_the_logits_and_missing_ones_are_1() -> None:
    vector = DECODING.temperature_vector(LABELS)
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx([1.5, 0.8, 1])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"method": "letters"}',
        '{"method": ["words"]}',
        '{"method": "words", "temperatures": {"O": 0}}',
        '{"method": "words", "temperatures": {"O": -1}}',
        '{"method": "words", "temperatures": {"O": "warm"}}',
        '{"method": "words", "temperatures": {"O": NaN}}',
        '{"method": "words", "temperatures": {"O": null}}',
        '{"method": "words", "temperatures": [1, 2]}',
        '{"method": "words", "join_weights": {"gap": Infinity}}',
        '{"method": "words", "score_curves": [1]}',
        '{"method": "words", "score_curves": {"pairs": 3}}',
        '{"method": "words", "score_curves": {"pairs": [3]}}',
        '{"method": "words", "score_curves": {"pairs": [{"min_score": 0.5}]}}',
        '{"method": "words", "score_curves": {"pairs": [{"min_score": 0.5, "predictions": 1, "right": 2}]}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_an_error_that_names_it_and_the_way_out(content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "decoding.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CheckpointError, match=r"decoding\.json is damaged: .*; copy it again, or remove it"):
        load_decoding(tmp_path)


def test_the_fingerprint_of_a_checkpoint_depends_on_its_decoding(checkpoint: Path) -> None:
    first = checkpoint_fingerprint(checkpoint)
    save_decoding(Decoding(temperatures={"O": 2.0}), checkpoint)
    second = checkpoint_fingerprint(checkpoint)
    (checkpoint / "decoding.json").unlink()
    assert len({first, second, checkpoint_fingerprint(checkpoint)}) == 3


@pytest.mark.parametrize("weights", [True, False])
def test_the_decoding_is_downloaded_from_the_hub(
    weights: bool, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "snapshot"
    target.mkdir()

    def snapshot_download(_: str, *, allow_patterns: list[str], **__: object) -> str:
        for path in checkpoint.iterdir():
            if any(path.match(pattern) for pattern in allow_patterns):
                shutil.copy(path, target)
        return str(target)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert load_decoding(resolve_checkpoint("someone/forms", weights=weights)) == DECODING


@pytest.mark.parametrize("weights", [True, False])
def test_the_decoding_is_downloaded_from_s3(
    weights: bool, checkpoint: Path, s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    parts = urlsplit(s3_prefix)
    for path in checkpoint.iterdir():
        s3_server.client().upload_file(str(path), parts.netloc, f"{parts.path.strip('/')}/{path.name}")
    folder = resolve_checkpoint(s3_prefix, cache_dir=tmp_path / "cache", weights=weights)
    assert load_decoding(folder) == DECODING
