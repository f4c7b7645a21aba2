"""What one plan says differently from another: all of it, and nothing else."""

from __future__ import annotations

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.replan.diff import PlanDiff, diff_plans
from airflow_provider_vibe.replan.rendering import as_text, fenced
from tests.plan.plans import composite, node, plan, read
from tests.replan.adversary import edit, first_plans
from tests.replan.plans import NEWS, adding, all_nodes, dropping, news, setting, without


def diff(*edits) -> PlanDiff:
    return diff_plans(news(), news(*edits))


def told(*edits) -> list[str]:
    return as_text(diff(*edits)).split("\n")


def moving(node_id, parent):
    def edit(data):
        found = next(each for each in all_nodes(data) if each["id"] == node_id)
        for holder in [{"children": data["root_nodes"]}, *all_nodes(data)]:
            holder.get("children", [])[:] = [each for each in holder.get("children", []) if each is not found]
        adding(found, parent)(data)

    return edit


def test_field_is_told_by_its_path_with_what_it_was_and_is():
    assert told(setting("fetch", "run", "timeout", to=120)) == [
        "~ node 'fetch'",
        "    run.timeout: 60.0 → 120.0",
    ]


def test_what_is_added_and_what_is_removed_are_told_as_such():
    edits = [setting("fetch", "run", "pool", to="slow"), dropping("fetch", "run", "retries")]
    assert told(*edits) == ["~ node 'fetch'", "    - run.retries: 1", '    + run.pool: "slow"']


def test_item_of_a_list_is_told_by_its_index():
    both = [setting("fetch", "parameters", "tool_inputs", "as", to=["a", each]) for each in "bc"]
    found = diff_plans(*(read(_edited(each)).plan for each in both)).changed[0].changes[0]
    assert (found.dotted, found.old, found.new) == ("parameters.tool_inputs.as[1]", "b", "c")


def _edited(edit):
    data = copy.deepcopy(NEWS)
    edit(data)
    return data


def test_list_of_another_length_is_told_whole():
    found = diff(setting("draft", "checks", 2, "must_contain", to=["tea"])).changed[0].changes[0]
    assert found.path == ("checks",) and len(found.old) == len(found.new) == 3


def test_truth_is_not_one_and_null_is_not_nothing():
    edits = [setting("fetch", "parameters", "x", to=value) for value in (1, True, None)]
    plans = [news(), *(news(each) for each in edits)]
    assert not any(diff_plans(a, b).is_empty for a in plans for b in plans if a is not b)


def test_nodes_added_and_removed_are_told_with_their_place():
    found = diff(without("post"), adding(node("more"), "out"))
    assert [(each.id, each.parent) for each in found.removed] == [("post", "out")]
    assert [(each.id, each.parent, each.content["type"]) for each in found.added] == [
        ("more", "out", "generate")
    ]
    assert "+ node 'more' in 'out'" in as_text(found)


def test_node_in_another_place_is_moved_and_nothing_else():
    found = diff(moving("page", None))
    assert (found.moved[0].id, found.moved[0].old_parent, found.moved[0].new_parent) == ("page", "out", None)
    assert as_text(found) == "> node 'page' moved from 'out' to the top"


def test_subtree_that_is_moved_is_told_once():
    before = plan(composite("a", composite("b", node("c"))))
    after = plan(composite("a"), composite("b", node("c")))
    found = diff_plans(read(before).plan, read(after).plan)
    assert [each.id for each in found.moved] == ["b"] and not found.changed


def test_fields_of_the_plan_are_told_before_its_nodes():
    lines = told(setting(None, "budget", "tokens", to=5), setting("fetch", "type", to="transform"))
    assert lines == [
        "~ the plan",
        "    budget.tokens: 10000 → 5",
        "~ node 'fetch'",
        '    type: "analyze" → "transform"',
    ]


def test_long_texts_are_compared_line_by_line():
    old, new = ("\n".join(f"Line {number} of many" for number in (*range(9), last)) for last in (9, 10))
    found = diff_plans(*(news(setting("page", "description", to=text)) for text in (old, new)))
    lines = as_text(found).split("\n")
    assert "      -Line 9 of many" in lines and "      +Line 10 of many" in lines
    assert not any("Line 3" in line for line in lines)


def test_nothing_is_cut():
    text = "x" * 5000
    assert text in as_text(diff(setting("page", "description", to=text)))


def test_what_a_terminal_would_obey_is_escaped():
    text = as_text(
        diff(
            setting("page", "description", to="a\x1b[2Jb\nc" * 20),
            setting("fetch", "parameters", "x\ny", to=1),
        )
    )
    assert "\x1b" not in text


