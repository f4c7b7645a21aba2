from __future__ import annotations

import pytest

from airflow_provider_vibe.plan.identity import airflow_id, group_id
from airflow_provider_vibe.plan.problems import ProblemCode
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from tests.plan.plans import (
    NOTATIONS,
    at_most,
    codes,
    compact,
    composite,
    good,
    node,
    place_of,
    plan,
    problem,
    problems,
    warnings,
    written,
)

pytestmark = pytest.mark.parametrize("notation", NOTATIONS)


def after(node_id, *dependencies, **fields):
    return node(node_id, dependencies=list(dependencies), **fields)


# ids


@pytest.mark.parametrize(
    "node_id", ["a", "x" * 200, "..", "日本", "caf\u00e9", "a b", "a/b", "a\n", "{{ ti }}", "-"]
)
def test_an_id_can_be_any_text_of_up_to_200_characters(node_id, notation):
    assert good(plan(node(node_id), id=node_id), notation=notation).root_nodes[0].id == node_id


@pytest.mark.parametrize(
    "ids",
    [
        ("a", "A"),
        ("caf\u00e9", "cafe\u0301"),
        ("a b", "a-b", "a_b", "a/b"),
        ("..", "."),
        ("a", "a\n"),
        ("é", "e"),
    ],
)
def test_ids_that_differ_in_anything_stand_side_by_side(ids, notation):
    good(plan(*map(node, ids)), notation=notation)


def test_an_empty_id_is_refused(notation):
    found = problem(plan(node("first"), node("")), notation=notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.EMPTY_ID, "/root_nodes/1/id")


def test_an_empty_id_of_the_plan_is_refused(notation):
    found = problem(plan(id=""), notation=notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.EMPTY_ID, "/id")


def test_an_id_of_201_characters_is_refused(notation):
    data = plan(node("x" * 201), id="y" * 201)
    found = problems(data, notation=notation)
    assert codes(found) == [ProblemCode.TOO_LONG, ProblemCode.TOO_LONG]
    assert [each.where.json_pointer for each in found] == ["/id", "/root_nodes/0/id"]
    assert "201 characters, 200 are allowed" in found[1].message
    assert (found[1].where.line, found[1].where.column) == place_of(written(data, notation), "x" * 201)


def test_how_long_an_id_may_be_can_be_set(notation):
    rules = PlanRules(Limits(max_id_length=6))
    good(plan(node("sixsix")), rules, notation)
    assert problem(plan(node("sevense")), rules, notation).code is ProblemCode.TOO_LONG


@pytest.mark.parametrize(
    "node_id", ["vibe_feedback", "vibe_budget", "x__open", "__open", "join-0f3a9c12__open", "é__open"]
)
def test_an_id_of_the_form_of_our_own_tasks_is_refused(node_id, notation):
    data = plan(node("first", children=[node(node_id)]))
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.RESERVED_ID
    assert found.where.json_pointer == "/root_nodes/0/children/0/id"
    assert (found.where.line, found.where.column) == place_of(written(data, notation), node_id)
    assert "does not end in '__open'" in (found.hint or "")


def test_a_plan_may_have_a_name_that_a_node_may_not(notation):
    good(plan(id="vibe_feedback"), notation=notation)


def test_an_id_that_is_there_twice_is_refused_with_the_place_of_the_other(notation):
    data = plan(node("a", children=[node("b")]), node("c"), node("b"))
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.DUPLICATE_ID
    assert found.message == "two nodes are called 'b'; the other one is /root_nodes/0/children/0"
    assert found.where.json_pointer == "/root_nodes/2/id"


def test_every_further_node_of_one_id_is_told(notation):
    found = problems(plan(*[node("a")] * 4), notation=notation)
    assert codes(found) == [ProblemCode.DUPLICATE_ID] * 3


def test_two_ids_that_become_one_task_id_are_refused(notation):
    data = plan(node("a b"), node(airflow_id("a b")))
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.TASK_ID_COLLISION
    assert found.where.json_pointer == "/root_nodes/1/id"
    assert "'a b' would both be" in found.message
    assert (found.where.line, found.where.column) == place_of(written(data, notation), airflow_id("a b"))


def test_two_composites_that_become_one_group_are_told_once(notation):
    data = plan(composite("a b", node("x")), composite(airflow_id("a b"), node("y")))
    assert codes(problems(data, notation=notation)) == [ProblemCode.TASK_ID_COLLISION]


