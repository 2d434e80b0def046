"""The outputs of the models, accessible by attribute, name and position, with the reference's names and order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeVar, overload

import torch
from torch.utils import _pytree

Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class ModelOutput:
    """Fields in the order of the tuple form. Fields that are None are left out of the tuple and the keys."""

    def to_tuple(self) -> tuple[Any, ...]:
        """The fields that are not None, in order: the result of a call with `return_dict=False`."""
        return tuple(value for _, value in self.items())

    def items(self) -> list[tuple[str, Any]]:
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, value) for name, value in pairs if value is not None]

    def keys(self) -> list[str]:
        return [name for name, _ in self.items()]

    def values(self) -> list[Any]:
        return [value for _, value in self.items()]

    def get(self, name: str, default: Any = None) -> Any:
        return dict(self.items()).get(name, default)

    @overload
    def __getitem__(self, key: str | int) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.items())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()


OutputType = TypeVar("OutputType", bound=ModelOutput)


def _registered(output_class: type[OutputType]) -> type[OutputType]:
    # DistributedDataParallel finds the tensors of an output through pytrees.
    def flatten(output: OutputType) -> tuple[list[Any], list[str]]:
        return output.values(), output.keys()

    def unflatten(values: Any, names: Any) -> OutputType:
        return output_class(**dict(zip(names, values, strict=True)))

    _pytree.register_pytree_node(
        output_class, flatten, unflatten, serialized_type_name=f"{output_class.__module__}.{output_class.__qualname__}"
    )
    return output_class


@_registered
@dataclass(frozen=True)
class BaseModelOutputWithPooling(ModelOutput):
    """The output of `LayoutLMv2Model`; s is the number of text and visual tokens, text first.

    last_hidden_state: [b, s, hidden_size]; pooler_output: [b, hidden_size], in -1..1;
    hidden_states: the encoder's input and every layer's output, each [b, s, hidden_size];
    attentions: one per layer, [b, heads, s, s], rows sum to 1 before dropout (which training applies).
    """

    last_hidden_state: torch.Tensor
    pooler_output: torch.Tensor
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(frozen=True)
class TokenClassifierOutput(ModelOutput):
    """loss: scalar, with labels only; logits: [b, text tokens, num_labels]; the rest as for the base model."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(frozen=True)
class SequenceClassifierOutput(ModelOutput):
    """loss: scalar, with labels only; logits: [b, num_labels]; the rest as for the base model."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(frozen=True)
class QuestionAnsweringModelOutput(ModelOutput):
    """loss: scalar, with positions only; start_logits, end_logits: [b, text tokens]; the rest as for the base model."""

    loss: torch.Tensor | None = None
    start_logits: torch.Tensor | None = None
    end_logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None
