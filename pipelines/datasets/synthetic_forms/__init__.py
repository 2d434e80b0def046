"""Labelled forms that are drawn by construction: an endless, made-up corpus for token classification."""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.page import DrawnForm, DrawOptions, draw_form

__all__ = ["DrawOptions", "DrawnForm", "draw_form"]
