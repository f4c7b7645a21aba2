"""What a node may see of the nodes before it."""

from __future__ import annotations

import pytest

from airflow_provider_vibe.plan.models import Vibe
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.runtime.context import NodeContext, output_part, read_by, workflow_context
from tests.runtime.helpers import Working, node, run


def test_texts_of_the_dependencies_are_one_text_in_the_order_of_the_dependencies():
    context = NodeContext(outputs={"a": {"text": "A"}, "b": {"text": "B"}})
    seen = context.for_tool(node(dependencies=["b", "a"]), "D")
    assert seen["workflow_context"] == "Previous step (b):\nB\n\nPrevious step (a):\nA"
    assert list(seen["previous_outputs"]) == ["b", "a"]


def test_output_without_a_text_is_in_previous_outputs_alone():
    context = NodeContext(outputs={"a": {"rows": 3}, "b": "plain", "c": {"text": "C"}, "d": None})
    seen = context.for_tool(node(dependencies=["a", "b", "c", "d"]), "D")
    assert seen["workflow_context"] == "Previous step (c):\nC"
    assert seen["previous_outputs"] == {"a": {"rows": 3}, "b": "plain", "c": {"text": "C"}, "d": None}


def test_text_that_is_no_string_is_written_out():
    assert workflow_context({"a": {"text": 5}}) == "Previous step (a):\n5"


def test_only_direct_dependencies_are_shown():
    context = NodeContext(outputs={"a": {"text": "A"}, "referenced": {"text": "R"}})
    seen = context.for_tool(node(dependencies=["a"]), "D")
    assert set(seen["previous_outputs"]) == {"a"}


def test_node_without_dependencies_sees_nothing():
    seen = NodeContext(outputs={"a": {"text": "A"}}).for_tool(node(), "D")
    assert (seen["workflow_context"], seen["previous_outputs"]) == ("", {})


def test_dependency_that_left_no_output_is_left_out():
    seen = NodeContext(outputs={"b": {"text": "B"}}).for_tool(node(dependencies=["a", "b"]), "D")
    assert seen["previous_outputs"] == {"b": {"text": "B"}}


def test_tool_is_told_the_node_the_run_and_the_vibe():
    vibe = Vibe(description="On ${params.topic}", style="warm", constraints=("short",))
    run_fields = {"id": "r", "date": "2026-01-05"}
    context = NodeContext(
        params={"topic": "owls"},
        run=run_fields,
        vibe=vibe,
        try_number=3,
        findings=("too short",),
        earlier_runs=("q",),
    )
    seen = context.for_tool(node("here"), "resolved")
    assert seen == {
        "node_id": "here",
        "node_description": "resolved",
        "workflow_context": "",
        "previous_outputs": {},
        "run": {"id": "r", "date": "2026-01-05"},
        "try_number": 3,
        "findings": ["too short"],
        "earlier_runs": ["q"],
        "vibe": {
            "description": "On owls",
            "style": "warm",
            "constraints": ["short"],
            "domain": None,
            "metadata": {},
        },
    }


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"type": "tool_execution", "tool": "t", "result": {"text": "T"}}, "result"),
        ({"type": "generation", "tool": "llm", "result": None}, "result"),
        ({"type": "analysis", "result": "made up", "simulated": True}, None),
        ({"type": "composite", "result": "organized", "output": {"text": "T"}}, "output"),
        ({"type": "composite", "result": "organized"}, None),
        (None, None),
        ("plain", None),
    ],
)
def test_tools_and_composites_supply_an_output_and_simulated_nodes_none(result, expected):
    assert output_part(result) == expected


def test_composite_gives_its_dependents_the_texts_of_its_children():
    children = [node("x", tool="work"), node("y", tool="work"), node("z", tool="work")]
    context = NodeContext(outputs={"y": {"text": "Y"}, "x": {"text": "X"}, "z": [1]})
    outcome = run(node("c", "composite", children=children), context=context)
    output = outcome.result[output_part(outcome.result)]
    assert output == {"text": "X\n\nY", "children": {"x": {"text": "X"}, "y": {"text": "Y"}, "z": [1]}}
    seen = NodeContext(outputs={"c": output}).for_tool(node(dependencies=["c"]), "D")
    assert seen["workflow_context"] == "Previous step (c):\nX\n\nY"


def test_composite_of_composites_gathers_all_texts():
    inner = {"text": "X\n\nY", "children": {"x": {"text": "X"}, "y": {"text": "Y"}}}
    children = [node("inner", "composite", children=[node("x")]), node("z")]
    context = NodeContext(outputs={"inner": inner, "z": {"text": "Z"}})
    outcome = run(node("outer", "composite", children=children), context=context)
    assert outcome.result["output"]["text"] == "X\n\nY\n\nZ"


