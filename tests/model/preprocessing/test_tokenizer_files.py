from __future__ import annotations

import json
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer

from model.preprocessing.encoding import BatchEncoding
from model.preprocessing.tokenizer import LayoutLMv2Tokenizer, LayoutLMv2TokenizerFast
from tests.model.preprocessing.small_vocabulary import small_tokenizer

BOX = [1, 2, 3, 4]


@pytest.fixture(scope="module")
def tokenizer() -> LayoutLMv2Tokenizer:
    return LayoutLMv2Tokenizer()


# -- Tokens, ids and text ----------------------------------------------------------------------------------------------


def test_tokens_ids_and_text_convert_into_each_other(tokenizer: LayoutLMv2Tokenizer) -> None:
    assert tokenizer.tokenize("Hello worldliness") == ["hello", "world", "##liness"]
    ids = tokenizer.convert_tokens_to_ids(["hello", "no such token"])
    assert ids == [7592, tokenizer.unk_token_id]
    assert tokenizer.convert_ids_to_tokens(7592) == "hello"
    assert tokenizer.convert_ids_to_tokens([101, 7592, 102], skip_special_tokens=True) == ["hello"]
    assert tokenizer.decode([101, 7592, 1010, 2088, 102], skip_special_tokens=True) == "hello, world"
    assert tokenizer.decode(torch.tensor([[7592], [2088]])) == ["hello", "world"]
    assert tokenizer.batch_decode([[7592], [2088]]) == ["hello", "world"]
    assert tokenizer.convert_tokens_to_string(["world", "##liness"]) == "worldliness"


def test_the_included_vocabulary_is_berts(tokenizer: LayoutLMv2Tokenizer) -> None:
    assert tokenizer.vocab_size == len(tokenizer) == len(tokenizer.get_vocab()) == 30522
    assert tokenizer.all_special_tokens == ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"]
    assert tokenizer.all_special_ids == [100, 102, 0, 101, 103]
    assert tokenizer.cls_token_id == 101
    assert tokenizer.num_special_tokens_to_add() == 2
    assert tokenizer.num_special_tokens_to_add(pair=True) == 3
    assert LayoutLMv2TokenizerFast is LayoutLMv2Tokenizer


def test_special_tokens_that_a_vocabulary_lacks_are_added_at_its_end() -> None:
    tokenizer = LayoutLMv2Tokenizer({"[UNK]": 0, "a": 1})
    assert tokenizer(["a", "b"], boxes=[BOX, BOX])["input_ids"] == [
        tokenizer.cls_token_id,
        1,
        0,
        tokenizer.sep_token_id,
    ]
    assert tokenizer.get_vocab() == {"[UNK]": 0, "a": 1, "[SEP]": 2, "[PAD]": 3, "[CLS]": 4, "[MASK]": 5}


# -- Files -------------------------------------------------------------------------------------------------------------


def test_a_saved_tokenizer_loads_with_every_setting(tmp_path: Path) -> None:
    tokenizer = LayoutLMv2Tokenizer(
        do_lower_case=False,
        strip_accents=True,
        cls_token_box=[1, 2, 3, 4],
        pad_token_label=-1,
        only_label_first_subword=False,
        model_max_length=64,
        padding_side="left",
        additional_special_tokens=["<total>"],
    )
    tokenizer.add_tokens(["Zürich"])
    tokenizer(["a"] * 99, boxes=[BOX] * 99, truncation=True, padding="max_length")
    paths = tokenizer.save_pretrained(tmp_path)
    names = {"tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"}
    assert {Path(path).name for path in paths} == names
    again = LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    call: dict[str, Any] = {
        "text": ["Crème", "Zürich", "<total>", "Worldliness"],
        "boxes": [BOX] * 4,
        "word_labels": [1, 2, 3, 4],
        "padding": "max_length",
    }
    assert dict(again(**call)) == dict(tokenizer(**call))
    assert len(again) == len(tokenizer) == 30524
    # The settings of the last call are not the tokenizer's own.
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).truncation is None


def test_a_checkpoint_can_contain_only_a_vocabulary(tmp_path: Path, tokenizer: LayoutLMv2Tokenizer) -> None:
    tokenizer.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).unlink()
    again = LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again.model_max_length == 512


