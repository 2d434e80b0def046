"""What every job needs of Ray and of its output: pools, cluster, settings, progress, what outputs record.

Begin with `pools.py`, which sizes the actor pools; `cluster.py` sizes them for the cluster that is connected.
"""
