"""`airflow vibe watch`: a run until it has ended."""

from __future__ import annotations

import json
from argparse import Namespace
from io import StringIO

import pytest
from rich.console import Console

from airflow_provider_vibe.cli.looks import Observer
from airflow_provider_vibe.cli.report import run_tree
from airflow_provider_vibe.cli.runs import Unavailable
from airflow_provider_vibe.cli.watch import LiveTree, follow, watch
from airflow_provider_vibe.plan.identity import airflow_id
from tests.cli.fakes import FakeReader, done, outcome, unreached, working
from tests.dag.plans import composite, node, plan

CONTENT = plan(node("a"), composite("both", [node("x"), node("y")], "a"), node("z", "both"))
LEFT = {
    ("a", "vibe_outcome"): outcome(),
    ("x", "vibe_outcome"): outcome("failed", 0.0, error="the server [is] gone"),
    ("y", "vibe_outcome"): outcome(quality=None),
}
MIDDLE = {"a": done(1, 2), "both__open": done(3, 3), "x": working(4, 2), "y": done(4, 5)}
END = {**MIDDLE, "x": done(4, 6, "failed", 2), "both": unreached(7), "z": unreached(8)}


def failing_run() -> FakeReader:
    return FakeReader(CONTENT, ("queued", {}), ("running", MIDDLE), ("failed", END), left=LEFT)


def good_run() -> FakeReader:
    return FakeReader(plan(node("a")), ("running", {"a": working(1)}), ("success", {"a": done(1, 2)}))


def watch_exit(dag="plan", run="manual__1", events=False):
    with pytest.raises(SystemExit) as stopped:
        watch(Namespace(dag=dag, run=run, events=events, interval=0, url=None))
    return stopped.value.code


def test_events_are_lines_of_json_and_a_failed_run_exits_with_1(reading, capsys):
    reading(failing_run())
    assert watch_exit(events=True) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event_type"] == "workflow_started"
    assert events[-1]["event_type"] == "workflow_completed"
    assert [event["node_id"] for event in events if event["event_type"] == "node_failed"] == ["x", "both"]


def test_completed_run_exits_with_0(reading, capsys):
    reading(good_run())
    assert watch_exit() == 0


def test_log_gets_a_line_for_each_change_and_the_tree_at_the_end(reading, capsys):
    reading(failing_run())
    assert watch_exit() == 1
    lines = capsys.readouterr().out.splitlines()
    assert "✘  60 % x: the server [is] gone" in lines
    assert "↷ 100 % z: 'x' failed" in lines
    assert lines.index("▶   0 % a") < lines.index("✔  20 % a") < lines.index("▶  20 % both")
    tree = "\n".join(lines[-6:])
    assert "plan manual__1: failed, 5 of 5 nodes at rest, 100 %, 1 failed" in tree
    assert "├── ✔ a transform  completed, quality 0.8, 1.50 s" in tree
    assert "│   ├── ✘ x transform  failed, try 2, the server [is] gone" in tree
    assert "├── ✘ both composite  failed, 1 of 2 children failed: x" in tree
    assert "│   └── ✔ y transform  completed, simulated, 1.50 s" in tree
    assert "└── ↷ z transform  skipped, 'x' failed" in tree


def drawn(tree) -> str:
    console = Console(file=StringIO(), width=120)
    console.print(tree)
    return console.file.getvalue()


def test_tree_of_a_run_that_goes_on_shows_who_works_and_the_share_at_rest():
    reader = FakeReader(CONTENT, ("running", MIDDLE), left=LEFT)
    observer = Observer(reader, reader.run("plan", "manual__1"))
    shown = drawn(run_tree(observer.look(), observer))
    assert "running, 2 of 5 nodes at rest, 40 %" in shown
    assert "… both composite  running" in shown
    assert "… x transform  running" in shown
    assert "try 2" in shown
    assert "· z transform  pending" in shown


