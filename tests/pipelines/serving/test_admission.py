from __future__ import annotations

import pytest

from pipelines.serving.admission import Admission
from pipelines.serving.errors import RequestError


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refusal(admission: Admission) -> RequestError:
    with pytest.raises(RequestError) as refused:
        admission.acquire()
    return refused.value


def test_slots_are_released_once_and_a_refusal_says_when_to_come_again() -> None:
    admission = Admission(2, seconds=10)
    first, _ = admission.acquire(), admission.acquire()
    error = refusal(admission)
    assert error.status == 429 and error.headers()["Retry-After"] == "1"
    first.release()
    first.release()
    assert admission.in_flight == 1
    admission.acquire()
    assert admission.in_flight == 2


def test_a_request_that_would_wait_for_more_than_half_its_time_limit_is_refused() -> None:
    clock = Clock()
    admission = Admission(100, seconds=10, clock=clock)
    for _ in range(30):
        with admission.page():
            clock.now += 2
    pages = [admission.page() for _ in range(5)]
    for page in pages[:2]:
        page.__enter__()
    assert admission.expected_seconds == pytest.approx(4)
    admission.acquire()
    for page in pages[2:]:
        page.__enter__()
    assert admission.expected_seconds == pytest.approx(10)
    assert refusal(admission).retry_after == 5


def test_idle_time_and_failed_pages_do_not_count_towards_the_pace() -> None:
    clock = Clock()
    admission = Admission(100, seconds=10, clock=clock)
    with admission.page():
        clock.now += 1
    clock.now += 1000
    with pytest.raises(TimeoutError), admission.page():
        clock.now += 500
        raise TimeoutError
    with admission.page():
        clock.now += 1
        assert admission.expected_seconds == pytest.approx(1)
    assert admission.pages_in_flight == 0
