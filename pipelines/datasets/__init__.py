"""Labelled data sets, one file each, and the stages that turn their pages into examples.

Begin with `types.py`, what a labelled page is; `registry.py` reads a data set by name, `preprocess.py` prepares it.
"""