def test_a_checkpoint_can_contain_only_tokenizer_json_and_its_configuration(
    tmp_path: Path, tokenizer: LayoutLMv2Tokenizer
) -> None:
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    (tmp_path / "special_tokens_map.json").unlink()
    config = {
        "do_lower_case": False,
        "model_max_length": 128,
        "cls_token": {"content": "[CLS]", "__type": "AddedToken"},
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": "X", "note": "kept"}))
    again = LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    assert (again.do_lower_case, again.model_max_length, again.cls_token) == (False, 128, "[CLS]")
    again.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "tokenizer_config.json").read_text())["note"] == "kept"
    assert LayoutLMv2Tokenizer.from_pretrained(tmp_path, do_lower_case=True).do_lower_case is True


def test_the_error_for_a_folder_without_a_tokenizer_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer\.json nor vocab\.txt"):
        LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="no vocabulary file"):
        LayoutLMv2Tokenizer(tmp_path / "vocab.txt")


# -- Options of from_pretrained ----------------------------------------------------------------------------------------


def test_settings_override_the_files(tmp_path: Path) -> None:
    small_tokenizer().save_pretrained(tmp_path)
    tokenizer = LayoutLMv2Tokenizer.from_pretrained(
        tmp_path, only_label_first_subword=False, model_max_length=77, do_lower_case=False, padding_side="left"
    )
    assert (tokenizer.only_label_first_subword, tokenizer.model_max_length) == (False, 77)
    assert (tokenizer.do_lower_case, tokenizer.padding_side) == (False, "left")
    assert tokenizer.tokenize("Who") == ["[UNK]"]
    assert tokenizer.name_or_path == str(tmp_path)


def test_special_tokens_of_the_call_are_added(tmp_path: Path) -> None:
    small_tokenizer(extra_special_tokens=["<a>"]).save_pretrained(tmp_path)
    tokenizer = LayoutLMv2Tokenizer.from_pretrained(tmp_path, pad_token="[PP]", additional_special_tokens=["<n>"])
    assert (tokenizer.pad_token_id, tokenizer.extra_special_tokens) == (19, ["<n>"])
    assert tokenizer.get_added_vocab()["<a>"] == 18


@pytest.mark.parametrize("name", ["use_fast", "trust_remote_code", "tokenizer_type"])
def test_options_about_other_tokenizers_have_no_effect(tmp_path: Path, name: str) -> None:
    small_tokenizer().save_pretrained(tmp_path)
    tokenizer = LayoutLMv2Tokenizer.from_pretrained(tmp_path, **{name: True})
    assert tokenizer.other_settings == {}


def test_options_of_the_source_are_those_of_a_checkpoint(tmp_path: Path) -> None:
    small_tokenizer().save_pretrained(tmp_path / "inner")
    options: dict[str, Any] = {"revision": "main", "cache_dir": tmp_path, "token": None, "local_files_only": True}
    tokenizer = LayoutLMv2Tokenizer.from_pretrained(tmp_path, subfolder="inner", force_download=True, **options)
    assert tokenizer.get_vocab() == small_tokenizer().get_vocab()
    with pytest.raises(OSError, match="no folder 'other'"):
        LayoutLMv2Tokenizer.from_pretrained(tmp_path, subfolder="other")


def test_the_source_can_be_one_file(tmp_path: Path) -> None:
    small_tokenizer().save_pretrained(tmp_path)
    for name in ("vocab.txt", "tokenizer.json"):
        assert LayoutLMv2Tokenizer.from_pretrained(tmp_path / name).tokenize("Invoice") == ["in", "##vo", "##ice"]


def test_settings_that_the_class_does_not_know_are_written_back(tmp_path: Path) -> None:
    small_tokenizer(note="kept").save_pretrained(tmp_path)
    assert LayoutLMv2Tokenizer.from_pretrained(tmp_path).other_settings == {"note": "kept"}


# -- Added tokens in files ---------------------------------------------------------------------------------------------


