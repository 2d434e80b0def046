from tests.pipelines.batch.execution import execution

__all__ = ["execution"]
