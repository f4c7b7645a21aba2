"""Fingerprints: the same work has the same one, other work another."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_vibe.plan.models import Vibe
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.fingerprint import composite_digest, fingerprint_of, gathered, identify
from airflow_provider_vibe.runtime.kept import output_digest
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.registry import build_registry, load_tools
from airflow_provider_vibe.tools.sources import Source
from tests.runtime.helpers import PlanRules, Working, node, run

BASE = {
    "description": "on ${params.x}",
    "tool": "work",
    "tool_inputs": {"k": "${params.x}"},
    "dependencies": ["a", "b"],
}
CONTEXT = {
    "outputs": {"a": {"text": "A"}, "b": 1},
    "params": {"x": "owls", "unused": 1},
    "run": {"id": "one", "date": "2026-01-05"},
    "vibe": Vibe(description="v", metadata={"k": 1}),
}


def fingerprint(
    node_fields=None, context_fields=None, default_tools=None, node_type="analyze", node_id="n", **facts
):
    a_node = node(node_id, node_type, **{**BASE, **(node_fields or {})})
    context = NodeContext(**{**CONTEXT, **(context_fields or {})})
    return fingerprint_of(a_node, context, PlanRules(default_tools=default_tools or {}), **facts)


@pytest.mark.parametrize(
    ("node_fields", "context_fields", "others"),
    [
        ({}, {}, {}),
        ({}, {}, {"node_id": "renamed"}),
        ({"estimated_duration": 5, "run": {"retries": 3}}, {}, {}),
        ({"tool_inputs": {"k": "owls"}}, {}, {}),
        ({"description": "on owls"}, {}, {}),
        ({"dependencies": ["a", "b", "a"]}, {}, {}),
        ({"dependencies": ["a", "b", "left-nothing"]}, {}, {}),
        ({}, {"outputs": {"b": 1, "a": {"text": "A"}}}, {}),
        ({}, {"outputs": {"a": {"text": "A"}, "b": 1, "no-dependency": 5}}, {}),
        ({}, {"params": {"x": "owls", "unused": 2}}, {}),
        ({}, {"run": {"id": "two", "date": "2026-01-06"}}, {}),
        ({}, {"try_number": 3, "findings": ["too short"], "earlier_runs": ["r"]}, {}),
    ],
)
def test_same_work_has_the_same_fingerprint(node_fields, context_fields, others):
    assert fingerprint(node_fields, context_fields, **others) == fingerprint()


CHECKS = [{"must_contain": ["${params.x}"]}, {"min_words": 5, "weight": 2}]


@pytest.mark.parametrize(
    ("node_fields", "context_fields", "others"),
    [
        ({"description": "of ${params.x}"}, {}, {}),
        ({"tool": "other"}, {}, {}),
        ({"tool_inputs": {"k": 1}}, {}, {}),
        ({"tool_inputs": {}}, {}, {}),
        ({"dependencies": ["b", "a"]}, {}, {}),
        ({"dependencies": ["a"]}, {}, {}),
        ({"checks": CHECKS}, {}, {}),
        ({}, {"outputs": {"a": {"text": "B"}, "b": 1}}, {}),
        ({}, {"outputs": {"a": {"text": "A"}}}, {}),
        ({}, {"params": {"x": "cats"}}, {}),
        ({}, {"vibe": Vibe(description="w", metadata={"k": 1})}, {}),
        ({}, {"vibe": Vibe(description="v", metadata={"k": 2})}, {}),
        ({}, {"vibe": Vibe(description="v", metadata={"k": 1}, style="warm")}, {}),
        ({}, {}, {"node_type": "validate"}),
        ({}, {}, {"version": "2"}),
        ({}, {}, {"model": {"connection": "c", "model": "m"}}),
    ],
)
def test_fingerprint_differs_with_everything_a_node_sees(node_fields, context_fields, others):
    assert fingerprint(node_fields, context_fields, **others) != fingerprint()


def test_every_part_of_the_checks_counts_with_its_references_filled_in():
    weights = [CHECKS[0], {"min_words": 5}]
    said = [{"must_contain": ["owls"]}, CHECKS[1]]
    prints = [
        fingerprint({"checks": CHECKS}),
        fingerprint({"checks": CHECKS, "on_fail": "retry"}),
        fingerprint({"checks": weights}),
        fingerprint({"checks": CHECKS}, {"params": {"x": "cats"}}),
    ]
    assert len(set(prints)) == 4
    assert fingerprint({"checks": said}) == prints[0]


def test_parameters_that_an_operator_of_ones_own_may_read_count():
    def with_parameters(**others):
        parameters = {"tool": "work", "tool_inputs": {}, **others}
        return fingerprint_of(node("n", parameters=parameters), NodeContext(), PlanRules())

    assert with_parameters(mood="bright") != with_parameters(mood="dark") != with_parameters()


def test_what_is_given_counts_by_its_digest_where_that_is_known():
    known = {"digests": {"a": "d"}, "outputs": {"a": {"text": "any"}, "b": 1}}
    same = {"digests": {"a": "d"}, "outputs": {"a": {"text": "other"}, "b": 1}}
    assert fingerprint(None, known) == fingerprint(None, same) != fingerprint()


def test_fingerprint_differs_with_the_default_tool():
    prints = {
        fingerprint({"tool": None}, default_tools=tools) for tools in ({}, {"analyze": "x"}, {"analyze": "y"})
    }
    assert len(prints) == 3


# composites


def composite_of(*child_ids: str, **context_fields):
    a_node = node("both", "composite", children=[node(child_id) for child_id in child_ids])
    context = NodeContext(outputs={"x": {"text": "X"}, "y": {"text": "Y"}}, **context_fields)
    return a_node, context


def test_order_of_the_children_of_a_composite_does_not_count():
    assert composite_digest(*composite_of("x", "y")) == composite_digest(*composite_of("y", "x"))
    same = [fingerprint_of(*composite_of(*order), PlanRules()) for order in (("x", "y"), ("y", "x"))]
    assert same[0] == same[1]


def test_what_the_children_of_a_composite_made_counts():
    whole = composite_digest(*composite_of("x", "y"))
    assert composite_digest(*composite_of("x")) != whole
    assert composite_digest(*composite_of("x", "y", digests={"x": "d"})) != whole


def test_composite_hands_on_a_digest_that_does_not_depend_on_their_order():
    composites = [composite_of("x", "y"), composite_of("y", "x")]
    results = [run(a_node, context=context).result for a_node, context in composites]
    assert results[0]["output"]["text"] != results[1]["output"]["text"]
    assert results[0]["output_digest"] == results[1]["output_digest"]


REFERENCES = [
    "${nodes.both.text}",
    "see ${nodes.both.text}!",
    "${nodes.both}",
    "${nodes.both.children}",
    "in ${nodes.both}",
]


def gathering(*child_ids: str, outputs=None, node_id: str = "both") -> dict[str, object]:
    """What a node after a composite of these children may see."""
    made = {"x": {"text": "X"}, "y": {"text": "Y", "more": 1}, "z": [1], **(outputs or {})}
    a_node = node(node_id, "composite", children=[node(child_id) for child_id in child_ids])
    result = run(a_node, context=NodeContext(outputs=made)).result
    return {"outputs": {node_id: result["output"]}, "digests": {node_id: result["output_digest"]}}


def reading(text: str, seen, **fields) -> str:
    return fingerprint_of(
        node("n", tool="work", tool_inputs={"k": text}, **fields), NodeContext(**seen), PlanRules()
    )


@pytest.mark.parametrize("text", REFERENCES)
def test_order_of_the_children_does_not_count_where_their_composite_is_referred_to(text):
    assert reading(text, gathering("x", "y", "z")) == reading(text, gathering("z", "y", "x"))
    fields = {"checks": [{"must_contain": ["${nodes.both.text}"]}], "description": "${nodes.both.text}"}
    assert reading(text, gathering("x", "y"), **fields) == reading(text, gathering("y", "x"), **fields)


@pytest.mark.parametrize("text", REFERENCES)
def test_what_the_children_made_counts_where_their_composite_is_referred_to(text):
    prints = [
        reading(text, gathering("x", "y")),
        reading(text, gathering("x")),
        reading(text, gathering("x", "y", outputs={"y": {"text": "Z", "more": 1}})),
        reading(text, gathering("x", "y", outputs={"x": {"text": "Y"}, "y": {"text": "X", "more": 1}})),
    ]
    assert len(set(prints)) == len(prints)


def outer(*inner: str) -> dict[str, object]:
    seen = gathering(*inner, node_id="inner")
    result = run(
        node("both", "composite", children=[node("inner", "composite", children=[node(i) for i in inner])]),
        context=NodeContext(**seen),
    ).result
    return {"outputs": {"both": result["output"]}, "digests": {"both": result["output_digest"]}}


@pytest.mark.parametrize("text", [*REFERENCES, "${nodes.both.children.inner.text}"])
def test_order_does_not_count_in_a_composite_inside_another(text):
    assert reading(text, outer("x", "y")) == reading(text, outer("y", "x")) != reading(text, outer("x"))


def test_part_of_a_composite_counts_alone():
    def print_of(y):
        return reading("${nodes.both.children.x.text}", gathering("x", "y", outputs={"y": y}))

    assert print_of(1) == print_of(2)


def mimics() -> list[dict[str, object]]:
    """What a tool made that looks like the output of a composite, in two orders."""
    children = {"a": {"text": "A"}, "b": {"text": "B"}}
    return [gathered({key: children[key] for key in order}) for order in ("ab", "ba")]


@pytest.mark.parametrize("text", [text for text in REFERENCES if "children" not in text])
@pytest.mark.parametrize(
    "seen_with",
    [
        lambda made: {"outputs": {"both": made}},
        lambda made: {"outputs": {"both": made}, "digests": {"both": output_digest(made)}},
        lambda made: gathering("x", "y", outputs={"x": made}),
    ],
    ids=["in XCom", "kept", "in a composite"],
)
def test_order_counts_in_what_a_tool_made_like_a_composite(seen_with, text):
    first, second = map(seen_with, mimics())
    assert reading(text, first) != reading(text, second)


def test_checks_of_a_composite_count():
    def print_of(**fields):
        return fingerprint_of(
            node("c", "composite", children=[node("x")], **fields), NodeContext(), PlanRules()
        )

    prints = {print_of(), print_of(checks=[{"min_words": 3}]), print_of(checks=[{"min_words": 4}])}
    assert len(prints) == 3


# what is looked up


@tool("work")
def work(k: str) -> str:
    return k


def identified(version=None, of_source=None) -> str:
    registry = build_registry([Source("the tests", [Versioned(version) if version else work], of_source)])
    return asyncio.run(identify(node("n", **BASE), NodeContext(**CONTEXT), registry, PlanRules()))


class Versioned:
    name, description, input_schema = "work", "", {"type": "object"}

    def __init__(self, version: str) -> None:
        self.version = version

    async def execute(self, inputs, context):
        raise NotImplementedError


def test_version_of_a_tool_counts_or_else_that_of_its_package():
    assert identified() == fingerprint()
    assert identified(version="2") == fingerprint(version="2")
    assert identified(of_source="1.5") == fingerprint(version="1.5")
    assert identified(version="2", of_source="1.5") == fingerprint(version="2")


def test_built_in_tools_have_the_version_of_this_package():
    from airflow_provider_vibe import __version__

    registry = load_tools()
    assert {registry.version(name) for name in registry} == {__version__}


@pytest.mark.parametrize(
    ("tool_name", "inputs", "asked"),
    [
        ("llm_generate", {}, {"connection": "vibe_llm", "model": "openai:gpt-5"}),
        ("llm_generate", {"model": "x:y"}, {"connection": "vibe_llm", "model": "x:y"}),
        ("llm_generate", {"connection": "${params.c}"}, {"connection": "mine", "model": None}),
        ("image_generate", {}, {"connection": "vibe_llm", "model": "openai:gpt-image-2"}),
        ("llm_generate", {"connection": "gone"}, {"connection": "gone", "model": None}),
        ("llm_generate", {"connection": "broken"}, {"connection": "broken", "model": None}),
    ],
)
def test_model_that_a_connection_names_counts(monkeypatch, tool_name, inputs, asked):
    extra = '{"model": "openai:gpt-5", "image_model": "openai:gpt-image-2"}'
    monkeypatch.setenv("AIRFLOW_CONN_VIBE_LLM", f'{{"conn_type": "pydanticai", "extra": {extra}}}')
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "{no json")
    monkeypatch.setenv("AIRFLOW_CONN_MINE", '{"conn_type": "pydanticai"}')
    monkeypatch.setattr(
        "airflow_provider_vibe.tools.models.connection.default_connection", lambda: "vibe_llm"
    )
    asking = node("n", "generate", tool=tool_name, tool_inputs={"prompt": "p", **inputs})
    context = NodeContext(params={"c": "mine"})
    found = asyncio.run(identify(asking, context, load_tools(), PlanRules()))
    registry = load_tools()
    version = registry.version(tool_name)
    assert found == fingerprint_of(asking, context, PlanRules(), version=version, model=asked)


@pytest.mark.parametrize("fields", [{"type": "generate", "tool": "template_fill"}, {"type": "composite"}])
def test_model_that_the_connection_of_a_judge_names_counts(monkeypatch, fields):
    def judged(model_of_connection, **judge):
        extra = f'{{"model": "{model_of_connection}"}}'
        monkeypatch.setenv("AIRFLOW_CONN_JUDGE_LLM", f'{{"conn_type": "pydanticai", "extra": {extra}}}')
        checks = [{"min_words": 1}, {"judge": {"rubric": "good", "connection": "judge_llm", **judge}}]
        a_node = node("n", children=[node("x")], checks=checks, **fields)
        return asyncio.run(identify(a_node, NodeContext(), load_tools(), PlanRules()))

    assert judged("openai:gpt-5") == judged("openai:gpt-5") != judged("openai:gpt-4")
    assert judged("openai:gpt-5", model="x:y") == judged("openai:gpt-4", model="x:y")


# outcomes


def test_fingerprint_is_told_of_completed_and_of_failed_nodes():
    completed = run(node(tool="work"), Working())
    failed = run(node(tool="work"), Working(lambda *_: ValueError("x")))
    assert completed.fingerprint is not None
    assert completed.fingerprint == failed.fingerprint


def test_node_that_did_not_get_so_far_has_no_fingerprint():
    assert run(node(description="${params.gone}", tool="work"), Working()).fingerprint is None


def test_bad_reference_is_raised():
    with pytest.raises(BadReference):
        fingerprint({"description": "${params.gone}"})
