"""What happens to a page, one file a stage, and the sandbox around the stages that parse untrusted input.

A stage is a callable from rows to rows; stages never import each other. Start with `base.py`, then follow a page:
`fetch`, `rasterize`, `ocr`, `tokenize`, `infer`, `merge`.
"""
