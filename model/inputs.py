"""Checks of a model's inputs: invalid input raises an error that names the row, instead of crashing on the GPU."""

from __future__ import annotations

import torch

from model.config import LayoutLMv2Config


def check_shapes(
    config: LayoutLMv2Config,
    input_ids: torch.Tensor | None,
    inputs_embeds: torch.Tensor | None,
    **others: tuple[torch.Tensor | None, tuple[int, ...]],
) -> tuple[int, int]:
    """The batch size and the number of text tokens, from shapes alone (nothing is read from the device).

    Args:
        config: `max_position_embeddings` limits the tokens.
        input_ids: [b, t], or None with `inputs_embeds`: [b, t, hidden_size].
        others: by name, a tensor (or None) and the sizes that follow its [b, t].

    Raises:
        ValueError: neither or both of the first two are given, there are no tokens or too many, or a tensor has another
            shape.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give either input_ids or inputs_embeds, and not both")
    name = "inputs_embeds" if input_ids is None else "input_ids"
    text = inputs_embeds if input_ids is None else input_ids
    trailing = (config.hidden_size,) if input_ids is None else ()
    assert text is not None
    shape = tuple(text.shape)
    if len(shape) != 2 + len(trailing) or shape[2:] != trailing or not shape[1]:
        expected = "[batch, tokens" + "".join(f", {size}" for size in trailing) + "]"
        raise ValueError(f"{name} has shape {list(shape)}; expected {expected} with at least one token")
    batch, tokens = shape[:2]
    if tokens > config.max_position_embeddings:
        raise ValueError(
            f"{tokens} tokens in a row, but the model has max_position_embeddings={config.max_position_embeddings}: "
            "let the tokenizer split the page into windows (truncation=True, return_overflowing_tokens=True)"
        )
    for other, (tensor, sizes) in others.items():
        if tensor is not None and tuple(tensor.shape) != (batch, tokens, *sizes):
            required = [batch, tokens, *sizes]
            raise ValueError(f"{other} has shape {list(tensor.shape)}; expected {required} to match {name}")
    return batch, tokens


def check_values(
    config: LayoutLMv2Config,
    *,
    input_ids: torch.Tensor | None = None,
    bbox: torch.Tensor | None = None,
    token_type_ids: torch.Tensor | None = None,
    position_ids: torch.Tensor | None = None,
) -> None:
    """Check every index into an embedding table, with a single read from the device.

    The model calls this unless its `validate_inputs` is False. On a GPU, the read waits for the work queued before it;
    to avoid that, set `validate_inputs` to False and call this function on the CPU tensors before they are moved.

    Args:
        input_ids, token_type_ids, position_ids: integers [b, t], in the range of their embedding table.
        bbox: integers [b, t, 4], (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1, from 0 to
            `max_2d_position_embeddings` - 1 (the pages of the jobs end at 1000).

    Raises:
        ValueError: a value is invalid; the message names the row (index in the batch) and token of the first one.
    """
    indices = {
        "input_ids": (input_ids, config.vocab_size),
        "token_type_ids": (token_type_ids, config.type_vocab_size),
        "position_ids": (position_ids, config.max_position_embeddings),
    }
    for name, tensor in [("bbox", bbox), *((name, tensor) for name, (tensor, _) in indices.items())]:
        if tensor is not None and (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool):
            raise ValueError(f"{name} must contain integers, not {tensor.dtype}")
    # The distance of each value from its limits: the smallest one is negative if any value is invalid.
    margins = [
        torch.minimum(tensor, size - 1 - tensor).amin()
        for tensor, size in indices.values()
        if tensor is not None and tensor.numel()
    ]
    if bbox is not None and bbox.numel():
        margins.append(_box_margins(bbox, config.max_2d_position_embeddings - 1).amin())
    if not margins or torch.stack([margin.long() for margin in margins]).amin().item() >= 0:
        return
    if bbox is not None:
        _raise_for_invalid_box(bbox, config.max_2d_position_embeddings - 1)
    for name, (tensor, size) in indices.items():
        if tensor is not None:
            for row, token in ((tensor < 0) | (tensor >= size)).nonzero()[:1].tolist():
                raise ValueError(f"{name}[{row}, {token}] is {int(tensor[row, token])}; expected 0 to {size - 1}")


def _box_margins(bbox: torch.Tensor, limit: int) -> torch.Tensor:
    top_left, bottom_right = bbox.long().split(2, dim=-1)
    return torch.minimum(torch.minimum(top_left, limit - bottom_right), bottom_right - top_left)


def _raise_for_invalid_box(bbox: torch.Tensor, limit: int) -> None:
    invalid = (_box_margins(bbox, limit) < 0).any(dim=-1).nonzero()
    if not len(invalid):
        return
    row, token = invalid[0].tolist()
    box = bbox[row, token].tolist()
    outside = min(box) < 0 or max(box) > limit
    reason = f"outside 0..{limit}" if outside else "inverted (x0 > x1 or y0 > y1)"
    more = f", and {len(invalid) - 1} more are invalid" if len(invalid) > 1 else ""
    raise ValueError(
        f"bbox[{row}, {token}] (row {row} of the batch, token {token}) is {box}, {reason}{more}: boxes are "
        f"(x0, y0, x1, y1) in thousandths of the page's width and height; clip and order them first"
    )
