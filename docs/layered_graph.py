"""Where the boxes of a layered graph stand, so that few arrows cross and most of them are short.

Arrows that pass layers get a narrow place in each of them. Layers are ordered by the mean place of the neighbours, up
and down in turns; then each layer is moved as near to its neighbours as the widths of its boxes allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 200
PASSING_WIDTH = 26.0
"""Pixels that an arrow takes where it passes a layer."""


class Edge(NamedTuple):
    """An arrow from a node to one on a lower layer."""

    source: str
    target: str


@dataclass(frozen=True)
class Placed:
    """A layered graph with places, in pixels from the left.

    Attributes:
        left: of each node's box.
        exits, entries: where each edge leaves its source and enters its target.
        bends: where each edge passes the layers between, from the top down.
    """

    width: float
    left: dict[str, float]
    exits: dict[Edge, float]
    entries: dict[Edge, float]
    bends: dict[Edge, list[float]] = field(default_factory=dict)


Node = tuple[str, ...]
"""(name,) of a box; (source, target, layer) where an edge passes."""


def place_in_layers(layers: Sequence[Sequence[str]], edges: Sequence[Edge], box_width: float, gap: float) -> Placed:
    """Places for boxes of one width. The same graph gives the same places.

    Args:
        layers: names of the nodes, from the top down.
        edges: each from a higher layer to a lower one.
    """
    layer_of = {name: number for number, layer in enumerate(layers) for name in layer}
    ways: dict[Edge, list[Node]] = {
        edge: [
            (edge.source,),
            *((*edge, str(number)) for number in range(layer_of[edge.source] + 1, layer_of[edge.target])),
            (edge.target,),
        ]
        for edge in edges
    }
    rows: list[list[Node]] = [[(name,) for name in sorted(layer)] for layer in layers]
    for edge, way in ways.items():
        for number, node in enumerate(way[1:-1], layer_of[edge.source] + 1):
            rows[number].append(node)
    above: dict[Node, list[Node]] = {node: [] for row in rows for node in row}
    below: dict[Node, list[Node]] = {node: [] for row in rows for node in row}
    for way in ways.values():
        for upper, lower in pairwise(way):
            below[upper].append(lower)
            above[lower].append(upper)
    rows = _ordered(rows, above, below)
    widths = {node: box_width if len(node) == 1 else PASSING_WIDTH for row in rows for node in row}
    centres = _centred(rows, above, below, widths, gap)
    start = min(centres[node] - widths[node] / 2 for node in centres)
    centres = {node: centre - start for node, centre in centres.items()}
    exits, entries = _ports(ways, centres, box_width)
    return Placed(
        width=max(centres[node] + widths[node] / 2 for node in centres),
        left={name: centres[(name,)] - box_width / 2 for name in layer_of},
        exits=exits,
        entries=entries,
        bends={edge: [centres[node] for node in way[1:-1]] for edge, way in ways.items()},
    )


def _ordered(
    rows: list[list[Node]], above: Mapping[Node, list[Node]], below: Mapping[Node, list[Node]]
) -> list[list[Node]]:
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        order = list(range(len(rows))) if sweep % 2 == 0 else list(reversed(range(len(rows))))
        rows = [list(row) for row in rows]
        for number in order:
            place = {node: index / max(1, len(row) - 1) for row in rows for index, node in enumerate(row)}
            means = {
                node: sum(place[other] for other in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else place[node]
                for node in rows[number]
            }
            rows[number].sort(key=lambda node: (means[node], node))
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _crossings(rows: Sequence[Sequence[Node]], below: Mapping[Node, Sequence[Node]]) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {node: index for index, node in enumerate(lower)}
        ends = [place[target] for node in upper for target in sorted(below[node], key=place.__getitem__)]
        count += sum(first > second for number, first in enumerate(ends) for second in ends[number + 1 :])
    return count


def _centred(
    rows: Sequence[Sequence[Node]],
    above: Mapping[Node, Sequence[Node]],
    below: Mapping[Node, Sequence[Node]],
    widths: Mapping[Node, float],
    gap: float,
) -> dict[Node, float]:
    centres: dict[Node, float] = {}
    for row in rows:
        total = sum(widths[node] + gap for node in row)
        x = -total / 2
        for node in row:
            centres[node] = x + (widths[node] + gap) / 2
            x += widths[node] + gap
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wishes, weights = [], []
            for node in row:
                near = {other: _pull(node, other) for other in (*above[node], *below[node])}
                weights.append(sum(near.values()) or 1.0)
                total = sum(pull * centres[other] for other, pull in near.items())
                wishes.append(total / weights[-1] if near else centres[node])
            distances = [(widths[left] + widths[right]) / 2 + gap for left, right in pairwise(row)]
            centres.update(zip(row, _apart(wishes, weights, distances), strict=True))
    return centres


def _pull(node: Node, other: Node) -> float:
    """How much neighbours want to stand below each other: passing arrows more than others, to be straight."""
    return float(8 ** ((len(node) > 1) + (len(other) > 1)))


def _apart(wishes: Sequence[float], weights: Sequence[float], distances: Sequence[float]) -> list[float]:
    """The places nearest to the wishes (weighted least squares) that keep their order and distances."""
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    groups: list[tuple[float, float, int]] = []  # of each: the weighted sum of its wishes, its weight, its size
    for wish, weight, offset in zip(wishes, weights, offsets, strict=True):
        groups.append((weight * (wish - offset), weight, 1))
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            last, before = groups.pop(), groups.pop()
            groups.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    means = [total / weight for total, weight, size in groups for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _ports(
    ways: Mapping[Edge, Sequence[Node]], centres: Mapping[Node, float], box_width: float
) -> tuple[dict[Edge, float], dict[Edge, float]]:
    """Edges leave and enter a box beside each other, in the order of where they come from and go to."""
    exits: dict[Edge, float] = {}
    entries: dict[Edge, float] = {}
    for side, ports in ((0, exits), (-1, entries)):
        next_node = 1 if side == 0 else -2
        boxes: dict[Node, list[Edge]] = {}
        for edge, way in ways.items():
            boxes.setdefault(way[side], []).append(edge)
        for box, edges in boxes.items():
            edges.sort(key=lambda edge: (centres[ways[edge][next_node]], edge))
            for number, edge in enumerate(edges, 1):
                ports[edge] = centres[box] + box_width * (number / (len(edges) + 1) - 0.5)
    return exits, entries