def test_an_id_that_is_the_id_of_anothers_group_is_refused(notation):
    data = plan(composite("c", node("x")), node(group_id("c")))
    assert problem(data, notation=notation).code is ProblemCode.TASK_ID_COLLISION
    good(plan(node("c"), node(group_id("c"))), notation=notation)  # a node without children has no group


def test_ids_that_differ_by_dots_alone_make_different_groups(notation):
    good(
        plan(composite("a.b", node("x")), composite("a-b", node("y")), composite("a_b", node("z"))),
        notation=notation,
    )


# dependencies


def test_dependencies_lead_anywhere_in_the_tree(notation):
    good(
        plan(
            composite("left", node("x"), after("y", "x")),
            composite("right", after("z", "y", "left"), dependencies=["first"]),
            node("first"),
        ),
        notation=notation,
    )


def test_a_dependency_that_names_no_node_is_refused_with_what_was_meant(notation):
    data = plan(node("research"), after("write", "research", "reserch"))
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.UNKNOWN_DEPENDENCY
    assert found.where.json_pointer == "/root_nodes/1/dependencies/1"
    assert found.hint == "did you mean 'research'?"
    assert (found.where.line, found.where.column) == place_of(written(data, notation), "reserch")


def test_a_node_that_depends_on_itself_is_refused(notation):
    found = problem(plan(after("a", "a")), notation=notation)
    assert (found.code, found.where.json_pointer) == (
        ProblemCode.SELF_DEPENDENCY,
        "/root_nodes/0/dependencies/0",
    )


@pytest.mark.parametrize("inner", ["child", "grandchild"])
@pytest.mark.parametrize("make", [node, composite])
def test_a_node_that_depends_on_what_it_holds_is_refused(make, inner, notation):
    holder = make("holder", dependencies=[inner])
    holder["children"] = [node("child", children=[node("grandchild")])]
    found = problem(plan(holder), notation=notation)
    assert found.code is ProblemCode.DESCENDANT_DEPENDENCY
    assert found.where.json_pointer == "/root_nodes/0/dependencies/0"
    assert f"'{inner}', which stands inside it" in found.message


@pytest.mark.parametrize("ancestor", ["outer", "inner"])
def test_a_dependency_on_an_ancestor_is_fine(ancestor, notation):
    good(plan(composite("outer", composite("inner", after("x", ancestor)))), notation=notation)


def test_a_repeated_dependency_is_worth_a_warning(notation):
    data = plan(node("a"), node("b"), after("c", "a", "b", "a", "a"))
    (only,) = warnings(data, notation=notation)
    assert only.code is ProblemCode.REPEATED_DEPENDENCY
    assert only.is_warning
    assert only.message == "'c' names the dependency 'a' 3 times"
    assert only.where.json_pointer == "/root_nodes/2/dependencies"


def test_several_dependencies_of_one_node_are_told_together(notation):
    data = plan(node("a"), node("b", dependencies=["b", "c", "x", "a", "a"], children=[node("c")]))
    assert codes(problems(data, notation=notation)) == [
        ProblemCode.REPEATED_DEPENDENCY,
        ProblemCode.SELF_DEPENDENCY,
        ProblemCode.DESCENDANT_DEPENDENCY,
        ProblemCode.UNKNOWN_DEPENDENCY,
    ]


def test_hints_for_very_many_unknown_dependencies_end_soon(notation):
    nodes = [node(f"a-node-with-a-name-{i}", dependencies=[f"a-node-with-name-{i}"]) for i in range(2_000)]
    text = compact(plan(*nodes))
    with at_most(2):
        found = problems(text, notation=notation)
    assert len(found) == 501
    assert (found[0].hint or "").startswith("did you mean 'a-node-with-a-name-")


# cycles


def test_a_cycle_of_two_is_refused(notation):
    found = problem(plan(after("a", "b"), after("b", "a")), notation=notation)
    assert found.code is ProblemCode.CYCLE
    assert found.message == "these nodes wait for each other: 'a' → 'b' → 'a'"
    assert found.where.json_pointer in ("/root_nodes/0/dependencies/0", "/root_nodes/1/dependencies/0")


def test_a_cycle_is_told_at_one_of_its_dependencies(notation):
    data = plan(node("start"), after("a", "start", "b"), after("b", "start", "c"), after("c", "start", "a"))
    found = problem(data, notation=notation)
    assert found.message == "these nodes wait for each other: 'a' → 'b' → 'c' → 'a'"
    assert found.where.json_pointer == "/root_nodes/1/dependencies/1"


