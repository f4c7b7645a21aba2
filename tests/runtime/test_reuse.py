"""What a node leaves whose work an earlier run has done."""

from __future__ import annotations

import pytest

from airflow_provider_vibe.runtime.outcome import ExecutionStatus, NodeOutcome
from airflow_provider_vibe.runtime.reuse import (
    earlier_runs,
    kept_again,
    kept_by,
    kept_in,
    known_digest,
    taken_over,
    with_earlier_runs,
)

RESULT = {"type": "tool_execution", "tool": "t", "result": {"text": "T"}}


def earlier(**fields) -> NodeOutcome:
    given = {"status": ExecutionStatus.COMPLETED, "started_at": None, "duration": 9.0, "usage": {"cost": 1}}
    return NodeOutcome(node_id="a", **{**given, **fields})


def test_result_says_which_run_made_it_and_where_it_may_lead():
    outcome = taken_over("a", earlier(), RESULT, "first", "f")
    assert outcome.result == {**RESULT, "reused_from": "first", "earlier_runs": ["first"]}
    assert (outcome.reused_from, outcome.fingerprint, outcome.duration) == ("first", "f", 0.0)


def test_renamed_node_is_told_by_its_present_id_and_says_who_made_its_result():
    suggestion = {"node_id": "a", "reason": "low_quality_output"}
    outcome = taken_over("b", earlier(replan_suggestion=suggestion), RESULT, "first", "f")
    assert (outcome.node_id, outcome.replan_suggestion["node_id"]) == ("b", "b")
    assert (kept_by(outcome.result, "b"), kept_by(RESULT, "b")) == ("a", "b")
    again = taken_over("c", outcome, outcome.result, "second", "f")
    assert kept_by(again.result, "c") == "a"


def test_run_that_did_the_work_and_run_that_keeps_the_result_are_told_through_a_lineage():
    second = taken_over("b", earlier(), RESULT, "first", "f")
    third = taken_over("b", second, second.result, "second", "f")
    assert (third.reused_from, kept_in(third.result, "third")) == ("first", "first")
    kept = kept_again(second.result, "second")
    third = taken_over("c", second, kept, "second", "f")
    assert (third.reused_from, kept_in(third.result, "third")) == ("first", "second")
    assert kept_by(third.result, "c") == "b"
    assert earlier_runs(third.result) == ["first", "second"]


def test_result_that_was_not_taken_over_is_kept_by_its_own_run_without_saying_so():
    assert kept_again(RESULT, "first") == RESULT


def test_work_of_the_earlier_run_is_told_but_not_counted():
    outcome = taken_over("a", earlier(feedback={"execution_quality": 0.9}), RESULT, "first", "f")
    assert (outcome.usage, outcome.reused_usage) == (None, {"cost": 1})
    assert outcome.feedback == {"execution_quality": 0.9}


def test_usage_of_the_run_that_did_the_work_is_told_through_a_chain():
    second = earlier(reused_from="first", reused_usage={"cost": 1}, usage={"cost": 0})
    assert taken_over("a", second, RESULT, "first", "f").reused_usage == {"cost": 1}


def test_runs_that_a_result_may_lead_to_add_up():
    outcome = taken_over("a", earlier(), {**RESULT, "earlier_runs": ["zeroth"]}, "first", "f")
    assert earlier_runs(outcome.result) == ["first", "zeroth"]
    assert earlier_runs(with_earlier_runs(outcome.result, ["other"])) == ["first", "other", "zeroth"]


@pytest.mark.parametrize("result", [None, "text", [1], RESULT])
def test_result_that_leads_nowhere_else_stays_as_it_is(result):
    assert with_earlier_runs(result, []) is result
    assert earlier_runs(result) == []


@pytest.mark.parametrize("result", [None, "text", [1]])
def test_result_that_is_no_object_is_taken_over_as_it_is(result):
    assert taken_over("a", earlier(), result, "first", "f").result == result


def test_result_is_kept_in_its_own_run_unless_it_says_otherwise():
    assert kept_in(RESULT, "second") == "second"
    assert kept_in({**RESULT, "reused_from": "first"}, "second") == "first"


def test_only_a_composite_tells_its_digest_itself():
    assert known_digest({"type": "composite", "output_digest": "d"}) == "d"
    assert known_digest({"type": "composite"}) is None
    assert known_digest({**RESULT, "output_digest": "d"}) is None
