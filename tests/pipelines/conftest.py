from tests.kept_sandboxes import kept_sandboxes

__all__ = ["kept_sandboxes"]
