from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.graph import CycleFound, PlanGraph, walk
from airflow_provider_vibe.plan.models import WorkflowPlan
from tests.plan.plans import at_most, composite, node, plan

CASES = Path(__file__).parent.parent / "data/oracle/cases"


def graph(*nodes) -> PlanGraph:
    return PlanGraph(WorkflowPlan.model_validate(plan(*nodes)).root_nodes)


def after(node_id, *dependencies, **fields):
    return node(node_id, dependencies=list(dependencies), **fields)


# levels


def flat_cases():
    """Cases of the original whose plan is flat, sound, and was run from its beginning."""
    for case in sorted(CASES.iterdir()):
        data = json.loads((case / "plan.json").read_text())
        expected = json.loads((case / "expected.json").read_text())
        nodes = data["root_nodes"]
        ids = [each["id"] for each in nodes]
        is_flat = not any(each["children"] for each in nodes)
        is_known = all(dep in ids for each in nodes for dep in each["dependencies"])
        if is_flat and is_known and len(set(ids)) == len(ids) and not has_cycle(nodes):
            yield pytest.param(data, expected["execution_groups"], id=case.name)


def has_cycle(nodes) -> bool:
    """By taking away again and again every node that waits for none that is left."""
    left = {each["id"]: set(each["dependencies"]) for each in nodes}
    while free := [each for each, deps in left.items() if not deps & left.keys()]:
        for each in free:
            del left[each]
    return bool(left)


def test_there_are_cases_of_the_original_to_compare_with():
    assert len(list(flat_cases())) > 10


@pytest.mark.parametrize(("data", "groups"), list(flat_cases()))
def test_the_levels_of_a_flat_plan_are_the_originals_groups(data, groups):
    assert PlanGraph(WorkflowPlan.model_validate(data).root_nodes).groups == groups


def test_each_node_stands_on_the_earliest_level_its_dependencies_allow():
    assert graph(
        node("b"), after("c", "a", "b"), node("a"), after("d", "b"), after("e", "c", "a")
    ).groups == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]


def test_children_come_a_level_after_their_parent():
    assert graph(composite("c", node("x"), after("y", "x")), node("z")).groups == [["c", "z"], ["x"], ["y"]]


def test_what_depends_on_a_composite_comes_after_its_whole_subtree():
    tree = composite("c", composite("inner", node("x"), after("y", "x")))
    assert graph(tree, after("z", "c")).groups == [["c"], ["inner"], ["x"], ["y"], ["z"]]


def test_what_depends_on_a_plain_parent_comes_after_its_children_too():
    assert graph(node("p", children=[node("x")]), after("z", "p")).groups == [["p"], ["x"], ["z"]]


def test_a_composite_that_waits_holds_its_children_back():
    assert graph(node("first"), composite("c", node("x"), dependencies=["first"])).groups == [
        ["first"],
        ["c"],
        ["x"],
    ]


def test_a_dependency_in_another_subtree_is_honoured():
    left = composite("left", node("x"), after("y", "x"))
    right = composite("right", after("z", "y"), node("w"))
    assert graph(left, right).groups == [["left", "right"], ["w", "x"], ["y"], ["z"]]


def test_a_dependency_on_an_ancestor_changes_nothing():
    with_it = graph(composite("c", composite("d", after("x", "c", "d"))))
    assert with_it.groups == graph(composite("c", composite("d", node("x")))).groups
    assert with_it.waits_for["x"] == []


def test_the_levels_do_not_depend_on_the_order_of_the_file():
    nodes = [after("d", "a"), node("b"), after("c", "a", "b"), node("a")]
    assert graph(*nodes).groups == graph(*reversed(nodes)).groups


# the tree


TREE = (composite("c", node("x", children=[node("y")]), node("z")), node("w"))


def test_walk_visits_every_node_with_its_parent_in_the_order_of_the_file():
    roots = WorkflowPlan.model_validate(plan(*TREE)).root_nodes
    assert [(each.id, parent and parent.id) for each, parent in walk(roots)] == [
        ("c", None),
        ("x", "c"),
        ("y", "x"),
        ("z", "c"),
        ("w", None),
    ]


def test_descendants_are_all_below_a_node_and_nothing_else():
    tree = graph(*TREE)
    assert tree.descendants("c") == ["x", "y", "z"]
    assert tree.descendants("x") == ["y"]
    assert tree.descendants("w") == []
    inside = {(a, b) for a in tree.nodes for b in tree.nodes if tree.is_inside(a, b)}
    assert inside == {("x", "c"), ("y", "c"), ("z", "c"), ("y", "x")}


# what a node waits for


def test_only_dependencies_that_can_be_waited_for_count_and_each_once():
    tree = graph(composite("c", node("x"), dependencies=["x", "c", "nobody", "w", "w"]), node("w"))
    assert tree.waits_for["c"] == ["w"]


def test_a_dependency_can_be_left_out():
    roots = WorkflowPlan.model_validate(plan(after("a", "b"), after("b", "a"))).root_nodes
    assert PlanGraph(roots, without={("b", "a")}).groups == [["b"], ["a"]]


# whose output is there


UPSTREAM = graph(
    node("first"),
    composite(
        "c",
        after("x", "first", children=[node("y")]),
        after("z", "x"),
        dependencies=["first"],
    ),
    after("last", "c"),
    node("aside"),
)


@pytest.mark.parametrize(
    ("node_id", "reader"),
    [
        ("first", "x"),
        ("first", "y"),  # through its parent
        ("first", "z"),  # through the composite around it
        ("first", "last"),  # through what it depends on
        ("x", "y"),  # a plain parent does its work before its children
        ("x", "z"),
        ("y", "z"),  # what is inside of what it depends on
        ("c", "last"),
        ("y", "last"),
    ],
)
def test_the_output_of_what_is_upstream_is_there(node_id, reader):
    assert UPSTREAM.has_output_before(node_id, reader)