def test_what_a_terminal_would_obey_is_escaped_in_a_comparison_by_lines_too():
    texts = ["A long line\n\x1b[2J" + end for end in ("a" * 80, "b" * 80)]
    text = as_text(diff_plans(*(news(setting("page", "description", to=each)) for each in texts)))
    assert "+\\x1b[2Jbb" in text and "\x1b" not in text


def test_defaults_written_out_say_nothing():
    edits = [
        setting("fetch", "dependencies", to=[]),
        setting("fetch", "run", "pool", to=None),
        setting(None, "revision", to=1),
        setting(None, "$schema", to="./vibe-plan.schema.json"),
        setting(None, "x-note", to="mine"),
    ]
    assert diff(*edits).is_empty


def shuffled(value, chance: random.Random):
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    return value


def reordered(data, chance: random.Random, lists=("children", "dependencies", "tags", "checks")):
    """The same plan with its keys, nodes, dependencies, tags and checks in another order."""
    data = shuffled(copy.deepcopy(data), chance)
    for holder in [{"children": data["root_nodes"], "tags": data.get("tags")}, *all_nodes(data)]:
        for key in lists:
            if isinstance(holder.get(key), list):
                chance.shuffle(holder[key])
    return data


lax = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@lax
@given(first_plans(), st.randoms(use_true_random=False), st.sampled_from(["json", "yaml"]))
def test_reordering_and_notation_are_an_empty_diff(data, chance, notation):
    first, second = read(data).plan, read(reordered(data, chance), notation=notation).plan
    assume(first is not None)
    assert diff_plans(first, second).is_empty


def lines_of(old, new):
    return as_text(diff_plans(news(*old), news(*new))).splitlines()


def test_what_is_not_seen_and_what_could_pose_as_something_else_is_told_apart():
    long = "x" * 70
    told = lines_of(
        [setting("draft", "description", to=long + "\u202e")],
        [setting("draft", "description", to=long + "\\u202e")],
    )
    assert told[-2:] == [f"      -{long}\\u202e", f"      +{long}\\\\u202e"]
    told = lines_of([], [setting("draft", "description", to="Write\u3164\u2800\ufe0f")])
    assert told[-1].endswith('"Write\\u3164\\u2800\\ufe0f"')
    told = lines_of([], [setting("draft", "parameters", "tool_inputs.prompt", to="nice")])
    assert told[-1] == '    + parameters["tool_inputs.prompt"]: "nice"'


def test_order_in_which_a_node_is_given_things_is_told_beside_what_changes():
    plans = [
        plan(
            node("a"), node("b"), composite("c", *map(node, order)), node("d", dependencies=list(order[::-1]))
        )
        for order in ("xy", "yx")
    ]
    first, second = (WorkflowPlan.model_validate(each) for each in plans)
    found = diff_plans(first, second)
    assert (found.is_empty, found.reordered) == (True, ("c", "d"))
    assert as_text(found).splitlines()[0] == "= node 'c' is given the same in another order"
    assert diff_plans(first, first).reordered == ()


@lax
@given(first_plans(), st.data())
def test_diff_is_empty_only_between_plans_that_say_the_same(data, choices):
    first = read(data).plan
    edit(choices.draw, data, [])
    second = read(data).plan
    assume(first is not None and second is not None)
    there, back = diff_plans(first, second), diff_plans(second, first)
    if there.is_empty:
        assert plan_digest(reread(first)) == plan_digest(reread(second))
    assert there.is_empty == back.is_empty
    assert [each.id for each in there.added] == [each.id for each in back.removed]
    assert _values(there, "old") == _values(back, "new")
    assert PlanDiff.model_validate_json(there.model_dump_json()) == there


def _values(found, which):
    """The old or the new value at each path of each node that has changed."""
    return {
        (node_.id, change.path): getattr(change, which) for node_ in found.changed for change in node_.changes
    }


def reread(plan_):
    """The plan with all that has no order in one order."""
    data = json.loads(plan_.model_dump_json(by_alias=True, exclude_defaults=True))
    for holder in [{"children": data["root_nodes"]}, *all_nodes(data)]:
        holder.get("children", []).sort(key=lambda each: each["id"])
        if "dependencies" in holder:
            holder["dependencies"] = sorted(set(holder["dependencies"]))
        if "checks" in holder:
            holder["checks"].sort(key=lambda each: json.dumps(each, sort_keys=True))
    return read(data).plan


@pytest.mark.parametrize("text", ["plain", "a ``` b", "````\n# Approve\n````", "`" * 30])
def test_nothing_ends_the_fence_it_is_in(text):
    first, *_, last = fenced(text, "diff").split("\n")
    fence = first.removesuffix("diff")
    assert fence == last and len(fence) >= 3 and fence not in text
