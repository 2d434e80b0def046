from __future__ import annotations

import pytest

from model.word_breaks import is_unspaced, join_words, word_spans


def words(text: str) -> list[str]:
    return [text[start:stop] for start, stop in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都千代田区", "東京 都 千代田 区"),
        ("北京市朝阳区", "北京市 朝阳 区"),
        ("สวัสดีครับผม", "สวัสดี ครับ ผม"),
        ("請求書をお送りいたします。", "請求 書 を お送り いたし ます。"),
    ],
)
def test_text_without_spaces_is_cut_by_dictionaries(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize("text", ["Straße:", "name@example.com", "03-1234-5678", "Привет", "שלום", "김철수", "한국어"])
def test_words_of_scripts_with_spaces_stay_whole(text: str) -> None:
    assert words(text) == [text] and not is_unspaced(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026年11月29日", "2026年 11月 29日"),
        ("１２３円", "１２３円"),
        ("丸の内2番3号", "丸の内 2番 3号"),
        ("金額：￥12,300", "金額： ￥12,300"),
        ("ABC株式会社", "ABC 株式会社"),
        ("合同编号:HT-2026-0815", "合同 编号: HT-2026-0815"),
        ("電話（代表）", "電話 （代表）"),
        ("東京「本社」", "東京 「本社」"),
    ],
)
def test_numbers_marks_and_latin_runs_are_put_where_they_belong(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize("text", ["", "𠮷野家ABC東京", "ご不明な点がございましたら、下記まで", "\ud842東京"])
def test_the_words_cover_the_text(text: str) -> None:
    assert "".join(words(text)) == text


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["Total", "amount"], "Total amount"),
        (["Größe", "84,5", "m²"], "Größe 84,5 m²"),
        (["2026年", "11月", "29日"], "2026年11月29日"),
        (["氏名：", "山田", "太郎"], "氏名：山田太郎"),
        (["ABC", "株式会社"], "ABC株式会社"),
        (["สวัสดี", "ครับ", "Bangkok"], "สวัสดีครับ Bangkok"),
        (["이름:", "김철수"], "이름: 김철수"),
        (["תל", "אביב", "12"], "תל אביב 12"),
        ([], ""),
    ],
)
def test_words_are_joined_as_their_script_is_written(parts: list[str], expected: str) -> None:
    assert join_words(parts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日\u200b本\u200d", ["日\u200b", "本\u200d"]),
        ("\u200b日本", ["\u200b日本"]),
        ("語\ufe0f年", ["語\ufe0f", "年"]),
    ],
)
def test_invisible_characters_are_no_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_long_word_of_many_pieces_is_cut_at_its_letters_alone() -> None:
    text = "年" + "\U0001f600a" * 20_000
    assert word_spans(text) == [(0, 1), (1, len(text))]


def test_empty_words_take_no_space_away() -> None:
    assert join_words(["Größe", "", "cm"]) == "Größe cm"
