"""Checkpoints in Hugging Face's format: a folder with `config.json` and weights, read into any model class and written.

Old names are taken: weights of the published LayoutLMv2 models, TensorFlow's LayerNorm gamma and beta, counters of
batches, and buffers (pixel means, position ids) that are now made from the configuration.
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.checkpoint_source import (
    CONFIG_NAME,
    SAFETENSORS_FILES,
    CheckpointError,
    checkpoint_fingerprint,
    find_weights,
    read_config_json,
    resolve_checkpoint,
)

if TYPE_CHECKING:
    from model.config import LayoutLMv2Config

__all__ = [
    "CheckpointError",
    "CheckpointMismatchError",
    "checkpoint_fingerprint",
    "load_pretrained",
    "read_config_json",
    "read_weights",
    "resolve_checkpoint",
    "save_pretrained",
]

logger = logging.getLogger(__name__)

ModelType = TypeVar("ModelType", bound=nn.Module)

# Once stored with the weights, now made from the configuration or of no use.
_DROPPED = ("num_batches_tracked", "position_ids", "pixel_mean", "pixel_std")
_WRITTEN = (SAFETENSORS_FILES[0], CONFIG_NAME)
_NAMES_SHOWN = 6
_FLOATING = ("float32", "bfloat16", "float16", "float64")


class CheckpointMismatchError(CheckpointError, RuntimeError):
    """Weights whose shapes, or names altogether, are not the model's. A RuntimeError too, as in the reference."""


@dataclass(frozen=True)
class MatchedWeights:
    """How a checkpoint's tensors fit a model: by the model's names, what fits and what does not.

    `mismatched` maps a name to the checkpoint's and the model's shape; `unused` holds the checkpoint's own names.
    """

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]


def load_pretrained(
    model_class: type[ModelType],
    source: str | PathLike[str],
    *,
    config: LayoutLMv2Config | None = None,
    dtype: torch.dtype | str | None = None,
    torch_dtype: torch.dtype | str | None = None,
    ignore_mismatched_sizes: bool = False,
    cache_dir: str | PathLike[str] | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    **config_overrides: Any,
) -> ModelType:
    """A model in evaluation mode with a checkpoint's weights.

    A checkpoint of the model without a head, or with another head, is taken too: the head is then new, with random
    weights. What is new and what was not used is said in one warning; the names of the new tensors are kept as
    `new_tensors`.

    Args:
        model_class: a subclass of LayoutLMv2PreTrainedModel.
        source, cache_dir, revision, token, local_files_only: as in `resolve_checkpoint`.
        config: used instead of the checkpoint's.
        dtype: of the model's floating tensors: a torch.dtype or its name; "auto" is the checkpoint's own; None is
            float32, whatever the checkpoint has. `torch_dtype` is its old name.
        ignore_mismatched_sizes: make tensors new whose shape in the checkpoint is another one (a classifier for other
            labels), instead of raising.
        config_overrides: replace values of the configuration, such as `num_labels=7`.

    Raises:
        CheckpointError (an OSError): it cannot be had or read.
        CheckpointMismatchError: its weights belong to another model.
        ValueError, TypeError: the configuration, or an override, makes no model.
    """
    folder = resolve_checkpoint(
        source, cache_dir=cache_dir, revision=revision, token=token, local_files_only=local_files_only
    )
    config_class: Any = getattr(model_class, "config_class")  # noqa: B009 - nn.Module knows no such attribute
    if config is None:
        config = config_class.from_dict(read_config_json(folder), **config_overrides)
    else:
        config = config.replace(**config_overrides)
    paths = find_weights(folder)
    weights = {name: tensor for path in paths for name, tensor in read_weights(path).items()}
    wanted = _choose_dtype(dtype if dtype is not None else torch_dtype, config, weights)
    config.dtype = str(wanted).removeprefix("torch.")

    model = model_class(config)
    matched = match_weights(model, weights)
    _check_match(matched, model, source, weights, ignore_mismatched_sizes)
    model.load_state_dict(matched.fitting, strict=False)
    new_tensors: Any = frozenset((*matched.missing, *matched.mismatched))
    model.new_tensors = new_tensors
    _warn_of_differences(matched, model, source)
    _warn_of_other_pixels(model, weights, source)
    return model.to(wanted).eval()


