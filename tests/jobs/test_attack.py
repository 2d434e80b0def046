"""A client that behaves well is answered beside each attack of `benchmarks.attack`, whose table says how fast."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest

from benchmarks.attack import ATTACKS, Target, attack_run
from tests.jobs.endpoint import Endpoint

pytestmark = pytest.mark.xdist_group("serve")

QUICK = ("slow bodies", "flood of nonsense")
"""Two after which the endpoint has nothing to recover from."""


@pytest.mark.parametrize(
    ("attacks", "seconds"),
    [
        pytest.param(QUICK, 1.5, id="briefly"),
        pytest.param(tuple(ATTACKS), 85.0, id="ten minutes", marks=(pytest.mark.slow, pytest.mark.timeout(1800))),
    ],
)
def test_a_client_is_answered_beside_each_attack(
    endpoint: Endpoint, samples_directory: Path, attacks: tuple[str, ...], seconds: float
) -> None:
    assert endpoint.key is not None
    page = (samples_directory / "supplier-form.pdf").read_bytes()
    phases = attack_run(Target(endpoint.url, endpoint.key, endpoint.process.pid), page, seconds, attacks)
    assert [phase.name for phase in phases] == ["quiet", *attacks]
    for phase in phases:
        assert phase.seconds, f"no page was answered beside {phase.name}: {phase.statuses}"
        refusals = {429, 503} if phase.name in ("bombs", "killed replicas") else {429}
        assert set(phase.statuses) <= {200, *refusals}, f"{phase.name}: {phase.statuses}"
    until = time.monotonic() + 60
    while uploads() and time.monotonic() < until:
        time.sleep(0.1)
    assert not uploads(), "no document outlives its request"
    with endpoint.client() as client:
        assert client.get("/healthz").status_code == 200


def uploads() -> list[Path]:
    """Documents on the disk, those of other endpoints too."""
    return list(Path(tempfile.gettempdir()).glob("layoutlmv2-uploads-*/[!.]*"))
