"""Ray Data settings of the pipeline."""

from __future__ import annotations

import ray.data


def set_data_context() -> None:
    """Set one block per task, and turn off Ray Data's progress bars and advice: the pipeline has its own."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = None
    context.enable_progress_bars = False
    context.issue_detectors_config.detectors = []  # they advise the developer of a pipeline, not its user
