from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from PIL import Image

from tests.s3_server import S3Server, start_s3_server

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadGroupScheduling

T = TypeVar("T")

BUCKET = "documents"

REPOSITORY = Path(__file__).resolve().parent.parent


SERVICES = {"ray_cluster", "s3_server", "chrome", "endpoint"}
"""Fixtures that start something; tests which start a job of their own have an `xdist_group`."""

QUICK_RAY = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}
"""By default Ray Train looks every 2 s whether a worker is done or has died, and starts a process that watches for
nodes to leave."""

SHARED_SERVICES = pytest.StashKey["SharedServices"]()


class SharedServices:
    """Services that the tests of a group, or of a file, share.

    They start when they are first wanted and end with the last test of the group: a Ray that nobody uses still takes a
    fifth of a core.
    """

    def __init__(self) -> None:
        self._running: dict[object, Any] = {}
        self._ends = ExitStack()

    def get(self, start: Callable[..., AbstractContextManager[T]], *arguments: Any) -> T:
        """What `start(*arguments)` yields; it is entered once."""
        if start not in self._running:
            self._running[start] = self._ends.enter_context(start(*arguments))
        service: T = self._running[start]
        return service

    def end(self) -> None:
        """End those that run, the last one first."""
        self._running.clear()
        self._ends.close()


def pytest_configure(config: pytest.Config) -> None:
    """Compute on one thread in each worker process: together they have as many threads as the machine has cores."""
    config.stash[SHARED_SERVICES] = SharedServices()
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling:
    """Keep the tests of a file in one worker, as those of a group: what they share is made once, not in each worker."""
    from xdist.scheduler import LoadGroupScheduling

    class GroupOrFileScheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope: str = super()._split_scope(nodeid)
            return nodeid.split("::")[0] if scope == nodeid else scope

    return GroupOrFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `make check` leaves out; let the groups begin, which take the longest."""
    items.sort(key=lambda item: group_of(item) if item.get_closest_marker("xdist_group") else "~")
    for item in items:
        if item.get_closest_marker("xdist_group") or SERVICES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)


def group_of(item: pytest.Item) -> str:
    """What keeps tests together in a worker: their `xdist_group`, else their file."""
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else str(item.path)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the services of a group after its last test, when pytest has torn down what used them."""
    if nextitem is None or group_of(item) != group_of(nextitem):
        item.config.stash[SHARED_SERVICES].end()


@pytest.fixture(scope="session")
def shared_services(pytestconfig: pytest.Config) -> SharedServices:
    """What a fixture of a service gets it from."""
    return pytestconfig.stash[SHARED_SERVICES]


@pytest.fixture(scope="session", autouse=True)
def models_are_loaded_once() -> Iterator[None]:
    """The jobs that tests run in this process share what runs a model."""
    from pipelines.stages.model_loader import load_runtime

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.extract.load_runtime", cache(load_runtime))
        yield


@pytest.fixture(scope="session")
def fixtures_directory() -> Path:
    """Small files that the tests carry with them."""
    return REPOSITORY / "tests" / "fixtures"


@pytest.fixture(scope="session")
def samples_directory() -> Path:
    """The documents that `make demo` runs on."""
    return REPOSITORY / "samples" / "documents"


@pytest.fixture(scope="session")
def small_scan(samples_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of the scanned invoice as an image: read by OCR in a fifth of the time of the whole page."""
    path = tmp_path_factory.mktemp("scan") / "head.png"
    with Image.open(samples_directory / "invoice.png") as image:
        image.crop((0, 0, image.width, image.height // 5)).save(path)
    return path


@pytest.fixture(scope="session")
def shared_directory() -> Path:
    """Real corpora and full-size reference outputs beside the checkout; the larger checks are skipped without them."""
    directory = REPOSITORY.parent / "shared"
    if not (directory / "goldens").is_dir():
        pytest.skip("no reference data beside the checkout")
    return directory


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server on loopback; the environment says how to get there, in this process and those it starts."""
    with start_s3_server(tmp_path_factory.mktemp("s3")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        server.client().create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture
def s3_prefix(s3_server: S3Server) -> str:
    """An empty `s3://bucket/prefix` of this test's own."""
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"


@contextmanager
def start_ray() -> Iterator[None]:
    """Ray with two CPUs in this test process."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK_RAY.items():
            patch.setenv(name, value)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        try:
            yield
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def ray_cluster(s3_server: S3Server, shared_services: SharedServices) -> None:
    """Ray with two CPUs in this test process; its workers reach the S3 server."""
    shared_services.get(start_ray)
