"""`airflow vibe run`: a plan through its real DAG, in this process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from airflow_provider_vibe.cli.run import ParamError, parse_params, run
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus
from tests.dag.plans import composite, node, plan, write


def run_exit(path, *params, json_file=None):
    with pytest.raises(SystemExit) as stopped:
        run(Namespace(plan=str(path), param=list(params), json=json_file and str(json_file)))
    return stopped.value.code


@pytest.fixture
def greeting(tmp_path):
    parameters = {
        "tool": "template_fill",
        "tool_inputs": {"template": "Hello, {who}", "values": {"who": "${params.who}"}},
    }
    return write(
        tmp_path,
        "greeting.vibe.json",
        plan(
            node("hello", parameters=parameters),
            composite("both", [node("x")], "hello"),
            id="greeting",
            params={
                "who": {"type": "string", "default": "world"},
                "times": {"type": "integer", "default": 1},
            },
        ),
    )


def test_completed_plan_exits_with_0_and_shows_every_node(airflow_db, greeting, capfd, tmp_path):
    assert run_exit(greeting, "who=Ada", json_file=tmp_path / "result.json") == 0
    out = capfd.readouterr().out
    assert "greeting completed in" in out
    for line in (
        "hello transform  completed, quality 0.8",
        "both composite  completed",
        "x transform  completed",
    ):
        assert line in out
    assert out.rstrip().endswith("plan completed: all 3 nodes")
    result = ExecutionResult.model_validate(json.loads((tmp_path / "result.json").read_text()))
    assert result.status is ExecutionStatus.COMPLETED
    assert result.node_results["hello"].result["result"] == {"text": "Hello, Ada"}


def test_failed_plan_exits_with_1_and_says_why(airflow_db, tmp_path, capfd):
    rules = {"tool": "text_rules", "tool_inputs": {"text": "short", "min_words": 9, "strict": True}}
    path = write(
        tmp_path, "fails.vibe.json", plan(node("check", parameters=rules), node("after", "check"), id="fails")
    )
    assert run_exit(path) == 1
    out = capfd.readouterr().out
    assert "'check' failed" in out
    assert "plan failed: 1 of 2 nodes failed: check" in out
    assert "log: " in out


def test_bad_plan_exits_with_2_before_anything_runs(tmp_path, capsys):
    path = write(tmp_path, "bad.vibe.json", plan(id="bad"))
    assert run_exit(path) == 2
    assert "empty-plan" in capsys.readouterr().err


def test_wrong_parameter_exits_with_2_and_says_which(greeting, capsys):
    assert run_exit(greeting, "whom=Ada") == 2
    assert "the plan has no parameter 'whom' (did you mean 'who'?)" in capsys.readouterr().err


def test_parameter_that_is_no_text_exits_with_2(greeting, capsys):
    assert run_exit(greeting, "who=Ad\udcff") == 2
    assert "have to be text in UTF-8" in capsys.readouterr().err


@pytest.fixture
def with_params():
    params = {
        "text": {"type": "string", "default": ""},
        "number": {"type": "integer", "default": 1, "maximum": 5},
        "list": {"type": "array", "default": []},
        "needed": {"type": "string"},
    }
    content = plan(node("a"), params=params)
    return WorkflowPlan.model_validate(content)


def test_values_are_json_unless_the_plan_wants_a_text(with_params):
    written = ["text=5", "number=3", 'list=["a"]', "needed=a=b"]
    assert parse_params(written, with_params) == {"text": "5", "number": 3, "list": ["a"], "needed": "a=b"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["needed"], "should be NAME=VALUE"),
        (["needed=x", "number=9"], "parameter 'number': 9 is greater than the maximum of 5"),
        (["needed=x", "number=many"], "parameter 'number': 'many' is not of type 'integer'"),
        ([], "the plan needs a value for 'needed'"),
    ],
)
def test_value_that_does_not_fit_is_told(with_params, written, message):
    with pytest.raises(ParamError, match=message):
        parse_params(written, with_params)


def test_values_that_fit_only_as_a_text_are_texts():
    params = {"u": {"type": ["string", "null"]}, "e": {"enum": ["1", "2"]}, "n": {"type": "number"}}
    content = WorkflowPlan.model_validate(plan(node("a"), params=params))
    assert parse_params(["u=5", "e=2", "n=1.5"], content) == {"u": "5", "e": "2", "n": 1.5}
    with pytest.raises(ParamError, match="'NaN' is not of type 'number'"):
        parse_params(["u=", "e=1", "n=NaN"], content)


def test_deployed_dag_is_left_as_it_is(airflow_db, tmp_path):
    """Its file and versions in Airflow's database do not change because somebody runs the plan by hand."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dag import DagModel

    from airflow_provider_vibe.dag.loader import build_dag, read_plan

    path = write(tmp_path, "deployed.vibe.json", plan(node("a"), id="deployed"))
    dag = build_dag(read_plan(path))
    dag.relative_fileloc = "vibe_plans.py"
    bag = DagBag(dag_folder="/dev/null", collect_dags=False)
    bag.bag_dag(dag)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    assert run_exit(path) == 0
    assert DagModel.get_current("deployed").relative_fileloc == "vibe_plans.py"