@pytest.mark.parametrize(
    ("node_id", "reader"),
    [
        ("aside", "last"),
        ("last", "first"),
        ("x", "x"),
        ("c", "c"),
        ("c", "x"),  # a composite has its output when it closes
        ("c", "y"),
        ("y", "x"),
        ("x", "c"),
        ("z", "x"),
    ],
)
def test_the_output_of_anything_else_is_not(node_id, reader):
    assert not UPSTREAM.has_output_before(node_id, reader)


@pytest.mark.parametrize(
    ("reader", "dep", "possible"),
    [
        ("aside", "last", True),
        ("last", "aside", True),
        ("z", "aside", True),
        ("x", "x", False),
        ("c", "x", False),
        ("x", "c", False),
        ("first", "last", False),
        ("x", "z", False),
        ("c", "last", False),
    ],
)
def test_a_node_can_depend_on_what_does_not_wait_for_it(reader, dep, possible):
    assert UPSTREAM.can_depend_on(reader, dep) is possible


# cycles


def cycle_of(*nodes) -> list[str]:
    with pytest.raises(CycleFound) as raised:
        graph(*nodes).order  # noqa: B018 # computing it raises
    return raised.value.ids


def rotated(ids: list[str]) -> list[str]:
    start = ids.index(min(ids))
    return ids[start:] + ids[:start]


def test_a_cycle_of_two_is_found():
    assert rotated(cycle_of(after("a", "b"), after("b", "a"))) == ["a", "b"]


def test_a_cycle_is_told_in_the_order_of_waiting():
    assert rotated(cycle_of(after("a", "b"), after("b", "c"), after("c", "a"), after("d", "a"))) == list(
        "abc"
    )


def test_a_cycle_through_a_composite_names_the_composite():
    ids = cycle_of(composite("c", after("x", "w")), after("w", "c"))
    assert rotated(ids) == ["c", "x", "w"]


def test_a_cycle_through_what_a_composite_waits_for_is_found():
    ids = cycle_of(composite("c", node("x"), dependencies=["w"]), after("w", "x"))
    assert rotated(ids) == ["c", "w", "x"]


def test_a_cycle_of_1500_nodes_is_told_whole():
    with at_most(1):
        ids = cycle_of(*(after(f"n{i}", f"n{(i + 1) % 1_500}") for i in range(1_500)))
    assert rotated(ids) == [f"n{i}" for i in range(1_500)]


def test_a_chain_of_two_thousand_nodes_has_an_order():
    with at_most(2):
        chain = graph(node("n0"), *(after(f"n{i}", f"n{i - 1}") for i in range(1, 2_000)))
        assert len(chain.groups) == 2_000
        assert chain.has_output_before("n0", "n1999")


# laws


@st.composite
def trees(draw):
    """A tree of up to eight nodes with any dependencies."""
    count = draw(st.integers(1, 8))
    nodes = [draw(st.sampled_from([node, composite]))(f"n{index}") for index in range(count)]
    roots = []
    for index, each in enumerate(nodes):
        each["dependencies"] = draw(st.lists(st.sampled_from([other["id"] for other in nodes]), max_size=2))
        parent = draw(st.integers(-1, index - 1))
        (roots if parent < 0 else nodes[parent].setdefault("children", [])).append(each)
    return roots


def moments(roots) -> dict[str, set[str]]:
    """What each start and each end waits for directly, said once more in other words."""
    everything = {}
    parents = {}
    stack = [(root, ()) for root in roots]
    while stack:
        each, above = stack.pop()
        everything[each["id"]], parents[each["id"]] = each, above
        stack.extend((child, (*above, each["id"])) for child in each.get("children", []))
    waits: dict[str, set[str]] = {}
    for node_id, each in everything.items():
        related = {node_id, *parents[node_id], *(other for other in everything if node_id in parents[other])}
        begin = {f"end {dep}" for dep in each["dependencies"] if dep not in related}
        waits[f"begin {node_id}"] = begin | {f"begin {above}" for above in parents[node_id][-1:]}
        waits[f"end {node_id}"] = {f"begin {node_id}"} | {
            f"end {child['id']}" for child in each.get("children", [])
        }
    return waits


def everything_before(waits: dict[str, set[str]], moment: str) -> set[str]:
    found: set[str] = set()
    stack = [moment]
    while stack:
        new = waits[stack.pop()] - found
        found |= new
        stack.extend(new)
    return found


@settings(deadline=None)
@given(trees())
def test_a_tree_has_an_order_or_a_cycle_each_step_of_which_is_one_of_waiting(roots):
    waits = moments(roots)
    is_cyclic = any(moment in everything_before(waits, moment) for moment in waits)
    tree = graph(*roots)
    try:
        order = tree.order
    except CycleFound as cycle:
        assert is_cyclic
        assert len(set(cycle.ids)) == len(cycle.ids) > 1
        for here, following in zip(cycle.ids, [*cycle.ids[1:], cycle.ids[0]], strict=True):
            assert (
                following in tree.waits_for[here]
                or following in tree.descendants(here)
                or here in tree.descendants(following)
            )
    else:
        assert not is_cyclic
        assert sorted(order) == list(range(2 * len(tree.nodes)))
        level = {each: depth for depth, group in enumerate(tree.groups) for each in group}
        for reader in tree.nodes:
            before = everything_before(waits, f"begin {reader}")
            for other, other_node in tree.nodes.items():
                needed = "end" if other_node.type == "composite" else "begin"
                there = f"{needed} {other}" in before
                assert tree.has_output_before(other, reader) is there
                assert level[other] < level[reader] or not there
