"""The names of the inputs of an exported model's graphs."""

IMAGE_INPUTS = ("images",)
"""uint8 [pages, 3, 224, 224], BGR."""

TEXT_INPUTS = ("input_ids", "token_type_ids", "attention_mask", "bbox", "features", "image_of_row")
"""In their order; shapes and dtypes as in `Runtime.logits`, with float32 features."""
