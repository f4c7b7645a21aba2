"""The nodes of a plan, told from its DAG alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.cli.nodes import NotAPlan, RunPlan
from airflow_provider_vibe.cli.runs import DagStructure, DagTask
from airflow_provider_vibe.plan.graph import CycleFound, PlanGraph
from airflow_provider_vibe.plan.models import WorkflowPlan
from tests.cli.fakes import run_plan, structure, without_groups
from tests.dag.plans import composite, node, plan

CASES = Path(__file__).parents[1] / "data" / "oracle" / "cases"
REFUSED = ("41", "44", "46")
PLANS = [path for path in sorted(CASES.glob("*/plan.json")) if not path.parent.name.startswith(REFUSED)]


def agrees(content, seen: RunPlan) -> None:
    """The DAG tells of the plan what the plan says."""
    graph = PlanGraph(WorkflowPlan.model_validate(content).root_nodes)
    assert set(seen.nodes) == set(graph.nodes)
    assert {id_: node.parent for id_, node in seen.nodes.items()} == graph.parents
    assert {id_: node.type for id_, node in seen.nodes.items()} == {
        id_: str(node.type) for id_, node in graph.nodes.items()
    }
    assert seen.groups == graph.groups
    assert all(set(seen.descendants(id_)) == set(graph.descendants(id_)) for id_ in graph.nodes)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.parent.name)
def test_nodes_nesting_types_and_groups_are_those_of_the_plan(path):
    content = json.loads(path.read_text())
    agrees(content, run_plan(content))


def test_the_account_of_a_budget_is_none_of_the_nodes():
    content = plan(composite("both", [node("x"), node("y", "x")]), node("z"), budget={"requests": 3})
    agrees(content, run_plan(content))


@st.composite
def trees(draw):
    """Plans of any shape without a cycle, with ids that Airflow takes and others that it does not."""
    count = draw(st.integers(1, 12))
    ids = [f"n{number}" if number % 3 else f"Nö {number}" for number in range(count)]
    parents = [draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(count)]
    nodes = []
    for node_id in ids:
        dependencies = draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))
        kind = draw(st.sampled_from(["composite", "transform"]))
        nodes.append(node(node_id, *dependencies, type=kind, children=[]))
    roots = []
    for content, parent in zip(nodes, parents, strict=True):
        (roots if parent is None else nodes[parent]["children"]).append(content)
    content = plan(*roots)
    graph = PlanGraph(WorkflowPlan.model_validate(content).root_nodes)
    for each in nodes:
        each["dependencies"] = [id_ for id_ in each["dependencies"] if id_ in graph.waits_for[each["id"]]]
    try:
        assert PlanGraph(WorkflowPlan.model_validate(content).root_nodes).order
    except CycleFound:
        for each in nodes:
            each["dependencies"] = []
    return content


@settings(deadline=None, max_examples=60)
@given(trees())
def test_so_they_are_for_any_plan(content):
    agrees(content, run_plan(content))


def test_descriptions_come_along_and_gates_are_found():
    seen = run_plan(plan(composite("c", [node("x")]), node("a", "c", description="Do it")))
    assert seen.nodes["a"].description == "Do it"
    assert seen.nodes["c"].gate == "c__open"
    assert seen.nodes["x"].gate is None


def test_tasks_behind_the_feedback_are_no_nodes():
    whole = structure(plan(node("a")))
    tasks = {**whole.tasks, "propose": DagTask("propose", "propose", upstream=("vibe_feedback",))}
    assert set(RunPlan("plan", DagStructure(tasks, whole.groups)).nodes) == {"a"}


def test_group_that_belongs_to_no_node_is_looked_through():
    whole = structure(plan(composite("c", [node("x", children=[node("y")])])))
    groups = {**whole.groups, "x__group": replace(whole.groups["x__group"], name="Our own name for it")}
    seen = RunPlan("plan", DagStructure(whole.tasks, groups))
    assert {id_: each.parent for id_, each in seen.nodes.items()} == {"c": None, "x": "c", "y": "c"}


def test_nodes_of_one_display_name_are_told_apart_by_their_tasks():
    tasks = {
        "a1": DagTask("a1", "a", "OurOperator"),
        "a2": DagTask("a2", "a", "OurOperator"),
        "vibe_feedback": DagTask("vibe_feedback", "vibe_feedback", upstream=("a1", "a2")),
    }
    seen = RunPlan("plan", DagStructure(tasks, {}))
    assert set(seen.nodes) == {"a1", "a2"}
    assert seen.nodes["a1"].type == "OurOperator"


def test_where_groups_are_unknown_what_a_composite_encloses_is_inside_it():
    content = plan(
        node("a"),
        composite("outer", [node("x"), composite("inner", [node("y"), node("z")], "x")], "a"),
        node("after", "outer"),
    )
    agrees(content, RunPlan("plan", without_groups(structure(content))))


def test_dag_that_is_no_plan_is_told():
    with pytest.raises(NotAPlan, match="DAG 'etl' is not made from a plan: it has no task 'vibe_feedback'"):
        RunPlan("etl", DagStructure({"a": DagTask("a", "a")}, {}))
