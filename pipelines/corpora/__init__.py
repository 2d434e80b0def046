"""Labelled corpora: one file a published data set, and what they have in common in `corpus`."""
