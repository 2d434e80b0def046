"""Sandboxes whose processes the jobs of a test worker share, as they share what runs a model.

A process takes half a second of CPU to start, most runs of a test need two, and few of them read for as long.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from pipelines.schema import Row
from pipelines.stages.sandbox import Sandbox
from pipelines.stages.sandbox_environment import sandbox_environment

MAX_IDLE = 4
"""A process holds some 150 MB."""

_idle: list[tuple[object, Any]] = []
"""What tells them apart, and the processes that wait for a job, the last used at the end."""


class KeptSandbox(Sandbox):
    """A sandbox that ends without ending its process: the next one of the same stages, limits and surroundings has it.

    A process that misbehaves, that has grown or is cancelled ends as ever.
    """

    _is_reading = False

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()

    @property
    def _key(self) -> object:
        return cloudpickle.dumps(self.spec), sandbox_environment(os.environ, Path())

    def _run(self, row: Row, should_continue: Callable[[], bool]) -> Row:
        if self._process is None:
            self._process = _taken(self._key)
        self._is_reading = True
        try:
            return super()._run(row, should_continue)
        finally:
            self._is_reading = False

    def close(self) -> None:
        """Keep the process, unless it is ended in the midst of a page."""
        if self._process is None or self._is_reading:
            super().close()
            return
        self._run({**dict.fromkeys(self._identity), "uri": "", "path": os.devnull}, lambda: True)  # closes the document
        if self._process is not None:
            _idle.append((self._key, self._process))
            self._process = None
        while len(_idle) > MAX_IDLE:
            _idle.pop(0)[1].end()


def _taken(key: object) -> Any:
    for place, (other, process) in enumerate(_idle):
        if other == key:
            del _idle[place]
            return process
    return None


def end_idle() -> None:
    """End the processes that wait for a job."""
    while _idle:
        _idle.pop()[1].end()


@pytest.fixture(scope="module", autouse=True)
def kept_sandboxes(request: pytest.FixtureRequest) -> Iterator[None]:
    """The jobs that tests of the module run in this process share the processes that read pages.

    Those of a module that looks for processes on a cluster share none, and find none.
    """
    items = [item for item in request.session.items if item.path == request.path]
    if any(item.get_closest_marker("xdist_group") for item in items):
        end_idle()
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pipelines.extract", "pipelines.datasets.labelled_reader"):
            patch.setattr(f"{module}.Sandbox", KeptSandbox)
        yield
