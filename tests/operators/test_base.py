"""Airflow's side of a node, in hand-written DAGs that Airflow itself runs."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest
from airflow.sdk import DAG

from airflow_provider_vibe.operators.analyze import VibeAnalyzeOperator
from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.operators.composite import VibeCompositeOperator
from airflow_provider_vibe.operators.generate import VibeGenerateOperator
from airflow_provider_vibe.operators.transform import VibeTransformOperator
from airflow_provider_vibe.operators.validate import VibeValidateOperator
from airflow_provider_vibe.plan.models import Vibe
from tests.airflow_runs import run_dag
from tests.operators import tools
from tests.runtime.helpers import node

EVIL = "{{ macros.uuid.os.popen('touch /tmp/vibe-was-here').read() }} {{ ti.task_id }} {% raw %}"
OPERATORS = (VibeAnalyzeOperator, VibeGenerateOperator, VibeTransformOperator, VibeValidateOperator)


def operator(a_node, upstream=(), **fields):
    """The task of a node, not tried again."""
    return VibeNodeOperator(
        task_id=a_node.id,
        node=a_node,
        upstream=dict(zip(upstream, upstream, strict=True)),
        **{"retries": 0, **fields},
    )


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
        for name in ("broken", "reports", "picky", "cancelled", "skips", "gives_up"):
            operator(node(name, tool=name))
        operator(node("misfit", tool="tabs", tool_inputs={"a": 1, "b": "${params.topic}"}))
        operator(node("lost", description="${nodes.first.text}", tool="echo"))
        operator(node("nowhere", tool="nope"))
        for name in ("sleeps", "blocks", "hogs"):
            operator(node(name, tool=name), execution_timeout=timedelta(seconds=0.4))
    started = time.monotonic()
    run = run_dag(dag, {"topic": "cats"})
    return run, time.monotonic() - started


def test_result_is_the_return_value_in_the_originals_form(ran):
    assert ran[0].result("first") == {
        "type": "tool_execution",
        "tool": "echo",
        "description": "about cats",
        "result": {"text": f"first: {EVIL}", "say": EVIL},
        "metadata": {"usage": {"input_tokens": 3}},
    }


def test_outcome_is_pushed_beside_the_result(ran):
    xcoms = ran[0].xcoms("first")
    assert set(xcoms) == {"return_value", "vibe_outcome"}
    outcome = xcoms["vibe_outcome"]
    assert set(outcome) == {
        *("schema", "node_id", "status", "error", "error_type", "started_at", "duration", "try_number"),
        *("feedback", "replan_suggestion", "fingerprint", "usage"),
    }
    assert outcome["schema"] == 1
    assert (outcome["node_id"], outcome["status"], outcome["error"]) == ("first", "completed", None)
    assert (outcome["try_number"], outcome["usage"]) == (1, {"input_tokens": 3})
    assert outcome["feedback"]["execution_quality"] == 0.8
    assert len(outcome["fingerprint"]) == 64
    json.dumps(xcoms, allow_nan=False)


def test_plan_texts_are_never_templates(ran):
    (call,) = tools.calls_of("second")
    assert call["node_description"] == EVIL
    assert call["previous_outputs"] == {"first": {"text": f"first: {EVIL}", "say": EVIL}}
    assert ran[0].result("second-task")["result"]["say"] == [EVIL, ran[0].run_id]


@pytest.mark.parametrize("operator_class", [*OPERATORS, VibeCompositeOperator])
def test_no_field_of_an_operator_is_a_template(operator_class):
    assert tuple(operator_class.template_fields) == ()


def test_tool_is_told_the_run_and_the_vibe(ran):
    (call,) = tools.calls_of("second")
    assert call["run"].keys() == {"id", "dag_id", "date", "logical_date"}
    assert (call["run"]["id"], call["run"]["dag_id"]) == (ran[0].run_id, "hand-written")
    assert call["run"]["logical_date"].startswith(call["run"]["date"])
    assert call["run"]["logical_date"].endswith(("+12:00", "+13:00"))
    assert call["vibe"]["description"] == "On cats"
    assert call["vibe"]["constraints"] == ["short"]


def test_context_comes_from_xcom_in_the_order_of_the_dependencies(ran):
    (call,) = tools.calls_of("second")
    assert call["workflow_context"] == f"Previous step (first):\nfirst: {EVIL}"


def test_composite_gathers_what_its_children_left(ran):
    result = ran[0].result("group")
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
        ("gives_up", "no use", "AirflowFailException"),
        (
            "misfit",
            "'tabs' does not take these inputs: b: must be a whole number, not a string",
            "ToolInputError",
        ),
        ("lost", "${nodes.first.text} leads nowhere: 'first' left no output in this run", "BadReference"),
        ("sleeps", "'sleeps' timed out: an attempt may take 0.4 seconds", "TimeoutError"),
        ("blocks", "'blocks' timed out: an attempt may take 0.4 seconds", "TimeoutError"),
        ("hogs", "'hogs' timed out: an attempt may take 0.4 seconds", "TimeoutError"),
    ],
)
def test_failed_node_leaves_its_outcome_and_no_result(ran, task_id, error, error_type):
    assert ran[0].states[task_id] == "failed"
    xcoms = ran[0].xcoms(task_id)
    assert set(xcoms) == {"vibe_outcome"}
    outcome = xcoms["vibe_outcome"]
    assert (outcome["status"], outcome["error"], outcome["error_type"]) == ("failed", error, error_type)
    assert outcome["feedback"]["error_message"] == error


def test_unknown_tool_fails_the_node_and_names_those_there_are(ran):
    error = ran[0].outcome("nowhere")["error"]
    assert error.startswith("'nowhere' has no tool to work with: no tool is called 'nope' on this machine")
    assert "echo" in error


def test_tool_that_never_comes_back_does_not_hold_up_the_run(ran):
    durations = {name: ran[0].outcome(name)["duration"] for name in ("sleeps", "blocks", "hogs")}
    assert all(0.3 < duration < 5 for duration in durations.values()), durations
    stuck = [thread for thread in threading.enumerate() if thread.name == "vibe-blocks"]
    assert all(thread.daemon for thread in stuck)
    assert stuck


def test_timeout_is_replannable(ran):
    outcome = ran[0].outcome("sleeps")
    assert outcome["replan_suggestion"]["suggested_changes"] == [
        "increase_timeout",
        "break_into_smaller_tasks",
    ]


def test_tool_may_skip_its_node(ran):
    assert ran[0].states["skips"] == "skipped"
    outcome = ran[0].outcome("skips")
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
