"""The stages that process a page, one file each, and the sandbox for those that parse untrusted input.

A stage is a callable from rows to rows; stages never import each other. Start with `base.py`, then follow a page:
`fetch`, `rasterize`, `ocr`, `tokenize`, `infer`, `merge`.
"""
