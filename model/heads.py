"""The task heads: token classification, page classification and question answering."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.config import LayoutLMv2Config
from model.layoutlmv2 import LayoutLMv2Model
from model.outputs import QuestionAnsweringModelOutput, SequenceClassifierOutput, TokenClassifierOutput
from model.pretrained import LayoutLMv2PreTrainedModel, ModelType, initialize

IGNORED_LABEL = -100
"""The label of tokens that the loss ignores."""


class LayoutLMv2ForTokenClassification(LayoutLMv2PreTrainedModel):
    """A label for every text token."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.layoutlmv2 = LayoutLMv2Model(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        initialize(self.classifier, config.initializer_range)

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
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        image_of_row: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
    ) -> TokenClassifierOutput | tuple[Any, ...]:
        """Classify tokens; arguments and errors beyond these as in `LayoutLMv2Model.forward`.

        Args:
            labels: int64 [b, t], 0 to num_labels - 1, or -100 for ignored tokens. The loss is the mean cross-entropy
                over the others (NaN if there are none).
        """
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
        encoded = self.layoutlmv2.encode(embedded, output_attentions, output_hidden_states, text_only=True)
        logits = self.classifier(self.dropout(encoded.last_hidden_state[:, : embedded.text_tokens]))
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED_LABEL)
        output = TokenClassifierOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if _returns_dict(self.config, return_dict) else output.to_tuple()


class LayoutLMv2ForSequenceClassification(LayoutLMv2PreTrainedModel):
    """A class, several labels or numbers for the page, from the first token concatenated with the means of the visual
    tokens before and after the encoder. (For those before it, the reference runs the backbone a second time.)"""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.layoutlmv2 = LayoutLMv2Model(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(3 * config.hidden_size, config.num_labels)
        initialize(self.classifier, config.initializer_range)

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
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        image_of_row: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """Classify pages; arguments and errors beyond these as in `LayoutLMv2Model.forward`.

        Args:
            labels: by `config.problem_type`: "single_label_classification" int64 [b]; "multi_label_classification"
                floating [b, num_labels], 0 or 1; "regression" floating [b] (or [b, num_labels]). An unset type is
                inferred from `num_labels` and the labels' dtype and then stored, as in the reference: so a saved model
                records the meaning of its logits.
        """
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
        encoded = self.layoutlmv2.encode(embedded, output_attentions, output_hidden_states)
        final = encoded.last_hidden_state
        final_visual = final[:, embedded.text_tokens :]
        page = torch.cat([final[:, 0], embedded.visual.mean(dim=1), final_visual.mean(dim=1)], dim=1)
        logits = self.classifier(self.dropout(page))
        loss = None
        if labels is not None:
            if self.config.problem_type is None:
                self.config.problem_type = problem_type_of(labels, self.num_labels)
            loss = page_loss(logits, labels, self.config.problem_type)
        output = SequenceClassifierOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if _returns_dict(self.config, return_dict) else output.to_tuple()


class LayoutLMv2ForQuestionAnswering(LayoutLMv2PreTrainedModel):
    """The start and end of the answer to a question in the text.

    Args:
        config: with `num_labels` 2 (the default): a start and an end score.
        has_visual_segment_embedding: overrides the configuration's value, in the model's own copy. The reference's
            default is True, whatever the configuration says; here None, which means the same, except that the value
            in a configuration saved by this class is used.

    Raises:
        ValueError: like the configuration, or num_labels is not 2.
    """

    def __init__(self, config: LayoutLMv2Config, has_visual_segment_embedding: bool | None = None) -> None:
        if has_visual_segment_embedding is None:
            saved_by_this_class = config.architectures == [type(self).__name__]
            has_visual_segment_embedding = config.has_visual_segment_embedding if saved_by_this_class else True
        if config.has_visual_segment_embedding != has_visual_segment_embedding:
            config = config.replace(has_visual_segment_embedding=has_visual_segment_embedding)
        super().__init__(config)
        if config.num_labels != 2:
            raise ValueError(
                f"num_labels is {config.num_labels}, but question answering needs two, start and end: pass num_labels=2"
            )
        self.num_labels = config.num_labels
        self.layoutlmv2 = LayoutLMv2Model(config)
        self.qa_outputs = nn.Linear(config.hidden_size, config.num_labels)
        initialize(self.qa_outputs, config.initializer_range)

    @classmethod
    def from_pretrained(cls: type[ModelType], pretrained_model_name_or_path: str | Path, **kwargs: Any) -> ModelType:
        """As for every model; the argument `has_visual_segment_embedding` takes precedence over the checkpoint."""
        if kwargs.get("has_visual_segment_embedding") is not None:
            kwargs["architectures"] = [cls.__name__]
        return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        bbox: torch.Tensor | None = None,
        image: Any = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        start_positions: torch.Tensor | None = None,
        end_positions: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        image_of_row: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
    ) -> QuestionAnsweringModelOutput | tuple[Any, ...]:
        """Score the start and end of answers; arguments and errors beyond these as in `LayoutLMv2Model.forward`.

        Args:
            start_positions, end_positions: int64 [b] or [b, 1], the answer's first and last token. The loss needs both
                and is the mean of the two cross-entropies. Positions of t or more are outside the window and ignored
                (NaN if all are); negative ones count as 0, the first token.
        """
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
        encoded = self.layoutlmv2.encode(embedded, output_attentions, output_hidden_states, text_only=True)
        scores = self.qa_outputs(encoded.last_hidden_state[:, : embedded.text_tokens])
        start_logits, end_logits = (part.contiguous() for part in scores.unbind(dim=-1))
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = (_position_loss(start_logits, start_positions) + _position_loss(end_logits, end_positions)) / 2
        output = QuestionAnsweringModelOutput(loss, start_logits, end_logits, encoded.hidden_states, encoded.attentions)
        return output if _returns_dict(self.config, return_dict) else output.to_tuple()


def problem_type_of(labels: torch.Tensor, num_labels: int) -> str:
    """The problem type of labels: regression for one label, a class for integers, several labels for other dtypes."""
    if num_labels == 1:
        return "regression"
    integers = labels.dtype in (torch.long, torch.int)
    return "single_label_classification" if integers else "multi_label_classification"


def page_loss(logits: torch.Tensor, labels: torch.Tensor, problem_type: str) -> torch.Tensor:
    """The mean loss of logits [b, num_labels]: squared error, cross-entropy or binary cross-entropy.

    Raises:
        ValueError: the problem type is unknown, or the labels have the wrong shape or dtype for it.
    """
    if problem_type == "single_label_classification":
        if labels.is_floating_point():
            raise ValueError(f"labels are {labels.dtype}; for {problem_type} give class numbers, int64 [batch]")
        return functional.cross_entropy(logits, labels.flatten().long())
    if problem_type == "regression":
        if labels.numel() != logits.numel():
            raise ValueError(f"labels have shape {list(labels.shape)}; regression needs {list(logits.shape)}")
        return functional.mse_loss(logits, labels.reshape(logits.shape).to(logits.dtype))
    if problem_type == "multi_label_classification":
        if labels.shape != logits.shape:
            raise ValueError(f"labels have shape {list(labels.shape)}; {problem_type} needs {list(logits.shape)}")
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    raise ValueError(f"problem_type is {problem_type!r}, which has no loss")


def _position_loss(logits: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    outside = logits.shape[1]
    return functional.cross_entropy(logits, positions.flatten().clamp(0, outside), ignore_index=outside)


def _returns_dict(config: LayoutLMv2Config, return_dict: bool | None) -> bool:
    return config.return_dict if return_dict is None else return_dict
