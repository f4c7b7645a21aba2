"""`airflow vibe result`: what was gathered, as long as it holds."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from airflow_provider_vibe.cli.result import result
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.runtime.gathering import Trace, gather_result
from airflow_provider_vibe.runtime.outcome import ExecutionStatus, NodeOutcome
from tests.cli.fakes import FakeReader, at, done, unreached, working
from tests.dag.plans import composite, node, plan

CONTENT = plan(node("a"), composite("both", [node("x")], "a"), node("z", "both"), estimated_total_duration=9)
TASKS = {
    "a": done(1, 2),
    "both__open": done(3, 3),
    "x": done(4, 6, "failed", 2),
    "both": unreached(7),
    "z": unreached(8),
    "vibe_feedback": done(9, 10, "failed"),
}


def node_outcome(node_id: str, status: ExecutionStatus, try_number: int = 1, **fields) -> NodeOutcome:
    return NodeOutcome(
        node_id=node_id, status=status, started_at=at(1), duration=1.25, try_number=try_number, **fields
    )


def gathered(**changes) -> dict:
    """What `vibe_feedback` left."""
    failed = ExecutionStatus.FAILED
    suggestion = {"node_id": "x", "reason": "execution_failure", "suggested_changes": ["retry_with_backoff"]}
    good = node_outcome("a", ExecutionStatus.COMPLETED, feedback={"execution_quality": 0.8})
    bad = node_outcome(
        "x",
        failed,
        2,
        error="gone [away]",
        error_type="ConnectionError",
        replan_suggestion=suggestion,
        feedback={"execution_quality": 0.0},
    )
    traces = {
        "a": Trace(
            ExecutionStatus.COMPLETED,
            good,
            {
                "result": {
                    "text": "hello",
                    "uri": "file:///tmp/a.txt",
                    "image": {"uri": "file:///tmp/i.png"},
                },
                "artifacts": {"metadata": {"uri": "file:///tmp/metadata.json"}},
            },
        ),
        "x": Trace(failed, bad),
        "both": Trace(ExecutionStatus.SKIPPED),
        "z": Trace(ExecutionStatus.SKIPPED),
    }
    whole = gather_result(
        WorkflowPlan.model_validate(CONTENT),
        traces,
        started_at=at(0),
        completed_at=at(9.5),
        dag_id="plan",
        run_id="manual__1",
    )
    return whole.as_json() | changes


def finished(tasks=TASKS, stored=None, state="failed") -> FakeReader:
    left = {("vibe_feedback", "return_value"): gathered() if stored is None else stored}
    return FakeReader(CONTENT, (state, tasks), left=left)


def result_exit(fmt="table", dag="plan", run="manual__1"):
    with pytest.raises(SystemExit) as stopped:
        result(Namespace(dag=dag, run=run, format=fmt, url=None))
    return stopped.value.code


def test_table_has_a_row_for_each_node_and_ends_with_what_came_of_it(reading, capsys):
    reading(finished())
    assert result_exit() == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "node status quality seconds tries why",
        "✔ a completed 0.8 1.25 1",
        "✘ both failed 1 of 1 children failed: x",
        "✘ x failed 1.25 2 gone [away]",
        "↷ z skipped 'x' failed",
        "wrote file:///tmp/a.txt",
        "wrote file:///tmp/i.png",
        "wrote file:///tmp/metadata.json",
        "replan x: retry_with_backoff",
        "plan failed: 1 of 4 nodes failed: x, in 9.5 s",
    ]


def test_table_says_what_was_reused(reading, capsys):
    stored = gathered()
    stored["node_results"]["a"]["reused_from"] = "manual__0"
    reading(finished(stored=stored))
    assert result_exit() == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "✔ a completed 0.8 1.25 1 reused from manual__0" in lines


def test_json_is_the_result_as_it_is_stored(reading, capsys):
    reading(finished())
    assert result_exit("json") == 0
    assert json.loads(capsys.readouterr().out) == gathered()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": done(20, 21, "failed", 3)}, "it was gathered before x was run or changed last"),
        ({"x": done(4, 6, "success", 2)}, "it was gathered before x, both were run or changed last"),
        ({"z": done(11, 12)}, "before z was run or changed last: clear 'vibe_feedback' to gather it anew"),
        ({"x": working(20, 3)}, "the run is not done: 3 of 4 nodes are at rest"),
        ({"x": None}, "airflow vibe watch plan 'manual__1' shows how it goes on"),
    ],
)
def test_result_older_than_the_nodes_is_not_shown(reading, capsys, changes, words):
    tasks = {name: task for name, task in (TASKS | changes).items() if task is not None}
    reading(finished(tasks))
    assert result_exit("json") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err


def test_result_gathered_anew_while_nothing_ran_is_shown(reading, capsys):
    reading(finished(TASKS | {"vibe_feedback": working(30, 2)}, state="running"))
    assert result_exit("json") == 0


def test_node_that_was_lost_and_ran_again_is_noticed_by_the_clock(reading, capsys):
    stored = gathered()
    stored["node_results"]["a"]["try_number"] = 0
    reading(finished(TASKS | {"a": done(20, 21)}, stored))
    assert result_exit("json") == 1
    reading(finished(TASKS, stored))
    assert result_exit("json") == 0


def test_nothing_gathered_is_told(reading, capsys):
    reading(FakeReader(CONTENT, ("failed", {**TASKS, "vibe_feedback": done(9, 10, "skipped")})))
    assert result_exit() == 1
    err = capsys.readouterr().err
    assert "nothing has been gathered: 'vibe_feedback' is skipped (clear it to gather anew)" in err


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("s3://bucket/xcom/1", "is kept outside of Airflow's database, by an XCom backend"),
        ({"status": "fine"}, "what 'vibe_feedback' left is no ExecutionResult"),
    ],
)
def test_what_is_no_result_is_told(reading, capsys, stored, words):
    reading(finished(stored=stored))
    assert result_exit() == 1
    assert words in capsys.readouterr().err


def test_run_that_is_not_there_exits_with_2(reading, capsys):
    reading(finished())
    assert result_exit(run="other") == 2
    assert "DAG 'plan' has no run 'other' (the latest is 'manual__1')" in capsys.readouterr().err
