from __future__ import annotations

import logging

import pytest

from pipelines.runtime.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that `Progress` sees: the last entry."""
    times = [100.0]
    monkeypatch.setattr("pipelines.runtime.progress.time.monotonic", lambda: times[-1])
    return times


def test_the_line_shows_done_failed_rate_and_time_left(clock: list[float]) -> None:
    progress = Progress(40, "pages")
    clock.append(110.0)
    progress.add(4)
    clock.append(120.0)
    progress.add(16, failed=2)
    assert progress.line() == "pages 20/40 (2 failed), 1.6 pages/s, 12 s left"


def test_the_start_of_workers_does_not_count(clock: list[float]) -> None:
    progress = Progress(None, "pages")
    assert progress.rate == 0.0
    clock.append(110.0)
    progress.add(5)
    assert progress.rate == 0.5
    clock.append(112.0)
    progress.add(20)
    assert progress.rate == 10.0


def test_units_that_come_all_at_once_are_measured_from_the_beginning(clock: list[float]) -> None:
    progress = Progress(10, "documents")
    clock.append(104.0)
    progress.add(1)
    clock.append(104.001)
    progress.add(9)
    assert progress.rate == pytest.approx(2.5, rel=0.01)


def test_off_a_terminal_a_line_is_logged_every_few_seconds_and_at_the_end(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Progress(3, "documents", interval_seconds=10) as progress:
        for seconds in (103.0, 111.0, 112.0):
            clock.append(seconds)
            progress.add(1)
    lines = [record.message.split(" (")[0] for record in caplog.records]
    assert lines == ["documents 2/3", "documents 3/3"]


def test_a_total_may_become_known_later_and_nothing_done_logs_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        with Progress(None, "documents") as progress:
            progress.add(2)
            assert progress.line().startswith("documents 2 (")
            progress.expect(5)
        with Progress(None, "documents") as progress:
            progress.expect(0)
    assert [record.message.split(" (")[0] for record in caplog.records] == ["documents 2/5"]