def test_a_cycle_through_a_composite_is_refused(notation):
    found = problem(plan(composite("all", after("child", "x")), after("x", "all")), notation=notation)
    assert found.code is ProblemCode.CYCLE
    assert found.message == "these nodes wait for each other: 'all' → 'child' → 'x' → 'all'"
    assert "a node with children is done only when they are" in (found.hint or "")


def test_children_that_wait_for_each_others_parents_are_refused(notation):
    data = plan(composite("c", after("x", "d")), composite("d", after("y", "c")))
    assert problem(data, notation=notation).code is ProblemCode.CYCLE


def test_cycles_apart_from_each_other_are_all_told(notation):
    data = plan(after("a", "b"), after("b", "a"), after("c", "d"), after("d", "e"), after("e", "c"))
    messages = [each.message for each in problems(data, notation=notation)]
    assert messages == [
        "these nodes wait for each other: 'a' → 'b' → 'a'",
        "these nodes wait for each other: 'c' → 'd' → 'e' → 'c'",
    ]


def test_two_cycles_through_one_node_are_both_told(notation):
    data = plan(after("a", "b", "c"), after("b", "a"), after("c", "a"))
    assert codes(problems(data, notation=notation)) == [ProblemCode.CYCLE] * 2


def test_of_very_many_cycles_ten_are_told_and_that_there_are_more(notation):
    data = plan(
        *(after(f"{side}{index}", f"{'ba'[side == 'b']}{index}") for index in range(12) for side in "ab")
    )
    found = problems(data, notation=notation)
    assert codes(found) == [ProblemCode.CYCLE] * 11
    assert found[-1].message == "and more nodes that wait for each other"


def test_a_cycle_of_1500_nodes_is_told_whole_within_a_second(notation):
    text = compact(plan(*(after(f"n{i}", f"n{(i + 1) % 1_500}") for i in range(1_500))))
    with at_most(3):
        found = problem(text, notation=notation)
    assert found.message.count("→") == 1_500


def test_a_dense_plan_full_of_cycles_ends(notation):
    nodes = [after(f"n{i}", *(f"n{(i + step) % 1_000}" for step in range(1, 60))) for i in range(1_000)]
    text = compact(plan(*nodes))
    with at_most(10):
        assert set(codes(problems(text, notation=notation))) == {ProblemCode.CYCLE}


def test_a_self_dependency_is_not_told_as_a_cycle_too(notation):
    data = plan(after("a", "a", "b"), after("b", "b"))
    assert codes(problems(data, notation=notation)) == [ProblemCode.SELF_DEPENDENCY] * 2


# durations


@pytest.mark.parametrize(("duration", "seconds"), [("5", 5), (2.0, 2), (True, 1), (" 7 ", 7)])
def test_a_coerced_duration_is_worth_a_warning(duration, seconds, notation):
    data = plan(node("a", estimated_duration=duration), estimated_total_duration=duration)
    found = warnings(data, notation=notation)
    assert codes(found) == [ProblemCode.COERCED] * 2
    assert [each.where.json_pointer for each in found] == [
        "/estimated_total_duration",
        "/root_nodes/0/estimated_duration",
    ]
    assert found[1].hint == f"write {seconds}"
    key = "estimated_duration"
    line, _ = place_of(written(data, notation), key)
    assert found[1].where.line == line


def test_a_negative_duration_is_worth_a_warning(notation):
    found = warnings(plan(node("a", estimated_duration=-5)), notation=notation)
    assert codes(found) == [ProblemCode.NEGATIVE_DURATION]


def test_a_negative_duration_in_quotes_is_worth_two(notation):
    found = warnings(plan(node("a", estimated_duration="-5")), notation=notation)
    assert codes(found) == [ProblemCode.COERCED, ProblemCode.NEGATIVE_DURATION]


@pytest.mark.parametrize("duration", [1.5, "1.5", "soon", [5]])
def test_a_duration_that_is_no_whole_number_is_refused(duration, notation):
    found = problem(plan(node("a", estimated_duration=duration)), notation=notation)
    assert found.code is ProblemCode.WRONG_TYPE
    assert found.where.json_pointer == "/root_nodes/0/estimated_duration"


@pytest.mark.parametrize("duration", [0, 1, 10**300, None])
def test_a_whole_number_of_seconds_or_none_is_fine(duration, notation):
    good(plan(node("a", estimated_duration=duration)), notation=notation)
