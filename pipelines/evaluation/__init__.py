"""Scores of a model on labelled pages, and the report that shows where it is right and wrong.

Begin with `evaluate.py`; `metrics/` holds the figures, `overlays.py` draws pages.
"""
