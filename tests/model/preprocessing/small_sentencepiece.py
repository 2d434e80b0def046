"""A SentencePiece vocabulary of 360 pieces, trained on made-up words of forms in eight languages.

Its pieces are a fixture; the rules of normalisation, forty times as large, are those that SentencePiece brings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceNormalizer, sentencepiece_model_pb2

from model.preprocessing.layoutxlm_tokenizer import LayoutXLMTokenizer

schema: Any = sentencepiece_model_pb2
PIECES = Path(__file__).parents[2] / "fixtures" / "sentencepiece" / "pieces.tsv"
TOKENS = 362
"""The pieces, `<pad>` and `<mask>`."""


def model_message() -> Any:
    """The content of the model file, to be changed."""
    message = schema.ModelProto()
    kinds = schema.ModelProto.SentencePiece
    for name, kind in (("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)):
        message.pieces.add(piece=name, score=0.0, type=kind)
    for line in PIECES.read_text(encoding="utf-8").splitlines():
        piece, score = line.split("\t")
        message.pieces.add(piece=piece, score=float(score))
    message.trainer_spec.model_type = schema.TrainerSpec.UNIGRAM
    rules = SentencePieceNormalizer(rule_name="nmt_nfkc", add_dummy_prefix=True, remove_extra_whitespaces=True)
    message.normalizer_spec.ParseFromString(rules.serialized_normalizer_spec())
    return message


def write_model_file(folder: Path, message: Any | None = None) -> Path:
    """Write sentencepiece.bpe.model into a folder, which is created if necessary; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sentencepiece.bpe.model"
    path.write_bytes((model_message() if message is None else message).SerializeToString())
    return path


def small_layoutxlm_tokenizer(folder: Path, **settings: Any) -> LayoutXLMTokenizer:
    return LayoutXLMTokenizer(write_model_file(folder), **settings)
