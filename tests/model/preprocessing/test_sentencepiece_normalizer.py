"""Normalisation in the tokenizer is SentencePiece's, and tokens keep the characters that they were made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from model.preprocessing.sentencepiece_model import default_normalization, read_sentencepiece_model
from model.preprocessing.unigram import set_storable_normalizer, unigram_tokenizer
from tests.model.preprocessing.small_sentencepiece import model_message, write_model_file

SENTENCEPIECE = SentencePieceProcessor(model_proto=model_message().SerializeToString())


@pytest.fixture(scope="module")
def rust(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return unigram_tokenizer(read_sentencepiece_model(write_model_file(tmp_path_factory.mktemp("model"))), "<unk>")


def normalized(rust: Tokenizer, word: str) -> str:
    return "".join(piece for piece, _ in rust.pre_tokenizer.pre_tokenize_str(rust.normalizer.normalize_str(word)))


def score(rust: Tokenizer, ids: list[int]) -> float:
    scores = [0.0] * 4 + [SENTENCEPIECE.get_score(index) for index in range(3, len(SENTENCEPIECE))]
    return sum(scores[index] for index in ids)


UNUSUAL = st.sampled_from(
    "ﬁﬀ①½™ｶﾞﾟｱＡ１　\u00a0\u200b\u200d\u00ad\ufeff\u0301\u0308\u0327\u1100\u1161\u11a8▁\t\n\x00\x7f각é"
)
WORDS = st.text(st.one_of(UNUSUAL, st.characters(exclude_categories=["Cs"])), max_size=12)


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_any_word_has_the_ids_of_sentencepiece(rust: Tokenizer, word: str) -> None:
    assert normalized(rust, word) == SENTENCEPIECE.normalize(word)
    expected = [index + 1 if index else 3 for index in SENTENCEPIECE.encode(word)]
    found = rust.encode([word], is_pretokenized=True).ids
    # Of equally probable ways to cut a word, either may be taken.
    assert found == expected or (3 not in found and score(rust, found) == pytest.approx(score(rust, expected)))


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_tokens_cover_the_characters_of_the_word_in_order(rust: Tokenizer, word: str) -> None:
    spans = rust.encode([word], is_pretokenized=True).offsets
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
def test_a_token_is_made_of_its_own_characters(rust: Tokenizer, word: str, tokens: list[tuple[str, str]]) -> None:
    encoding = rust.encode([word], is_pretokenized=True)
    found = [(piece, word[start:end]) for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)]
    assert found == tokens


def test_words_that_normalise_to_nothing_have_no_tokens(rust: Tokenizer) -> None:
    assert rust.encode(["", " ", "\u200b", "a"], is_pretokenized=True).word_ids == [3, 3]


def test_a_word_of_a_hundred_thousand_characters_is_normalised(rust: Tokenizer) -> None:
    # Were each place rewritten on its own, this would take an hour.
    assert rust.normalizer.normalize_str("№ﬁ" * 50_000) == "Nofi" * 50_000


def test_the_librarys_own_rules_are_stored_for_other_readers(rust: Tokenizer) -> None:
    copy = Tokenizer.from_str(stored := _stored(rust))
    assert '"Precompiled"' in stored
    assert copy.encode(["ﬁn  x"], is_pretokenized=True).tokens[:4] == ["▁", "f", "i", "n"]


def _stored(rust: Tokenizer) -> str:
    custom = rust.normalizer
    set_storable_normalizer(rust, default_normalization())
    try:
        return rust.to_str()
    finally:
        rust.normalizer = custom
