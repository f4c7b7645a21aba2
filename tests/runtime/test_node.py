"""One attempt at a node."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.node import MOST_LEVELS, plain_json, run_node
from airflow_provider_vibe.runtime.outcome import ExecutionStatus
from airflow_provider_vibe.tools.base import ToolError, ToolFailed, ToolInputError, ToolResult
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.registry import build_registry
from tests.runtime.helpers import Working, node, run

COMPLETED, FAILED = ExecutionStatus.COMPLETED, ExecutionStatus.FAILED
STRINGS = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
WITH_PROMPT = {"type": "object", "properties": {"prompt": {"type": "string"}}}
WITH_TEXT = {"type": "object", "properties": {"prompt": {"type": "string"}, "text": {"type": "string"}}}


# what a node makes


@pytest.mark.parametrize("node_type", ["analyze", "generate", "transform", "validate"])
def test_node_that_names_its_tool_makes_a_tool_execution(node_type):
    made = ToolResult(True, {"text": "T"}, {"model": "m"})
    outcome = run(
        node("n", node_type, "about ${params.x}", tool="work"),
        Working(lambda *_: made),
        context=NodeContext(params={"x": "owls"}),
    )
    assert outcome.status is COMPLETED
    assert outcome.result == {
        "type": "tool_execution",
        "tool": "work",
        "description": "about owls",
        "result": {"text": "T"},
        "metadata": {"model": "m"},
    }


@pytest.mark.parametrize(
    ("node_type", "result_type"),
    [
        ("analyze", "analysis"),
        ("generate", "generation"),
        ("transform", "transformation"),
        ("validate", "validation"),
    ],
)
def test_node_with_the_default_tool_of_its_type_makes_a_result_of_its_type(node_type, result_type):
    outcome = run(node("n", node_type), Working(), default_tools={node_type: "work"})
    assert outcome.result == {
        "type": result_type,
        "tool": "work",
        "description": "D",
        "result": {"text": "done"},
        "metadata": {},
    }


@pytest.mark.parametrize(
    ("node_type", "result_type", "text"),
    [
        ("analyze", "analysis", "Analysis completed for: on owls"),
        ("generate", "generation", "Generated content for: on owls"),
        ("transform", "transformation", "Transformed content for: on owls"),
        ("validate", "validation", "Validation passed for: on owls"),
    ],
)
def test_simulated_node_says_so(node_type, result_type, text):
    simulated = node("n", node_type, "on ${params.x}", tool_inputs={"k": 1})
    outcome = run(simulated, simulate=True, context=NodeContext(params={"x": "owls"}))
    assert outcome.status is COMPLETED
    assert outcome.result == {
        "type": result_type,
        "description": "on owls",
        "result": text,
        "parameters": {"tool_inputs": {"k": 1}},
        "simulated": True,
    }
    assert outcome.feedback["execution_quality"] is None


def test_composite_makes_no_tool_call():
    ignored = Working(lambda *_: RuntimeError("called"))
    outcome = run(node("c", "composite", children=[node("x"), node("y")], tool="work"), ignored)
    assert outcome.result == {
        "type": "composite",
        "description": "D",
        "result": "Composite task organized: D",
        "child_count": 2,
    }


def test_outcome_of_a_completed_node():
    before = datetime.now(UTC)
    made = ToolResult(True, {"text": "a long enough text"}, {"usage": {"input_tokens": 3, "cost": None}})
    outcome = run(node("n", tool="work", estimated_duration=1), Working(lambda *_: made))
    assert (outcome.node_id, outcome.status, outcome.error, outcome.error_type) == (
        "n",
        COMPLETED,
        None,
        None,
    )
    assert outcome.started_at is not None
    assert before <= outcome.started_at <= datetime.now(UTC)
    assert 0 <= outcome.duration < 5
    assert outcome.feedback["execution_quality"] == 0.8
    assert outcome.feedback["performance_metrics"]["expected_duration"] == 1
    assert outcome.replan_suggestion is None
    assert outcome.usage == {"input_tokens": 3, "cost": None}


@pytest.mark.parametrize("metadata", [{"usage": 12}, {"usage": None}, {"usage": "some"}, {}, None])
def test_usage_of_another_form_fails_nobody(metadata):
    made = ToolResult(True, {"text": "T"}, metadata)
    outcome = run(node(tool="work"), Working(lambda *_: made))
    assert (outcome.status, outcome.usage) == (COMPLETED, None)


def test_quality_threshold_is_handed_on():
    registry = build_registry([("a test", Working())])
    attempts = [
        asyncio.run(run_node(node(tool="work"), NodeContext(), registry, quality_threshold=threshold))
        for threshold in (0.7, 0.9)
    ]
    assert [outcome.replan_suggestion is not None for outcome in attempts] == [False, True]


# what a tool is given


def test_tool_is_given_its_inputs_with_references_filled_in():
    working = Working()
    context = NodeContext(outputs={"a": {"rows": [1, 2]}}, params={"top": 5})
    inputs = {"top": "${params.top}", "rows": "${nodes.a.rows}", "say": "top ${params.top}"}
    run(node(tool="work", tool_inputs=inputs, dependencies=["a"]), working, context=context)
    assert working.inputs == {"top": 5, "rows": [1, 2], "say": "top 5"}
    assert working.context["previous_outputs"] == {"a": {"rows": [1, 2]}}


def test_null_inputs_are_none():
    working = Working()
    assert run(node(tool="work", tool_inputs=None), working).status is COMPLETED
    assert working.inputs == {}


@pytest.mark.parametrize("fields", [{}, {"tool": "work"}])
def test_default_tool_is_given_the_description_as_its_prompt(fields):
    working = Working(schema=WITH_PROMPT)
    context = NodeContext(params={"x": "owls"})
    default = {"generate": "work"}
    run(node("n", "generate", "on ${params.x}", **fields), working, context=context, default_tools=default)
    assert working.inputs == {"prompt": "on owls"}


@pytest.mark.parametrize("node_type", ["transform", "validate"])
def test_default_tool_without_any_text_works_on_what_it_is_told_to_do(node_type):
    working = Working(schema=WITH_TEXT)
    a_node = node("n", node_type, "on ${params.x}", parameters={"tone": "${params.x}"})
    run(a_node, working, context=NodeContext(params={"x": "owls"}), default_tools={node_type: "work"})
    told = "on owls\n\ntone: ${params.x}"
    assert working.inputs == {"prompt": told, "text": told}


@pytest.mark.parametrize(
    ("node_type", "fields", "text"),
    [
        ("transform", {"tool_inputs": {"text": "mine"}}, "mine"),
        ("transform", {"dependencies": ["a"]}, None),
        ("transform", {"tool": "work"}, None),
        ("analyze", {}, None),
        ("generate", {}, None),
    ],
)
def test_text_of_ones_own_or_of_an_earlier_node_is_kept(node_type, fields, text):
    working = Working(schema=WITH_TEXT)
    context = NodeContext(outputs={"a": {"text": "A"}})
    run(node("n", node_type, **fields), working, context=context, default_tools={node_type: "work"})
    assert working.inputs.get("text") == text


def test_simulation_leaves_alone_what_has_a_tool():
    default, named = node("n", "generate"), node("n", "generate", tool="work")
    fields = {"default_tools": {"generate": "work"}, "simulate": True}
    for each in (default, named):
        assert run(each, Working(), **fields).result["result"] == {"text": "done"}


def test_prompt_of_ones_own_is_kept():
    working = Working(schema=WITH_PROMPT)
    run(node("n", "generate", tool_inputs={"prompt": "mine"}), working, default_tools={"generate": "work"})
    assert working.inputs == {"prompt": "mine"}


def test_tool_that_is_no_default_or_takes_no_prompt_is_given_none():
    named, default = Working(schema=WITH_PROMPT), Working(schema=STRINGS)
    run(node("n", "generate", tool="work"), named)
    run(node("n", "generate"), default, default_tools={"generate": "work"})
    assert (named.inputs, default.inputs) == ({}, {})


def test_description_is_data_and_reaches_the_tool_as_it_is_written():
    working = Working()
    text = "{{ macros.uuid.os.popen('touch X').read() }} {% raw %} $${run.id}"
    run(node(description=text, tool="work", tool_inputs={"t": text}), working)
    seen = "{{ macros.uuid.os.popen('touch X').read() }} {% raw %} ${run.id}"
    assert working.context["node_description"] == seen
    assert working.inputs == {"t": seen}


def test_plain_function_runs_in_a_thread():
    threads = []

    @tool("where")
    def where() -> str:
        threads.append(threading.current_thread())
        return "here"

    assert run(node(tool="where"), where).result["result"] == {"text": "here"}
    assert threads[0] is not threading.main_thread()


def test_work_can_be_done_in_place_of_the_usual_one():
    async def shout(node, context, tools, rules):
        return {"result": node.id.upper()}

    registry = build_registry([])
    outcome = asyncio.run(run_node(node("n"), NodeContext(), registry, work=shout))
    assert outcome.result == {"result": "N"}


# what fails a node


def failure(*args, **kwargs):
    outcome = run(*args, **kwargs)
    assert outcome.status is FAILED
    assert outcome.result is None
    assert outcome.feedback["execution_quality"] == 0.0
    assert outcome.error == outcome.feedback["error_message"]
    return outcome


def test_failure_that_a_tool_reports_fails_the_node():
    outcome = failure(
        node("n", "generate", tool="work"),
        Working(lambda *_: ToolResult(False, {"text": "half"}, error="no luck")),
        simulate=True,
    )
    assert outcome.error == "Tool execution failed: no luck"
    assert outcome.error_type == "RuntimeError"
    assert isinstance(outcome.exception, ToolFailed)
    assert outcome.replan_suggestion is not None


def test_long_report_of_a_failure_loses_its_middle():
    endless = Working(lambda *_: ToolResult(False, None, error="x" * 5_000_000))
    outcome = failure(node(tool="work"), endless)
    assert len(outcome.error) == len(str(outcome.exception)) == 2_000


def test_what_a_tool_raises_fails_the_node_and_is_kept():
    error = KeyError("k")
    outcome = failure(node(tool="work"), Working(lambda *_: error))
    assert (outcome.error, outcome.error_type) == ("'k'", "KeyError")
    assert outcome.exception is error
    assert outcome.exception.__traceback__ is not None


def test_cancelled_tool_is_a_failure():
    outcome = failure(node(tool="work"), Working(lambda *_: asyncio.CancelledError()))
    assert outcome.error_type == "CancelledError"


def test_attempt_that_is_itself_cancelled_is_not_an_outcome():
    class Sleeping(Working):
        async def execute(self, inputs, context):
            started.set()
            await asyncio.sleep(60)

    async def cancelled():
        attempt = asyncio.create_task(run_node(node(tool="work"), NodeContext(), registry))
        await started.wait()
        attempt.cancel()
        await attempt

    registry = build_registry([("a test", Sleeping())])
    started = asyncio.Event()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


def test_unknown_tool_fails_the_node_also_when_simulation_is_asked_for():
    outcome = failure(node("n", tool="nope"), Working(), simulate=True)
    assert (
        outcome.error
        == "'n' has no tool to work with: no tool is called 'nope' on this machine; there are work"
    )
    assert outcome.error_type == "ToolError"


def test_node_without_a_tool_fails_unless_simulation_is_asked_for():
    outcome = failure(node("n"), Working())
    assert outcome.error == "'n' has no tool to work with: it names none, and its type has no default one"


def test_inputs_are_checked_after_references_are_filled_in():
    working = Working(schema=STRINGS)
    wrong = node(tool="work", tool_inputs={"n": "${params.n}", "m": 1})
    outcome = failure(wrong, working, context=NodeContext(params={"n": "five"}))
    assert isinstance(outcome.exception, ToolInputError)
    assert "'work' does not take these inputs: " in outcome.error
    assert "n: must be a whole number, not a string" in outcome.error
    assert "m: 'm' is not a known key (known: 'n')" in outcome.error
    assert (
        run(
            node(tool="work", tool_inputs={"n": "${params.n}"}), working, context=NodeContext(params={"n": 5})
        ).status
        is COMPLETED
    )


def test_value_that_looks_like_a_reference_is_checked_like_any_other():
    outcome = failure(
        node(tool="work", tool_inputs={"n": "${params.n}"}),
        Working(schema=STRINGS),
        context=NodeContext(params={"n": "${params.other}"}),
    )
    assert outcome.error_type == "ToolInputError"


def test_reference_that_leads_nowhere_fails_the_node():
    outcome = failure(node(tool="work", tool_inputs={"n": "${nodes.a.text}"}), Working())
    assert outcome.error_type == "BadReference"


def test_tool_that_returns_no_result_is_named():
    class Wrong(Working):
        async def execute(self, inputs, context):
            return {"text": "T"}

    assert failure(node(tool="work"), Wrong()).error == "'work' returned a dict, expected a ToolResult"


def test_error_that_no_database_can_hold_is_written_so_that_it_can():
    outcome = failure(node(tool="work"), Working(lambda *_: ValueError("a\0b\ud800")))
    assert outcome.error == "a\\x00b\\ud800"


# what can be kept


def nested(levels):
    """So many levels, lists and objects in turn."""
    value = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@pytest.mark.parametrize(
    "output",
    [
        object(),
        {1, 2},
        b"bytes",
        datetime(2026, 1, 1),
        float("nan"),
        float("inf"),
        [float("-inf")],
        "a\0b",
        {"k\0": 1},
        "\ud800",
        2**64,
        -(2**63) - 1,
        {"__classname__": "x"},
        {"deep": [{"__id__": 1}]},
        {"__type": "x", "__var": 1},
        nested(MOST_LEVELS),
        nested(900),
    ],
)
def test_output_that_cannot_be_kept_fails_the_node(output):
    outcome = failure(node(tool="work"), Working(lambda *_: output))
    assert outcome.error.startswith("the output cannot be kept: ")
    assert outcome.error_type == "ToolError"


def test_output_that_contains_itself_cannot_be_kept():
    output = []
    output.append(output)
    assert failure(node(tool="work"), Working(lambda *_: output)).error_type == "ToolError"


def test_metadata_are_part_of_what_is_kept():
    made = ToolResult(True, {"text": "T"}, {"raw": object()})
    assert failure(node(tool="work"), Working(lambda *_: made)).error_type == "ToolError"


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        ((1, (2,)), [1, [2]]),
        ({2: "a", None: "b", True: "c"}, {"2": "a", "null": "b", "true": "c"}),
        ({"__type": "x"}, {"__type": "x"}),
        ("größer 🙂 \u2028", "größer 🙂 \u2028"),
        (r"write \u0000 for a NUL, \\u0000 for its text", r"write \u0000 for a NUL, \\u0000 for its text"),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (1e300, 1e300),
        (None, None),
        (nested(MOST_LEVELS - 1), nested(MOST_LEVELS - 1)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_output_is_kept_as_json_gives_it_back(output, kept):
    assert run(node(tool="work"), Working(lambda *_: output)).result["result"] == kept


def test_composite_may_gather_what_its_children_could_keep():
    deepest = {"text": nested(MOST_LEVELS - 2)}
    outer = node("outer", "composite", children=[node("inner", "composite", children=[node("leaf")])])
    inner = run(outer.children[0], context=NodeContext(outputs={"leaf": deepest}))
    outcome = run(outer, context=NodeContext(outputs={"inner": inner.result["output"]}))
    assert outcome.result["output"]["children"]["inner"]["children"]["leaf"] == deepest


def test_nul_behind_backslashes_is_still_one():
    with pytest.raises(ToolError, match="NUL"):
        plain_json("\\\\\0")


def test_what_is_kept_is_a_copy():
    output = {"list": [1]}
    outcome = run(node(tool="work"), Working(lambda *_: output))
    output["list"].append(2)
    assert outcome.result["result"] == {"list": [1]}


def test_tool_object_with_a_plain_execute_is_run_in_a_thread():
    class Plain:
        name, description, input_schema = "work", "", {"type": "object"}

        def execute(self, inputs, context):
            return ToolResult(True, {"text": threading.current_thread().name})

    outcome = asyncio.run(
        run_node(node("n", tool="work"), NodeContext(), build_registry([("a test", Plain())]))
    )
    assert outcome.status is COMPLETED
    assert outcome.result["result"]["text"] != threading.main_thread().name
