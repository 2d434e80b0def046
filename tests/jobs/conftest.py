"""What tests of the endpoint share: each is started once, and so is the browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from pipelines.schema import Task
from tests.chromium import start_chromium
from tests.jobs.endpoint import Endpoint, start_endpoint, write_untrained

KEY = "a-key-of-the-tests"
NARROW_LIMITS = {
    "max-upload-megabytes": "2",
    "max-pages": "100",
    "max-questions": "2",
    "max-requests": "2",
    "request-time-limit-seconds": "12",
    "max-text-replicas": "1",
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, Path]:
    """Checkpoints of two tasks; their answers are chance, but they are answers."""
    folder = tmp_path_factory.mktemp("models")
    tasks: tuple[Task, ...] = ("question-answering", "sequence-classification")
    return {task: write_untrained(folder / task, task) for task in tasks}


@pytest.fixture(scope="session")
def endpoint(models: dict[Task, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Open to all, with a model for each task: the one that comes with the package, `ask` and `kinds`."""
    log = tmp_path_factory.mktemp("serve") / "log"
    named = [f"ask={models['question-answering']}", f"kinds={models['sequence-classification']}"]
    with start_endpoint(log, "--model", "layoutlmv2-forms-small", *named) as started:
        yield started


@pytest.fixture(scope="session")
def narrow_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """With a key and narrow limits."""
    log = tmp_path_factory.mktemp("limits") / "log"
    options = [word for name, value in NARROW_LIMITS.items() for word in (f"--{name}", value)]
    with start_endpoint(log, *options, key=KEY) as started:
        yield started
    assert KEY not in log.read_text()


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser without a window."""
    with start_chromium(tmp_path_factory.mktemp("chromium")) as chrome:
        yield chrome