def test_added_tokens_keep_their_ids_and_settings(tmp_path: Path) -> None:
    tokenizer = small_tokenizer()
    tokenizer.add_tokens("new")
    tokenizer.add_special_tokens(
        {"extra_special_tokens": ["<x>"], "pad_token": AddedToken("<p>", lstrip=True), "bos_token": "<s>"}
    )
    tokenizer.save_pretrained(tmp_path)
    again = LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    assert list(again.get_added_vocab().items())[5:] == [("new", 18), ("<x>", 19), ("<p>", 20), ("<s>", 21)]
    assert (again.pad_token_id, again.bos_token, again.extra_special_tokens) == (20, "<s>", ["<x>"])
    assert again.added_tokens_decoder[20].lstrip
    assert again.added_tokens_decoder[20].special


def test_tokens_of_the_older_file_are_special_if_they_have_a_name(tmp_path: Path) -> None:
    small_tokenizer().save_vocabulary(tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<p>": 19, "new": 18}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<p>"}))
    tokenizer = LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    assert (tokenizer.pad_token_id, tokenizer.added_tokens_decoder[19].special) == (19, True)
    assert tokenizer.decode([18, 19], skip_special_tokens=True) == "new"


def test_named_further_tokens_keep_their_names(tmp_path: Path) -> None:
    small_tokenizer(extra_special_tokens={"total_token": "<total>"}).save_pretrained(tmp_path)
    again: Any = LayoutLMv2Tokenizer.from_pretrained(tmp_path)
    assert (again.total_token, again.total_token_id, again.other_settings) == ("<total>", 18, {})


def test_files_can_have_a_prefix(tmp_path: Path) -> None:
    paths = small_tokenizer().save_pretrained(tmp_path, filename_prefix="a", legacy_format=True)
    assert {Path(path).name for path in paths} == {
        "a-tokenizer.json",
        "a-vocab.txt",
        "a-tokenizer_config.json",
        "a-special_tokens_map.json",
    }


def test_the_text_of_a_tokenizer_describes_it() -> None:
    text = repr(small_tokenizer())
    assert text.startswith(
        "LayoutLMv2Tokenizer(name_or_path='', vocab_size=18, model_max_length=512, padding_side='right', "
        "truncation_side='right', special_tokens={'unk_token': '[UNK]', "
    )
    assert '\n\t4: AddedToken("[MASK]", rstrip=False' in text


# -- Use by other processes and threads --------------------------------------------------------------------------------


def test_tokenizer_and_encoding_survive_pickling(tokenizer: LayoutLMv2Tokenizer) -> None:
    encoding = tokenizer(["Hello", "worldliness"], boxes=[BOX, BOX])
    copy = pickle.loads(pickle.dumps(tokenizer))(["Hello", "worldliness"], boxes=[BOX, BOX])
    assert dict(copy) == dict(encoding)
    assert pickle.loads(pickle.dumps(encoding)).word_ids() == encoding.word_ids()


def test_threads_with_different_options_do_not_interfere(tokenizer: LayoutLMv2Tokenizer) -> None:
    words = ["word"] * 100
    wrong: list[tuple[int, int]] = []

    def encode(length: int) -> None:
        for _ in range(30):
            ids = tokenizer(words, boxes=[BOX] * 100, truncation=True, max_length=length)["input_ids"]
            if len(ids) != length:
                wrong.append((length, len(ids)))

    threads = [threading.Thread(target=encode, args=(length,)) for length in (10, 20, 30, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- The returned mapping ----------------------------------------------------------------------------------------------


def test_an_encoding_is_a_mapping_with_attributes_slices_and_to_device(tokenizer: LayoutLMv2Tokenizer) -> None:
    encoding = tokenizer([["a"], ["b"]], boxes=[[BOX], [BOX]], return_tensors="pt")
    assert encoding.input_ids is encoding["input_ids"]
    assert encoding[1].tokens == ["[CLS]", "b", "[SEP]"]
    assert encoding[:1]["bbox"].shape == (1, 3, 4)
    assert encoding.to("meta")["bbox"].device.type == "meta"
    with pytest.raises(AttributeError, match="it has"):
        _ = encoding.no_such_entry
    with pytest.raises(KeyError, match="windows"):
        BatchEncoding({"pixel_values": []}).word_ids()
