"""The relation decoder of LayoutXLM's published code: a biaffine classifier over pairs of keys and values of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from model.config import LayoutLMv2Config
from model.pair_geometry import KEY, PAIR_FEATURES, VALUE
from model.pretrained import initialize

ENTITY_LABELS = 3
"""Headers, keys and values."""

LINKED = 1
"""The class of pairs that are linked; 0 are the others."""

Entities = Mapping[str, Sequence[int]]
"""The entities of a page: `start` and `end` (exclusive) tokens, and `label`, lists of one length."""

Relations = Mapping[str, Sequence[int]]
"""The links of a page: `head` and `tail`, lists of one length of indices of its entities."""


class Candidates(NamedTuple):
    """The pairs of a page that may be linked: those that are, then the others, each sorted by head and tail.

    pairs: (head, tail), indices of entities. labels: 1 or 0 a pair. is_placeholder: the page has no pair of a key and a
    value, and the only pair stands for it. starts, entity_labels: of the entities that the pairs mean.
    """

    pairs: list[tuple[int, int]]
    labels: list[int]
    is_placeholder: bool
    starts: list[int]
    entity_labels: list[int]


def candidates(entities: Entities, relations: Relations | None, both_orders: bool = False) -> Candidates:
    """Every pair of a key and a value of a page.

    A page without one has the pair of its first two entities, not linked, as in the published code; with fewer than
    three, that of two headers at the first token. (The published code takes that also for a key with one value, and so
    drops them; here they are a pair.)

    Args:
        entities: of the page.
        relations: its links; None if they are not known. Links of other pairs are left out, as in the published code.
        both_orders: whether a value may come before its key; in the published code it may not.
    """
    kinds = list(entities["label"])
    possible = {
        (head, tail)
        for head, kind in enumerate(kinds)
        if kind == KEY
        for tail, other in enumerate(kinds)
        if other == VALUE and (both_orders or head < tail)
    }
    starts = list(entities["start"])
    if not possible:
        few = len(kinds) < 3
        return Candidates([(0, 1)], [0], True, [0, 0] if few else starts, [0, 0] if few else kinds)
    links = set() if relations is None else set(zip(relations["head"], relations["tail"], strict=True))
    positive, negative = sorted(possible & links), sorted(possible - links)
    labels = [LINKED] * len(positive) + [0] * len(negative)
    return Candidates([*positive, *negative], labels, False, starts, kinds)


class Biaffine(nn.Module):
    """Scores of heads and tails: a bilinear form of the two and a linear one of both (Dozat and Manning, 2017)."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.bilinear = nn.Bilinear(features, features, classes, bias=False)
        self.linear = nn.Linear(2 * features, classes)

    def forward(self, heads: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """Scores [heads, tails, classes] of every head [heads, features] with every tail [tails, features]."""
        projected = torch.einsum("hi,cij->hcj", heads, self.bilinear.weight)
        of_head, of_tail = self.linear.weight.chunk(2, dim=1)
        separate = functional.linear(heads, of_head, self.linear.bias)[:, None] + functional.linear(tails, of_tail)
        return torch.einsum("hcj,tj->htc", projected, tails) + separate


class RelationDecoder(nn.Module):
    """Scores of pairs of entities from their first tokens and labels.

    Weights have the published names. Heads and tails are projected once an entity, not once a pair, so dropout is the
    same for all pairs of an entity. With `config.relation_geometry` a linear layer of the pairs' distances, zero in
    a new model, is added to the scores.
    """

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.entity_emb = nn.Embedding(ENTITY_LABELS, config.hidden_size, scale_grad_by_freq=True)
        self.ffnn_head = _projection(config)
        self.ffnn_tail = _projection(config)
        self.rel_classifier = Biaffine(config.hidden_size // 2, 2)
        initialize(self, config.initializer_range)
        self.geometry = nn.Linear(len(PAIR_FEATURES), 2) if config.relation_geometry else None
        if self.geometry is not None:
            nn.init.zeros_(self.geometry.weight)
            nn.init.zeros_(self.geometry.bias)

    def forward(
        self, hidden: torch.Tensor, page: Candidates, pair_features: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Score the pairs of one page.

        Args:
            hidden: floating [tokens, hidden_size].
            page: the candidates.
            pair_features: floating [entities, entities, features], where the decoder has a layer for them.

        Returns:
            pairs: int64 [pairs, 2], head and tail; logits: [pairs, 2], not linked and linked.
        """
        device = hidden.device
        labels = torch.tensor(page.entity_labels, device=device)
        entities = torch.cat([hidden[torch.tensor(page.starts, device=device)], self.entity_emb(labels)], dim=-1)
        pairs = torch.tensor(page.pairs, device=device)
        heads, tails = pairs.unbind(dim=1)
        logits = self.rel_classifier(self.ffnn_head(entities), self.ffnn_tail(entities))[heads, tails]
        if self.geometry is not None and pair_features is not None and not page.is_placeholder:
            logits = logits + self.geometry(pair_features.to(logits)[heads, tails])
        return pairs, logits


def linked_pairs(page: Candidates, entities: Entities, logits: torch.Tensor) -> list[dict[str, Any]]:
    """The pairs that are more probably linked than not, as in the published code.

    Returns:
        One dictionary a pair: `head` and `tail` are (start, end) in tokens, `head_id` and `tail_id` the indices of the
        entities, `head_type` and `tail_type` their labels, `type` is 1. A placeholder is never one.
    """
    if page.is_placeholder:
        return []
    linked = logits.argmax(dim=-1).tolist()
    return [
        {
            "head_id": head,
            "head": (entities["start"][head], entities["end"][head]),
            "head_type": entities["label"][head],
            "tail_id": tail,
            "tail": (entities["start"][tail], entities["end"][tail]),
            "tail_type": entities["label"][tail],
            "type": LINKED,
        }
        for (head, tail), kind in zip(page.pairs, linked, strict=True)
        if kind == LINKED
    ]


def check_entities(entities: Sequence[Entities], relations: Sequence[Relations] | None, rows: int, tokens: int) -> None:
    """Reject entities and links that do not fit a batch.

    Raises:
        ValueError: the pages or the lists differ in number, a start is no token, a label is not 0 to 2, or a link leads
            to no entity; the message names the page.
    """
    for name, pages in (("entities", entities), ("relations", relations)):
        if pages is not None and len(pages) != rows:
            raise ValueError(f"{name} are given for {len(pages)} pages, but the batch has {rows}")
    for page, found in enumerate(entities):
        lengths = {name: len(found[name]) for name in ("start", "end", "label")}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"page {page}: start, end and label of its entities have the lengths {lengths}")
        for start, label in zip(found["start"], found["label"], strict=True):
            if not 0 <= start < tokens:
                raise ValueError(f"page {page}: an entity starts at token {start} of {tokens}")
            if not 0 <= label < ENTITY_LABELS:
                raise ValueError(f"page {page}: an entity has the label {label}; 0 is a header, 1 a key, 2 a value")
        links = {"head": [], "tail": []} if relations is None else relations[page]
        if len(links["head"]) != len(links["tail"]):
            raise ValueError(f"page {page}: its links have {len(links['head'])} heads and {len(links['tail'])} tails")
        if any(not 0 <= end < lengths["label"] for end in (*links["head"], *links["tail"])):
            raise ValueError(f"page {page}: a link leads to an entity that is none of its {lengths['label']}")


def _projection(config: LayoutLMv2Config) -> nn.Sequential:
    size, probability = config.hidden_size, config.hidden_dropout_prob
    return nn.Sequential(
        nn.Linear(2 * size, size),
        nn.ReLU(),
        nn.Dropout(probability),
        nn.Linear(size, size // 2),
        nn.ReLU(),
        nn.Dropout(probability),
    )
