"""Fingerprints: the same work has the same one, other work another."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_vibe.plan.models import Vibe
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.fingerprint import composite_digest, fingerprint_of, identify
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
