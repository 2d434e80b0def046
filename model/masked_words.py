"""Masked visual-language modelling: predicts masked words from the rest of the page (paper, section 2.3).

Of the paper's three pre-training objectives, this one works on any unlabelled page. It needs no word labels, so it is a
cheap way to adapt a model to new kinds of documents before it is fine-tuned on a few labelled ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.activations import activation
from model.config import LayoutLMv2Config
from model.heads import IGNORED_LABEL
from model.layoutlmv2 import LayoutLMv2Model
from model.outputs import TokenClassifierOutput
from model.pretrained import LayoutLMv2PreTrainedModel, initialize


class WordTransform(nn.Module):
    """Transforms the encoder's output to a vector that is compared with the word embeddings."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.transform_act_fn = activation(config.hidden_act)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(self.transform_act_fn(self.dense(hidden)))


class WordPredictions(nn.Module):
    """A score for every entry of the vocabulary; parameters are named as in BERT, and word embeddings are shared."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.transform = WordTransform(config)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: torch.Tensor, word_embeddings: torch.Tensor) -> torch.Tensor:
        """Logits [..., vocab_size] from [..., hidden_size] and [vocab_size, hidden_size]."""
        return functional.linear(self.transform(hidden), word_embeddings, self.bias)


class MaskedWordsHead(nn.Module):
    """Wraps the predictions, for the parameter names of BERT's checkpoints."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.predictions = WordPredictions(config)


class LayoutLMv2ForMaskedWords(LayoutLMv2PreTrainedModel):
    """Scores over the vocabulary for text tokens, from a head that shares the word embeddings."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        self.layoutlmv2 = LayoutLMv2Model(config)
        self.cls = MaskedWordsHead(config)
        initialize(self.cls, config.initializer_range)

    def forward(
        self,
        input_ids: torch.Tensor,
        bbox: torch.Tensor | None = None,
        image: Any = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        image_of_row: torch.Tensor | None = None,
    ) -> TokenClassifierOutput:
        """Score the vocabulary; arguments beyond these as in `LayoutLMv2Model.forward`.

        Args:
            labels: int64 [b, t], the original ids of masked tokens, -100 elsewhere.

        Returns:
            Without labels, logits [b, t, vocab_size]; with them, the mean loss over the n masked tokens and the logits
            of these alone, [n, vocab_size] in row order: those of all others would only waste memory.
        """
        embedded = self.layoutlmv2.embed(
            input_ids, bbox, image, attention_mask, token_type_ids, None, None, image_of_row
        )
        encoded = self.layoutlmv2.encode(embedded, False, False).last_hidden_state[:, : embedded.text_tokens]
        words = self.layoutlmv2.embeddings.word_embeddings.weight
        if labels is None:
            return TokenClassifierOutput(None, self.cls.predictions(encoded, words), None, None)
        masked = labels != IGNORED_LABEL
        logits = self.cls.predictions(encoded[masked], words)
        return TokenClassifierOutput(functional.cross_entropy(logits, labels[masked]), logits, None, None)
