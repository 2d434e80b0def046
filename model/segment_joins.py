"""Do two neighbouring segments belong to one entity? A small classifier over their geometry, letters and labels.

The features of a pair of segments go through one hidden layer of rectified units. Its weights are learned on labelled
pages by `pipelines.training.segment_joins` and stand in the checkpoint's `decoding.json`; those of `default_joins` were
learned on drawn forms and serve any other checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.segments import COLONS, Rectangles

KINDS = ("HEADER", "QUESTION", "ANSWER")
"""The kinds of entities that have features of their own; any other has those that are common to all."""

MAX_LINE_GAP = 3.0
"""Segments of which one is farther below the other than this, in heights of a line, are never joined."""

_BULLET = re.compile(r"[•\-*o·]|\(?\w{1,3}[.)]")


@dataclass(frozen=True, eq=False)
class JoinClassifier:
    """The weights of the classifier.

    Attributes:
        features: their names, in the order of the weights.
        mean, scale: float64 [features]; each feature is normalised by them.
        hidden_weight: float64 [hidden, features].
        hidden_bias: float64 [hidden].
        output_weight: float64 [hidden].
        output_bias: of the log-odds.
    """

    features: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    hidden_weight: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    output_weight: NDArray[np.float64]
    output_bias: float

    def probabilities(self, pairs: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
        """The probability of each pair of segments that they belong together, float64 [pairs]."""
        values = np.array([[pair[name] for name in self.features] for pair in pairs]).reshape(-1, len(self.features))
        hidden = np.maximum(0.0, (values - self.mean) / self.scale @ self.hidden_weight.T + self.hidden_bias)
        return 1 / (1 + np.exp(-np.clip(hidden @ self.output_weight + self.output_bias, -60, 60)))

    def to_json(self) -> dict[str, Any]:
        """Lists and numbers, with five digits."""
        arrays = ("mean", "scale", "hidden_weight", "hidden_bias", "output_weight")
        rounded = {name: np.vectorize(_five_digits)(getattr(self, name)).tolist() for name in arrays}
        return {"features": list(self.features), **rounded, "output_bias": _five_digits(self.output_bias)}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> JoinClassifier:
        """Read what `to_json` gave.

        Raises:
            ValueError: the weights do not fit each other or the features of this version, or are not finite.
            KeyError: a part is missing.
        """
        features = tuple(content["features"])
        hidden = np.asarray(content["hidden_weight"], dtype=np.float64)
        parts = {name: np.asarray(content[name], dtype=np.float64) for name in ("mean", "scale")}
        bias, output = (np.asarray(content[name], dtype=np.float64) for name in ("hidden_bias", "output_weight"))
        output_bias = float(content["output_bias"])
        unknown = set(features) - set(FEATURES)
        if unknown:
            raise ValueError(f"features that this version does not know: {', '.join(sorted(map(str, unknown)))}")
        fits = hidden.shape == (len(bias), len(features)) and output.shape == bias.shape and bias.ndim == 1
        fits &= all(part.shape == (len(features),) for part in parts.values())
        numbers = (hidden, bias, output, np.array(output_bias), *parts.values())
        if not fits or not all(np.isfinite(part).all() for part in numbers) or not (parts["scale"] > 0).all():
            raise ValueError("the weights of the joins do not fit each other, or are not finite")
        return JoinClassifier(features, parts["mean"], parts["scale"], hidden, bias, output, output_bias)


@cache
def default_joins() -> JoinClassifier:
    """The weights that come with this package."""
    path = Path(__file__).with_name("segment_joins.json")
    return JoinClassifier.from_json(json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class LabelledSegment:
    """A segment with what the model says about it.

    Attributes:
        words: indices, in reading order.
        box: float64 [4], see `Rectangles`.
        height: the median height of its words.
        kind: the most probable kind.
        kind_probability: of that kind, 0-1.
        begins: the share of B- in the probability of that kind at the first word, 0-1.
    """

    words: list[int]
    box: Rectangles
    height: float
    kind: str
    kind_probability: float
    begins: float


def join_candidates(segments: Sequence[LabelledSegment]) -> list[tuple[int, int]]:
    """The pairs of segments, by position, that may belong together.

    A segment may continue its predecessor in reading order, or the nearest one above that overlaps it, if that is near
    and of its kind.
    """
    boxes = np.array([segment.box for segment in segments]).reshape(-1, 4)
    pairs: list[tuple[int, int]] = []
    for second, segment in enumerate(segments):
        shared = np.minimum(boxes[:, 2], segment.box[2]) - np.maximum(boxes[:, 0], segment.box[0])
        gaps = segment.box[1] - boxes[:, 3]
        middle = (boxes[:, 1] + boxes[:, 3]) < (segment.box[1] + segment.box[3]) - segment.height
        over = (shared > 0) & middle & (gaps < MAX_LINE_GAP * segment.height)
        above = int(np.where(over, gaps, np.inf).argmin()) if over.any() else -1
        for first in sorted({second - 1, above} & set(range(second))):
            near = -MAX_LINE_GAP < gaps[first] / segment.height < MAX_LINE_GAP
            if near and segments[first].kind == segment.kind:
                pairs.append((first, second))
    return pairs


def join_features(
    words: Sequence[str], rectangles: Rectangles, first: LabelledSegment, second: LabelledSegment
) -> dict[str, float]:
    """The features of a pair of segments, of which the second may continue the first."""
    height = max(first.height, second.height)
    line_gap = (second.box[1] - first.box[3]) / height
    shared = min(first.box[3], second.box[3]) - max(first.box[1], second.box[1])
    same_line = shared > 0.5 * min(first.box[3] - first.box[1], second.box[3] - second.box[1])
    other_line = 0.0 if same_line else 1.0
    left_edges = (second.box[0] - first.box[0]) / height
    begin, end = rectangles[second.words[0]], rectangles[first.words[-1]]
    # Would the next word have had room on the first line, as wide as the wider of the two?
    room = (max(first.box[2], second.box[2]) - end[2] - (begin[2] - begin[0])) / height
    overlap = min(first.box[2], second.box[2]) - max(first.box[0], second.box[0])
    last, after = words[first.words[-1]], words[second.words[0]]
    features = {
        "follows": float(second.words[0] == first.words[-1] + 1),
        "below": other_line * (line_gap > -0.6),
        "line_gap": other_line * float(np.clip(line_gap, -1, 4)),
        "wide_gap": other_line * (line_gap > 1.2),
        "same_line": 1 - other_line,
        "word_gap": (1 - other_line) * float(np.clip((second.box[0] - first.box[2]) / height, -2, 8)) / 4,
        "edge_distance": min(abs(left_edges), 6.0),
        "aligned": other_line * (abs(left_edges) < 0.6),
        "indented": other_line * (left_edges > 0.8),
        "outdented": other_line * (left_edges < -0.8),
        "overlaps": other_line * (overlap > 0),
        "room": other_line * float(np.clip(room, -6, 12)) / 4,
        "has_room": other_line * (room > 0.5),
        "is_full": other_line * (room < -0.5),
        "height_ratio": abs(float(np.log(first.height / second.height))),
        "ends_sentence": float(last.endswith((".", "!", "?", "。", "！", "？"))),
        "ends_comma": float(last.endswith((",", ";", "，", "、", "；"))),
        "ends_colon": float(last.endswith(COLONS)),
        "ends_open": float(last.endswith(("-", "&", "/", "("))),
        "ends_lower": float(last.isalpha() and last.islower()),
        "starts_lower": float(after[:1].islower()),
        "starts_upper": float(after[:1].isupper()),
        "starts_digit": float(after[:1].isdigit()),
        "starts_bracket": float(after.startswith(("(", "（"))),
        "starts_bullet": float(_BULLET.fullmatch(after[:5]) is not None),
        "both_digits": float(last[-1:].isdigit() and after[:1].isdigit()),
        "both_capitals": float(last.isupper() and after.isupper()),
        "first_words": min(len(first.words), 12) / 6,
        "second_words": min(len(second.words), 12) / 6,
        "first_is_word": float(len(first.words) == 1),
        "second_is_word": float(len(second.words) == 1),
        "first_begins": first.begins,
        "second_begins": second.begins,
        "first_probability": first.kind_probability,
        "second_probability": second.kind_probability,
    }
    for kind in KINDS:
        features[f"is_{kind.lower()}"] = float(second.kind.upper() == kind)
    return {name: float(value) for name, value in features.items()}


def _five_digits(value: float) -> float:
    return float(f"{float(value):.5g}")


def _feature_names() -> tuple[str, ...]:
    segment = LabelledSegment([0], np.array([0.0, 0.0, 1.0, 1.0]), 1.0, "", 1.0, 1.0)
    return tuple(join_features(("a",), segment.box[None], segment, segment))


FEATURES = _feature_names()
"""The names of the features, in the order of `join_features`."""
