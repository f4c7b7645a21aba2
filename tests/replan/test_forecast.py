"""How long a run will take, and what it need not do again."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.replan.forecast import expected_time, reusable_nodes
from tests.plan.plans import composite, node, plan, read
from tests.replan.adversary import first_plans
from tests.replan.plans import all_nodes, dropping, news, setting
from tests.replan.test_diff import moving, reordered


def lasting(node_id, seconds, *dependencies, **fields):
    return node(node_id, estimated_duration=seconds, dependencies=list(dependencies), **fields)


def expected(*nodes, **durations):
    return expected_time(WorkflowPlan.model_validate(plan(*nodes)), durations)


def test_nodes_that_follow_one_another_add_up_and_those_side_by_side_do_not():
    assert expected(lasting("a", 5), lasting("b", 7), lasting("c", 1, "a")).seconds == 7
    assert expected(lasting("a", 5), lasting("b", 7), lasting("c", 1, "a", "b")).seconds == 8


def test_composite_takes_as_long_as_its_children_whatever_it_estimates():
    group = composite("g", lasting("a", 5), lasting("b", 2), estimated_duration=100)
    assert expected(group, lasting("c", 1, "g")).seconds == 6


def test_node_with_children_works_before_they_do():
    assert expected(lasting("p", 4, children=[lasting("c", 3)]), lasting("d", 1, "p")).seconds == 8


def test_child_begins_when_the_work_of_its_parent_is_done():
    assert expected(lasting("p", 4, children=[lasting("c", 3)]), lasting("d", 10, "c")).seconds == 17


def test_time_that_was_measured_counts_more_than_the_estimate():
    assert expected(lasting("a", 5), a=2.5).seconds == 2.5


@pytest.mark.parametrize("estimate", [None, -1])
def test_node_of_unknown_length_is_named(estimate):
    found = expected(lasting("a", 5), lasting("b", estimate, "a"))
    assert found.seconds == 5 and found.unknown == ("b",)


ALL = ("fetch", "draft", "check", "page", "post")


def kept(*edits, completed=None):
    return reusable_nodes(news(), news(*edits), completed)


def test_nothing_changed_nothing_is_done_again():
    assert kept() == ALL


def test_changed_node_and_all_that_depends_on_it_is_done_again():
    assert kept(setting("draft", "description", to="Other")) == ("fetch",)
    assert kept(setting("post", "description", to="Other")) == ("fetch", "draft", "check", "page")


def test_node_behind_a_changed_one_that_gets_nothing_of_it_is_not_done_again():
    edits = [setting("check", "parameters", "tool_inputs", "banned", to=["x"])]
    assert "check" not in kept(*edits) and {"fetch", "draft", "page", "post"} <= set(kept(*edits))


@pytest.mark.parametrize(
    "edit",
    [
        setting("draft", "run", "timeout", to=9),
        setting("draft", "estimated_duration", to=9),
        setting(None, "budget", "tokens", to=9),
        setting(None, "revision", to=2),
        moving("post", None),
    ],
    ids=["timeout", "estimate", "budget", "revision", "place"],
)
def test_what_is_not_the_work_of_a_node_does_not_count(edit):
    assert set(kept(edit)) == set(ALL)


def test_vibe_and_checks_and_params_that_reach_a_node_count():
    assert kept(setting(None, "source_vibe", "style", to="x")) == ()
    assert kept(dropping("draft", "checks", 0)) == ("fetch",)
    named = setting("post", "parameters", "tool_inputs", "channel", to="${params.topic}")
    before, after = news(named), news(named, setting(None, "params", "topic", "default", to="gin"))
    assert reusable_nodes(before, after, None) == ()  # the vibe speaks of it, and every tool is told the vibe


def calling(old, new):
    """An edit that gives a node another id, wherever it is named."""

    def edit(data):
        for each in all_nodes(data):
            each["id"] = new if each["id"] == old else each["id"]
            each["dependencies"] = [new if dep == old else dep for dep in each.get("dependencies", [])]

    return edit


def test_renamed_node_is_not_done_again_but_what_is_told_its_name_is():
    assert kept(calling("check", "verify")) == ("fetch", "draft", "verify", "page", "post")
    assert kept(calling("check", "verify"), completed={"fetch"}) == ("fetch",)


def test_only_completed_nodes_have_results_to_take_over():
    assert kept(completed={"fetch", "check"}) == ("fetch", "check")


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(first_plans(), st.randoms(use_true_random=False))
def test_order_decides_nothing(data, chance: random.Random):
    first = read(data).plan
    assume(first is not None)
    second = read(reordered(copy.deepcopy(data), chance, ("children", "tags", "checks"))).plan
    assert expected_time(first, {}).seconds == expected_time(second, {}).seconds
    working = {each["id"] for each in all_nodes(data) if each["type"] != "composite"}
    assert set(reusable_nodes(first, second, None)) == working


def test_order_of_dependencies_counts_as_a_tool_is_given_them_in_it():
    first, second = (
        WorkflowPlan.model_validate(plan(node("a"), node("b"), node("c", dependencies=order)))
        for order in (["a", "b"], ["b", "a"])
    )
    assert reusable_nodes(first, second, None) == ("a", "b")