@pytest.fixture
def hostile(monkeypatch):
    """Tools that end their process, or never end."""
    monkeypatch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", "tests.dag.hostile_tools.make_tools")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def hostile_plan(tmp_path, plan_id, tool, **inputs):
    nodes = (node("first"), node("bad", "first", parameters={"tool": tool, "tool_inputs": inputs}))
    return write(tmp_path, f"{plan_id}.vibe.json", plan(*nodes, node("after", "bad"), id=plan_id))


def states(dag_id, run_id):
    """The state of a run as Airflow has it, and of its nodes."""
    from airflow_provider_vibe.cli.local import DatabaseReader

    reader = DatabaseReader()
    tasks = reader.task_states(dag_id, run_id)
    return reader.run(dag_id, run_id).state, [tasks[name].state for name in ("first", "bad", "after")]


@pytest.mark.parametrize("code", [0, 7])
def test_tool_that_ends_its_process_ends_the_run_alone(airflow_db, hostile, tmp_path, capfd, code):
    assert run_exit(hostile_plan(tmp_path, f"ends-{code}", "ends", code=code)) == 1
    words = rf"has ended by itself, with exit code {code} in bad; run (\S+) is marked as failed \(log: /"
    (run_id,) = re.findall(words, capfd.readouterr().err)
    assert states(f"ends-{code}", run_id) == ("failed", ["success", "failed", "skipped"])


def test_plan_is_run_also_where_one_has_run_in_this_very_process(airflow_db, tmp_path, capfd):
    from airflow_provider_vibe.cli.local_run import run_locally
    from airflow_provider_vibe.dag.loader import build_dag, read_plan

    path = write(tmp_path, "twice.vibe.json", plan(node("a"), id="twice"))
    assert run_locally(build_dag(read_plan(path)), {}).status is ExecutionStatus.COMPLETED
    assert run_exit(path) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_the_run_at_once(airflow_db, hostile, tmp_path, how):
    dag_id = f"waits-{how.name}"
    program = "from airflow.__main__ import main; main()"
    running = subprocess.Popen(
        [sys.executable, "-c", program, "vibe", "run", str(hostile_plan(tmp_path, dag_id, "waits"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in running.stdout:
        if "▶ bad" in line:
            break
    os.killpg(running.pid, how) if how is signal.SIGINT else running.send_signal(how)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    (run_id,) = re.findall(r"run: interrupted in bad; run (\S+) is marked as failed \(log: /", err)
    assert "Traceback" not in err
    assert states(dag_id, run_id) == ("failed", ["success", "failed", "skipped"])


def test_work_does_not_outlive_a_command_that_was_killed(airflow_db, hostile, tmp_path):
    program = "from airflow.__main__ import main; main()"
    running = subprocess.Popen(
        [sys.executable, "-c", program, "vibe", "run", str(hostile_plan(tmp_path, "killed", "waits"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in running.stdout:
        if "▶ bad" in line:
            break
    running.kill()
    assert running.stdout.read() == ""  # comes to an end when no process holds it open any more
    running.wait(timeout=60)
