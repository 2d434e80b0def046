"""Words of scripts without spaces: what a reader of the language calls words, and texts made of them."""

# ruff: noqa: RUF001

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.unspaced_words import join_words, word_spans


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("申请人姓名：王小明", ["申请", "人", "姓名：", "王", "小明"]),
        ("東京都千代田区丸の内1-2-3", ["東京", "都", "千代田", "区", "丸の内", "1-2-3"]),
        ("氏名（フリガナ）山田太郎様", ["氏名", "（フリガナ）", "山田", "太郎", "様"]),
        ("ABC株式会社", ["ABC", "株式会社"]),
        ("2026年11月29日", ["2026", "年", "11", "月", "29", "日"]),
        ("合计￥12,300", ["合计", "￥12,300"]),
        ("姓名 王小明", ["姓名", "王", "小明"]),
        ("😀姓名😀王", ["😀", "姓名😀", "王"]),
        ("ชื่อผู้สมัคร", ["ชื่อ", "ผู้", "สมัคร"]),
        ("", []),
    ],
)
def test_a_line_is_divided_as_its_readers_would(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_no_character_but_white_space_is_lost_and_none_comes_twice(text: str) -> None:
    assert "".join("".join(words(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["Name", "des", "Kunden:"], "Name des Kunden:"),
        (["申请", "人", "姓名：", "王", "小明"], "申请人姓名：王小明"),
        (["ABC", "株式会社", "Tokyo", "Office"], "ABC株式会社Tokyo Office"),
        ([], ""),
    ],
)
def test_spaces_stand_between_words_of_spaced_scripts_alone(parts: list[str], text: str) -> None:
    assert join_words(parts) == text
