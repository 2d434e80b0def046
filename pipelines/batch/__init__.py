"""The resumable batch job: it lists documents, finds the pages to do, extracts them and audits what was written.

Begin with `run.py`: the phases of a run in order. `manifest.py` reads from the output itself which pages are done.
"""
