"""Words are normalised and cut as by SentencePiece itself, and tokens keep the characters that they were made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceNormalizer, SentencePieceProcessor
from tokenizers import Encoding, Tokenizer

from model.preprocessing.sentencepiece_cuts import cutting_model
from model.preprocessing.sentencepiece_model import SentencePieceModel, read_sentencepiece_model
from model.preprocessing.unigram import unigram_tokenizer, use_sentencepiece_parts
from tests.model.preprocessing.small_sentencepiece import model_message, write_model_file

SENTENCEPIECE = SentencePieceProcessor(model_proto=model_message().SerializeToString())


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> SentencePieceModel:
    return read_sentencepiece_model(write_model_file(tmp_path_factory.mktemp("model")))


class Cutter:
    """The tokenizer in Rust with the parts of SentencePiece; it can be shown where a test fails."""

    def __init__(self, vocabulary: SentencePieceModel) -> None:
        self._rust = unigram_tokenizer(vocabulary, "<unk>")
        special = ["<s>", "</s>", "<pad>", "<unk>"]
        use_sentencepiece_parts(
            self._rust, vocabulary.normalization, cutting_model(vocabulary, "<unk>", special), special
        )

    def cut(self, *words: str) -> Encoding:
        return self._rust.encode(list(words), is_pretokenized=True)

    def normalized(self, word: str) -> str:
        return self._rust.normalizer.normalize_str(word)

    def normalized_with_prefix(self, word: str) -> str:
        parts = self._rust.pre_tokenizer.pre_tokenize_str(self.normalized(word))
        return "".join(part for part, _ in parts)


@pytest.fixture(scope="module")
def cutter(vocabulary: SentencePieceModel) -> Cutter:
    return Cutter(vocabulary)


UNUSUAL = st.sampled_from(
    "ﬁﬀ①½™ｶﾞﾟｱＡ１　\u00a0\u200b\u200d\u00ad\ufeff\u0301\u0308\u0327\u1100\u1161\u11a8▁\t\n\x00\x7f각é"
)
WORDS = st.text(st.one_of(UNUSUAL, st.characters(exclude_categories=["Cs"])), max_size=12)


def expected_ids(word: str) -> list[int]:
    return [index + 1 if index else 3 for index in SENTENCEPIECE.encode(word)]


@settings(max_examples=150, deadline=None)
@given(WORDS)
def test_any_word_has_the_ids_of_sentencepiece(cutter: Cutter, word: str) -> None:
    assert cutter.normalized_with_prefix(word) == SENTENCEPIECE.normalize(word)
    assert cutter.cut(word).ids == expected_ids(word)


REPEATED = st.tuples(st.sampled_from(["0", "00", ".", "10", "-", "番号", "nn", "12"]), st.integers(1, 40))
NUMBERS = st.text("0123456789.", max_size=30)


@settings(max_examples=100, deadline=None)
@given(st.one_of(NUMBERS, st.lists(REPEATED, max_size=4).map(lambda parts: "".join(one * n for one, n in parts))))
def test_of_equally_probable_cuts_that_of_sentencepiece_is_taken(cutter: Cutter, word: str) -> None:
    encoding = cutter.cut(word)
    assert encoding.ids == expected_ids(word)
    assert [end for _, end in encoding.offsets] == sorted(end for _, end in encoding.offsets)


@pytest.mark.parametrize("word", ["<s>", "\uff1cs\uff1e", "a</s><s>", "<unk>", "\uff1c/s\uff1e"])
def test_special_tokens_that_a_text_spells_are_cut_like_other_text(cutter: Cutter, word: str) -> None:
    assert cutter.cut(word).ids == expected_ids(word)


def test_pieces_without_a_file_are_cut_alike(cutter: Cutter, vocabulary: SentencePieceModel) -> None:
    other = Cutter(SentencePieceModel(vocabulary.pieces, vocabulary.normalization))
    for word in ("0" * 50, "<unk><s><unk>", "10101.00", "番号番号番"):
        assert other.cut(word).tokens == cutter.cut(word).tokens


@pytest.mark.parametrize("rule", ["identity", "nfkc_cf"])
@pytest.mark.parametrize("word", ["▁", "a▁", "a ▁ ", "▁▁a▁b", "ẞ\u2003▁"])
def test_other_rules_of_normalisation_than_xlm_robertas_are_those_of_sentencepiece(
    tmp_path: Path, rule: str, word: str
) -> None:
    # Their rules keep "▁", which SentencePiece then takes for a space.
    message = model_message()
    message.normalizer_spec.ParseFromString(SentencePieceNormalizer(rule_name=rule).serialized_normalizer_spec())
    message.normalizer_spec.add_dummy_prefix = message.normalizer_spec.remove_extra_whitespaces = True
    cutter = Cutter(read_sentencepiece_model(write_model_file(tmp_path, message)))
    theirs = SentencePieceProcessor(model_proto=message.SerializeToString()).encode(word)
    assert cutter.cut(word).ids == [index + 1 if index else 3 for index in theirs]


@settings(max_examples=50, deadline=None)
@given(WORDS)
def test_tokens_cover_the_characters_of_the_word_in_order(cutter: Cutter, word: str) -> None:
    spans = cutter.cut(word).offsets
    assert all(0 <= start < end <= len(word) for start, end in spans)
    assert spans == sorted(spans)


@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("ﬁn", [("▁", "ﬁ"), ("f", "ﬁ"), ("i", "ﬁ"), ("n", "n")]),
        ("Größe", [("▁Größe", "Größe")]),
        ("Gro\u0308ße", [("▁Größe", "Gro\u0308ße")]),
        ("ｶﾞｽ", [("▁", "ｶ"), ("ガ", "ｶ"), ("ス", "ｽ")]),
        ("  3  1 ", [("▁", "3"), ("3", "3"), ("▁", " "), ("1", "1")]),
    ],
)
def test_a_token_is_made_of_its_own_characters(cutter: Cutter, word: str, tokens: list[tuple[str, str]]) -> None:
    encoding = cutter.cut(word)
    found = [(piece, word[start:end]) for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)]
    assert found == tokens


def test_words_that_normalise_to_nothing_have_no_tokens(cutter: Cutter) -> None:
    assert cutter.cut("", " ", "\u200b", "a").word_ids == [3, 3]


def test_a_word_of_a_hundred_thousand_characters_is_normalised(cutter: Cutter) -> None:
    # Were each place rewritten on its own, this would take an hour.
    assert cutter.normalized("№ﬁ" * 50_000) == "Nofi" * 50_000


def test_the_librarys_own_parts_are_written_for_other_readers(vocabulary: SentencePieceModel) -> None:
    written = unigram_tokenizer(vocabulary, "<unk>").to_str()
    assert '"Precompiled"' in written and '"Metaspace"' in written
    assert Tokenizer.from_str(written).encode(["ﬁn  x"], is_pretokenized=True).tokens[:4] == ["▁", "f", "i", "n"]
