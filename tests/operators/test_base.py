"""Airflow's side of a node, in hand-written DAGs that Airflow itself runs."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import threading
import traceback
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from airflow_provider_vibe.operators import base
from airflow_provider_vibe.operators.analyze import VibeAnalyzeOperator
from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.operators.composite import VibeCompositeOperator
from airflow_provider_vibe.operators.generate import VibeGenerateOperator
from airflow_provider_vibe.operators.transform import VibeTransformOperator
from airflow_provider_vibe.operators.validate import VibeValidateOperator
from airflow_provider_vibe.plan.models import Vibe
from airflow_provider_vibe.runtime.budget import NodeAccount
from airflow_provider_vibe.settings import SettingsError
from airflow_provider_vibe.tools.base import ToolError, ToolFailed, ToolInputError
from tests import run_tools as tools
from tests.airflow_runs import run_dag
from tests.operators.fakes import FakeTaskInstance
from tests.runtime.helpers import node

EVIL = "{{ macros.uuid.os.popen('touch /tmp/vibe-was-here').read() }} {{ ti.task_id }} {% raw %}"
OPERATORS = (VibeAnalyzeOperator, VibeGenerateOperator, VibeTransformOperator, VibeValidateOperator)


raised: dict[str, BaseException] = {}
"""What each failed task raised, as Airflow tells it."""


def operator(a_node, **fields):
    """The task of a node, not tried again."""

    def keep(context):
        raised[a_node.id] = context["exception"]

    return VibeNodeOperator(task_id=a_node.id, node=a_node, retries=0, on_failure_callback=keep, **fields)


@pytest.fixture(scope="module")
def ran():
    """One run of a DAG with a task for everything that can become of a node."""
    vibe = Vibe(description="On ${params.topic}", style="warm", constraints=("short",))
    with DAG("hand-written", schedule=None, params={"topic": "owls"}) as dag:
        first = VibeAnalyzeOperator(
            task_id="first",
            node=node("first", description="about ${params.topic}", tool="echo", tool_inputs={"say": EVIL}),
            vibe=vibe,
            retries=0,
        )
        second = VibeTransformOperator(
            task_id="second-task",
            node=node(
                "second",
                "transform",
                EVIL,
                dependencies=["first"],
                tool="echo",
                tool_inputs={"say": ["${nodes.first.say}", "${run.id}"]},
            ),
            vibe=vibe,
            upstream={"first": "first"},
            timezone="Pacific/Auckland",
            retries=0,
        )
        group = VibeCompositeOperator(
            task_id="group",
            node=node("group", "composite", children=[node("first"), node("second"), node("gone")]),
            upstream={"first": "first", "second": "second-task"},
            retries=0,
        )
        first >> second >> group
        for name in ("broken", "reports", "picky", "cancelled", "exits", "skips", "gives_up"):
            operator(node(name, tool=name))
        operator(node("misfit", tool="tabs", tool_inputs={"a": 1, "b": "${params.topic}"}))
        operator(node("lost", description="${nodes.first.text}", tool="echo"))
        operator(node("nowhere", tool="nope"))
        for name in ("sleeps", "blocks", "hogs"):
            operator(node(name, tool=name), execution_timeout=timedelta(seconds=0.4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "SIGNAL_GRACE", 0.2)
        return run_dag(dag, {"topic": "cats"})


def test_result_is_the_return_value_in_the_originals_form(ran):
    assert ran.result("first") == {
        "type": "tool_execution",
        "tool": "echo",
        "description": "about cats",
        "result": {"text": f"first: {EVIL}", "say": EVIL},
        "metadata": {"usage": {"input_tokens": 3}},
    }


def test_outcome_is_pushed_beside_the_result(ran):
    xcoms = ran.xcoms("first")
    assert set(xcoms) == {"return_value", "vibe_outcome"}
    outcome = xcoms["vibe_outcome"]
    assert set(outcome) == {
        *("schema", "node_id", "status", "error", "error_type", "started_at", "duration", "try_number"),
        *("feedback", "replan_suggestion", "fingerprint", "node_digest", "usage"),
        *("reused_from", "reused_usage"),
    }
    assert outcome["schema"] == 1
    assert (outcome["node_id"], outcome["status"], outcome["error"]) == ("first", "completed", None)
    assert (outcome["try_number"], outcome["usage"]["input_tokens"]) == (1, 3)
    assert outcome["feedback"]["execution_quality"] == 0.8
    assert len(outcome["fingerprint"]) == 64
    json.dumps(xcoms, allow_nan=False)


def test_plan_texts_are_never_templates(ran):
    (call,) = tools.calls_of("second")
    assert call["node_description"] == EVIL
    assert call["previous_outputs"] == {"first": {"text": f"first: {EVIL}", "say": EVIL}}
    assert ran.result("second-task")["result"]["say"] == [EVIL, ran.run_id]


@pytest.mark.parametrize("operator_class", [*OPERATORS, VibeCompositeOperator])
def test_no_field_of_an_operator_is_a_template(operator_class):
    assert tuple(operator_class.template_fields) == ()


def test_tool_is_told_the_run_and_the_vibe(ran):
    (call,) = tools.calls_of("second")
    assert call["run"].keys() == {"id", "dag_id", "date", "logical_date"}
    assert (call["run"]["id"], call["run"]["dag_id"]) == (ran.run_id, "hand-written")
    assert call["run"]["logical_date"].startswith(call["run"]["date"])
    assert call["run"]["logical_date"].endswith(("+12:00", "+13:00"))
    assert call["vibe"]["description"] == "On cats"
    assert call["vibe"]["constraints"] == ["short"]


def test_context_comes_from_xcom_in_the_order_of_the_dependencies(ran):
    (call,) = tools.calls_of("second")
    assert call["workflow_context"] == f"Previous step (first):\nfirst: {EVIL}"


def test_composite_gathers_what_its_children_left(ran):
    result = ran.result("group")
    assert result["type"] == "composite"
    assert result["child_count"] == 3
    assert list(result["output"]["children"]) == ["first", "second"]


@pytest.mark.parametrize(
    ("task_id", "error", "error_type"),
    [
        ("broken", "broken\\x00", "ValueError"),
        ("reports", "Tool execution failed: no luck", "RuntimeError"),
        ("picky", "not this", "ToolInputError"),
        ("cancelled", "", "CancelledError"),
        ("exits", "3", "SystemExit"),
        ("gives_up", "no use", "AirflowFailException"),
        (
            "misfit",
            "'tabs' does not take these inputs: b: must be a whole number, not a string",
            "ToolInputError",
        ),
        (
            "lost",
            "${nodes.first.text} leads nowhere: "
            "'first' left no output in this run (a simulated node leaves none)",
            "BadReference",
        ),
        ("sleeps", "'sleeps' timed out: an attempt may take 0.4 seconds", "TimeoutError"),
        ("blocks", "'blocks' timed out: an attempt may take 0.4 seconds", "TimeoutError"),
        ("hogs", "'hogs' timed out: an attempt may take 0.4 seconds", "TimeoutError"),
    ],
)
def test_failed_node_leaves_its_outcome_and_no_result(ran, task_id, error, error_type):
    assert ran.states[task_id] == "failed"
    xcoms = ran.xcoms(task_id)
    assert set(xcoms) == {"vibe_outcome"}
    outcome = xcoms["vibe_outcome"]
    assert (outcome["status"], outcome["error"], outcome["error_type"]) == ("failed", error, error_type)
    assert outcome["feedback"]["error_message"] == error


@pytest.mark.parametrize(
    ("task_id", "error_class"),
    [
        ("broken", ValueError),
        ("reports", ToolFailed),
        ("picky", ToolInputError),
        ("cancelled", asyncio.CancelledError),
        ("exits", SystemExit),
        ("gives_up", AirflowFailException),
        ("sleeps", AirflowTaskTimeout),
        ("hogs", AirflowTaskTimeout),
    ],
)
def test_failed_node_raises_what_it_failed_of(ran, task_id, error_class):
    assert type(raised[task_id]) is error_class


def test_error_keeps_its_traceback_into_the_tool(ran):
    functions = [frame.name for frame in traceback.extract_tb(raised["broken"].__traceback__)]
    assert functions[-1] == "broken"


def test_unknown_tool_fails_the_node_and_names_those_there_are(ran):
    error = ran.outcome("nowhere")["error"]
    assert error.startswith("'nowhere' has no tool to work with: no tool is called 'nope' on this machine")
    assert "echo" in error


def test_tool_that_never_comes_back_does_not_hold_up_the_run(ran):
    durations = {name: ran.outcome(name)["duration"] for name in ("sleeps", "blocks", "hogs")}
    assert all(0.3 < duration < 5 for duration in durations.values()), durations
    stuck = [thread for thread in threading.enumerate() if thread.name == "vibe-blocks"]
    assert all(thread.daemon for thread in stuck)
    assert stuck


@pytest.mark.parametrize(("tool", "times"), [("spins", 20), ("clings", 1)])
def test_attempt_that_resists_its_timeout_does_not_hold_up_the_process(tool, times):
    """In a process of its own: raised from the signal, a timeout would hang a busy event loop for good.

    So would a tool that catches being cancelled, and goes on.
    """
    process = multiprocessing.get_context("fork").Process(target=run_into_timeout, args=(tool, times))
    process.start()
    process.join(30)
    hung = process.is_alive()
    process.kill()
    assert not hung
    assert process.exitcode == 0


def run_into_timeout(tool, times):
    try:
        told = {time_out(tool) for _ in range(times)}  # one of them would hit the loop in a bad moment
        os._exit(0 if told == {"TimeoutError"} else 1)
    finally:
        os._exit(1)


def time_out(tool):
    """The type of error that an attempt leaves which takes too long."""
    limit = 0.05
    ti = FakeTaskInstance()
    task = VibeNodeOperator(
        task_id=tool, node=node(tool, tool=tool), execution_timeout=timedelta(seconds=limit)
    )
    with pytest.raises(AirflowTaskTimeout), timeout(limit):
        task.execute(ti.context())
    return ti.pushed["vibe_outcome"]["error_type"]


def test_timeout_is_replannable(ran):
    outcome = ran.outcome("sleeps")
    assert outcome["replan_suggestion"]["suggested_changes"] == [
        "increase_timeout",
        "break_into_smaller_tasks",
    ]


def test_tool_may_skip_its_node(ran):
    assert ran.states["skips"] == "skipped"
    outcome = ran.outcome("skips")
    assert (outcome["status"], outcome["error"]) == ("skipped", "nothing new today")
    assert (outcome["feedback"], outcome["replan_suggestion"]) == ({}, None)


@pytest.mark.parametrize("operator_class", OPERATORS)
def test_operator_refuses_a_node_of_another_type(operator_class):
    with pytest.raises(ValueError, match=r"'n' is of type composite"):
        operator_class(task_id="t", node=node("n", "composite"))


@pytest.mark.parametrize(
    ("operator_class", "node_type"),
    [
        *zip(OPERATORS, ["analyze", "generate", "transform", "validate"], strict=True),
        (VibeCompositeOperator, "composite"),
        (VibeNodeOperator, "validate"),
    ],
)
def test_operator_takes_the_nodes_of_its_type(operator_class, node_type):
    assert operator_class(task_id="t", node=node("n", node_type)).node.id == "n"


# without a run


def execute(a_node, context=None, **fields):
    """What the task of a node returns, and the XComs it pushed, for a context without Airflow."""
    ti = FakeTaskInstance(fields.pop("xcoms", None))
    task = VibeNodeOperator(task_id="t", node=a_node, **fields)
    return task.execute(context(ti) if context else ti.context()), ti.pushed


def test_run_without_a_logical_date_is_for_the_day_it_was_made_on():
    execute(node("undated", tool="echo"), timezone="Europe/Berlin")
    (call,) = tools.calls_of("undated")
    assert call["run"] == {
        "id": "r",
        "dag_id": "d",
        "date": "2026-01-06",
        "logical_date": "2026-01-06T00:30:00+01:00",
    }


def test_day_of_a_run_is_told_in_the_timezone_of_the_plan():
    logical_date = datetime(2026, 3, 1, 7, tzinfo=UTC)
    execute(node("dated", tool="echo"), lambda ti: ti.context(logical_date), timezone="America/Los_Angeles")
    (call,) = tools.calls_of("dated")
    assert (call["run"]["date"], call["run"]["logical_date"]) == ("2026-02-28", "2026-02-28T23:00:00-08:00")


def test_simulated_result_hands_nothing_on():
    upstream = {"made-up": "made-up-task"}
    xcoms = {"made-up-task": {"type": "analysis", "result": "made up", "simulated": True}}
    execute(node("after", dependencies=["made-up"], tool="echo"), upstream=upstream, xcoms=xcoms)
    (call,) = tools.calls_of("after")
    assert (call["previous_outputs"], call["workflow_context"]) == ({}, "")


def test_param_of_a_run_asks_for_simulation(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", "{}")
    result, pushed = execute(node("n"), lambda ti: ti.context(simulate=True))
    assert result["simulated"] is True
    assert pushed["vibe_outcome"]["feedback"]["execution_quality"] is None


@pytest.mark.parametrize("asked", [{}, {"simulate": False}, {"simulate": "no"}, {"simulate": 1}])
def test_nothing_else_does(asked, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", "{}")
    with pytest.raises(ToolError, match="has no tool to work with"):
        execute(node("n"), lambda ti: ti.context(**asked))


def test_simulation_takes_the_place_of_the_default_tools():
    assert execute(node("n", "generate"), lambda ti: ti.context(simulate=True))[0]["simulated"] is True
    assert execute(node("n", tool="echo"), lambda ti: ti.context(simulate=True))[0]["tool"] == "echo"


def unable(*args, **kwargs):
    raise OverflowError("too large")


async def unable_later(*args, **kwargs):
    unable()


@pytest.mark.parametrize(
    ("place", "fails", "told"),
    [
        ((NodeAccount, "finish"), unable_later, "could not book what it used"),
        ((base, "keep_findings"), unable, "could not keep the findings"),
    ],
)
@pytest.mark.parametrize(("tool", "status"), [("echo", "completed"), ("broken", "failed")])
def test_outcome_is_told_whatever_fails_after_the_work(place, fails, told, tool, status, monkeypatch, caplog):
    monkeypatch.setattr(*place, fails)
    ti = FakeTaskInstance()
    with suppress(ValueError):
        VibeNodeOperator(task_id="t", node=node("n", tool=tool)).execute(ti.context())
    assert ti.pushed["vibe_outcome"]["status"] == status
    assert "too large" not in str(ti.pushed["vibe_outcome"]["error"])
    assert told in caplog.text


def test_configuration_asks_for_simulation(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", "{}")
    monkeypatch.setenv("AIRFLOW__VIBE__MISSING_TOOL", "simulate")
    assert execute(node("n"))[0]["simulated"] is True


def test_configured_default_tool_does_the_work(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", '{"validate": "echo"}')
    result, _ = execute(node("n", "validate"))
    assert (result["type"], result["tool"]) == ("validation", "echo")


def test_configured_quality_threshold_decides_about_a_replan(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__QUALITY_THRESHOLD", "0.9")
    _, pushed = execute(node("n", tool="echo"))
    assert pushed["vibe_outcome"]["replan_suggestion"]["reason"] == "low_quality_output"


def test_wrong_configuration_is_a_failure_of_the_node(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__MISSING_TOOL", "pretend")
    ti = FakeTaskInstance()
    with pytest.raises(SettingsError, match="missing_tool"):
        VibeNodeOperator(task_id="t", node=node("n", tool="echo")).execute(ti.context())
    assert ti.pushed["vibe_outcome"]["error_type"] == "SettingsError"


def test_subclass_does_the_work_in_its_own_way():
    class Shouting(VibeNodeOperator):
        async def work(self, node, context, tools, rules):
            return {"type": "own", "result": node.id.upper()}

    ti = FakeTaskInstance()
    assert Shouting(task_id="t", node=node("n")).execute(ti.context()) == {"type": "own", "result": "N"}
    assert ti.pushed["vibe_outcome"]["status"] == "completed"