def save_pretrained(model: nn.Module, folder: str | PathLike[str]) -> None:
    """Write a model's `config.json` and `model.safetensors` into `folder`, which is made if need be.

    Each file appears whole or not at all, the configuration last; older ones are replaced.

    Raises:
        CheckpointError: `folder` is a file, or may not be written.
    """
    folder = Path(folder)
    config: Any = model.config
    written = config.replace(architectures=[type(model).__name__], dtype=_dtype_name(model))
    # Tensors that share memory (tied weights) are written once, under their first name.
    weights = {names[0]: model.state_dict()[names[0]] for names in _names_by_memory(model.state_dict())}
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial, config_partial = (folder / f".{name}.{secrets.token_hex(4)}.partial" for name in _WRITTEN)
        try:
            config_partial.write_text(written.to_json_string(), encoding="utf-8")
            save_file(contiguous, partial, metadata={"format": "pt"})
            # safetensors lets only the owner read; a checkpoint is for whoever may read its folder.
            partial.chmod(config_partial.stat().st_mode)
            os.replace(partial, folder / SAFETENSORS_FILES[0])
            os.replace(config_partial, folder / CONFIG_NAME)
        finally:
            partial.unlink(missing_ok=True)
            config_partial.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder} cannot be written: {error}") from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of one file, on the CPU: safetensors, or the old format of `torch.save` without running its code.

    Raises:
        CheckpointError: the file is broken, or holds something other than tensors by name.
    """
    with path.open("rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise CheckpointError(f"{path} is only Git LFS's pointer to the weights; run `git lfs pull` in its folder")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is broken ({_first_line(error)}); download or copy it again") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is broken, or holds Python objects beside tensors, which are not run here "
            f"({_first_line(error)}); download it again, or save the model as model.safetensors where you trust it"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path} holds no tensors by name; save the model's state_dict()")
    return dict(content)


def match_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> MatchedWeights:
    """Give the tensors of a checkpoint, be it with this head, another or none, the names that `model` has for them."""
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    state = model.state_dict()
    fitting: dict[str, Tensor] = {}
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    unused = []
    for stored_name, tensor in weights.items():
        name = _current_name(stored_name)
        name = next((known for known in (name, prefix + name, name.removeprefix(prefix)) if known in state), "")
        if not name:
            if stored_name.rpartition(".")[2] not in _DROPPED:
                unused.append(stored_name)
        elif tensor.shape != state[name].shape:
            mismatched[name] = (tuple(tensor.shape), tuple(state[name].shape))
        else:
            fitting[name] = tensor
    given = {name for names in _names_by_memory(state) if not fitting.keys().isdisjoint(names) for name in names}
    missing = [name for name in state if name not in given | mismatched.keys() and not name.endswith(_DROPPED)]
    return MatchedWeights(fitting, tuple(missing), tuple(unused), mismatched)


def _current_name(name: str) -> str:
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _names_by_memory(state: Mapping[str, Tensor]) -> list[list[str]]:
    """Names in groups whose tensors are one and the same."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in state.items():
        groups.setdefault((tensor.data_ptr(), tensor.shape) if tensor.numel() else name, []).append(name)
    return list(groups.values())


def _check_match(
    matched: MatchedWeights,
    model: nn.Module,
    source: str | PathLike[str],
    weights: Mapping[str, Tensor],
    ignore_mismatched_sizes: bool,
) -> None:
    if not matched.fitting:
        raise CheckpointMismatchError(
            f"{source}: none of its {len(weights)} tensors ({_listed(weights)}) belongs to {type(model).__name__}; "
            "is it a checkpoint of another kind of model?"
        )
    if matched.mismatched and not ignore_mismatched_sizes:
        shapes = [f"{name} {list(has)}, wanted {list(wants)}" for name, (has, wants) in matched.mismatched.items()]
        raise CheckpointMismatchError(
            f"{source} does not fit the configuration of {type(model).__name__}: {_listed(shapes)}. Leave num_labels "
            "and other values as the checkpoint has them, or pass ignore_mismatched_sizes=True for new, random tensors"
        )


def _warn_of_differences(matched: MatchedWeights, model: nn.Module, source: str | PathLike[str]) -> None:
    told = []
    new = [*matched.missing, *matched.mismatched]
    if new:
        told.append(f"new, with random weights, so train them first: {_listed(new)}")
    if matched.unused:
        told.append(f"not used: {_listed(matched.unused)}")
    if told:
        logger.warning("%s from %s: %s", type(model).__name__, source, "; ".join(told))


def _warn_of_other_pixels(model: nn.Module, weights: Mapping[str, Tensor], source: str | PathLike[str]) -> None:
    """Old checkpoints store the pixel mean and deviation too; the configuration counts, as in the reference."""
    buffers = dict(model.named_buffers())
    for stored_name, tensor in weights.items():
        ending = stored_name.rpartition(".")[2]
        if ending not in ("pixel_mean", "pixel_std"):
            continue
        used = next((buffer for name, buffer in buffers.items() if name.endswith(f"visual.{ending}")), None)
        if used is None:
            continue
        stored = tensor.float().flatten()
        if stored.numel() != used.numel() or not torch.allclose(stored, used.float().flatten(), rtol=1e-3):
            logger.warning(
                "%s stores %s %s; used is what its configuration says, %s (detectron2_config_args)",
                source,
                ending,
                stored.tolist(),
                used.flatten().tolist(),
            )


def _choose_dtype(
    dtype: torch.dtype | str | None, config: LayoutLMv2Config, weights: Mapping[str, Tensor]
) -> torch.dtype:
    if dtype is None:
        return torch.float32
    if dtype == "auto":
        first = next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), torch.float32)
        dtype = config.dtype or first
    name = str(dtype).removeprefix("torch.")
    if name not in _FLOATING:
        raise ValueError(f"dtype is {dtype!r}; choose one of {', '.join(_FLOATING)}, or 'auto'")
    return getattr(torch, name)


def _dtype_name(model: nn.Module) -> str:
    first = next((parameter for parameter in model.parameters() if parameter.is_floating_point()), torch.empty(0))
    return str(first.dtype).removeprefix("torch.")


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _NAMES_SHOWN} more" if len(every) > _NAMES_SHOWN else ""
    return ", ".join(every[:_NAMES_SHOWN]) + more


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
