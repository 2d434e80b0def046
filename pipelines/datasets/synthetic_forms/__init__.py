"""Synthetic labelled forms, drawn by program: a corpus of any size for token classification."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.page import DrawnForm, DrawOptions, draw_form

__all__ = ["DrawOptions", "DrawnForm", "draw_form"]
