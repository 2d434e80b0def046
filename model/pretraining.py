"""LayoutLMv2's pre-training: three objectives on pages without labels (paper, section 2.3).

Masked visual-language modelling predicts masked words. Text-image alignment tells which words are covered in the page's
picture. Text-image matching tells whether the picture is that of the text's page.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.config import LayoutLMv2Config
from model.heads import IGNORED_LABEL
from model.layoutlmv2 import LayoutLMv2Model
from model.masked_words import MaskedWordsHead
from model.outputs import LayoutLMv2ForPreTrainingOutput
from model.pretrained import LayoutLMv2PreTrainedModel, initialize


class PreTrainingHeads(MaskedWordsHead):
    """The heads of the three objectives; those of alignment and matching have the classes no (0) and yes (1)."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        self.alignment = nn.Linear(config.hidden_size, 2)
        self.matching = nn.Linear(config.hidden_size, 2)


class LayoutLMv2ForPreTraining(LayoutLMv2PreTrainedModel):
    """Masked words, text-image alignment and text-image matching.

    Words are scored by a head that shares the word embeddings, alignment by a linear layer on each text token, and
    matching by a linear layer on the pooled [CLS] token, as BERT's next-sentence prediction is.
    """

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        self.layoutlmv2 = LayoutLMv2Model(config)
        self.cls = PreTrainingHeads(config)
        initialize(self.cls, config.initializer_range)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        bbox: torch.Tensor | None = None,
        image: Any = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        alignment_labels: torch.Tensor | None = None,
        matching_labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        image_of_row: torch.Tensor | None = None,
    ) -> LayoutLMv2ForPreTrainingOutput | tuple[Any, ...]:
        """Score the three objectives; arguments and errors beyond these as in `LayoutLMv2Model.forward`.

        Each loss is the mean cross-entropy over the targets of its objective: 0, with gradients of 0, if there are
        none. `loss` is the sum of those whose labels are given.

        Args:
            labels: int64 [b, t], the original ids of masked tokens, -100 elsewhere.
            alignment_labels: int64 [b, t], 1 for tokens that are covered in the picture, 0 for others, -100 for
                ignored ones.
            matching_labels: int64 [b], 1 for the picture of the text's page, 0 for another one or none, -100 for
                ignored rows.

        Returns:
            The vocabulary is scored for all text tokens only where no labels are given: with `labels` for the masked
            tokens alone, and with those of other objectives alone not at all.

        Raises:
            ValueError: labels have another shape than the tokens or rows.
        """
        embedded = self.layoutlmv2.embed(
            input_ids, bbox, image, attention_mask, token_type_ids, position_ids, inputs_embeds, image_of_row
        )
        rows, tokens = embedded.hidden.shape[0], embedded.text_tokens
        _check_labels("labels", labels, (rows, tokens))
        _check_labels("alignment_labels", alignment_labels, (rows, tokens))
        _check_labels("matching_labels", matching_labels, (rows,))
        encoded = self.layoutlmv2.encode(embedded, output_attentions, output_hidden_states)
        text = encoded.last_hidden_state[:, :tokens]
        alignment_logits = self.cls.alignment(text)
        matching_logits = self.cls.matching(self.layoutlmv2.pooler(encoded.last_hidden_state))
        words = self.layoutlmv2.embeddings.word_embeddings.weight

        prediction_logits, masked_word_loss = None, None
        if labels is not None:
            masked = labels != IGNORED_LABEL
            prediction_logits = self.cls.predictions(text[masked], words)
            masked_word_loss = mean_loss(prediction_logits, labels[masked])
        elif alignment_labels is None and matching_labels is None:
            prediction_logits = self.cls.predictions(text, words)
        alignment_loss = None if alignment_labels is None else mean_loss(alignment_logits, alignment_labels)
        matching_loss = None if matching_labels is None else mean_loss(matching_logits, matching_labels)
        losses = [loss for loss in (masked_word_loss, alignment_loss, matching_loss) if loss is not None]
        output = LayoutLMv2ForPreTrainingOutput(
            loss=torch.stack(losses).sum() if losses else None,
            masked_word_loss=masked_word_loss,
            alignment_loss=alignment_loss,
            matching_loss=matching_loss,
            prediction_logits=prediction_logits,
            alignment_logits=alignment_logits,
            matching_logits=matching_logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        return output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()


def mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy over the labels that are not -100; 0, with gradients of 0, if there are none.

    Args:
        logits: [..., classes].
        labels: int64 [...].
    """
    total = functional.cross_entropy(
        logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED_LABEL, reduction="sum"
    )
    return total / (labels != IGNORED_LABEL).sum().clamp(min=1)


def _check_labels(name: str, labels: torch.Tensor | None, shape: tuple[int, ...]) -> None:
    if labels is not None and tuple(labels.shape) != shape:
        raise ValueError(f"{name} has shape {list(labels.shape)}; expected {list(shape)}")
