from __future__ import annotations

import torch

from model.config import LayoutLMv2Config
from model.embeddings import LayoutLMv2Embeddings, visual_boxes


def test_visual_boxes_tile_the_page_row_by_row() -> None:
    boxes = visual_boxes(7, 7)
    assert boxes[0].tolist() == [0, 0, 142, 142]
    assert boxes[1].tolist() == [142, 0, 285, 142]
    assert boxes[48].tolist() == [857, 857, 1000, 1000]
    uneven = visual_boxes(2, 3)
    assert uneven.tolist()[3:5] == [[0, 500, 333, 1000], [333, 500, 666, 1000]]
    assert boxes.shape == (49, 4)


def test_a_box_is_embedded_as_its_corners_its_height_and_its_width() -> None:
    sizes = {"hidden_size": 14, "num_attention_heads": 1, "coordinate_size": 2, "shape_size": 3}
    embeddings = LayoutLMv2Embeddings(LayoutLMv2Config(**sizes))
    parts = embeddings.spatial(torch.tensor([[10, 20, 310, 60]])).split([2, 2, 2, 2, 3, 3], dim=-1)
    tables = [
        (embeddings.x_position_embeddings, 10),
        (embeddings.y_position_embeddings, 20),
        (embeddings.x_position_embeddings, 310),
        (embeddings.y_position_embeddings, 60),
        (embeddings.h_position_embeddings, 40),
        (embeddings.w_position_embeddings, 300),
    ]
    for part, (table, index) in zip(parts, tables, strict=True):
        assert torch.equal(part[0], table.weight[index])
