"""Which tasks each task of a plan comes right after."""

from __future__ import annotations

from airflow_provider_vibe.dag.wiring import Wiring, wire
from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.models import WorkflowNode
from tests.dag.plans import composite, node


def wiring_of(*nodes: dict) -> Wiring:
    graph = PlanGraph([WorkflowNode.model_validate(each) for each in nodes])
    return wire(graph, lambda each: each.id)


def upstream_of(*nodes: dict) -> dict[str, set[str]]:
    return {task: set(before) for task, before in wiring_of(*nodes).upstream.items()}


def test_dependency_comes_right_before():
    assert upstream_of(node("a"), node("b", "a")) == {"a": set(), "b": {"a"}}


def test_composite_opens_after_its_dependencies_and_closes_after_its_children():
    edges = upstream_of(node("a"), composite("c", [node("x"), node("y")], "a"))
    assert edges["c__open"] == {"a"}
    assert edges["x"] == edges["y"] == {"c__open"}
    assert edges["c"] == {"x", "y"}


def test_dependent_of_a_composite_waits_until_it_closes():
    edges = upstream_of(composite("c", [node("x")]), node("after", "c"))
    assert edges["after"] == {"c"}


def test_child_that_a_sibling_waits_for_has_no_edge_of_its_own_to_the_end():
    edges = upstream_of(composite("c", [node("x"), node("y", "x")]))
    assert edges["y"] == {"x"}
    assert edges["c"] == {"y"}


def test_children_of_a_working_node_start_after_its_work():
    edges = upstream_of(node("p", children=[node("k"), node("l", "k")]))
    assert edges == {"p": set(), "k": {"p"}, "l": {"k"}}


def test_dependent_of_a_working_node_waits_for_its_whole_subtree():
    edges = upstream_of(
        node("p", children=[node("k", children=[node("deep")]), node("l")]), node("after", "p")
    )
    assert edges["after"] == {"deep", "l"}


def test_dependency_on_a_node_inside_another_composite_is_direct():
    edges = upstream_of(composite("c", [node("x"), node("y")]), node("b", "x"))
    assert edges["b"] == {"x"}


def test_dependency_of_a_child_on_a_foreign_composite_waits_for_all_of_it():
    edges = upstream_of(
        composite("c", [node("x"), node("y", "x")]), composite("d", [node("z", "c"), node("w")])
    )
    assert edges["z"] == {"c", "d__open"}


def test_dependency_on_an_ancestor_asks_for_its_gate_only():
    assert upstream_of(composite("c", [node("x", "c")]))["x"] == {"c__open"}


def test_composite_without_children_is_one_task():
    assert upstream_of(composite("c", []), node("b", "c")) == {"c": set(), "b": {"c"}}


def test_many_to_many_goes_through_one_join():
    first = [node(f"a{i}") for i in range(10)]
    second = [node(f"b{i}", *(f"a{j}" for j in range(10))) for i in range(10)]
    wiring = wiring_of(*first, *second)
    (join,) = wiring.joins
    assert set(wiring.upstream[join]) == {f"a{i}" for i in range(10)}
    assert {wiring.upstream[f"b{i}"] for i in range(10)} == {(join,)}


def test_few_to_few_is_drawn_as_it_is():
    nodes = [node("a"), node("b"), node("c", "a", "b"), node("d", "a", "b")]
    assert wiring_of(*nodes).joins == {}


def test_join_stands_in_the_group_of_all_its_tasks():
    first = [node(f"a{i}") for i in range(8)]
    second = [node(f"b{i}", *(f"a{j}" for j in range(8))) for i in range(8)]
    assert list(wiring_of(composite("c", [*first, *second])).joins.values()) == ["c"]


def test_dense_layers_have_about_as_many_edges_as_nodes():
    layers, width = 20, 50
    nodes = [
        node(f"n{layer}_{i}", *(f"n{layer - 1}_{j}" for j in range(width) if layer))
        for layer in range(layers)
        for i in range(width)
    ]
    edges = sum(len(before) for before in wiring_of(*nodes).upstream.values())
    assert edges <= 2 * len(nodes)


def test_leaves_are_what_nothing_comes_after():
    wiring = wiring_of(node("a"), node("b", "a"), composite("c", [node("x")]))
    assert set(wiring.leaves()) == {"b", "c"}
