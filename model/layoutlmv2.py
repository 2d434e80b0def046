"""LayoutLMv2: text, layout and image of a page in one Transformer (Xu et al., 2021, https://arxiv.org/abs/2012.14740)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from model.backbone import VisualBackbone
from model.config import LayoutLMv2Config
from model.embeddings import LayoutLMv2Embeddings, visual_boxes
from model.encoder import EncoderOutput, LayoutLMv2Encoder
from model.inputs import check_shapes, check_values
from model.outputs import BaseModelOutputWithPooling
from model.pretrained import LayoutLMv2PreTrainedModel, initialize


class Embedded(NamedTuple):
    """The encoder's input: t text tokens, then v visual ones; s = t + v.

    hidden: [b, s, hidden_size]; position_ids: int64 [b or 1, s]; bbox: int64 [b, s, 4]; visible: bool [b, s];
    text_tokens: t.
    """

    hidden: torch.Tensor
    position_ids: torch.Tensor
    bbox: torch.Tensor
    visible: torch.Tensor
    text_tokens: int

    @property
    def visual(self) -> torch.Tensor:
        """The visual tokens before the encoder: [b, v, hidden_size]."""
        return self.hidden[:, self.text_tokens :]


class LayoutLMv2Pooler(nn.Module):
    """The first token through a dense layer and tanh."""

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.dense(hidden[:, 0]))


class LayoutLMv2Model(LayoutLMv2PreTrainedModel):
    """Embeddings, visual backbone, encoder and pooler, without a head.

    With `validate_inputs` (True), every call checks the values of ids and boxes, with one read from the device; see
    `model.inputs.check_values` for how to avoid it on a GPU. Under `torch.compile` the check is skipped.
    """

    def __init__(self, config: LayoutLMv2Config) -> None:
        super().__init__(config)
        rows, columns, channels = config.image_feature_pool_shape
        self.embeddings = LayoutLMv2Embeddings(config)
        self.visual = VisualBackbone(config)
        self.visual_proj = nn.Linear(channels, config.hidden_size)
        self.has_visual_segment_embedding = config.has_visual_segment_embedding
        if config.has_visual_segment_embedding:
            self.visual_segment_embedding = nn.Parameter(torch.empty(config.hidden_size))
            nn.init.normal_(self.visual_segment_embedding, std=config.initializer_range)
        self.visual_LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.visual_dropout = nn.Dropout(config.hidden_dropout_prob)
        self.encoder = LayoutLMv2Encoder(config)
        self.pooler = LayoutLMv2Pooler(config)
        self.visual_tokens = rows * columns
        self.validate_inputs = True
        for part in (self.embeddings, self.visual_proj, self.visual_LayerNorm, self.encoder, self.pooler):
            initialize(part, config.initializer_range)

    def embed(
        self,
        input_ids: torch.Tensor | None = None,
        bbox: torch.Tensor | None = None,
        image: Any = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        image_of_row: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
    ) -> Embedded:
        """Everything before the encoder. Arguments and errors as in `forward`."""
        batch, tokens = check_shapes(
            self.config,
            input_ids,
            inputs_embeds,
            bbox=(bbox, (4,)),
            attention_mask=(attention_mask, ()),
            token_type_ids=(token_type_ids, ()),
        )
        if position_ids is not None and tuple(position_ids.shape) not in ((batch, tokens), (1, tokens)):
            raise ValueError(f"position_ids has shape {list(position_ids.shape)}; expected {[batch, tokens]}")
        if self.validate_inputs and not torch.compiler.is_compiling():
            check_values(
                self.config,
                input_ids=input_ids,
                bbox=bbox,
                token_type_ids=token_type_ids,
                position_ids=position_ids,
            )
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.embeddings.word_embeddings(input_ids)
        device = inputs_embeds.device
        bbox = torch.zeros(batch, tokens, 4, dtype=torch.long, device=device) if bbox is None else bbox.long()
        position_ids = torch.arange(tokens, device=device)[None] if position_ids is None else position_ids.long()
        if token_type_ids is None:
            token_type_ids = torch.zeros(1, tokens, dtype=torch.long, device=device)
        visible = torch.ones(batch, tokens, device=device) if attention_mask is None else attention_mask

        rows, columns, _ = self.config.image_feature_pool_shape
        boxes = visual_boxes(rows, columns, device)
        visual_positions = torch.arange(self.visual_tokens, device=device)
        features = self._features_of_rows(image, image_features, image_of_row, batch)
        visual = self._embed_visual(features, boxes, visual_positions)
        text = self.embeddings(inputs_embeds, bbox, position_ids, token_type_ids)
        return Embedded(
            hidden=torch.cat([text, visual], dim=1),
            position_ids=torch.cat([position_ids, visual_positions.expand(position_ids.shape[0], -1)], dim=1),
            bbox=torch.cat([bbox, boxes.expand(batch, -1, -1)], dim=1),
            visible=nn.functional.pad(visible == 1, (0, self.visual_tokens), value=True),
            text_tokens=tokens,
        )

    def image_features(self, image: Any) -> torch.Tensor:
        """The visual features of images, all of the model that depends on the image alone.

        They can be computed once and given to any number of calls as `image_features`, for example to one for each
        window of a long page.

        Args:
            image: as in `forward`.

        Returns:
            [images, visual_tokens, hidden_size] in the parameters' dtype.

        Raises:
            ValueError: the image is missing or has another shape.
        """
        pixels = getattr(image, "tensor", image)  # detectron2's ImageList wraps its tensor
        if not torch.is_tensor(pixels) or pixels.dim() != 4 or pixels.shape[1] != 3:
            actual = list(pixels.shape) if torch.is_tensor(pixels) else type(pixels).__name__
            raise ValueError(
                f"image is {actual}; expected a tensor (or ImageList) [batch, 3, height, width], BGR, 0..255"
            )
        return self.visual_proj(self.visual(image))

    def _features_of_rows(
        self, image: Any, features: torch.Tensor | None, image_of_row: torch.Tensor | None, batch: int
    ) -> torch.Tensor:
        """The visual features of each row, [b, visual_tokens, hidden_size], from its image or from given features."""
        source = "image" if features is None else "image_features"
        if features is None:
            features = self.image_features(image)
        elif image is not None:
            raise ValueError("give either image or image_features, and not both")
        expected = [self.visual_tokens, self.config.hidden_size]
        if features.dim() != 3 or list(features.shape[1:]) != expected:
            raise ValueError(
                f"image_features is {list(features.shape)}; expected {['images', *expected]}, as the method "
                "image_features returns them"
            )
        # len() would fix the number in an export.
        rows = features.shape[0] if image_of_row is None else image_of_row.shape[0]
        if rows != batch:
            raise ValueError(
                f"{batch} rows of text, but {source if image_of_row is None else 'image_of_row'} has {rows}: give "
                "every row its page's image, or set image_of_row to the index of each row's image"
            )
        return features if image_of_row is None else features[image_of_row]

    def _embed_visual(self, features: torch.Tensor, boxes: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        total = features + self.embeddings.positional(boxes, positions)
        if self.has_visual_segment_embedding:
            total = total + self.visual_segment_embedding
        return self.visual_dropout(self.visual_LayerNorm(total))

    def encode(
        self,
        embedded: Embedded,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        text_only: bool = False,
    ) -> EncoderOutput:
        """Run the encoder on the result of `embed`; None means the configuration's value.

        With `text_only`, the last layer may leave out the visual tokens, whose output then is not needed.
        """
        config = self.config
        return self.encoder(
            embedded.hidden,
            embedded.position_ids,
            embedded.bbox,
            embedded.visible,
            output_attentions=config.output_attentions if output_attentions is None else output_attentions,
            output_hidden_states=config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            wanted=embedded.text_tokens if text_only else None,
        )

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        bbox: torch.Tensor | None = None,
        image: Any = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        image_of_row: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
    ) -> BaseModelOutputWithPooling | tuple[Any, ...]:
        """Encode the text and the image of a batch of pages, or of windows of pages.

        Rows can be padded to any common length up to `max_position_embeddings`: tokens hidden by `attention_mask` do
        not affect the others.

        Args:
            input_ids: integers [b, t], 0 to vocab_size - 1.
            bbox: integers [b, t, 4], (x0, y0, x1, y1) in thousandths of the page, ordered; all zeros if None.
            image: [b, 3, height, width], uint8 or floating, BGR, 0..255; or detectron2's ImageList with such a
                `tensor`. The model was trained on 224 x 224.
            attention_mask: [b, t], 1 (or True) for tokens to attend to; all if None. Visual tokens are always attended
                to.
            token_type_ids: integers [b, t]; zeros if None.
            position_ids: integers [b or 1, t], 0 to max_position_embeddings - 1; 0, 1, 2 ... if None.
            inputs_embeds: [b, t, hidden_size], instead of input_ids.
            output_attentions, output_hidden_states, return_dict: None means the configuration's value.
            image_of_row: int64 [b], the index in `image` of each row's image; `image` then has any number of images:
                the windows of a page share one, and the backbone runs once. Not in the reference.
            image_features: instead of `image`, the result of the method of that name for it. Not in the reference.

        Returns:
            The output for text and visual tokens; with `return_dict=False`, its `to_tuple()`.

        Raises:
            ValueError: shapes do not match, the image is missing or given twice, an id or box is out of range, or a
                box is inverted; the message names the row and token.
        """
        embedded = self.embed(
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
        encoded = self.encode(embedded, output_attentions, output_hidden_states)
        output = BaseModelOutputWithPooling(
            last_hidden_state=encoded.last_hidden_state,
            pooler_output=self.pooler(encoded.last_hidden_state),
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        return output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()
