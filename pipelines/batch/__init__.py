"""The resumable batch job: it lists documents, finds the pages to do, extracts them and audits what was written.

Begin with `run.py`, which tells the phases of a run in order; `manifest.py` is how the output says what is done.
"""
