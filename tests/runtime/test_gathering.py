"""From what each node left behind to the result of the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.runtime.gathering import Trace, gather_result
from airflow_provider_vibe.runtime.outcome import (
    CHILDREN_FAILED,
    ExecutionResult,
    ExecutionStatus,
    NodeOutcome,
)
from tests.runtime.helpers import node, plan

COMPLETED, FAILED, SKIPPED = ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.SKIPPED
PENDING, RUNNING = ExecutionStatus.PENDING, ExecutionStatus.RUNNING
START = datetime(2026, 1, 5, 7, tzinfo=UTC)


def outcome(node_id, status=COMPLETED, after=0.0, **fields):
    """What a node left that began to work *after* seconds."""
    fields = {"duration": 1.0, "started_at": START + timedelta(seconds=after), **fields}
    return NodeOutcome(node_id=node_id, status=status, **fields)


def done(node_id, **fields):
    return Trace(COMPLETED, outcome(node_id, **fields), {"result": node_id})


def failed(node_id, error="bad", **fields):
    return Trace(FAILED, outcome(node_id, FAILED, error=error, error_type="ValueError", **fields))


def gather(a_plan, seconds=10.0, started_at=START, **traces) -> ExecutionResult:
    return gather_result(
        a_plan,
        traces,
        started_at=started_at,
        completed_at=START + timedelta(seconds=seconds),
        dag_id="d",
        run_id="r",
    )


def told(result, node_id):
    """The status and the reason of a node."""
    return result.node_results[node_id].status, result.node_results[node_id].reason


CHAIN = plan(node("a"), node("b", dependencies=["a"]), node("c", dependencies=["b"]))
NOT_RUN = Trace(SKIPPED)


def test_plan_is_completed_only_when_every_node_is():
    result = gather(CHAIN, a=done("a"), b=done("b"), c=done("c"))
    assert result.status is COMPLETED
    assert [each.result for each in result.node_results.values()] == [
        {"result": "a"},
        {"result": "b"},
        {"result": "c"},
    ]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((COMPLETED, COMPLETED, FAILED), FAILED),
        ((COMPLETED, COMPLETED, SKIPPED), FAILED),
        ((SKIPPED, SKIPPED, SKIPPED), FAILED),
        ((COMPLETED, RUNNING, PENDING), RUNNING),
        ((COMPLETED, PENDING, PENDING), RUNNING),
        ((FAILED, RUNNING, PENDING), RUNNING),
        ((PENDING, PENDING, PENDING), PENDING),
    ],
)
def test_status_of_the_run_is_told_from_those_of_its_nodes(statuses, expected):
    traces = {node_id: Trace(status) for node_id, status in zip("abc", statuses, strict=True)}
    assert gather(CHAIN, **traces).status is expected


def test_what_a_node_reported_is_in_its_result():
    usage = {"input_tokens": 3}
    result = gather(CHAIN, a=done("a", try_number=2, usage=usage), b=failed("b"), c=NOT_RUN)
    a, b = result.node_results["a"], result.node_results["b"]
    assert (a.try_number, a.usage, a.duration, a.started_at) == (2, usage, 1.0, START)
    assert (b.status, b.error, b.error_type, b.result) == (FAILED, "bad", "ValueError", None)


def test_feedback_and_suggestions_are_gathered_in_the_order_of_the_plan():
    suggestion = {"node_id": "c", "reason": "low_quality_output"}
    result = gather(
        CHAIN,
        c=done("c", feedback={"execution_quality": 0.5}, replan_suggestion=suggestion),
        a=done("a", feedback={"execution_quality": 0.8}),
        b=done("b", feedback={"execution_quality": 0.7}),
    )
    assert list(result.feedback_data) == ["a", "b", "c"]
    assert result.feedback_data["c"] == {"execution_quality": 0.5}
    assert result.replan_suggestions == [suggestion]
    assert result.should_replan()


def test_result_says_which_plan_ran_and_where():
    a_plan = plan(node("a"), node("b"), id="other", revision=3)
    result = gather(a_plan, a=done("a"), b=done("b"))
    assert (result.plan_id, result.plan_revision, result.plan_digest) == ("other", 3, plan_digest(a_plan))
    assert (result.dag_id, result.run_id) == ("d", "r")
    assert (result.started_at, result.total_duration) == (START, 10.0)


def test_execution_groups_are_levels_of_the_whole_tree_in_sorted_order():
    a_plan = plan(
        node("z"),
        node("g", "composite", dependencies=["z"], children=[node("y"), node("x")]),
        node("end", dependencies=["g"]),
    )
    skipped = dict.fromkeys(["z", "g", "y", "x", "end"], NOT_RUN)
    assert gather(a_plan, **skipped).execution_groups == [["z"], ["g"], ["x", "y"], ["end"]]


# why a node was skipped


def test_skipped_node_names_the_failed_node_at_the_root_of_it():
    result = gather(CHAIN, a=failed("a"), b=NOT_RUN, c=NOT_RUN)
    assert told(result, "b") == told(result, "c") == (SKIPPED, "'a' failed")
    assert result.node_results["c"].error == "Dependencies not satisfied"


def test_child_of_a_failed_parent_names_it():
    a_plan = plan(node("p", children=[node("k", children=[node("g")])]))
    result = gather(a_plan, p=failed("p"), k=NOT_RUN, g=NOT_RUN)
    assert told(result, "k") == told(result, "g") == (SKIPPED, "'p' failed")


def test_dependent_of_a_parent_names_the_child_that_failed():
    a_plan = plan(node("p", children=[node("k")]), node("after", dependencies=["p"]))
    result = gather(a_plan, p=done("p"), k=failed("k"), after=NOT_RUN)
    assert told(result, "after") == (SKIPPED, "'k' failed")
    assert told(result, "p") == (COMPLETED, None)


def test_composite_whose_children_failed_is_failed_and_says_how_many():
    children = [node(child) for child in ("a", "b", "c", "d", "e")]
    a_plan = plan(node("g", "composite", children=children), node("after", dependencies=["g"]))
    result = gather(
        a_plan,
        g=NOT_RUN,
        a=failed("a"),
        b=failed("b"),
        c=done("c"),
        d=done("d"),
        e=done("e"),
        after=NOT_RUN,
    )
    assert told(result, "g") == (FAILED, "2 of 5 children failed: a, b")
    assert result.node_results["g"].error_type == CHILDREN_FAILED
    assert told(result, "after") == (SKIPPED, "'a' failed")


def test_failure_of_children_counts_once():
    a_plan = plan(node("g", "composite", children=[node("h", "composite", children=[node("a")])]))
    result = gather(a_plan, g=NOT_RUN, h=NOT_RUN, a=failed("a"))
    assert result.node_results["g"].status is result.node_results["h"].status is FAILED
    assert result.failed_nodes() == ["a"]
    assert not result.should_replan()
    assert result.headline() == "plan failed: 1 of 3 nodes failed: a"


def test_composite_that_never_opened_is_skipped_with_its_children():
    a_plan = plan(node("x"), node("g", "composite", dependencies=["x"], children=[node("a")]))
    result = gather(a_plan, x=failed("x"), g=NOT_RUN, a=NOT_RUN)
    assert told(result, "g") == told(result, "a") == (SKIPPED, "'x' failed")


def test_composite_that_failed_itself_tells_its_own_error():
    a_plan = plan(node("g", "composite", children=[node("a")]))
    result = gather(a_plan, g=failed("g", "no such field"), a=done("a"))
    assert (result.node_results["g"].error, result.node_results["g"].error_type) == (
        "no such field",
        "ValueError",
    )


def test_node_skipped_by_hand_says_so():
    result = gather(CHAIN, a=NOT_RUN, b=NOT_RUN, c=NOT_RUN)
    assert told(result, "a") == (SKIPPED, "skipped in Airflow")


def test_node_whose_tool_skipped_it_gives_its_reason_and_is_named_by_its_dependents():
    own = outcome("a", SKIPPED, error="nothing new today")
    result = gather(CHAIN, a=Trace(SKIPPED, own), b=NOT_RUN, c=NOT_RUN)
    assert told(result, "a") == (SKIPPED, "nothing new today")
    assert told(result, "b") == told(result, "c") == (SKIPPED, "'a' was skipped")
    assert result.feedback_data == {}


def test_failure_goes_before_a_skip():
    a_plan = plan(node("a"), node("b"), node("c", dependencies=["a", "b"]))
    own = outcome("a", SKIPPED, error="nothing new")
    result = gather(a_plan, a=Trace(SKIPPED, own), b=failed("b"), c=NOT_RUN)
    assert told(result, "c") == (SKIPPED, "'b' failed")


# what Airflow says of a task against what the node said


def test_node_of_a_killed_worker_is_told_so():
    result = gather(CHAIN, a=Trace(FAILED), b=NOT_RUN, c=NOT_RUN)
    a = result.node_results["a"]
    assert (a.status, a.error_type, a.started_at, a.try_number) == (FAILED, "WorkerLost", None, 0)
    assert a.error is not None
    assert a.error.startswith("'a' ended without a report")
    assert result.feedback_data["a"]["execution_quality"] == 0.0
    assert result.headline() == "plan failed: 1 of 3 nodes failed: a"


def test_node_marked_as_done_by_hand_says_so():
    result = gather(CHAIN, a=Trace(COMPLETED), b=done("b"), c=done("c"))
    assert told(result, "a") == (COMPLETED, "marked as done in Airflow")
    assert result.status is COMPLETED


def test_failed_outcome_of_a_node_that_was_marked_as_done_is_stale():
    stale = outcome("a", FAILED, error="bad", feedback={"execution_quality": 0.0}, duration=99.0)
    result = gather(CHAIN, a=Trace(COMPLETED, stale), b=done("b"), c=done("c"))
    assert told(result, "a") == (COMPLETED, "marked as done in Airflow")
    assert result.node_results["a"].error is None
    assert "a" not in result.feedback_data
    assert result.parallel_efficiency == 0.0


def test_completed_outcome_of_a_node_that_is_skipped_now_is_stale():
    stale = outcome("b", feedback={"execution_quality": 0.8}, replan_suggestion={"node_id": "b"})
    result = gather(CHAIN, a=failed("a"), b=Trace(SKIPPED, stale), c=NOT_RUN)
    assert told(result, "b") == told(result, "c") == (SKIPPED, "'a' failed")
    assert result.node_results["b"].duration == 0.0
    assert "b" not in result.feedback_data
    assert result.replan_suggestions == []


def test_node_that_failed_after_its_work_says_so():
    result = gather(CHAIN, a=Trace(FAILED, outcome("a")), b=NOT_RUN, c=NOT_RUN)
    assert told(result, "a") == (FAILED, "failed in Airflow after its work was done")
    assert result.node_results["a"].error == "failed in Airflow after its work was done"


# times


def test_parallel_efficiency_counts_the_work_of_all_nodes_against_the_time_of_the_run():
    traces = {node_id: done(node_id, duration=5.0) for node_id in "abc"}
    assert gather(CHAIN, seconds=10.0, **traces).parallel_efficiency == pytest.approx(5 / 15)
    assert gather(CHAIN, seconds=20.0, **traces).parallel_efficiency == 0.0


def test_work_from_before_a_run_was_resumed_does_not_count_as_parallel():
    old = {"after": -3600.0, "duration": 60.0}
    result = gather(CHAIN, seconds=10.0, a=done("a", **old), b=done("b", **old), c=done("c", duration=9.0))
    assert result.parallel_efficiency == 0.0
    assert result.node_results["a"].duration == 60.0


def test_run_that_never_started_took_no_time():
    result = gather(CHAIN, started_at=None, a=Trace(PENDING), b=Trace(PENDING), c=Trace(PENDING))
    assert (result.status, result.total_duration, result.parallel_efficiency) == (PENDING, 0.0, 0.0)


def test_result_survives_being_json():
    a_plan = plan(node("g", "composite", children=[node("a"), node("b")]))
    result = gather(a_plan, g=NOT_RUN, a=failed("a", feedback={"replannable": True}), b=done("b"))
    assert ExecutionResult.model_validate(result.as_json()) == result
