"""What a run used, in a line."""

from __future__ import annotations

import pytest

from airflow_provider_vibe.cli.report import usage_line
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus
from airflow_provider_vibe.runtime.usage import Usage


def line(usage):
    stored = usage.as_json() if usage else None
    return usage_line(ExecutionResult(plan_id="p", status=ExecutionStatus.COMPLETED, usage=stored))


@pytest.mark.parametrize("usage", [None, Usage(), Usage(seconds=3.0)])
def test_a_run_that_asked_no_model_says_nothing(usage):
    assert line(usage) is None


def test_tokens_requests_cost_and_time_are_told():
    used = Usage(input_tokens=12_000, output_tokens=345, requests=7, known_cost=0.0123, seconds=3.04)
    assert line(used) == "used 7 requests, 12,345 tokens (12,000 in, 345 out), $0.0123; 3.0 s of work"


@pytest.mark.parametrize(
    ("known", "told"),
    [(0.0, "an unknown cost for 1 request"), (0.5, "$0.5 and an unknown cost for 1 request")],
)
def test_an_unknown_cost_is_not_told_as_nothing(known, told):
    assert told in line(Usage(requests=2, known_cost=known, unknown_costs=1))
    assert ("$0" in line(Usage(requests=2, known_cost=known, unknown_costs=1))) is bool(known)


def test_sum_that_was_no_number_is_told_as_unknown():
    stored = {**Usage(requests=2).as_json(), "known_cost": None, "cost": None}  # what JSON made of infinity
    told = usage_line(ExecutionResult(plan_id="p", status=ExecutionStatus.COMPLETED, usage=stored))
    assert "an unknown cost for 2 requests" in told
