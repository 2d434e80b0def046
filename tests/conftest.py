from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.s3_server import S3Server, start_s3_server

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadGroupScheduling

BUCKET = "documents"

REPOSITORY = Path(__file__).resolve().parent.parent


SERVICES = {"ray_cluster", "s3_server", "chrome", "endpoint", "narrow_endpoint"}
"""Fixtures that start something; tests which start a job of their own have an `xdist_group`."""


def pytest_configure() -> None:
    """Compute on one thread in each worker process: together they have as many threads as the machine has cores."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling:
    """Keep the tests of a file in one worker, as those of a group: what a file shares is made once, not in each worker."""
    from xdist.scheduler import LoadGroupScheduling

    class GroupOrFileScheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope: str = super()._split_scope(nodeid)
            return nodeid.split("::")[0] if scope == nodeid else scope

    return GroupOrFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `make check` leaves out; let the groups begin, which take the longest."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    for item in items:
        if item.get_closest_marker("xdist_group") or SERVICES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)


@pytest.fixture(scope="session")
def fixtures_directory() -> Path:
    """Small files that the tests carry with them."""
    return REPOSITORY / "tests" / "fixtures"


@pytest.fixture(scope="session")
def samples_directory() -> Path:
    """The documents that `make demo` runs on."""
    return REPOSITORY / "samples" / "documents"


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


@pytest.fixture(scope="session")
def ray_cluster(s3_server: S3Server) -> Iterator[None]:
    """Ray with two CPUs in this test process; its workers reach the S3 server."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()
