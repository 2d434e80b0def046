"""Ray Data as the pipeline needs it."""

from __future__ import annotations

import ray.data


def set_data_context() -> None:
    """Ray Data as the pipeline needs it: one block a task, and the pipeline's own progress only."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = None
    context.enable_progress_bars = False
    context.issue_detectors_config.detectors = []  # their advice is for the writer of a pipeline, not for its user
