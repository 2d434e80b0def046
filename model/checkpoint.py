"""Checkpoints in Hugging Face's format: reads and writes a folder with `config.json` and weights, for any model class.

Old names are accepted: weights of the published LayoutLMv2 models, TensorFlow's LayerNorm gamma and beta, batch
counters, and buffers (pixel means, position ids) that are now made from the configuration.
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

# Formerly stored with the weights, now made from the configuration or unused.
_DROPPED = ("num_batches_tracked", "position_ids", "pixel_mean", "pixel_std")
_WRITTEN = (SAFETENSORS_FILES[0], CONFIG_NAME)
_NAMES_SHOWN = 6
_FLOATING = ("float32", "bfloat16", "float16", "float64")


class CheckpointMismatchError(CheckpointError, RuntimeError):
    """The weights have shapes or names that do not fit the model. Also a RuntimeError, as in the reference."""


@dataclass(frozen=True)
class MatchedWeights:
    """How a checkpoint's tensors match a model, by the model's names.

    `mismatched` maps a name to the checkpoint's and the model's shape; `unused` has the checkpoint's own names.
    """

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]


def load_pretrained(
    model_class: type[ModelType],
    source: str | PathLike[str],
    *,
    config: LayoutLMv2Config | str | PathLike[str] | None = None,
    dtype: torch.dtype | str | None = None,
    torch_dtype: torch.dtype | str | None = None,
    ignore_mismatched_sizes: bool = False,
    device_map: str | int | torch.device | Mapping[str, str | int | torch.device] | None = None,
    cache_dir: str | PathLike[str] | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    subfolder: str | None = None,
    **config_overrides: Any,
) -> ModelType:
    """A model in evaluation mode with a checkpoint's weights.

    The checkpoint can have no head or another head: the head is then new, with random weights. One warning names the
    new and the unused tensors; the model keeps the names of the new ones as `new_tensors`.

    Args:
        model_class: a subclass of LayoutLMv2PreTrainedModel.
        source, cache_dir, revision, token, local_files_only, force_download, subfolder: as in `resolve_checkpoint`.
        config: used instead of the checkpoint's; a configuration, or where one is.
        dtype: of the model's floating tensors: a torch.dtype or its name; "auto" is the checkpoint's own; None is
            float32 regardless of the checkpoint. `torch_dtype` is its old name.
        ignore_mismatched_sizes: initialize tensors that have another shape in the checkpoint (a classifier for other
            labels) instead of raising.
        device_map: where to put the model, which is never split: "auto" is the GPU if there is one, else the CPU; or a
            device's name or number; or {"": device}. None is the CPU.
        config_overrides: replace values of the configuration, such as `num_labels=7`.

    Raises:
        CheckpointError (an OSError): the checkpoint cannot be found, downloaded or read.
        CheckpointMismatchError: its weights belong to another model.
        ValueError, TypeError: the configuration or an override is invalid.
    """
    device = choose_device(device_map)
    folder = resolve_checkpoint(
        source,
        cache_dir=cache_dir,
        revision=revision,
        token=token,
        local_files_only=local_files_only,
        force_download=force_download,
        subfolder=subfolder,
    )
    chosen_config = _choose_config(model_class, folder, config, config_overrides)
    paths = find_weights(folder)
    weights = {name: tensor for path in paths for name, tensor in read_weights(path).items()}
    chosen_dtype = _choose_dtype(dtype if dtype is not None else torch_dtype, chosen_config, weights)
    chosen_config.dtype = str(chosen_dtype).removeprefix("torch.")

    model = model_class(chosen_config)
    matched = match_weights(model, weights)
    _check_match(matched, model, source, weights, ignore_mismatched_sizes)
    model.load_state_dict(matched.fitting, strict=False)
    new_tensors: Any = frozenset((*matched.missing, *matched.mismatched))
    model.new_tensors = new_tensors
    _warn_about_differences(matched, model, source)
    _warn_about_pixel_statistics(model, weights, source)
    return model.to(device=device, dtype=chosen_dtype).eval()


def choose_device(
    device_map: str | int | torch.device | Mapping[str, str | int | torch.device] | None,
) -> torch.device | None:
    """The one device that `device_map` of `load_pretrained` names; None leaves the model on the CPU.

    Raises:
        ValueError: the name is no device, the device is not there, or the mapping splits the model.
    """
    if device_map is None:
        return None
    if isinstance(device_map, Mapping):
        devices = {str(device): device for device in device_map.values()}
        if len(devices) != 1:
            raise ValueError(f"device_map has the devices {sorted(devices)}; a model is put on one, as a whole")
        device_map = next(iter(devices.values()))
    if device_map in ("auto", "balanced", "balanced_low_0", "sequential"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(device_map)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device_map={device_map!r} is not a device of this machine ({_first_line(error)}); use 'auto'"
        ) from error
    return device


def save_pretrained(
    model: nn.Module, folder: str | PathLike[str], state_dict: Mapping[str, Tensor] | None = None
) -> None:
    """Write a model's `config.json` and `model.safetensors` into `folder`, which is created if necessary.

    `state_dict` is written instead of the model's own weights, under the model's names.

    Each file is replaced atomically, the configuration last.

    Raises:
        CheckpointError: `folder` is a file, or cannot be written.
    """
    folder = Path(folder)
    config: Any = model.config
    written = config.replace(architectures=[type(model).__name__], dtype=_dtype_name(model))
    # Tensors that share memory (tied weights) are written once, under their first name.
    state = model.state_dict() if state_dict is None else state_dict
    weights = {names[0]: state[names[0]] for names in _names_by_memory(state)}
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial, config_partial = (folder / f".{name}.{secrets.token_hex(4)}.partial" for name in _WRITTEN)
        try:
            config_partial.write_text(written.to_json_string(), encoding="utf-8")
            save_file(contiguous, partial, metadata={"format": "pt"})
            # safetensors makes the file readable by its owner only; give it the usual permissions.
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
        CheckpointError: the file is corrupt, or contains anything but a mapping of names to tensors.
    """
    with path.open("rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise CheckpointError(f"{path} is only a Git LFS pointer to the weights; run `git lfs pull` in its folder")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is corrupt ({_first_line(error)}); download or copy it again") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is corrupt, or contains Python objects besides tensors, which are not executed here "
            f"({_first_line(error)}); download it again, or convert it to model.safetensors where you trust it"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path} does not map names to tensors; save the model's state_dict()")
    return dict(content)


