from __future__ import annotations

import pytest
import torch

from model.config import LayoutLMv2Config
from model.inputs import check_shapes, check_values

CONFIG = LayoutLMv2Config(vocab_size=100)


def boxes(*changes: tuple[int, int, list[int]]) -> torch.Tensor:
    made = torch.tensor([0, 0, 1000, 1000]).repeat(3, 5, 1)
    for row, token, box in changes:
        made[row, token] = torch.tensor(box)
    return made


@pytest.mark.parametrize(
    "box", [[0, 0, 0, 0], [1000, 1000, 1000, 1000], [0, 0, 1000, 1000], [5, 7, 5, 9], [0, 0, 1023, 1023]]
)
def test_boxes_at_the_limits_and_empty_ones_are_valid(box: list[int]) -> None:
    check_values(CONFIG, bbox=boxes((1, 2, box)))
    check_values(CONFIG, bbox=boxes((1, 2, box)).to(torch.int16))


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([-1, 0, 5, 5], "outside"),
        ([0, 0, 1024, 5], "outside"),
        ([0, 0, 5, 32767], "outside"),
        ([0, -32768, 5, 5], "outside"),
        ([6, 0, 5, 5], "inverted"),
        ([0, 6, 5, 5], "inverted"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16])
def test_an_invalid_box_is_rejected_with_its_row_and_token(box: list[int], reason: str, dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=r"bbox\[2, 4\] \(row 2 of the batch, token 4\).*" + reason):
        check_values(CONFIG, bbox=boxes((2, 4, box)).to(dtype))


def test_the_configuration_limits_the_boxes() -> None:
    wide = LayoutLMv2Config(vocab_size=100, max_2d_position_embeddings=2048)
    check_values(wide, bbox=boxes((1, 2, [0, 0, 2047, 2047])))
    with pytest.raises(ValueError, match=r"outside 0\.\.1000"):
        check_values(LayoutLMv2Config(max_2d_position_embeddings=1001), bbox=boxes((1, 2, [0, 0, 1001, 5])))


def test_the_first_invalid_box_is_named_and_the_others_are_counted() -> None:
    with pytest.raises(ValueError, match=r"bbox\[0, 3\].*2 more are invalid"):
        check_values(CONFIG, bbox=boxes((2, 4, [9, 9, 1, 1]), (0, 3, [9, 9, 1, 1]), (1, 0, [0, 0, 0, 2000])))


@pytest.mark.parametrize("name", ["input_ids", "token_type_ids", "position_ids"])
def test_an_id_outside_its_table_is_rejected_with_its_row_and_token(name: str) -> None:
    limit = {"input_ids": 100, "token_type_ids": 2, "position_ids": 512}[name]
    for invalid in (-1, limit):
        ids = torch.zeros(2, 5, dtype=torch.long)
        ids[0, 0] = limit - 1
        check_values(CONFIG, bbox=boxes(), **{name: ids})
        ids[1, 3] = invalid
        with pytest.raises(ValueError, match=rf"{name}\[1, 3\] is {invalid}; expected 0 to {limit - 1}"):
            check_values(CONFIG, bbox=boxes(), **{name: ids})


@pytest.mark.parametrize("name", ["bbox", "input_ids"])
def test_indices_must_be_integers(name: str) -> None:
    values = boxes().float() if name == "bbox" else torch.zeros(2, 5)
    with pytest.raises(ValueError, match=f"{name} must contain integers"):
        check_values(CONFIG, **{name: values})


def test_check_shapes_returns_the_batch_size_and_the_number_of_tokens() -> None:
    ids = torch.zeros(3, 5, dtype=torch.long)
    assert check_shapes(CONFIG, ids, None, bbox=(boxes(), (4,)), attention_mask=(None, ())) == (3, 5)
    assert check_shapes(CONFIG, None, torch.zeros(2, 7, 768)) == (2, 7)


def test_mismatched_shapes_are_rejected_by_name() -> None:
    ids = torch.zeros(3, 5, dtype=torch.long)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        check_shapes(CONFIG, None, None)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        check_shapes(CONFIG, ids, torch.zeros(3, 5, 768))
    with pytest.raises(ValueError, match="input_ids has shape"):
        check_shapes(CONFIG, ids[0], None)
    with pytest.raises(ValueError, match="inputs_embeds has shape"):
        check_shapes(CONFIG, None, torch.zeros(3, 5, 48))
    with pytest.raises(ValueError, match="at least one token"):
        check_shapes(CONFIG, ids[:, :0], None)
    with pytest.raises(ValueError, match=r"bbox has shape \[3, 5\]"):
        check_shapes(CONFIG, ids, None, bbox=(ids, (4,)))
    with pytest.raises(ValueError, match="attention_mask has shape"):
        check_shapes(CONFIG, ids, None, attention_mask=(ids[:2], ()))


def test_the_error_for_a_long_row_says_how_to_split_it() -> None:
    with pytest.raises(ValueError, match=r"513 tokens.*max_position_embeddings=512.*return_overflowing_tokens"):
        check_shapes(CONFIG, torch.zeros(1, 513, dtype=torch.long), None)
