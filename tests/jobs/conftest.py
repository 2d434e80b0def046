"""What the tests of the endpoint share: one endpoint and one browser, each started once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from pipelines.schema import Task
from tests.chromium import set_screen, start_chromium
from tests.conftest import SharedServices
from tests.jobs.endpoint import LIMITS, Endpoint, start_endpoint, write_untrained
from tests.jobs.reading_page import ReadingPage

KEY = "a-key-of-the-tests"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, Path]:
    """Untrained checkpoints of two tasks: their answers are random, but they are answers."""
    folder = tmp_path_factory.mktemp("models")
    tasks: tuple[Task, ...] = ("question-answering", "sequence-classification")
    return {task: write_untrained(folder / task, task) for task in tasks}


@contextmanager
def start_shared_endpoint(models: dict[Task, Path], log: Path) -> Iterator[Endpoint]:
    """With a key, narrow limits and a model for each task: the one that comes with the package, `ask` and `kinds`."""
    named = [f"ask={models['question-answering']}", f"kinds={models['sequence-classification']}"]
    options = [word for name, value in LIMITS.items() for word in (f"--{name}", str(value))]
    with start_endpoint(log, *options, "--model", "layoutlmv2-forms-small", *named, key=KEY) as started:
        yield started
    assert KEY not in log.read_text()


@pytest.fixture(scope="module")
def endpoint(
    models: dict[Task, Path], tmp_path_factory: pytest.TempPathFactory, shared_services: SharedServices
) -> Endpoint:
    """The endpoint of the tests of its group."""
    return shared_services.get(start_shared_endpoint, models, tmp_path_factory.mktemp("serve") / "log")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory, shared_services: SharedServices) -> Chrome:
    """A browser without a window."""
    return shared_services.get(start_chromium, tmp_path_factory.mktemp("chromium"))


@pytest.fixture
def page(chrome: Chrome, endpoint: Endpoint) -> ReadingPage:
    """The first screen, for a user who prefers less motion: without a GPU, animations cost more than reading."""
    set_screen(chrome, 1280, 900, calm=True)
    page = ReadingPage(chrome, endpoint.url)
    page.visit(endpoint.key)
    page.wait(lambda: page.one("#options").is_displayed())
    return page
