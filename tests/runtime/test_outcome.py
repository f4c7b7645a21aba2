"""What came of a run, and of a node, as JSON and in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_vibe.runtime import ExecutionResult, ExecutionStatus, NodeOutcome, NodeResult
from airflow_provider_vibe.runtime.outcome import CHILDREN_FAILED, parallel_efficiency

COMPLETED, FAILED, SKIPPED = ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.SKIPPED
PENDING, RUNNING = ExecutionStatus.PENDING, ExecutionStatus.RUNNING


def result_of(status=COMPLETED, suggestions=(), **nodes):
    """A result whose nodes have these statuses; a tuple adds the type of error."""
    node_results = {}
    for node_id, told in nodes.items():
        state, error_type = told if isinstance(told, tuple) else (told, None)
        node_results[node_id] = NodeResult(node_id=node_id, status=state, error_type=error_type)
    return ExecutionResult(
        plan_id="p",
        status=status,
        started_at=datetime(2026, 1, 5, 7, tzinfo=UTC),
        completed_at=datetime(2026, 1, 5, 7, 0, 30, tzinfo=UTC),
        total_duration=30.0,
        node_results=node_results,
        parallel_efficiency=0.25,
        execution_groups=[list(nodes)],
        replan_suggestions=list(suggestions),
    )


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(COMPLETED, True), (FAILED, True), (SKIPPED, True), (PENDING, False), (RUNNING, False)],
)
def test_completed_failed_and_skipped_are_final(status, is_final):
    assert status.is_final is is_final


def test_summary_has_the_originals_keys_and_counts_skipped_nodes():
    assert result_of(FAILED, a=COMPLETED, b=FAILED, c=SKIPPED, d=SKIPPED).get_summary() == {
        "plan_id": "p",
        "status": "failed",
        "total_nodes": 4,
        "completed": 1,
        "failed": 1,
        "skipped": 2,
        "total_duration": 30.0,
        "started_at": "2026-01-05T07:00:00+00:00",
        "completed_at": "2026-01-05T07:00:30+00:00",
        "parallel_efficiency": 0.25,
        "execution_groups": 1,
    }


@pytest.mark.parametrize("status", [PENDING, RUNNING])
def test_result_is_complete_when_every_node_is_final(status):
    assert result_of(a=COMPLETED, b=FAILED, c=SKIPPED).is_complete()
    assert not result_of(a=COMPLETED, b=status).is_complete()


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (result_of(a=COMPLETED), False),
        (result_of(FAILED, a=FAILED, b=COMPLETED), False),
        (result_of(FAILED, a=FAILED, b=FAILED), True),
        (result_of(a=COMPLETED, suggestions=[{"node_id": "a"}]), True),
        (result_of(FAILED, a=FAILED, group=(FAILED, CHILDREN_FAILED)), False),
        (result_of(FAILED, a=FAILED, group=(FAILED, CHILDREN_FAILED), b=FAILED), True),
    ],
)
def test_replan_is_called_for_by_two_failures_of_their_own_or_a_suggestion(result, expected):
    assert result.should_replan() is expected


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (result_of(a=COMPLETED, b=COMPLETED), "plan completed: all 2 nodes"),
        (result_of(FAILED, a=FAILED, b=SKIPPED, c=COMPLETED), "plan failed: 1 of 3 nodes failed: a"),
        (
            result_of(FAILED, g=(FAILED, CHILDREN_FAILED), a=FAILED, b=FAILED),
            "plan failed: 2 of 3 nodes failed: a, b",
        ),
        (result_of(FAILED, a=SKIPPED, b=COMPLETED), "plan failed: 1 of 2 nodes were skipped: a"),
        (result_of(RUNNING, a=RUNNING, b=COMPLETED), "plan running: not every node is done"),
        (result_of(FAILED, **{"a\nb": FAILED}), "plan failed: 1 of 1 nodes failed: a\\nb"),
        (
            result_of(FAILED, **{f"n{index}": FAILED for index in range(12)}),
            "plan failed: 12 of 12 nodes failed: n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more",
        ),
    ],
)
def test_headline_says_in_a_line_how_the_run_ended(result, line):
    assert result.headline() == line


def test_result_as_json_has_the_checkpoint_form_and_ours():
    data = result_of(FAILED, a=FAILED, b=FAILED).as_json()
    assert list(data) == [
        *("schema", "plan_id", "status", "started_at", "completed_at", "total_duration", "node_results"),
        *("parallel_efficiency", "execution_groups", "feedback_data", "replan_suggestions"),
        *("dag_id", "run_id", "plan_digest", "plan_revision", "usage", "summary", "should_replan"),
    ]
    assert data["schema"] == 1
    assert data["should_replan"] is True
    assert data["summary"]["failed"] == 2
    assert data["node_results"]["a"] == {
        **{"node_id": "a", "status": "failed", "result": None, "error": None, "duration": 0.0},
        **{"started_at": None, "try_number": 0, "error_type": None, "reason": None, "usage": None},
        **{"reused_from": None, "reused_usage": None},
    }


def test_result_survives_being_json():
    result = result_of(FAILED, a=COMPLETED, b=(FAILED, "ValueError"), c=SKIPPED)
    result.node_results["a"].result = {"result": {"text": "größer 🙂"}}
    result.feedback_data["a"] = {"execution_quality": None}
    assert ExecutionResult.model_validate(json.loads(json.dumps(result.as_json()))) == result


def test_outcome_as_json_has_the_form_of_the_contract():
    outcome = NodeOutcome(
        node_id="a",
        status=FAILED,
        error="bad",
        error_type="ValueError",
        started_at=datetime(2026, 1, 5, 7, tzinfo=UTC),
        duration=1.5,
        result={"big": "result"},
        exception=ValueError("bad"),
    )
    assert outcome.as_json() == {
        "schema": 1,
        "node_id": "a",
        "status": "failed",
        "error": "bad",
        "error_type": "ValueError",
        "started_at": "2026-01-05T07:00:00Z",
        "duration": 1.5,
        "try_number": 1,
        "feedback": {},
        "replan_suggestion": None,
        "fingerprint": None,
        "node_digest": None,
        "usage": None,
        "reused_from": None,
        "reused_usage": None,
    }


def test_outcome_survives_being_json_without_its_result_and_exception():
    outcome = NodeOutcome(node_id="a", status=SKIPPED, started_at=None, duration=0.0, result=1)
    read = NodeOutcome.model_validate(json.loads(json.dumps(outcome.as_json())))
    assert read == outcome.model_copy(update={"result": None})


@pytest.mark.parametrize(
    ("durations", "total", "expected"),
    [
        ({}, 0.0, 0.0),
        ({"a": 0.0}, 5.0, 0.0),
        ({"a": 1.0, "b": 1.0}, 1.0, 0.5),
        ({"a": 1.0, "b": 1.0}, 2.0, 0.0),
        ({"a": 1.0, "b": 1.0}, 3.0, 0.0),
        ({"a": 2.0, "b": 2.0, "c": 4.0}, 4.0, 0.5),
    ],
)
def test_parallel_efficiency_is_the_share_of_work_beside_other_work(durations, total, expected):
    assert parallel_efficiency(durations, total) == expected
