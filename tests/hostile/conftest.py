from tests.kept_sandboxes import kept_sandboxes
from tests.pipelines.batch.execution import execution

__all__ = ["execution", "kept_sandboxes"]
