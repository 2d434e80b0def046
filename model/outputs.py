"""The outputs of the models, accessible by attribute, name and position, with the reference's names and order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, overload

import torch
from torch.utils import _pytree

Tensors = tuple[torch.Tensor, ...]


class ModelOutput(OrderedDict[str, Any]):
    """A dictionary of the fields that are not None, in the order of the tuple form; also by attribute and position.

    `output.logits`, `output["logits"]` and `output[0]` are the same tensor, and assigning to one form changes all.
    Entries are not removed, except that a field set to None leaves the keys.
    """

    def to_tuple(self) -> tuple[Any, ...]:
        """The fields that are not None, in order: the result of a call with `return_dict=False`."""
        return tuple(self.values())

    @overload
    def __getitem__(self, key: str | int) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)
        if name not in self:  # neither a field nor None
            super().__setitem__(name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]  # every subclass is a dataclass
        if name not in names:
            return
        if value is None:
            super().pop(name, None)
        elif name in self:
            super().__setitem__(name, value)
        else:
            super().__setitem__(name, value)
            for later in names[names.index(name) + 1 :]:
                if later in self:
                    self.move_to_end(later)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{type(self).__name__} keeps its entries; set {name!r} to None to leave it out")

    def pop(self, *_: Any) -> Any:
        raise TypeError(f"{type(self).__name__} keeps its entries; copy it with dict(output) to change its keys")

    def update(self, *_: Any, **__: Any) -> None:
        raise TypeError(f"{type(self).__name__} takes one entry at a time: output[name] = value")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]


OutputType = TypeVar("OutputType", bound=ModelOutput)


def _registered(output_class: type[OutputType]) -> type[OutputType]:
    # DistributedDataParallel finds the tensors of an output through pytrees.
    def flatten(output: OutputType) -> tuple[list[Any], list[str]]:
        return list(output.values()), list(output)

    def unflatten(values: Any, names: Any) -> OutputType:
        return output_class(**dict(zip(names, values, strict=True)))

    _pytree.register_pytree_node(
        output_class, flatten, unflatten, serialized_type_name=f"{output_class.__module__}.{output_class.__qualname__}"
    )
    return output_class


@_registered
@dataclass(eq=False, repr=False)
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
@dataclass(eq=False, repr=False)
class TokenClassifierOutput(ModelOutput):
    """loss: scalar, with labels only; logits: [b, text tokens, num_labels]; the rest as for the base model."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(eq=False, repr=False)
class SequenceClassifierOutput(ModelOutput):
    """loss: scalar, with labels only; logits: [b, num_labels]; the rest as for the base model."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(eq=False, repr=False)
class QuestionAnsweringModelOutput(ModelOutput):
    """loss: scalar, with positions only; start_logits, end_logits: [b, text tokens]; the rest as for the base model."""

    loss: torch.Tensor | None = None
    start_logits: torch.Tensor | None = None
    end_logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(eq=False, repr=False)
class RelationExtractionOutput(ModelOutput):
    """loss: scalar, with relations or labels only; entities, relations: as given; pred_relations: for each row its
    linked pairs, dictionaries as in `model.relation_decoder.linked_pairs`; logits: for each row [pairs, 2], not linked
    and linked; pairs: for each row int64 [pairs, 2], head and tail of these; token_logits: [b, text tokens, num_labels]
    with `relation_token_labels`; the rest as for the base model."""

    loss: torch.Tensor | None = None
    entities: Sequence[Mapping[str, Sequence[int]]] | None = None
    relations: Sequence[Mapping[str, Sequence[int]]] | None = None
    pred_relations: list[list[dict[str, Any]]] | None = None
    logits: Tensors | None = None
    pairs: Tensors | None = None
    token_logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@_registered
@dataclass(eq=False, repr=False)
class LayoutLMv2ForPreTrainingOutput(ModelOutput):
    """loss: scalar, the sum of the losses whose labels are given; masked_word_loss, alignment_loss, matching_loss:
    scalars, each with its labels only; prediction_logits: [b, text tokens, vocab_size], with `labels` [masked tokens,
    vocab_size]; alignment_logits: [b, text tokens, 2], not covered and covered; matching_logits: [b, 2], another
    picture and the page's own; the rest as for the base model."""

    loss: torch.Tensor | None = None
    masked_word_loss: torch.Tensor | None = None
    alignment_loss: torch.Tensor | None = None
    matching_loss: torch.Tensor | None = None
    prediction_logits: torch.Tensor | None = None
    alignment_logits: torch.Tensor | None = None
    matching_logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None
