"""What is read from a SentencePiece model file, and which files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.preprocessing.sentencepiece_model import default_normalization, read_sentencepiece_model
from tests.model.preprocessing.small_sentencepiece import PIECES, model_message, schema, write_model_file


def test_pieces_follow_the_four_special_tokens_of_fairseq(tmp_path: Path) -> None:
    vocabulary = read_sentencepiece_model(write_model_file(tmp_path))
    names = [piece for piece, _ in vocabulary.pieces]
    assert names[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert names[4:] == [line.split("\t")[0] for line in PIECES.read_text(encoding="utf-8").splitlines()]
    assert vocabulary.pieces[4] == ("▁", pytest.approx(-1.95374))
    assert vocabulary.content == (tmp_path / "sentencepiece.bpe.model").read_bytes()


def test_the_rules_of_normalisation_are_those_of_the_file(tmp_path: Path) -> None:
    assert read_sentencepiece_model(write_model_file(tmp_path)).normalization == default_normalization()
    message = model_message()
    message.normalizer_spec.add_dummy_prefix = False
    message.normalizer_spec.precompiled_charsmap = b""
    rules = read_sentencepiece_model(write_model_file(tmp_path, message)).normalization
    assert (rules.charsmap, rules.adds_prefix, rules.removes_spaces) == (b"", False, True)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no SentencePiece model at .*sentencepiece\.bpe\.model"):
        read_sentencepiece_model(tmp_path / "sentencepiece.bpe.model")


@pytest.mark.parametrize("content", [b"x", b"{}", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sentencepiece.bpe.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"sentencepiece\.bpe\.model is damaged or not a SentencePiece model"):
        read_sentencepiece_model(path)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write_model_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"sentencepiece\.bpe\.model is "):
        read_sentencepiece_model(path)


def test_damaged_rules_of_normalisation_are_refused(tmp_path: Path) -> None:
    message = model_message()
    message.normalizer_spec.precompiled_charsmap = b"garbage"
    with pytest.raises(ValueError, match=r"sentencepiece\.bpe\.model is damaged: the rules of normalisation"):
        read_sentencepiece_model(write_model_file(tmp_path, message))


def no_pieces(message: Any) -> None:
    del message.pieces[:]


def only_special_pieces(message: Any) -> None:
    del message.pieces[3:]


def other_first_pieces(message: Any) -> None:
    del message.pieces[0]


def byte_pairs(message: Any) -> None:
    message.trainer_spec.model_type = schema.TrainerSpec.BPE


def fixed_piece(message: Any) -> None:
    message.pieces[9].type = schema.ModelProto.SentencePiece.USER_DEFINED


def unused_piece(message: Any) -> None:
    message.pieces[9].type = schema.ModelProto.SentencePiece.UNUSED


def score_of_no_number(message: Any) -> None:
    message.pieces[9].score = float("nan")


def spaces_after_words(message: Any) -> None:
    message.trainer_spec.treat_whitespace_as_suffix = True


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (no_pieces, "its first pieces are missing"),
        (only_special_pieces, "it has no pieces but the special ones"),
        (other_first_pieces, "its first pieces are <s>, </s>, ▁, not <unk>, <s>, </s>"),
        (byte_pairs, "its pieces are of the kind BPE, not UNIGRAM"),
        (fixed_piece, "is of the kind USER_DEFINED"),
        (score_of_no_number, "has the score nan"),
        (unused_piece, "is of the kind UNUSED"),
        (spaces_after_words, "it puts spaces after words"),
    ],
)
def test_a_vocabulary_of_another_kind_is_refused(tmp_path: Path, change: Callable[[Any], None], reason: str) -> None:
    message = model_message()
    change(message)
    with pytest.raises(ValueError, match=f"is not a vocabulary like XLM-RoBERTa's: .*{reason}.*Put the file"):
        read_sentencepiece_model(write_model_file(tmp_path, message))
