"""What a job will take: measured seconds a page, a simulation of the stages on a fleet, and a search over fleets."""
