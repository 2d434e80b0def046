from __future__ import annotations

import pytest

from pipelines.batch.retry_hints import advice, retry_command
from pipelines.errors import ERROR_KINDS
from pipelines.stages.sandbox_protocol import PageLimits


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_every_kind_of_failure_has_a_hint(kind: str) -> None:
    hint = advice(kind, PageLimits(), 1_000_000_000)  # type: ignore[arg-type]
    assert hint.words.endswith((".", ". "))


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        (["extract", "--input", "a", "b"], [], "extract --input a b --retry-failed"),
        (["extract", "--overwrite", "--input", "a"], [], "extract --input a --retry-failed"),
        (["extract", "--retry-failed", "--dpi", "90"], ["--dpi", "200"], "extract --retry-failed --dpi 200"),
        (["extract", "--dpi=90", "--input", "a"], ["--dpi", "200"], "extract --input a --retry-failed --dpi 200"),
        (["extract", "--input", "it's"], [], "extract --input 'it'\"'\"'s' --retry-failed"),
    ],
)
def test_the_command_is_the_same_with_what_it_said_before_replaced(
    command: list[str], options: list[str], expected: str
) -> None:
    assert retry_command(command, options) == expected


def test_limits_are_raised_from_those_that_the_run_had() -> None:
    limits = PageLimits(seconds=5, megabytes=300)
    assert advice("timeout", limits, 10**9).options == ("--page-time-limit-seconds", "20")
    assert advice("out_of_memory", limits, 10**9).options == ("--page-memory-limit-megabytes", "600")
    assert advice("too_large", limits, 10**9, of_documents=True).options == ("--max-document-megabytes", "2000")
    assert advice("too_large", limits, 2_000, of_documents=True).options == ("--max-document-megabytes", "0.004")


def test_no_option_is_suggested_that_would_not_help() -> None:
    assert not advice("too_large", PageLimits(), 10**9).options, "it is the page's pixels that are too many"
