"""`airflow vibe compare`: two runs side by side."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from airflow_provider_vibe.cli.compare import compare
from airflow_provider_vibe.cli.comparison import Change, Compared, NodeFacts
from airflow_provider_vibe.cli.runs import RunState
from airflow_provider_vibe.runtime.outcome import ExecutionStatus
from tests.cli.fakes import BEGIN, FakeReader, at, done, outcome, unreached, working
from tests.dag.plans import node, plan

FIRST, SECOND = "manual__1", "manual__2"
OLD = plan(node("a"), node("b", "a"), node("c", "b"), node("gone"))
NEW = plan(node("a"), node("b", "a"), node("c", "b"), node("new"))


class TwoRuns(FakeReader):
    """Two runs of a plan, the second of another revision."""

    def __init__(self, second_tasks, left) -> None:
        super().__init__(OLD, ("failed", {}))
        old, new = FakeReader(OLD, ("failed", {})), FakeReader(NEW, ("success", {}))
        tasks = {"a": done(0, 2), "b": done(2, 4), "c": done(4, 9, "failed", 3), "gone": done(0, 1)}
        self.each = {FIRST: (old, tasks), SECOND: (new, second_tasks)}
        self.left = left

    def run(self, dag_id, run_id):
        if run_id not in self.each:
            return None
        over = run_id == FIRST or all(task.ended_at for task in self.each[run_id][1].values())
        state = "failed" if run_id == FIRST else "success" if over else "running"
        return RunState(
            dag_id, run_id, state, BEGIN, at(9.5) if over else None, list(self.each).index(run_id)
        )

    def task_states(self, dag_id, run_id):
        return self.each[run_id][1]

    def structure(self, dag_id, version):
        return self.each[list(self.each)[version]][0]._structure

    def xcom(self, dag_id, run_id, task_id, key):
        return self.left.get((run_id, task_id)) if key == "vibe_outcome" else None


def used(cost: float | None) -> dict:
    return {"input_tokens": 100, "output_tokens": 50, "requests": 1, "cost": cost}


LEFT = {
    (FIRST, "a"): outcome(usage=used(0.25), fingerprint="A"),
    (FIRST, "b"): outcome(usage=used(None), fingerprint="B"),
    (FIRST, "c"): outcome("failed", 0.0, fingerprint="C"),
    (FIRST, "gone"): outcome(quality=None, fingerprint="G"),
    (SECOND, "a"): outcome(reused_from=FIRST, reused_usage=used(0.25), fingerprint="A", duration=0.0),
    (SECOND, "b"): outcome(quality=0.9, usage=used(0.125), fingerprint="B2"),
    (SECOND, "c"): outcome(fingerprint="C"),
}
AFTER = {"a": done(0, 1), "b": done(1, 2), "c": done(2, 3), "new": done(0, 1)}


@pytest.fixture
def shown(reading, capsys):
    def show(reader=None, output_format="table", other=SECOND):
        reading(reader or TwoRuns(AFTER, LEFT))
        with pytest.raises(SystemExit) as stopped:
            compare(Namespace(dag="plan", run=FIRST, other=other, format=output_format, url=None))
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return show


def rows(out: str) -> dict[str, list[str]]:
    lines = [line.replace(" → ", "→").replace(" + ?", "+?").split() for line in out.splitlines()]
    return {line[0]: line[1:] for line in lines if line}


def test_each_node_is_told_with_what_differs(shown):
    code, out, _ = shown()
    assert code == 0
    table = rows(out)
    assert table["a"] == ["completed", "0.8", "$0.2500→-", "1.50→0.00", "1", "reused"]
    assert table["b"] == ["completed", "0.8→0.9", "?→$0.1250", "1.50", "1", "changed"]
    assert table["c"] == ["failed→completed", "0.0→0.8", "1.50", "3→1", "same"]
    assert table["new"] == ["-→completed", "-", "-", "-→1.00", "-→1", "added"]
    assert table["gone"] == ["completed→-", "-", "-", "1.50→-", "1→-", "removed"]
    assert table["total"] == ["failed→completed", "$0.2500+?→$0.1250", "9.50", "6→4"]
    assert out.splitlines()[-1] == (
        "1 added, 1 removed, 1 reused, 1 changed, 1 same; reuse saved $0.2500, 150 tokens in 1 requests"
    )


def test_json_tells_nodes_totals_and_changes(shown):
    code, out, _ = shown(output_format="json")
    told = json.loads(out)
    assert code == 0
    assert told["dag_id"] == "plan"
    assert (told["earlier"]["run_id"], told["later"]["run_id"]) == (FIRST, SECOND)
    assert told["earlier"]["usage"]["cost"] is None
    assert told["earlier"]["usage"]["known_cost"] == 0.25
    assert told["later"]["usage"]["cost"] == 0.125
    assert told["later"]["reused_usage"]["cost"] == 0.25
    assert (told["earlier"]["tries"], told["later"]["tries"]) == (6, 4)
    assert (told["earlier"]["completed"], told["later"]["completed"]) == (3, 4)
    assert (told["later"]["reused"], told["later"]["work_seconds"]) == (1, 4.0)
    assert told["changes"] == {"added": 1, "removed": 1, "reused": 1, "changed": 1, "same": 1}
    assert told["nodes"]["new"]["earlier"] is None
    assert told["nodes"]["gone"]["later"] is None
    assert told["nodes"]["a"]["later"]["reused_from"] == FIRST
    assert told["nodes"]["a"]["change"] == "reused"


def test_run_that_goes_on_is_compared_as_far_as_it_is(shown):
    going = {"a": done(0, 1), "b": working(1), "c": unreached(0, "scheduled")}
    code, out, _ = shown(TwoRuns(going, LEFT))
    assert code == 0
    table = rows(out)
    assert table["b"] == ["completed→running", "0.8→-", "?→-", "1.50→-", "1", "unknown"]
    assert table["total"][0] == "failed→running"


def test_run_that_is_not_there_is_told(shown):
    code, out, err = shown(other="manual__3")
    assert (code, out) == (2, "")
    assert err.startswith("airflow vibe compare: DAG 'plan' has no run 'manual__3'")


def test_reused_node_is_called_so_whatever_its_fingerprint():
    facts = NodeFacts(ExecutionStatus.COMPLETED, fingerprint="A")
    reused = NodeFacts(ExecutionStatus.COMPLETED, fingerprint=None, reused_from="r")
    assert Compared("a", facts, reused).change is Change.REUSED
    assert Compared("a", reused, facts).change is Change.UNKNOWN