def test_terminal_keeps_the_last_tree():
    reader = failing_run()
    observer = Observer(reader, reader.run("plan", "manual__1"))
    console = Console(file=StringIO(), width=120, height=3, force_terminal=True, color_system=None)
    follow(observer, LiveTree(observer, console), 0)
    assert "z transform  skipped" in console.file.getvalue().rpartition("plan manual__1: failed")[2]


def test_what_a_node_left_is_read_once():
    reader = FakeReader(CONTENT, ("running", MIDDLE), ("running", MIDDLE), ("failed", END), left=LEFT)
    observer = Observer(reader, reader.run("plan", "manual__1"))
    for _ in range(3):
        drawn(run_tree(observer.look(), observer))
    assert sorted(reader.asked) == [(task, "vibe_outcome") for task in ("a", "both", "x", "y", "z")]
    assert reader.versions == [1]


def test_run_or_dag_that_is_not_there_exits_with_2_and_says_what_is(reading, capsys):
    reading(good_run())
    assert watch_exit(run="manual_1") == 2
    assert "DAG 'plan' has no run 'manual_1' (did you mean 'manual__1'?)" in capsys.readouterr().err
    assert watch_exit(dag="plam") == 2
    assert "there is no DAG 'plam' (did you mean 'plan'?)" in capsys.readouterr().err
    assert watch_exit(dag="zzz") == 2
    assert "there is no DAG 'zzz' ('airflow dags list' shows all there are)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_id_that_would_lead_to_another_address_is_never_asked_for(reading, capsys, name):
    reader = reading(good_run())
    reader.run = reader.run_ids = None  # would fail
    assert watch_exit(dag=name) == 2
    assert f"there is no DAG '{name}'" in capsys.readouterr().err


class Faltering(FakeReader):
    """Answers the first look, and gives no answer to the next two."""

    looks = 0

    def task_states(self, dag_id, run_id):
        self.looks += 1
        if self.looks in (2, 3):
            raise Unavailable("http://airflow answers 503: warming up")
        return super().task_states(dag_id, run_id)


def faltering_run() -> Faltering:
    running = ("running", {"a": working(1)})
    return Faltering(plan(node("a")), running, running, ("success", {"a": done(1, 2)}))


def test_airflow_that_falters_is_asked_again(reading, capsys):
    reading(faltering_run())
    assert watch_exit(events=True) == 0
    told = capsys.readouterr()
    assert told.err == "airflow vibe watch: http://airflow answers 503: warming up; trying again\n"
    assert told.out.count("node_completed") == 1


def test_airflow_that_stays_away_ends_it(reading, capsys, monkeypatch):
    monkeypatch.setattr("airflow_provider_vibe.cli.watch.PATIENCE", -1)
    reading(faltering_run())
    assert watch_exit() == 2
    assert capsys.readouterr().err.endswith("answers 503: warming up\n")


def test_run_that_is_deleted_meanwhile_ends_it(reading, capsys):
    reader = reading(good_run())
    whole, asked = reader.run, []

    def run_twice(dag_id, run_id):
        asked.append(run_id)
        return whole(dag_id, run_id) if len(asked) < 2 else None

    reader.run = run_twice
    assert watch_exit() == 2
    assert "run 'manual__1' of 'plan' was deleted" in capsys.readouterr().err


def test_dag_that_is_no_plan_is_told(reading, capsys):
    reader = reading(good_run())
    whole = reader.structure("plan", None)
    tasks = {name: task for name, task in whole.tasks.items() if name != "vibe_feedback"}
    reader._structure = type(whole)(tasks, whole.groups)
    assert watch_exit() == 2
    assert "DAG 'plan' is not made from a plan" in capsys.readouterr().err


def test_plan_of_a_slugged_id_is_found_by_its_hint(reading, capsys):
    content = plan(node("a"), id="Meine Pläne")
    reader = FakeReader(content, ("success", {}))
    reader.dag_id = airflow_id("Meine Pläne")
    reading(reader)
    assert watch_exit(dag="Meine Pläne") == 2
    assert f"(the plan of that id is the DAG '{reader.dag_id}')" in capsys.readouterr().err
