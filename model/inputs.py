"""Checks of what a model is called with: bad input is an error that names the row, not a crash on the GPU."""

from __future__ import annotations

import torch

from model.config import LayoutLMv2Config

BOX_LIMIT = 1000
"""Boxes are in thousandths of the page's width and height: 0 to 1000, both included."""


def check_shapes(
    config: LayoutLMv2Config,
    input_ids: torch.Tensor | None,
    inputs_embeds: torch.Tensor | None,
    **others: tuple[torch.Tensor | None, tuple[int, ...]],
) -> tuple[int, int]:
    """The batch size and the number of text tokens, from shapes alone (nothing is read from the device).

    Args:
        config: the limit of tokens comes from `max_position_embeddings`.
        input_ids: [b, t], or None when there is `inputs_embeds`: [b, t, hidden_size].
        others: by name, a tensor (or None) and the sizes that follow its [b, t].

    Raises:
        ValueError: neither or both of the first two; no token; too many tokens; a tensor of another shape.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give either input_ids or inputs_embeds, one of the two")
    name = "inputs_embeds" if input_ids is None else "input_ids"
    given = inputs_embeds if input_ids is None else input_ids
    trailing = (config.hidden_size,) if input_ids is None else ()
    assert given is not None
    shape = tuple(given.shape)
    if len(shape) != 2 + len(trailing) or shape[2:] != trailing or not shape[1]:
        wanted = "[batch, tokens" + "".join(f", {size}" for size in trailing) + "]"
        raise ValueError(f"{name} has shape {list(shape)}; wanted {wanted} with at least one token")
    batch, tokens = shape[:2]
    if tokens > config.max_position_embeddings:
        raise ValueError(
            f"{tokens} tokens in a row, but the model has max_position_embeddings={config.max_position_embeddings}: "
            "let the tokenizer cut the page into windows (truncation=True, return_overflowing_tokens=True)"
        )
    for other, (tensor, after) in others.items():
        if tensor is not None and tuple(tensor.shape) != (batch, tokens, *after):
            raise ValueError(f"{other} has shape {list(tensor.shape)}; wanted {[batch, tokens, *after]} as {name} has")
    return batch, tokens


def check_values(
    config: LayoutLMv2Config,
    *,
    input_ids: torch.Tensor | None = None,
    bbox: torch.Tensor | None = None,
    token_type_ids: torch.Tensor | None = None,
    position_ids: torch.Tensor | None = None,
) -> None:
    """Look at every index that the model will look up, all with one read from the device.

    Called by the model itself unless its `validate_inputs` is False. On a GPU that read waits for the work queued
    before it; who wants no wait calls this function on the CPU tensors, before they are moved, and switches it off.

    Args:
        input_ids, token_type_ids, position_ids: integers [b, t], in the range of their embedding table.
        bbox: integers [b, t, 4], (x0, y0, x1, y1) with 0 <= x0 <= x1 <= 1000 and 0 <= y0 <= y1 <= 1000.

    Raises:
        ValueError: names the first bad value by its row (index in the batch) and token.
    """
    indices = {
        "input_ids": (input_ids, config.vocab_size),
        "token_type_ids": (token_type_ids, config.type_vocab_size),
        "position_ids": (position_ids, config.max_position_embeddings),
    }
    for name, tensor in [("bbox", bbox), *((name, tensor) for name, (tensor, _) in indices.items())]:
        if tensor is not None and (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool):
            raise ValueError(f"{name} must hold integers, not {tensor.dtype}")
    # How far each value is from being bad: the least of them all is negative if any is.
    margins = [
        torch.minimum(tensor, size - 1 - tensor).amin()
        for tensor, size in indices.values()
        if tensor is not None and tensor.numel()
    ]
    if bbox is not None and bbox.numel():
        margins.append(_box_margins(bbox).amin())
    if not margins or torch.stack([margin.long() for margin in margins]).amin().item() >= 0:
        return
    if bbox is not None:
        _name_bad_box(bbox)
    for name, (tensor, size) in indices.items():
        if tensor is not None:
            for row, token in ((tensor < 0) | (tensor >= size)).nonzero()[:1].tolist():
                raise ValueError(f"{name}[{row}, {token}] is {int(tensor[row, token])}; wanted 0 to {size - 1}")


def _box_margins(bbox: torch.Tensor) -> torch.Tensor:
    top_left, bottom_right = bbox.long().split(2, dim=-1)
    return torch.minimum(torch.minimum(top_left, BOX_LIMIT - bottom_right), bottom_right - top_left)


def _name_bad_box(bbox: torch.Tensor) -> None:
    bad = (_box_margins(bbox) < 0).any(dim=-1).nonzero()
    if not len(bad):
        return
    row, token = bad[0].tolist()
    box = bbox[row, token].tolist()
    outside = min(box) < 0 or max(box) > BOX_LIMIT
    what = f"outside 0..{BOX_LIMIT}" if outside else "inverted (x0 > x1 or y0 > y1)"
    more = f", and {len(bad) - 1} more like it" if len(bad) > 1 else ""
    raise ValueError(
        f"bbox[{row}, {token}] (row {row} of the batch, token {token}) is {box}, {what}{more}: boxes are "
        f"(x0, y0, x1, y1) in thousandths of the page's width and height; clip and order them first"
    )
