"""`airflow vibe graph`: the picture of a plan, and of a run of it."""

from __future__ import annotations

from argparse import Namespace

import pytest

from airflow_provider_vibe.cli.graph import graph
from tests.cli.fakes import FakeReader
from tests.cli.test_result import CONTENT, TASKS, finished, gathered
from tests.dag.plans import node, plan, write


@pytest.fixture
def plan_file(tmp_path):
    return write(tmp_path, "plan.vibe.json", CONTENT)


def draw(path, fmt="ascii", run=None, dag=None):
    graph(Namespace(plan=str(path), format=fmt, run=run, dag=dag, url=None))


def test_plan_alone_has_every_node_pending(plan_file, capsys):
    draw(plan_file)
    out = capsys.readouterr().out
    assert "Workflow Plan: plan" in out
    assert "├── ⏳ [transform] Step a (a)" in out
    assert "Execution Summary" not in out


def test_mermaid_is_a_flowchart(plan_file, capsys):
    draw(plan_file, "mermaid")
    assert capsys.readouterr().out.startswith("graph TD\n    a{{Step a}}:::pending\n")


def test_plan_is_drawn_where_its_tools_are_not_installed(tmp_path, capsys):
    path = write(
        tmp_path, "x.vibe.json", plan(node("a", parameters={"tool": "elsewhere"}), node("b", parameters={}))
    )
    draw(path)
    assert "Step a" in capsys.readouterr().out


def test_run_shows_its_statuses_and_once_gathered_its_summary(reading, plan_file, capsys):
    reading(finished())
    draw(plan_file, run="manual__1")
    told = capsys.readouterr()
    for line in (
        "✅ [transform] Step a",
        "❌ [composite] Step both",
        "❌ [transform] Step x",
        "⏭️ [transform] Step z",
    ):
        assert line in told.out
    assert "Status: failed\nCompleted: 1/4\nDuration: 2.50s\nParallel Efficiency: 0.0%" in told.out
    assert told.err == ""


def test_mermaid_has_the_statuses_as_classes(reading, plan_file, capsys):
    reading(finished())
    draw(plan_file, "mermaid", run="manual__1")
    assert "    x{{Step x}}:::failed" in capsys.readouterr().out


def test_run_that_goes_on_has_no_summary(reading, plan_file, capsys):
    reading(FakeReader(CONTENT, ("running", {"a": TASKS["a"], "both__open": TASKS["both__open"]})))
    draw(plan_file, run="manual__1")
    out = capsys.readouterr().out
    assert "✅ [transform] Step a" in out
    assert "🔄 [composite] Step both" in out
    assert "Execution Summary" not in out


def test_plan_that_has_changed_since_is_told(reading, tmp_path, plan_file, capsys):
    reading(finished(stored=gathered(plan_digest="another")))
    draw(plan_file, run="manual__1")
    assert "airflow vibe graph: the plan has changed since this run" in capsys.readouterr().err
    more = write(tmp_path, "more.vibe.json", plan(*CONTENT["root_nodes"], node("new")))
    draw(more, run="manual__1")
    assert "the run has no new: it is a run of another revision of the plan" in capsys.readouterr().err


def test_other_dag_is_read_when_it_is_named(reading, tmp_path, capsys):
    reading(finished())
    path = write(tmp_path, "copy.vibe.json", {**CONTENT, "id": "copy"})
    with pytest.raises(SystemExit):
        draw(path, run="manual__1")
    assert "there is no DAG 'copy'" in capsys.readouterr().err
    draw(path, run="manual__1", dag="plan")
    assert "❌ [transform] Step x" in capsys.readouterr().out


def test_bad_plan_exits_with_2_and_its_problems(tmp_path, capsys):
    path = write(tmp_path, "bad.vibe.json", plan(id="bad"))
    with pytest.raises(SystemExit) as stopped:
        draw(path)
    assert stopped.value.code == 2
    assert "empty-plan" in capsys.readouterr().err
