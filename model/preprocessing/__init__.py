"""Preprocessing: tokenizer, image processor and the processor that combines them, named as in the reference.

Start with `processor.py`; the tokenizer does not load PyTorch until tensors are requested.
"""
