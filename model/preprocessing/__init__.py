"""What the model is fed: tokenizer, image processor and the processor that joins them, as the reference names them.

Begin with `processor.py`; nothing here loads PyTorch until tensors are asked for.
"""
