"""Hours and cost of a job: measured seconds a page, a simulation of the stages on a fleet, a search over fleets.

Begin with `search.py`, which compares fleets; `simulation.py` runs one.
"""
