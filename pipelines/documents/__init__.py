"""From the bytes of a PDF, TIFF, PNG or JPEG file to its pages: opening, text layer, rendering; nothing of Ray.

Start with `document.py`, which opens a file and counts its pages; `text_layer.py` decides which layers to trust.
"""
