"""How a checkpoint's logits become entities: `decoding.json` beside its weights.

A checkpoint without the file is decoded word by word, with the probabilities that its logits give.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from model.checkpoint_source import DECODING_NAME, CheckpointError
from model.score_curve import ScoreCurve, read_score_curve
from model.segment_joins import JoinClassifier

DecodeMethod = Literal["words", "segments"]
"""words: each word has the label of its own logits. segments: words of a line without a gap share a label."""

DecodeChoice = Literal["auto", "words", "segments"]
"""auto: as the checkpoint says."""


@dataclass(frozen=True)
class Decoding:
    """How logits become entities.

    Attributes:
        method: the unit that gets a label.
        temperatures: by label; the label's logit is divided by it before the softmax. 1 where a label is missing.
        joins: decides which segments belong together; None for the weights that come with this package.
        score_curves: of "entities" and of "pairs", as jobs.calibrate measures them; empty where it did not.
    """

    method: DecodeMethod = "words"
    temperatures: Mapping[str, float] = field(default_factory=dict)
    joins: JoinClassifier | None = None
    score_curves: Mapping[str, ScoreCurve] = field(default_factory=dict)

    def temperature_vector(self, labels: tuple[str, ...]) -> NDArray[np.float32]:
        """float32 [labels], in the order of the logits."""
        return np.array([self.temperatures.get(label, 1.0) for label in labels], dtype=np.float32)


def load_decoding(folder: Path) -> Decoding:
    """The decoding of a checkpoint's folder.

    Raises:
        CheckpointError: `decoding.json` is damaged.
    """
    path = folder / DECODING_NAME
    if not path.is_file():
        return Decoding()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        method = content["method"]
        temperatures = _numbers(content.get("temperatures", {}))
        joins = None if content.get("joins") is None else JoinClassifier.from_json(content["joins"])
        curves = {str(name): read_score_curve(rows) for name, rows in content.get("score_curves", {}).items()}
        if method not in get_args(DecodeMethod) or any(value <= 0 for value in temperatures.values()):
            raise ValueError("method is words or segments, and temperatures are above 0")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}; copy it again, or remove it") from error
    return Decoding(method, temperatures, joins, curves)


def save_decoding(decoding: Decoding, folder: Path) -> None:
    """Write `decoding.json`, at once: whoever reads it meanwhile has the old file or the new one."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=folder, prefix=f".{DECODING_NAME}-", delete=False
    ) as file:
        try:
            file.write(decoding_json(decoding))
            file.close()
            os.chmod(file.name, 0o644)
            os.replace(file.name, folder / DECODING_NAME)
        except OSError:
            os.unlink(file.name)
            raise


def decoding_json(decoding: Decoding) -> str:
    """The content of `decoding.json`."""
    content: dict[str, Any] = {
        "method": decoding.method,
        "temperatures": dict(decoding.temperatures),
        "joins": None if decoding.joins is None else decoding.joins.to_json(),
        "score_curves": {name: [asdict(point) for point in curve] for name, curve in decoding.score_curves.items()},
    }
    return json.dumps(content, indent=1) + "\n"


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    numbers = {str(name): float(value) for name, value in values.items()}
    if not all(np.isfinite(value) for value in numbers.values()):
        raise ValueError("numbers must be finite")
    return numbers
