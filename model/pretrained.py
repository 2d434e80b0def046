"""The base class of the models: reading and writing checkpoints, word embeddings, gradient checkpointing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import torch
import torch.distributed
from torch import nn

from model.config import LayoutLMv2Config
from model.hub import Publishable
from model.relative_bias import DistanceTable

ModelType = TypeVar("ModelType", bound="LayoutLMv2PreTrainedModel")


class LayoutLMv2PreTrainedModel(Publishable, nn.Module):
    """The base of the model classes. `config` is checked when a model is built, so a model always has a valid one."""

    base_model_prefix: ClassVar[str] = "layoutlmv2"
    config_class: ClassVar[type[LayoutLMv2Config]] = LayoutLMv2Config

    new_tensors: frozenset[str] = frozenset()
    """After `from_pretrained`: the names of the tensors that are not in the checkpoint, which are random."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        if not isinstance(config, LayoutLMv2Config):
            raise TypeError(
                f"{type(self).__name__} is built from a LayoutLMv2Config; to read a checkpoint use "
                f"{type(self).__name__}.from_pretrained(folder, hub id or s3://...)"
            )
        config.validate()
        self.config = config

    @classmethod
    def from_pretrained(cls: type[ModelType], pretrained_model_name_or_path: str | Path, **kwargs: Any) -> ModelType:
        """A model in evaluation mode with the weights of a checkpoint.

        Args:
            pretrained_model_name_or_path: a folder, a hub id, or `s3://bucket/prefix`.
            kwargs: the arguments of `model.checkpoint.load_pretrained` (`config`, `dtype`, `device_map`, `revision`);
                the rest replace values of the configuration (`num_labels=7`).
        """
        from model.checkpoint import load_pretrained

        return cast(ModelType, load_pretrained(cls, pretrained_model_name_or_path, **kwargs))

    def save_pretrained(
        self,
        save_directory: str | Path,
        is_main_process: bool = True,
        state_dict: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """Write `config.json` and `model.safetensors` into `save_directory`, in the reference's format.

        Args:
            save_directory: created if necessary.
            is_main_process: False writes nothing, for the other processes of a distributed training.
            state_dict: weights to write instead of the model's own, under the same names.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        from model.checkpoint import save_pretrained

        if is_main_process:
            save_pretrained(self, save_directory, state_dict)

    @property
    def base_model(self) -> LayoutLMv2PreTrainedModel:
        """The `LayoutLMv2Model` inside a model with a head, or the model itself."""
        return cast(LayoutLMv2PreTrainedModel, getattr(self, self.base_model_prefix, self))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the first floating-point weight."""
        return next(parameter.dtype for parameter in self.parameters() if parameter.is_floating_point())

    @property
    def device(self) -> torch.device:
        """The device of the first weight."""
        return next(self.parameters()).device

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of word embeddings, [vocab_size, hidden_size]."""
        return cast(Any, self.base_model).embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the table of word embeddings; `config.vocab_size` is updated."""
        base = cast(Any, self.base_model)
        base.embeddings.word_embeddings = value
        self.config.vocab_size = base.config.vocab_size = value.num_embeddings

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """Give the table of word embeddings another number of rows, as after `tokenizer.add_tokens`.

        Args:
            new_num_tokens: the tokens, usually `len(tokenizer)`; further rows are cut off. None keeps the number.
            pad_to_multiple_of: round the number up to a multiple of this.
            mean_resizing: new rows are the mean of the old ones; otherwise they are random, as in a new model. (The
                reference adds noise of a variance of 1e-9 of the old ones to the mean.)

        Returns:
            The table, [tokens, hidden_size]; `config.vocab_size` is updated.

        Raises:
            ValueError: a number is less than 1, or the padding token would be cut off.
        """
        old = self.get_input_embeddings()
        tokens = old.num_embeddings if new_num_tokens is None else new_num_tokens
        if tokens < 1 or (pad_to_multiple_of is not None and pad_to_multiple_of < 1):
            raise ValueError(f"{tokens} tokens, in multiples of {pad_to_multiple_of}: both must be 1 or more")
        if pad_to_multiple_of is not None:
            tokens = -(-tokens // pad_to_multiple_of) * pad_to_multiple_of
        if tokens == old.num_embeddings:
            return old
        if old.padding_idx is not None and old.padding_idx >= tokens:
            raise ValueError(f"{tokens} tokens would cut off the padding token, pad_token_id={old.padding_idx}")
        weight = old.weight.detach().new_empty(tokens, old.embedding_dim)
        kept = min(tokens, old.num_embeddings)
        weight[:kept] = old.weight.detach()[:kept]
        if mean_resizing:
            weight[kept:] = old.weight.detach().float().mean(dim=0).to(weight.dtype)
        else:
            weight[kept:].normal_(std=self.config.initializer_range)
        table = nn.Embedding(tokens, old.embedding_dim, padding_idx=old.padding_idx, _weight=weight)
        table.weight.requires_grad_(old.weight.requires_grad)
        self.set_input_embeddings(table)
        return table

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """The number of weights; `only_trainable` leaves out frozen ones, `exclude_embeddings` the embedding tables."""
        tables = (
            [part.weight for part in self.modules() if isinstance(part, nn.Embedding)] if exclude_embeddings else []
        )
        left_out = set(map(id, tables))
        return sum(
            parameter.numel()
            for parameter in self.parameters()
            if id(parameter) not in left_out and (parameter.requires_grad or not only_trainable)
        )

    def synchronize_batch_norm(self, process_group: torch.distributed.ProcessGroup | None = None) -> None:
        """Share the batch statistics of the visual backbone; see `VisualBackbone.synchronize_batch_norm`."""
        cast(Any, self.base_model).visual.synchronize_batch_norm(process_group)

    def gradient_checkpointing_enable(self) -> None:
        """In training, keep only each layer's input and recompute the layer for its gradient: less memory."""
        cast(Any, self.base_model).encoder.gradient_checkpointing = True

    def gradient_checkpointing_disable(self) -> None:
        cast(Any, self.base_model).encoder.gradient_checkpointing = False

    @property
    def is_gradient_checkpointing(self) -> bool:
        return bool(cast(Any, self.base_model).encoder.gradient_checkpointing)


def initialize(module: nn.Module, standard_deviation: float) -> None:
    """Initialize weights as in the reference: normal for linear layers and tables, zero biases, default norms."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding | DistanceTable):
            nn.init.normal_(part.weight, std=standard_deviation)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
        if isinstance(part, nn.Embedding) and part.padding_idx is not None:
            with torch.no_grad():
                part.weight[part.padding_idx].zero_()
        if isinstance(part, nn.LayerNorm):
            part.reset_parameters()
