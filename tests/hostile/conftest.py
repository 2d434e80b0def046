from tests.pipelines.batch.execution import execution, in_process_extraction

__all__ = ["execution", "in_process_extraction"]