def match_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> MatchedWeights:
    """Match the tensors of a checkpoint, with this head, another or none, to the names that `model` has for them."""
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
    loaded = {name for names in _names_by_memory(state) if not fitting.keys().isdisjoint(names) for name in names}
    missing = [name for name in state if name not in loaded | mismatched.keys() and not name.endswith(_DROPPED)]
    return MatchedWeights(fitting, tuple(missing), tuple(unused), mismatched)


def _current_name(name: str) -> str:
    if name.startswith("layoutxlm."):  # the same network under its sibling's name
        name = name.replace("layoutxlm.", "layoutlmv2.", 1)
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _names_by_memory(state: Mapping[str, Tensor]) -> list[list[str]]:
    """Names grouped by tensors that share memory."""
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
        shapes = [f"{name} {list(has)}, expected {list(needs)}" for name, (has, needs) in matched.mismatched.items()]
        raise CheckpointMismatchError(
            f"{source} does not fit the configuration of {type(model).__name__}: {_listed(shapes)}. Keep num_labels "
            "and other values of the checkpoint, or pass ignore_mismatched_sizes=True for new, random tensors"
        )


def _warn_about_differences(matched: MatchedWeights, model: nn.Module, source: str | PathLike[str]) -> None:
    differences = []
    new = [*matched.missing, *matched.mismatched]
    if new:
        differences.append(f"new, with random weights, so train them first: {_listed(new)}")
    if matched.unused:
        differences.append(f"not used: {_listed(matched.unused)}")
    if differences:
        logger.warning("%s from %s: %s", type(model).__name__, source, "; ".join(differences))


def _warn_about_pixel_statistics(model: nn.Module, weights: Mapping[str, Tensor], source: str | PathLike[str]) -> None:
    """Old checkpoints also store the pixel mean and deviation; the configuration is used, as in the reference."""
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
                "%s stores %s %s; the value of its configuration, %s (detectron2_config_args), is used instead",
                source,
                ending,
                stored.tolist(),
                used.flatten().tolist(),
            )


def _choose_config(
    model_class: type[nn.Module],
    folder: Path,
    config: LayoutLMv2Config | str | PathLike[str] | None,
    overrides: Mapping[str, Any],
) -> LayoutLMv2Config:
    config_class: Any = getattr(model_class, "config_class")  # noqa: B009 - nn.Module has no such attribute
    if config is None or isinstance(config, str | PathLike):
        return config_class.from_dict(read_config_json(folder if config is None else config), **overrides)
    return config.replace(**overrides)


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
