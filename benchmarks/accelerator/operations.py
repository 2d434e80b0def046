"""How many operations a page takes, counted from the configuration alone.

A multiplication with its addition counts as one (MAC), and is two floating-point operations. Only matrix products and
convolutions count: norms, activations, softmax, biases and table look-ups are a percent of them in number, though not
in time. The base model takes 72 billion a page of 512 text tokens and 49 visual ones, 19 of them in the backbone.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.accelerator.pages import SIDE
from model.config import LayoutLMv2Config
from model.feature_pyramid import BLOCKS_PER_STAGE, STAGES, PyramidOptions


@dataclass(frozen=True)
class Operations:
    """Multiplications with their additions, of one window and its page's picture.

    Attributes:
        backbone: the visual network over the picture, and the projection of its features.
        projections: the linear layers of the encoder, which are matrix products with weights.
        attention: queries by keys, and probabilities by values.
        head: the pooler is not counted, it takes one token.
    """

    backbone: int
    projections: int
    attention: int
    head: int

    @property
    def encoder(self) -> int:
        """Of the encoder."""
        return self.projections + self.attention

    @property
    def total(self) -> int:
        """Of everything."""
        return self.backbone + self.encoder + self.head


def count_operations(config: LayoutLMv2Config, text_tokens: int, picture_side: int = SIDE) -> Operations:
    """The operations of a model for token classification over a window of so many text tokens, padding included."""
    rows, columns, channels = config.image_feature_pool_shape
    hidden, layers, visual = config.hidden_size, config.num_hidden_layers, rows * columns
    tokens = text_tokens + visual
    linear = 4 * hidden * hidden + 2 * hidden * config.intermediate_size
    spared = visual * (linear - 2 * hidden * hidden)  # the last layer has no use for more than their keys and values
    return Operations(
        backbone=backbone_operations(PyramidOptions.from_arguments(config.detectron2_config_args), picture_side)
        + visual * channels * hidden,
        projections=layers * tokens * linear - spared,
        attention=2 * hidden * tokens * (layers * tokens - visual),
        head=text_tokens * hidden * config.num_labels,
    )


def backbone_operations(options: PyramidOptions, side: int) -> int:
    """Those of the feature pyramid over a square picture, of which only the finest level is computed."""
    side = side // 2
    total = _convolution(side, len(options.PIXEL_MEAN), options.RESNETS_STEM_OUT_CHANNELS, 7)
    side, incoming = side // 2, options.RESNETS_STEM_OUT_CHANNELS
    finest, pyramid = side, options.FPN_OUT_CHANNELS
    for number, blocks in enumerate(BLOCKS_PER_STAGE[options.RESNETS_DEPTH][: len(options.FPN_IN_FEATURES)]):
        outgoing = options.RESNETS_RES2_OUT_CHANNELS * 2**number
        inner = options.RESNETS_NUM_GROUPS * options.RESNETS_WIDTH_PER_GROUP * 2**number
        for block in range(blocks):
            before, side = side, side // 2 if block == 0 and STAGES[number] != "res2" else side
            if incoming != outgoing:
                total += _convolution(side, incoming, outgoing, 1)
            if options.RESNETS_DEPTH < 50:
                total += _convolution(side, incoming, outgoing, 3) + _convolution(side, outgoing, outgoing, 3)
            else:
                total += _convolution(side if options.RESNETS_STRIDE_IN_1X1 else before, incoming, inner, 1)
                total += _convolution(side, inner, inner, 3) // options.RESNETS_NUM_GROUPS
                total += _convolution(side, inner, outgoing, 1)
            incoming = outgoing
        total += _convolution(side, outgoing, pyramid, 1)  # the lateral connection
    return total + _convolution(finest, pyramid, pyramid, 3)


def encoder_bytes(config: LayoutLMv2Config, text_tokens: int, batch: int, bytes_each: int) -> int:
    """The least that the encoder's layers move through memory: weights once, and what one step leaves for the next.

    A layer's steps are its four matrix products with weights, the attention, and two norms; everything else is assumed
    to be fused into these. The bias of the attention is read once a layer.
    """
    rows, columns, _ = config.image_feature_pool_shape
    tokens, hidden, wide = text_tokens + rows * columns, config.hidden_size, config.intermediate_size
    weights = 4 * hidden * hidden + 2 * hidden * wide
    # Written and read: in -> qkv -> context -> projected -> norm -> wide -> projected -> norm; the residuals are read.
    activations = tokens * (hidden + 2 * 3 * hidden + 2 * hidden + 2 * hidden + 2 * hidden + 2 * wide + 3 * hidden)
    residuals = 2 * tokens * hidden
    bias = config.num_attention_heads * tokens * tokens
    return config.num_hidden_layers * bytes_each * (weights + batch * (activations + residuals + bias))


def _convolution(side: int, incoming: int, outgoing: int, kernel: int) -> int:
    """A convolution without groups whose output is `side` by `side`."""
    return side * side * incoming * outgoing * kernel * kernel
