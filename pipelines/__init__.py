"""The pipeline: what happens to documents and pages, whoever asks for it.

Each sub-package is a room with one duty, and imports only from the rooms below it. Begin with `extract.py`, the whole
pipeline on one screen, then read `stages/`, one file a stage.
"""
