"""Micro batches on their way from the tasks that load them to the model: arrays, rows of Arrow, tensors.

An array is stored flat, under the name of the model's argument; the number of rows gives its shape back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.schema import MODEL_IMAGE_SHAPE, Row

if TYPE_CHECKING:
    import torch


def array_fields(dtypes: Mapping[str, npt.DTypeLike]) -> list[pa.Field]:
    """The fields of a schema for flat arrays of these dtypes; the values of an absent array are null."""
    return [pa.field(name, pa.list_(pa.from_numpy_dtype(np.dtype(dtype)))) for name, dtype in dtypes.items()]


def flat_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], dtypes: Mapping[str, npt.DTypeLike]
) -> dict[str, npt.NDArray[Any]]:
    """The arrays as they are stored: one-dimensional, each of its dtype."""
    return {name: np.ascontiguousarray(array, dtype=dtypes[name]).reshape(-1) for name, array in arrays.items()}


def micro_batch_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows of a schema as a table; what a row lacks is null."""
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def model_tensors(record: pa.RecordBatch, names: Iterable[str], rows: int) -> dict[str, torch.Tensor]:
    """The arrays of one micro batch as the model's arguments, without those that are null.

    Args:
        record: of one row.
        names: of the arrays.
        rows: windows of the micro batch.

    Returns:
        `image` uint8 [images, 3, 224, 224], `bbox` int64 [rows, tokens, 4], and the others int64: [rows] if they hold
        one value a window, else [rows, tokens].
    """
    import torch

    tensors: dict[str, torch.Tensor] = {}
    for name in names:
        column = record.column(name)
        if column.null_count:
            continue
        flat = torch.from_numpy(column.flatten().to_numpy(zero_copy_only=False).copy())
        if name == "image":
            tensors[name] = flat.view(-1, *MODEL_IMAGE_SHAPE)
        elif name == "bbox":
            tensors[name] = flat.view(rows, -1, 4).long()
        elif len(flat) == rows:
            tensors[name] = flat.long()
        else:
            tensors[name] = flat.view(rows, -1).long()
    return tensors
