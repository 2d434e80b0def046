"""Relation extraction: which value belongs to which key, over given entities (LayoutXLM, Xu et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.config import LayoutLMv2Config
from model.heads import IGNORED_LABEL
from model.layoutlmv2 import LayoutLMv2Model
from model.outputs import RelationExtractionOutput
from model.pair_geometry import PAIR_FEATURES
from model.pretrained import LayoutLMv2PreTrainedModel, initialize
from model.relation_decoder import Entities, RelationDecoder, Relations, candidates, check_entities, linked_pairs


class LayoutLMv2ForRelationExtraction(LayoutLMv2PreTrainedModel):
    """Links of the keys and values of a page; weights are those of the published LayoutXLM checkpoints.

    Two values of the configuration, both False in those, add to it. `relation_geometry`: the pairs' distances are an
    input too, and a value may come before its key. `relation_token_labels`: the model has the classifier of
    `LayoutLMv2ForTokenClassification` as well, under the same names, so one pass gives entities and links, and training
    can learn both together.
    """

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        self.layoutlmv2 = LayoutLMv2Model(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels) if config.relation_token_labels else None
        if self.classifier is not None:
            initialize(self.classifier, config.initializer_range)
        self.extractor = RelationDecoder(config)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        bbox: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        image: Any = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        head_mask: None = None,
        inputs_embeds: torch.Tensor | None = None,
        entities: Sequence[Entities] | None = None,
        relations: Sequence[Relations] | None = None,
        pair_features: Sequence[torch.Tensor] | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        image_of_row: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
    ) -> RelationExtractionOutput | tuple[Any, ...]:
        """Score pairs of entities; arguments and errors beyond these as in `LayoutLMv2Model.forward`.

        Args:
            labels: int64 [b, t], as for token classification, with `config.relation_token_labels`; otherwise ignored,
                as in the published code.
            head_mask: must be None; it is here for the published order of arguments.
            entities: one mapping a row: `start` and `end` (exclusive), tokens of the row, and `label` (0 header, 1 key,
                2 value), lists of one length, which may be empty. Needed, unless the model has token labels.
            relations: one mapping a row: `head` and `tail`, indices of entities. The loss is the sum over the rows of
                the mean cross-entropy of their pairs, plus that of the tokens where `labels` are given.
            pair_features: with `config.relation_geometry`, one a row, floating [entities, entities, features] as made
                by `model.pair_geometry.pair_features`; otherwise None.

        Raises:
            ValueError: `head_mask` is given; entities, relations and rows do not fit each other; or pair features are
                missing, have another shape, or the model has no layer for them.
        """
        if head_mask is not None:
            raise ValueError("head_mask is not supported; leave it out")
        embedded = self.layoutlmv2.embed(
            input_ids,
            bbox,
            image,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            image_of_row,
            image_features,
        )
        rows, tokens = embedded.hidden.shape[0], embedded.text_tokens
        if entities is None and self.classifier is None:
            raise ValueError("entities are missing: give start, end and label of those of every row")
        if entities is not None:
            check_entities(entities, relations, rows, tokens)
            self._check_features(pair_features, entities)
        encoded = self.layoutlmv2.encode(embedded, output_attentions, output_hidden_states)
        hidden = self.dropout(encoded.last_hidden_state[:, :tokens])
        token_logits = None if self.classifier is None else self.classifier(hidden)
        output = RelationExtractionOutput(
            entities=entities,
            relations=relations,
            token_logits=token_logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        losses = []
        if entities is not None:
            losses = self._link(output, hidden, pair_features)
        if labels is not None and token_logits is not None:
            losses.append(
                functional.cross_entropy(token_logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED_LABEL)
            )
        output.loss = torch.stack(losses).sum() if losses else None
        as_dict = self.config.return_dict if return_dict is None else return_dict
        return output if as_dict else output.to_tuple()

    def _link(
        self, output: RelationExtractionOutput, hidden: torch.Tensor, pair_features: Sequence[torch.Tensor] | None
    ) -> list[torch.Tensor]:
        """Fill in the pairs of every row; returns their losses, none without relations."""
        entities, relations = output.entities, output.relations
        assert entities is not None
        output.pred_relations, pairs, logits, losses = [], [], [], []
        for row, found in enumerate(entities):
            page = candidates(found, None if relations is None else relations[row], self.config.relation_geometry)
            row_pairs, row_logits = self.extractor(
                hidden[row], page, None if pair_features is None else pair_features[row]
            )
            pairs.append(row_pairs)
            logits.append(row_logits)
            output.pred_relations.append(linked_pairs(page, found, row_logits))
            if relations is not None:
                losses.append(functional.cross_entropy(row_logits, torch.tensor(page.labels, device=hidden.device)))
        output.pairs, output.logits = tuple(pairs), tuple(logits)
        return losses

    def _check_features(self, pair_features: Sequence[torch.Tensor] | None, entities: Sequence[Entities]) -> None:
        if (pair_features is not None) != self.config.relation_geometry:
            raise ValueError(
                "pair_features are given, but relation_geometry is false in the configuration: leave them out"
                if pair_features is not None
                else "relation_geometry is true in the configuration, so pair_features are needed: see "
                "model.pair_geometry.pair_features"
            )
        if pair_features is None:
            return
        shapes = [list(features.shape) for features in pair_features]
        expected = [[len(page["label"]), len(page["label"]), len(PAIR_FEATURES)] for page in entities]
        if shapes != expected:
            raise ValueError(f"pair_features have the shapes {shapes}; expected {expected}")
