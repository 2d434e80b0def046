from __future__ import annotations

from model.ocr.unspaced_lines import cut_anew
from model.ocr.word_filter import Word

HEIGHT = 30.0


def pieces(*texts: str, gaps: dict[int, float]) -> list[Word]:
    """Pieces of a line, as wide as they have squares; `gaps`: in heights of the line, before the pieces of an index."""
    words, x = [], 0.0
    for index, text in enumerate(texts):
        x += gaps.get(index, 0.05) * HEIGHT
        words.append(Word(text, (x, 0, x + HEIGHT * len(text), HEIGHT), 0.9))
        x += HEIGHT * len(text)
    return words


def test_pieces_of_korean_are_joined_up_to_the_next_space() -> None:
    line = cut_anew(pieces("필", "요한", "모", "든", "서류", gaps={2: 0.33, 4: 0.5}))
    assert [word.text for word in line] == ["필요한", "모든", "서류"]


def test_pieces_of_japanese_are_joined_across_gaps_and_cut_by_dictionaries() -> None:
    line = cut_anew(pieces("申", "請", "書", "東京", gaps={1: 0.5, 3: 1.0}))
    assert [word.text for word in line] == ["申請書", "東京"]
    assert line[0].box[0] < line[0].box[2] <= line[1].box[0]


def test_lines_of_other_scripts_are_left_as_they_are() -> None:
    line = pieces("Größe", "12", gaps={})
    assert cut_anew(line) == line
