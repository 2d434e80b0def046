from __future__ import annotations

import pytest
import torch
from torch.export import Dim

from model.relative_bias import DistanceTable, relative_bias, relative_position_bucket

HEADS, TOKENS = 4, 37


def tables() -> tuple[DistanceTable, DistanceTable, DistanceTable]:
    generator = torch.Generator().manual_seed(0)
    made = (
        DistanceTable(HEADS, bins=32, bin_limit=128, largest=511),
        DistanceTable(HEADS, bins=64, bin_limit=256, largest=1000),
        DistanceTable(HEADS, bins=64, bin_limit=256, largest=1000),
    )
    for table in made:
        torch.nn.init.normal_(table.weight, generator=generator)
    return made


def tokens() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    corners = torch.randint(0, 1001, (2, TOKENS, 2, 2), generator=generator).sort(dim=2).values
    return torch.arange(TOKENS)[None], corners.flatten(2), torch.rand(2, TOKENS, generator=generator) > 0.2


def test_distances_fall_into_bins_of_one_then_of_growing_width() -> None:
    distances = torch.tensor([-1000, -128, -9, -8, -7, -1, 0, 1, 7, 8, 127, 128, 1000])
    bins = relative_position_bucket(distances, num_buckets=32, max_distance=128)
    assert bins.tolist() == [15, 15, 8, 8, 7, 1, 0, 17, 23, 24, 31, 31, 31]


def test_the_bias_is_the_sum_of_the_tables_at_each_pair_of_tokens() -> None:
    in_text, by_x, by_y = tables()
    positions, boxes, _ = tokens()
    everything = torch.ones(2, TOKENS, dtype=torch.bool)
    bias = relative_bias(in_text, (by_x, by_y), positions, boxes, everything, torch.float32)
    assert bias.shape == (2, HEADS, TOKENS, TOKENS)

    def bin_of(difference: torch.Tensor | int, bins: int, limit: int) -> int:
        return int(relative_position_bucket(torch.as_tensor(difference), bins, limit))

    for row, query, key in [(0, 0, 0), (0, 3, 30), (1, 36, 2), (1, 10, 11)]:
        left, bottom = boxes[row, :, 0], boxes[row, :, 3]
        expected = (
            in_text.weight[:, bin_of(key - query, 32, 128)]
            + by_x.weight[:, bin_of(left[key] - left[query], 64, 256)]
            + by_y.weight[:, bin_of(bottom[key] - bottom[query], 64, 256)]
        )
        torch.testing.assert_close(bias[row, :, query, key], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_hidden_tokens_get_the_lowest_finite_score(dtype: torch.dtype) -> None:
    in_text, by_x, by_y = tables()
    positions, boxes, visible = tokens()
    bias = relative_bias(in_text, (by_x, by_y), positions, boxes, visible, dtype)
    assert bias.dtype == dtype
    hidden = ~visible[:, None, None, :].expand_as(bias)
    assert (bias[hidden] == torch.finfo(dtype).min).all()
    assert (bias[~hidden].abs() < 20).all()


def test_the_gradient_of_a_table_is_that_of_a_lookup() -> None:
    in_text, by_x, by_y = tables()
    positions, boxes, visible = tokens()
    weight = torch.randn(2, HEADS, TOKENS, TOKENS, generator=torch.Generator().manual_seed(2))
    bias = relative_bias(in_text, (by_x, by_y), positions, boxes, visible, torch.float32)
    (bias * weight).sum().backward()
    x = boxes[..., 0]
    bins = relative_position_bucket(x[:, None, :] - x[:, :, None], 64, 256)
    counted = weight * visible[:, None, None, :]
    expected = torch.stack([(counted * (bins == index)[:, None]).sum(dim=(0, 2, 3)) for index in range(64)], dim=1)
    torch.testing.assert_close(by_x.weight.grad, expected, rtol=1e-4, atol=1e-4)


def test_without_tables_the_bias_is_the_mask_alone() -> None:
    positions, boxes, visible = tokens()
    bias = relative_bias(None, None, positions, boxes, visible, torch.float32)
    assert bias.shape == (2, 1, 1, TOKENS)
    assert torch.equal(bias[:, 0, 0] == 0, visible)


def test_positions_shared_by_the_batch_equal_positions_for_every_row() -> None:
    in_text, by_x, by_y = tables()
    positions, boxes, visible = tokens()
    for on_page in (None, (by_x, by_y)):
        shared = relative_bias(in_text, on_page, positions, boxes, visible, torch.float32)
        each = relative_bias(in_text, on_page, positions.expand(2, -1), boxes, visible, torch.float32)
        torch.testing.assert_close(shared, each)


@pytest.mark.parametrize("hides", [True, False], ids=["some hidden", "all visible"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tables_of", ["text and page", "text", "page", "none"])
def test_without_a_gradient_the_bias_is_bitwise_the_same(tables_of: str, dtype: torch.dtype, hides: bool) -> None:
    in_text, by_x, by_y = (table.to(dtype) for table in tables())
    positions, boxes, visible = tokens()
    arguments = (
        in_text if "text" in tables_of else None,
        (by_x, by_y) if "page" in tables_of else None,
        positions,
        boxes,
        visible if hides else torch.ones_like(visible),
        dtype,
    )
    expected = relative_bias(*arguments)
    with torch.no_grad():
        looked_up = relative_bias(*arguments)
    assert expected.requires_grad == (tables_of != "none")
    assert looked_up.dtype == dtype and torch.equal(looked_up, expected)


class Bias(torch.nn.Module):
    """The bias of some tables as a program."""

    def __init__(self, in_text: DistanceTable | None, on_page: list[DistanceTable]) -> None:
        super().__init__()
        self.in_text, self.on_page = in_text, torch.nn.ModuleList(on_page)

    def forward(self, position_ids: torch.Tensor, bbox: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        on_page = tuple(self.on_page) if len(self.on_page) else None
        return relative_bias(self.in_text, on_page, position_ids, bbox, visible, torch.float32)


@pytest.mark.parametrize(
    "tables_of", ["text and page", *(pytest.param(one, marks=pytest.mark.slow) for one in ("text", "page")), "none"]
)
def test_an_exported_program_looks_up_the_bias_of_any_number_of_windows_and_tokens(tables_of: str) -> None:
    in_text, by_x, by_y = tables()
    bias = Bias(in_text if "text" in tables_of else None, [by_x, by_y] if "page" in tables_of else [])
    positions, boxes, visible = tokens()
    length = Dim("length", min=2)
    several = {0: Dim("windows"), 1: length}
    with torch.no_grad():
        program = torch.export.export(bias, (positions, boxes, visible), dynamic_shapes=({1: length}, several, several))
        for rows, count in ((2, TOKENS), (1, 5)):
            arguments = positions[:, :count], boxes[:rows, :count], visible[:rows, :count]
            assert torch.equal(program.module()(*arguments), bias(*arguments))
    used = {str(node.target) for node in program.graph.nodes}
    assert "aten.gather.default" not in used
    assert tables_of == "none" or "aten.index_select.default" in used


def test_rows_of_the_bias_are_aligned_for_fused_kernels() -> None:
    in_text, by_x, by_y = tables()
    bias = relative_bias(in_text, (by_x, by_y), *tokens(), torch.float32)
    assert [stride % 8 for stride in bias.stride()[:-1]] == [0, 0, 0]
    assert bias.stride(-1) == 1


def test_a_table_has_one_number_per_head_and_bin_and_saves_nothing_else() -> None:
    assert {name: tuple(value.shape) for name, value in tables()[1].state_dict().items()} == {"weight": (HEADS, 64)}
