"""Where the runs of a test extract their pages: in this process, which is fast, or on Ray, which the slow tests do.

What a run lists, claims, resumes, retries and audits is the same code either way, and so are the stages of a page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(
    scope="module",
    params=["in process", pytest.param("on ray", marks=[pytest.mark.slow, pytest.mark.xdist_group("ray of its own")])],
)
def execution(request: pytest.FixtureRequest) -> Iterator[str]:
    """The tests that use this fixture run once with each kind of execution; its value is the kind."""
    if request.param == "on ray":
        request.getfixturevalue("ray_cluster")
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        extract_in_process(patch)
        yield request.param


def extract_in_process(patch: pytest.MonkeyPatch) -> None:
    """Make runs of any size do their work in this process, though nobody says how to connect to Ray."""
    patch.setattr("pipelines.runtime.cluster.Cluster.is_optional", True)
    patch.setattr("pipelines.batch.page_writer.available_cores", lambda: 1)  # a sandbox starts in longer than it reads
    patch.setattr("pipelines.batch.page_writer.MAX_PAGES_IN_PROCESS", sys.maxsize)
    patch.setattr("pipelines.batch.opening.MAX_DRIVER_DOCUMENTS", sys.maxsize)
    patch.setattr("pipelines.batch.opening.MAX_DRIVER_BYTES", sys.maxsize)
