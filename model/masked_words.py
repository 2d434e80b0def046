"""Masked visual-language modelling: words hidden in the text are told from the rest of the page (paper, section 2.3).

Of the paper's three pre-training objectives this is the one that any unlabelled page serves. Labels of words are not
needed, so it is a cheap way to teach a model new kinds of documents before it is fine-tuned on few labelled ones.
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
    """From the encoder's output to a vector that is compared with the word embeddings."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.transform_act_fn = activation(config.hidden_act)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(self.transform_act_fn(self.dense(hidden)))


class WordPredictions(nn.Module):
    """A score for every entry of the vocabulary; parameters are named as in BERT, the table is the embeddings' own."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.transform = WordTransform(config)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: torch.Tensor, word_embeddings: torch.Tensor) -> torch.Tensor:
        """[..., hidden_size] and [vocab_size, hidden_size] to [..., vocab_size]."""
        return functional.linear(self.transform(hidden), word_embeddings, self.bias)


class MaskedWordsHead(nn.Module):
    """Holds the predictions under the name that BERT's checkpoints have for them."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.predictions = WordPredictions(config)


class LayoutLMv2ForMaskedWords(LayoutLMv2PreTrainedModel):
    """The vocabulary's scores for text tokens, from a head that shares the word embeddings."""

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
            labels: int64 [b, t], the ids that stood where words were hidden, -100 elsewhere.

        Returns:
            Without labels, logits [b, t, vocab_size]; with them, the mean loss over the n hidden tokens and the logits
            of these alone, [n, vocab_size] in row order: those of all others would fill the memory for nothing.
        """
        embedded = self.layoutlmv2.embed(
            input_ids, bbox, image, attention_mask, token_type_ids, None, None, image_of_row
        )
        encoded = self.layoutlmv2.encode(embedded, False, False).last_hidden_state[:, : embedded.text_tokens]
        words = self.layoutlmv2.embeddings.word_embeddings.weight
        if labels is None:
            return TokenClassifierOutput(None, self.cls.predictions(encoded, words), None, None)
        hidden = labels != IGNORED_LABEL
        logits = self.cls.predictions(encoded[hidden], words)
        return TokenClassifierOutput(functional.cross_entropy(logits, labels[hidden]), logits, None, None)
