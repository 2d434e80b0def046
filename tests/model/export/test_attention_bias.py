from __future__ import annotations

import pytest
import torch

from model.export.attention_bias import LookupBias
from tests.model.export.windows import small_model


@pytest.mark.parametrize(("in_text", "on_page"), [(True, True), (True, False), (False, True), (False, False)], ids=str)
def test_lookups_give_the_bias_of_the_encoder_to_the_last_bit(in_text: bool, on_page: bool) -> None:
    model = small_model(has_relative_attention_bias=in_text, has_spatial_attention_bias=on_page)
    encoder = model.layoutlmv2.encoder
    generator = torch.Generator().manual_seed(0)
    bbox = torch.randint(0, 1001, (2, 21, 4), generator=generator)
    visible = torch.ones(2, 21, dtype=torch.bool)
    visible[1, 13:] = False
    positions = torch.arange(21)[None]
    with torch.no_grad():
        expected = encoder.attention_bias(positions, bbox, visible, torch.float32)
        actual = LookupBias(encoder)(positions, bbox, visible)
    assert actual.shape == expected.shape
    assert torch.equal(actual, expected)
