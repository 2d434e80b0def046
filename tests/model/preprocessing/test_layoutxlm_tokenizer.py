"""LayoutXLM's tokenizer: windows of pieces with boxes, its files, and equality with the reference implementation."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from model import LayoutLMv2Tokenizer, LayoutXLMTokenizer, LayoutXLMTokenizerFast
from tests.model.preprocessing.small_sentencepiece import (
    TOKENS,
    model_message,
    schema,
    small_layoutxlm_tokenizer,
    write_model_file,
)

WORDS = ["Rechnungsnummer:", "ﬁn", "請求書"]
BOXES = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
PIECES = [["▁", "Rechnung", "snummer", ":"], ["▁", "f", "i", "n"], ["▁請求書"]]
CLS, PAD, SEP = [0] * 4, [0] * 4, [1000] * 4


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> LayoutXLMTokenizer:
    return small_layoutxlm_tokenizer(tmp_path_factory.mktemp("vocabulary"))


def ids(tokenizer: LayoutXLMTokenizer, *words: list[str]) -> list[int]:
    return tokenizer.convert_tokens_to_ids([piece for word in words for piece in word])


def tokens_of(tokenizer: LayoutXLMTokenizer, word: str) -> list[int]:
    return tokenizer([word], boxes=[[0] * 4], add_special_tokens=False)["input_ids"]


# -- Equality with the reference implementation ------------------------------------------------------------------------


def test_calls_equal_the_references(shared_directory: Path) -> None:
    folder = shared_directory / "goldens" / "layoutxlm"
    for call in json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")):
        tokenizer = LayoutXLMTokenizer.from_pretrained(folder / "checkpoint", **call["init"])
        if "raises" in call:
            with pytest.raises(ValueError, match=call["message"]) as caught:
                tokenizer(**call["call"])
            assert type(caught.value).__name__ == call["raises"]
        else:
            found = json.loads(json.dumps(dict(tokenizer(**call["call"]))))
            assert found == call["expect"], call["name"]


@pytest.mark.parametrize("stored", ["model file", "tokenizer.json", "tokenizer.json without rules"])
def test_words_have_the_ids_of_sentencepiece(shared_directory: Path, tmp_path: Path, stored: str) -> None:
    folder = shared_directory / "goldens" / "layoutxlm"
    source = folder / "checkpoint"
    if stored != "model file":
        LayoutXLMTokenizer.from_pretrained(source).save_pretrained(tmp_path)
        (tmp_path / "sentencepiece.bpe.model").unlink()
        source = tmp_path
    if stored == "tokenizer.json without rules":
        lose_rules(tmp_path)
    tokenizer = LayoutXLMTokenizer.from_pretrained(source)
    for expected in json.loads((folder / "sentencepiece_words.json").read_text(encoding="utf-8")):
        assert tokens_of(tokenizer, expected["word"]) == expected["ids"], expected["word"]


def lose_rules(folder: Path) -> None:
    """Change a tokenizer.json to one of the reference since its version 5."""
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
        ],
    }
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")


# -- Windows -----------------------------------------------------------------------------------------------------------


def test_every_token_has_the_box_of_its_word(tokenizer: LayoutXLMTokenizer) -> None:
    page = tokenizer(WORDS, boxes=BOXES, word_labels=[1, 2, 3], padding="max_length", max_length=12)
    assert dict(page) == {
        "input_ids": [0, *ids(tokenizer, *PIECES), 2, 1],
        "attention_mask": [1] * 11 + [0],
        "bbox": [CLS, *[BOXES[0]] * 4, *[BOXES[1]] * 4, BOXES[2], SEP, PAD],
        # As in the reference, the space before a word and its first piece both begin at its first character.
        "labels": [-100, 1, 1, -100, -100, 2, 2, 2, -100, 3, -100, -100],
    }
    assert page.word_ids() == [None, 0, 0, 0, 0, 1, 1, 1, 1, 2, None, None]


def test_every_piece_has_the_label_of_its_word_if_wanted(tmp_path: Path) -> None:
    tokenizer = small_layoutxlm_tokenizer(tmp_path, only_label_first_subword=False)
    assert tokenizer(WORDS, boxes=BOXES, word_labels=[1, 2, 3])["labels"] == [-100, *[1] * 4, *[2] * 4, 3, -100]


def test_two_separators_stand_between_a_question_and_the_words(tokenizer: LayoutXLMTokenizer) -> None:
    question = tokenizer("name :", WORDS[2:], boxes=BOXES[2:], return_token_type_ids=True)
    name, mark = tokenizer.tokenize("name"), tokenizer.tokenize(":")
    assert question["input_ids"] == [0, *ids(tokenizer, name, mark), 2, 2, *ids(tokenizer, PIECES[2]), 2]
    assert question["bbox"] == [CLS, *[PAD] * len(name + mark), SEP, SEP, BOXES[2], SEP]
    assert set(question["token_type_ids"]) == {0}
    assert question["input_ids"] == tokenizer.build_inputs_with_special_tokens(
        ids(tokenizer, name, mark), ids(tokenizer, PIECES[2])
    )
    assert tokenizer.num_special_tokens_to_add(pair=True) == 4
    mask = tokenizer.get_special_tokens_mask(question["input_ids"], already_has_special_tokens=True)
    assert mask == tokenizer.get_special_tokens_mask(ids(tokenizer, name, mark), ids(tokenizer, PIECES[2]))
    types = tokenizer.create_token_type_ids_from_sequences(ids(tokenizer, name, mark), ids(tokenizer, PIECES[2]))
    assert types == question["token_type_ids"]


def test_a_long_page_becomes_windows_that_overlap(tokenizer: LayoutXLMTokenizer) -> None:
    options: dict[str, Any] = {"truncation": True, "max_length": 7, "stride": 2, "return_overflowing_tokens": True}
    windows = tokenizer(WORDS, boxes=BOXES, return_offsets_mapping=True, **options)
    flat = ids(tokenizer, *PIECES)
    assert windows["input_ids"] == [[0, *flat[:5], 2], [0, *flat[3:8], 2], [0, *flat[6:], 2]]
    assert windows["offset_mapping"][0] == [(0, 0), (0, 1), (0, 8), (8, 15), (15, 16), (0, 1), (0, 0)]


@pytest.mark.parametrize("word", ["", " ", "\u200b"])
def test_a_word_of_nothing_has_no_token_and_the_others_keep_their_boxes(
    tokenizer: LayoutXLMTokenizer, word: str
) -> None:
    page = tokenizer([word, WORDS[2]], boxes=BOXES[:2])
    assert page["input_ids"] == [0, *ids(tokenizer, PIECES[2]), 2]
    assert page["bbox"] == [CLS, BOXES[1], SEP]


def test_special_tokens_in_a_word_are_kept_or_split(tmp_path: Path) -> None:
    tokenizer = small_layoutxlm_tokenizer(tmp_path)
    assert tokenizer.tokenize("a<mask>") == ["▁", "a", "<mask>"]
    assert tokenizer.mask_token_id not in tokens_of(tokenizer, "a\uff1cmask\uff1e"), (
        "wide letters spell no special token"
    )
    tokenizer.split_special_tokens = True
    assert tokenizer.mask_token_id not in tokens_of(tokenizer, "a<mask>")
    assert tokenizer.cls_token_id not in tokens_of(pickle.loads(pickle.dumps(tokenizer)), "<s>")
    assert tokenizer.tokenize("Größe") == ["▁Größe"]


def test_wide_letters_spell_no_special_token_of_a_tokenizer_json(tokenizer: LayoutXLMTokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "sentencepiece.bpe.model").unlink()
    read = LayoutXLMTokenizer.from_pretrained(tmp_path)
    for name in ("mask", "pad", "s"):
        assert read.tokenize(f"\uff1c{name}\uff1e") == tokenizer.tokenize(f"\uff1c{name}\uff1e")
        assert read.convert_tokens_to_ids(f"<{name}>") not in tokens_of(read, f"\uff1c{name}\uff1e")


@pytest.mark.parametrize("stored", ["model file", "tokenizer.json beside it"])
def test_a_word_that_spells_a_control_symbol_is_cut_into_other_pieces(tmp_path: Path, stored: str) -> None:
    message = model_message()
    symbol = next(piece for piece in message.pieces if piece.piece == "Rechnung")
    symbol.type = schema.ModelProto.SentencePiece.CONTROL
    tokenizer = LayoutXLMTokenizer(write_model_file(tmp_path, message))
    if stored != "model file":
        tokenizer.save_pretrained(tmp_path)
        tokenizer = LayoutXLMTokenizer.from_pretrained(tmp_path)
    theirs = SentencePieceProcessor(model_proto=message.SerializeToString()).encode("dieRechnung")
    assert tokens_of(tokenizer, "dieRechnung") == [index + 1 if index else 3 for index in theirs]
    assert "Rechnung" not in tokenizer.tokenize("dieRechnung")


def test_a_word_of_a_hundred_thousand_characters_is_cut_into_pieces(tokenizer: LayoutXLMTokenizer) -> None:
    options: dict[str, Any] = {"truncation": True, "max_length": 512}
    assert len(tokenizer(["Größe" * 20_000], boxes=BOXES[:1], **options)["input_ids"]) == 512


# -- Text --------------------------------------------------------------------------------------------------------------


def test_tokens_ids_and_text_convert_into_each_other(tokenizer: LayoutXLMTokenizer) -> None:
    tokens = tokenizer.tokenize("Größe  Rechnung")
    assert tokens == ["▁Größe", "▁", "Rechnung"]
    assert tokenizer.decode([0, *ids(tokenizer, tokens), 2], skip_special_tokens=True) == "Größe Rechnung"
    assert tokenizer.convert_tokens_to_string(tokens) == "Größe Rechnung"
    assert tokenizer.convert_tokens_to_ids("no such piece") == tokenizer.unk_token_id == 3
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, TOKENS - 1]) == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def test_the_vocabulary_is_numbered_as_in_fairseq(tokenizer: LayoutXLMTokenizer) -> None:
    assert len(tokenizer) == tokenizer.vocab_size == len(tokenizer.get_vocab()) == TOKENS
    assert (tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id) == (0, 1, 2)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.mask_token_id) == (0, 2, TOKENS - 1)
    assert tokenizer.reserved_ids == {0, 1, 2, 3, TOKENS - 1}
    assert tokenizer.model_max_length == 512
    assert LayoutXLMTokenizerFast is LayoutXLMTokenizer


def test_added_tokens_follow_the_mask(tmp_path: Path) -> None:
    tokenizer = small_layoutxlm_tokenizer(tmp_path / "first")
    assert tokenizer.add_tokens(["ACME"]) == 1
    assert tokenizer.tokenize("xACME") == ["▁", "x", "ACME"]
    tokenizer.save_pretrained(tmp_path / "second")
    assert LayoutXLMTokenizer.from_pretrained(tmp_path / "second").convert_tokens_to_ids("ACME") == TOKENS


# -- Files -------------------------------------------------------------------------------------------------------------


def test_a_saved_tokenizer_is_read_again(tmp_path: Path) -> None:
    tokenizer = small_layoutxlm_tokenizer(tmp_path, padding_side="left", sep_token_box=[9] * 4, model_max_length=77)
    names = {Path(path).name for path in tokenizer.save_pretrained(tmp_path / "saved")}
    common = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}
    assert names == common | {"sentencepiece.bpe.model"}
    assert (tmp_path / "saved/sentencepiece.bpe.model").read_bytes() == (
        tmp_path / "sentencepiece.bpe.model"
    ).read_bytes()
    config = json.loads((tmp_path / "saved/tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "LayoutXLMTokenizer" and "do_lower_case" not in config
    read = LayoutXLMTokenizer.from_pretrained(tmp_path / "saved")
    assert (read.padding_side, read.sep_token_box, read.model_max_length) == ("left", [9] * 4, 77)
    assert dict(read(WORDS, boxes=BOXES)) == dict(tokenizer(WORDS, boxes=BOXES))
    assert read.to_json() == tokenizer.to_json()
    (prefixed,) = tokenizer.save_vocabulary(tmp_path / "vocabulary", "small")
    assert LayoutXLMTokenizer(prefixed).get_vocab() == tokenizer.get_vocab()


@pytest.mark.parametrize("loses", [False, True])
def test_a_tokenizer_json_alone_keeps_sentencepieces_normalisation(tmp_path: Path, loses: bool) -> None:
    small_layoutxlm_tokenizer(tmp_path / "first").save_pretrained(tmp_path)
    (tmp_path / "sentencepiece.bpe.model").unlink()
    if loses:
        lose_rules(tmp_path)
    for read in (
        LayoutXLMTokenizer.from_pretrained(tmp_path),
        LayoutXLMTokenizer(tokenizer_file=tmp_path / "tokenizer.json"),
    ):
        assert read.tokenize("ﬁn") == PIECES[1]
        with pytest.raises(ValueError, match="not read from a SentencePiece model file"):
            read.save_vocabulary(tmp_path / "vocabulary")
        assert "sentencepiece.bpe.model" not in {Path(path).name for path in read.save_pretrained(tmp_path / "again")}


def test_a_model_file_of_another_vocabulary_beside_a_tokenizer_json_is_left_behind(tmp_path: Path) -> None:
    small_layoutxlm_tokenizer(tmp_path).save_pretrained(tmp_path)
    message = model_message()
    message.pieces[5].piece = "other"
    write_model_file(tmp_path, message)
    read = LayoutXLMTokenizer.from_pretrained(tmp_path)
    assert "other" not in read.get_vocab()
    with pytest.raises(ValueError, match="not read from a SentencePiece model file"):
        read.save_vocabulary(tmp_path / "vocabulary")


def test_a_saved_tokenizer_json_is_read_by_the_library_alone(tmp_path: Path) -> None:
    tokenizer = small_layoutxlm_tokenizer(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    other = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert other.encode(WORDS, is_pretokenized=True).ids == tokenizer(WORDS, boxes=BOXES)["input_ids"]


def test_pieces_with_scores_are_a_vocabulary(tokenizer: LayoutXLMTokenizer) -> None:
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0), ("b", -2.0)]
    small = LayoutXLMTokenizer(pieces)
    assert small.tokenize("ab") == ["▁a", "b"] and small.mask_token_id == 6


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_a_copy_tokenizes_alike(tokenizer: LayoutXLMTokenizer, copied: Any) -> None:
    assert dict(copied(tokenizer)(WORDS, boxes=BOXES)) == dict(tokenizer(WORDS, boxes=BOXES))


def test_threads_can_share_a_tokenizer_while_it_is_copied(tokenizer: LayoutXLMTokenizer) -> None:
    expected = tokenizer(WORDS, boxes=BOXES)["input_ids"]
    found: list[bool] = []

    def work() -> None:
        for _ in range(8):
            found.append(tokenizer(WORDS, boxes=BOXES)["input_ids"] == expected)
            pickle.dumps(tokenizer)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 24


def test_what_is_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vocabulary is not part of this package"):
        LayoutXLMTokenizer()
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer\.json nor sentencepiece\.bpe\.model"):
        LayoutXLMTokenizer.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="lacks the unk_token '<unk>'"):
        LayoutXLMTokenizer([("<s>", 0.0), ("</s>", 0.0)])
    LayoutLMv2Tokenizer({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a WordPiece tokenizer; LayoutXLMTokenizer uses Unigram"):
        LayoutXLMTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": None}, "its model is no object"),
        ({"model": {"type": "Unigram", "vocab": {"a": 0}}}, "a list of pieces with scores"),
        ({"model": {"type": "Unigram", "vocab": [["a", "b"]]}}, "a list of pieces with scores"),
        ({"model": {"type": "Unigram", "vocab": [["a", float("nan")]]}}, "a list of pieces with scores"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "!!!"}}, "base64"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "rules of normalisation"),
    ],
)
def test_a_damaged_tokenizer_json_is_refused(
    tokenizer: LayoutXLMTokenizer, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    content = {**json.loads(tokenizer.to_json()), **change}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"tokenizer\.json is damaged: .*{reason}.*copy the checkpoint again"):
        LayoutXLMTokenizer.from_pretrained(tmp_path)