def test_composite_whose_children_made_no_text_supplies_their_outputs():
    outcome = run(node("c", "composite", children=[node("x")]), context=NodeContext(outputs={"x": 7}))
    assert outcome.result["output"] == {"children": {"x": 7}}


def test_composite_of_simulated_children_supplies_nothing():
    outcome = run(node("c", "composite", children=[node("x")]), context=NodeContext())
    assert output_part(outcome.result) is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${params.topic}", "owls"),
        ("${params.deep.list.1}", {"k": 2}),
        ("${nodes.a.text}", "A"),
        ("${nodes.a}", {"text": "A", "n": 3}),
        ("${nodes.b.c.text}", "dotted"),
        ("${run.date}", "2026-01-05"),
        ("${vibe.style}", "warm"),
        ("${vibe.description}", "On owls"),
        ("about ${params.topic}, ${nodes.a.n}", "about owls, 3"),
        ("$${params.topic}", "${params.topic}"),
        ("${params.tricky}", "${params.topic}"),
        (["${nodes.a.n}", {"k": "${params.topic}"}], [3, {"k": "owls"}]),
        ("plain", "plain"),
        (5, 5),
    ],
)
def test_references_are_filled_in(written, value):
    context = NodeContext(
        outputs={"a": {"text": "A", "n": 3}, "b.c": {"text": "dotted"}},
        params={"topic": "owls", "tricky": "${params.topic}", "deep": {"list": [1, {"k": 2}]}},
        run={"date": "2026-01-05"},
        vibe=Vibe(description="On ${params.topic}", style="warm"),
    )
    assert context.resolve(written) == value


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("${nodes.gone.text}", "'gone' left no output in this run"),
        ("${nodes.a.txt}", "did you mean 'text'?"),
        ("${params.gone}", "no key 'gone'"),
    ],
)
def test_reference_that_leads_nowhere_says_what_is_there(written, told):
    context = NodeContext(outputs={"a": {"text": "A"}}, params={"topic": "owls"})
    with pytest.raises(BadReference, match="leads nowhere") as caught:
        context.resolve(written)
    assert told in str(caught.value)


def test_whole_value_of_a_reference_is_a_copy():
    context = NodeContext(outputs={"a": {"list": [1]}}, params={"p": {"k": [1]}})
    context.resolve("${nodes.a}")["list"].append(2)
    context.resolve("${params.p}")["k"].append(2)
    assert context.outputs["a"] == {"list": [1]}
    assert context.params["p"] == {"k": [1]}


def test_tool_that_changes_what_it_is_given_changes_nobody_elses():
    def vandal(inputs, context):
        inputs["list"].append("mine")
        inputs["new"] = 1
        context["previous_outputs"]["a"]["deep"]["k"] = "mine"
        context["run"]["id"] = "mine"
        context["vibe"]["metadata"]["k"].append("mine")
        return {"text": "done"}

    given = node(dependencies=["a"], tool="work", tool_inputs={"list": ["plan"]})
    context = NodeContext(
        outputs={"a": {"deep": {"k": "a's"}}},
        run={"id": "r"},
        vibe=Vibe(description="v", metadata={"k": ["plan"]}),
    )
    assert run(given, Working(vandal), context=context).error is None
    assert given.parameters["tool_inputs"] == {"list": ["plan"]}
    assert context.outputs == {"a": {"deep": {"k": "a's"}}}
    assert context.run == {"id": "r"}
    assert context.vibe.metadata == {"k": ["plan"]}


def test_node_reads_its_dependencies_its_references_and_a_composite_its_children():
    known = dict.fromkeys(["a", "b", "b.c", "x"])
    reader = node(
        description="like ${nodes.b.text}",
        dependencies=["a"],
        tool="work",
        tool_inputs={"deep": [{"k": "${nodes.b.c.text} ${nodes.a}"}], "p": "${params.x}"},
    )
    assert set(read_by(reader, known)) == {"a", "b", "b.c"}
    assert read_by(node("c", "composite", dependencies=["a"], children=[node("x")]), known) == ("a", "x")
    assert read_by(node("parent", children=[node("x")]), known) == ()


def test_reference_to_a_node_that_left_no_output_is_not_taken_for_another_one():
    context = NodeContext(outputs={"a": {"b": "not this"}}, without_output=frozenset({"a.b"}))
    with pytest.raises(BadReference, match=r"'a\.b' left no output in this run"):
        context.resolve("${nodes.a.b}")


def test_description_stays_a_text_whatever_a_reference_leads_to():
    context = NodeContext(params={"n": 5, "o": {"k": 1}}, vibe=Vibe(description="${params.n}"))
    assert context.resolve_text("${params.n}") == "5"
    assert context.resolve_text("${params.o}") == '{"k":1}'
    assert context.resolved_vibe()["description"] == "5"
