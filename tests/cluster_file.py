"""`cluster.yaml` as a test reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CLUSTER = Path(__file__).resolve().parent.parent / "cluster.yaml"


def load_cluster() -> dict[str, Any]:
    """The file as `ray up` gets it."""
    return yaml.safe_load(CLUSTER.read_text())
