"""SentencePiece's own cuts of the words that the tokenizer in Rust would cut differently.

Words that repeat themselves, such as the dots that lead to a number in a form, can be cut in several equally probable
ways: "000" into "00" and "0" or into "0" and "00". Rounding decides, and SentencePiece adds scores with 32 bits, Rust
with 64. And where a word spells a special token, "<s>" in wide letters for example, Rust takes that for a piece.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sentencepiece import SentencePieceProcessor
from tokenizers import NormalizedString, PreTokenizedString

from model.preprocessing.sentencepiece_model import SentencePieceModel, schema

LONGEST_WORD = 1000
"""Characters of a word beyond which it may repeat itself. A window of the model has 512 tokens."""

_REPEATED = re.compile(r"(.{1,8}?)\1", re.DOTALL)


class SentencePieceCuts:
    """Cuts words at the ends of their pieces, by the protocol of `tokenizers.pre_tokenizers.PreTokenizer.custom`.

    Args:
        model: the bytes of a model file with the pieces, see `cutting_model`.
        special_tokens: tokens of the vocabulary that are no pieces of words.
    """

    def __init__(self, model: bytes, special_tokens: Sequence[str]) -> None:
        self._model = model
        self._spelled = re.compile("|".join(map(re.escape, special_tokens)) or r"(?!)")
        self._processor: SentencePieceProcessor | None = None

    def pre_tokenize(self, text: PreTokenizedString) -> None:
        """Cut a normalised text, in place."""
        text.split(self._cut)

    def _cut(self, _: int, word: NormalizedString) -> list[NormalizedString]:
        written = word.normalized
        repeats = len(written) <= LONGEST_WORD and _REPEATED.search(written)
        if not repeats and not self._spelled.search(written):
            return [word]
        cuts = [0]
        for piece in self._pieces(written):
            cuts.append(cuts[-1] + len(piece))
        return _parts(word, cuts)

    def _pieces(self, written: str) -> list[str]:
        if self._processor is None:
            # Few documents have such words, and a full-size vocabulary takes half a second.
            stored = schema.ModelProto()
            stored.ParseFromString(self._model)
            stored.ClearField("normalizer_spec")
            stored.normalizer_spec.add_dummy_prefix = False
            stored.normalizer_spec.remove_extra_whitespaces = False
            self._processor = SentencePieceProcessor(model_proto=stored.SerializeToString())
        return self._processor.encode(written, out_type=str)


def _parts(word: NormalizedString, cuts: Sequence[int]) -> list[NormalizedString]:
    """The parts of a word between the first of these places and the last; halves first, since a part is a copy."""
    if len(cuts) <= 2:
        return [word] if len(cuts) == 2 else []
    middle = len(cuts) // 2
    left, right = word[: cuts[middle] - cuts[0]], word[cuts[middle] - cuts[0] : cuts[-1] - cuts[0]]
    parts: list[NormalizedString] = []
    for half, places in ((left, cuts[: middle + 1]), (right, cuts[middle:])):
        parts += _parts(half, places) if half is not None else []
    return parts


def cutting_model(vocabulary: SentencePieceModel, unk_token: str, special_tokens: Collection[str]) -> bytes:
    """A model file with the pieces of a vocabulary: its own, or one that is made of them.

    Args:
        vocabulary: the pieces.
        unk_token: that of them which stands for unknown characters.
        special_tokens: those of them that stand for no text.
    """
    if vocabulary.content is not None:
        return vocabulary.content
    kinds = schema.ModelProto.SentencePiece
    made = schema.ModelProto()
    made.trainer_spec.model_type = schema.TrainerSpec.UNIGRAM
    made.trainer_spec.unk_piece = unk_token
    for piece, score in vocabulary.pieces:
        kind = kinds.UNKNOWN if piece == unk_token else kinds.CONTROL if piece in special_tokens else kinds.NORMAL
        made.pieces.add(piece=piece, score=score, type=kind)
    return made.SerializeToString()
