from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.batch.fault_burst import BURST_LIMITS, BlockOutcome, FaultBurst, FaultBurstError, block_outcome
from pipelines.batch.manifest import WrittenPages
from pipelines.errors import ERROR_KINDS, JobError
from pipelines.schema import page_schema
from tests.pipelines.batch.output_rows import identity, page_row

OK = BlockOutcome(8)


def failed(kind: str, document: int, pages: int = 8) -> BlockOutcome:
    return BlockOutcome(pages, kind, (f"d{document}",), f"/in/{document}.pdf: no")  # type: ignore[arg-type]


def blocks_until_stopped(*outcomes: BlockOutcome) -> int | None:
    """How many blocks were added when the run was stopped; None if it was not."""
    burst = FaultBurst()
    for number, outcome in enumerate(outcomes, 1):
        try:
            burst.add(outcome)
        except FaultBurstError:
            return number
    return None


@pytest.mark.parametrize("kind", ["access_denied", "not_found", "internal", "ocr_failed"])
def test_many_pages_of_many_documents_that_fail_in_the_same_way_stop_a_run(kind: str) -> None:
    assert blocks_until_stopped(*(failed(kind, number) for number in range(20))) == 8


@pytest.mark.parametrize("kind", ["crashed", "out_of_memory"])
def test_what_documents_of_one_origin_may_do_to_a_parser_stops_a_run_late(kind: str) -> None:
    assert blocks_until_stopped(*(failed(kind, number) for number in range(100))) == 64


@pytest.mark.parametrize("kind", sorted(set(ERROR_KINDS) - set(BURST_LIMITS)))
def test_what_is_the_documents_own_never_stops_a_run(kind: str) -> None:
    assert kind in {"unreadable", "encrypted", "empty", "unsupported", "too_large", "timeout"}
    assert blocks_until_stopped(*(failed(kind, number) for number in range(10_000))) is None


def test_one_long_document_that_fails_does_not_stop_a_run() -> None:
    assert blocks_until_stopped(*(failed("internal", 1, pages=128) for _ in range(100))) is None


def test_few_pages_of_many_documents_do_not_stop_a_run() -> None:
    assert blocks_until_stopped(*(failed("internal", number, pages=1) for number in range(63))) is None


@pytest.mark.parametrize("between", [OK, failed("encrypted", 99), failed("not_found", 99)])
def test_a_block_that_fares_otherwise_ends_a_burst(between: BlockOutcome) -> None:
    almost = [failed("internal", number) for number in range(7)]
    assert blocks_until_stopped(*almost, between, *almost) is None
    assert blocks_until_stopped(*almost, between, *almost, failed("internal", 7)) == 16


def test_the_reason_names_the_kind_an_example_and_how_to_go_on() -> None:
    burst = FaultBurst()
    with pytest.raises(JobError) as caught:
        for number in range(8):
            burst.add(failed("access_denied", number))
    message = str(caught.value)
    assert "the last 64 pages, of 8 documents, all failed as access_denied, such as /in/0.pdf: no." in message
    assert "the same command goes on" in message and "--retry-failed" in message


def block(*rows: tuple[str, str | None]) -> WrittenPages:
    """A block of a page of each document, with the error kinds of those that failed."""
    table = pa.Table.from_pylist([page_row(name, 0, kind) for name, kind in rows], page_schema("token-classification"))
    return WrittenPages.of(table, "name", 1)


def test_the_outcome_of_a_block_is_the_kind_with_which_all_its_pages_failed() -> None:
    denied = "access_denied"
    assert block_outcome(block(("a", denied), ("a", denied), ("b", denied))) == BlockOutcome(
        3, denied, (identity("a"), identity("b")), "/in/a.pdf: a reason"
    )
    assert block_outcome(block(("a", denied), ("b", None))) == BlockOutcome(2)
    assert block_outcome(block(("a", denied), ("b", "timeout"))) == BlockOutcome(2)
    assert block_outcome(block(("a", None))) == BlockOutcome(1)
