"""What each kind of suggestion changes, how far it goes, and what it says when it changes nothing."""

from __future__ import annotations

import asyncio
import copy
import inspect
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.replan.answering import answer
from airflow_provider_vibe.replan.diff import diff_plans
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.rendering import as_text
from airflow_provider_vibe.replan.splitting import MOST_PARTS, CannotSplit, split_node
from airflow_provider_vibe.replan.strategies import STRATEGIES, Unchanged
from airflow_provider_vibe.replan.writing import plan_data
from airflow_provider_vibe.runtime import assessment
from airflow_provider_vibe.runtime.context import NodeContext, output_part
from airflow_provider_vibe.runtime.node import do_work
from airflow_provider_vibe.runtime.outcome import ExecutionResult
from tests.plan.plans import composite, node, plan
from tests.replan.adversary import first_plans
from tests.replan.plans import (
    NEWS,
    RULES,
    SETTINGS,
    adding,
    dropping,
    news,
    node_in,
    plan_of,
    setting,
    without,
)
from tests.replan.test_auto_replans import sound

FACTS = RunFacts(SETTINGS, fallback_connections={"vibe_llm": ["vibe_llm", "spare"], "mine": ["yours"]})


def changed(change, node_id, *edits, facts=FACTS) -> str:
    """What a strategy changes, as text; or why it changes nothing."""
    before = news(*edits)
    outcome = STRATEGIES[change](before, node_id, facts)
    if isinstance(outcome, Unchanged):
        return str(outcome)
    return as_text(diff_plans(before, plan_of(plan_data(outcome)))).partition("\n")[2].strip()


def run(node_id="fetch", **values):
    return [setting(node_id, "run", name, to=value) for name, value in values.items()]


def inputs(node_id, **values):
    return [setting(node_id, "parameters", "tool_inputs", name, to=value) for name, value in values.items()]


def test_timeout_is_doubled_up_to_a_day():
    assert changed("increase_timeout", "fetch") == "run.timeout: 60.0 → 120.0"
    assert changed("increase_timeout", "fetch", *run(timeout=50_000)).endswith("→ 86400.0")
    assert "no strategy goes above 86400" in changed("increase_timeout", "fetch", *run(timeout=86_400))


def test_timeout_that_comes_from_the_estimate_or_the_defaults_is_doubled_for_the_node_alone():
    assert changed("increase_timeout", "draft") == '+ run: {"timeout": 400.0}'
    by_default = setting(None, "defaults", "timeout", to=90)
    assert changed("increase_timeout", "draft", by_default) == '+ run: {"timeout": 180.0}'


def test_without_a_timeout_there_is_none_to_raise():
    edits = [dropping("fetch", "run", "timeout"), dropping("fetch", "estimated_duration")]
    assert changed("increase_timeout", "fetch", *edits) == "it has no timeout that could be raised"


def test_retries_and_their_delay_grow_within_bounds():
    assert changed("retry_with_backoff", "fetch").split("\n    ") == [
        "run.retries: 1 → 3",
        "run.retry_delay: 10.0 → 20.0",
    ]
    late = changed("retry_with_backoff", "fetch", *run(retries=5, retry_delay=500))
    assert "run.retries: 5 → 6" in late and "run.retry_delay: 500.0 → 600.0" in late
    assert "retry_delay" not in changed("retry_with_backoff", "fetch", *run(retry_delay=5000))
    assert changed("retry_with_backoff", "fetch", *run(retries=6)) == "it is tried again 6 times already"
    assert "run.retry_delay: 0.0 → 2.0" in changed("retry_with_backoff", "fetch", *run(retry_delay=0))


@pytest.mark.parametrize("change", ["retry_with_backoff", "increase_timeout"])
def test_node_without_work_is_neither_tried_more_often_nor_longer(change):
    slow = setting("out", "run", "timeout", to=60)
    assert changed(change, "out", slow) == "it does no work of its own, and nothing judges its output"
    judged = setting("out", "checks", to=[{"judge": "Good?"}])
    assert "run." in changed(change, "out", slow, judged)


def test_default_retries_are_those_that_grow():
    assert changed("retry_with_backoff", "draft") == '+ run: {"retries": 4, "retry_delay": 60.0}'


def test_other_connection_is_the_first_that_stands_in_and_is_not_the_same():
    name = "parameters.tool_inputs.connection"
    assert changed("use_alternative_endpoint", "draft") == f'+ {name}: "spare"'
    mine = inputs("draft", connection="mine")
    assert changed("use_alternative_endpoint", "draft", *mine) == f'{name}: "mine" → "yours"'
    yours = inputs("draft", connection="yours")
    assert changed("use_alternative_endpoint", "draft", *yours) == "no other connection stands in for 'yours'"
    assert "uses no connection" in changed("use_alternative_endpoint", "fetch")
    assert "uses no connection" in changed("use_alternative_endpoint", "out")


def test_default_connection_is_the_configured_one():
    other = replace(FACTS, settings=replace(SETTINGS, llm_conn_id="mine"))
    assert '"yours"' in changed("use_alternative_endpoint", "draft", facts=other)


def test_length_that_a_check_asks_for_is_raised_but_never_past_another_check():
    assert '{"min_words": 120}' in changed("enhance_output_detail", "draft")
    tight = setting("draft", "checks", 1, "max_words", to=100)
    assert '{"min_words": 100}' in changed("enhance_output_detail", "draft", tight)
    full = setting("draft", "checks", 1, "max_words", to=80)
    assert changed("enhance_output_detail", "draft", full) == "its checks ask for 80 words and allow no more"
    assert changed("enhance_output_detail", "page").startswith("no check says how many words")


def test_of_two_lengths_the_one_that_counts_is_raised():
    more = setting("draft", "checks", 0, to={"min_words": 10})
    longer = setting("draft", "checks", 2, to={"min_words": 60})
    text = changed("enhance_output_detail", "draft", more, longer)
    assert '{"min_words": 90}' in text and text.count('{"min_words": 10}') == 2


def test_size_that_a_tool_is_told_is_halved():
    told = changed("reduce_data_size", "fetch", *inputs("fetch", max_bytes=1001))
    assert told == "parameters.tool_inputs.max_bytes: 1001 → 500"
    assert changed("reduce_data_size", "fetch") == "it states no size that could be halved"
    assert changed("reduce_data_size", "post") == "it states no size that could be halved"


def test_longer_answers_up_to_a_bound():
    name = "parameters.tool_inputs.max_tokens"
    assert changed("increase_max_tokens", "draft") == f"{name}: 500 → 1000"
    assert changed("increase_max_tokens", "draft", *inputs("draft", max_tokens=50_000)).endswith("→ 64000")
    assert "64,000" in changed("increase_max_tokens", "draft", *inputs("draft", max_tokens=64_000))
    assert "no max_tokens" in changed("increase_max_tokens", "fetch")


@pytest.mark.parametrize(
    "change", ["reduce_task_complexity", "use_streaming_approach", "retry_with_different_parameters"]
)
def test_what_needs_an_understanding_is_left_to_a_planner(change):
    assert "for a planner" in changed(change, "draft")


def test_every_change_that_a_run_can_suggest_is_known():
    source = inspect.getsource(assessment)
    known = {
        *("reduce_task_complexity", "parallelize_subtasks", "enhance_output_detail", "increase_timeout"),
        *("break_into_smaller_tasks", "reduce_data_size", "use_streaming_approach", "retry_with_backoff"),
        *("use_alternative_endpoint", "retry_with_different_parameters", "increase_max_tokens"),
    }
    assert known == set(STRATEGIES) and all(f'"{change}"' in source for change in known)


# splitting


def pieces(*items, **fields):
    parameters = {"tool": "combine", "tool_inputs": {"pieces": list(items)}}
    return node("parts", parameters=parameters, estimated_duration=10, **fields)


def calling(tool, **given):
    return node("parts", type="analyze", parameters={"tool": tool, "tool_inputs": given})


def split(*nodes) -> WorkflowPlan:
    return plan_of(plan_data(split_node(plan_of(plan(*nodes)), "parts", SETTINGS)))


def ids(found: WorkflowPlan) -> list[str]:
    return [child.id for child in PlanGraph(found.root_nodes).nodes["parts"].children]


def test_node_becomes_a_composite_of_its_parts_with_the_same_dependencies():
    found = split(node("a"), pieces("x", "y", dependencies=["a"], run={"timeout": 9}))
    parent = found.root_nodes[1]
    assert parent.type == "composite" and parent.parameters == {} and parent.run.timeout is None
    assert [child.parameters["tool_inputs"]["pieces"] for child in parent.children] == [["x"], ["y"]]
    for child in parent.children:
        assert (child.type, child.parameters["tool"]) == ("generate", "combine")
        assert (child.dependencies, child.run.timeout, child.estimated_duration) == (("a",), 9, 5)
    assert parent.dependencies == ("a",)


def test_part_keeps_its_id_when_others_change_and_equal_parts_get_their_own():
    first, second = ids(split(pieces("x", "y"))), ids(split(pieces("x", "z", "y")))
    assert first == [second[0], second[2]] and len(set(second)) == 3
    assert len(set(ids(split(pieces("x", "x", "x"))))) == 3


def test_long_list_is_spread_evenly_over_a_few_parts_and_nothing_is_lost():
    items = [f"item {number}" for number in range(21)]
    parts = [
        child.parameters["tool_inputs"]["pieces"] for child in split(pieces(*items)).root_nodes[0].children
    ]
    assert len(parts) == MOST_PARTS and list(chain(*parts)) == items
    assert {len(part) for part in parts} == {2, 3}


async def text_of(found, context=None):
    """What a node of the plan makes, its children before it."""
    context = context or NodeContext()
    for child in found.children:
        await text_of(child, context)
    result = await do_work(found, context, SETTINGS.tools, RULES)
    context.outputs[found.id] = result[output_part(result)]
    return context.outputs[found.id]["text"]


@pytest.mark.parametrize("more", [{}, {"separator": "\n\n"}, {"order": []}])
def test_parts_make_together_what_the_whole_makes(more):
    whole = plan_of(plan(calling("combine", pieces=[f"item {number}" for number in range(20)], **more)))
    parts = split_node(whole, "parts", SETTINGS)
    texts = [asyncio.run(text_of(each.root_nodes[0])) for each in (whole, parts)]
    assert texts[0] == texts[1] and parts.root_nodes[0].children


def test_who_reads_its_text_or_waits_for_it_still_can():
    reader = node("r", description="Of ${nodes.parts.text}", dependencies=["parts"])
    assert split(pieces("x", "y"), reader).root_nodes[1].dependencies == ("parts",)


def test_checks_of_the_whole_stay_with_it_and_are_not_tried_again_in_vain():
    found = split(pieces("x", "y", checks=[{"min_words": 9}], on_fail="retry")).root_nodes[0]
    assert found.checks[0].min_words == 9 and found.on_fail == "fail"
    assert all(child.checks == () and child.on_fail == "suggest" for child in found.children)


def test_list_of_a_tool_of_ones_own_is_split_as_a_person_is_asked_anyway():
    whole = WorkflowPlan.model_validate(plan(calling("publish", texts=["x", "y"], channel="blog")))
    found = split_node(whole, "parts", SETTINGS).root_nodes[0]
    assert [child.parameters["tool_inputs"] for child in found.children] == [
        {"texts": ["x"], "channel": "blog"},
        {"texts": ["y"], "channel": "blog"},
    ]


CANNOT = {
    "no list": ([pieces()], "none of its inputs is a list of several items"),
    "one item": ([pieces("x")], "none of its inputs is a list of several items"),
    "no literal list": ([calling("combine", pieces="${nodes.a}")], "none of its inputs is a list"),
    "a separator": ([calling("combine", pieces=["x", "y"], separator=" | ")], "its 'separator' and 'order'"),
    "an order": ([calling("combine", pieces=["x", "y"], order=[1])], "its 'separator' and 'order'"),
    "a schema": ([calling("json_schema", value=[1, 2], schema={})], "what 'json_schema' makes of parts"),
    "rules": ([calling("text_rules", banned=["x", "y"])], "what 'text_rules' makes of parts"),
    "a chart": ([calling("render_chart", series={}, x=[1, 2])], "what 'render_chart' makes of parts"),
    "two lists": ([calling("publish", texts=["x", "y"], tags=["u", "v"])], "2 of its inputs are a list"),
    "no tool": ([node("parts", type="analyze")], "none of its inputs is a list"),
    "a reader of more": (
        [pieces("x", "y"), node("r", description="${nodes.parts.children}", dependencies=["parts"])],
        "'r' reads ${nodes.parts.children}",
    ),
    "a reader of all": (
        [pieces("x", "y"), node("r", description="${nodes.parts}", dependencies=["parts"])],
        "'r' reads ${nodes.parts}",
    ),
    "children": ([pieces("x", "y", children=[node("c")])], "it has children"),
    "a validation": (
        [
            node(
                "parts",
                type="validate",
                parameters={"tool": "text_rules", "tool_inputs": {"banned": ["x", "y"]}},
            )
        ],
        "it is a node of type validate",
    ),
}


@pytest.mark.parametrize(("nodes", "reason"), CANNOT.values(), ids=CANNOT)
def test_cannot_be_split_with(nodes, reason):
    with pytest.raises(CannotSplit, match=r".") as refused:
        split_node(WorkflowPlan.model_validate(plan(*nodes)), "parts", SETTINGS)
    assert reason in str(refused.value)


# all of them


def suggest(node_id, *changes):
    return {"node_id": node_id, "suggested_changes": list(changes)}


def test_each_suggested_change_is_answered_and_noted_once():
    suggestions = [suggest("fetch", "increase_timeout", "increase_timeout", "enhance_output_detail")]
    found, notes = answer(news(), [*suggestions, *suggestions], FACTS)
    assert PlanGraph(found.root_nodes).nodes["fetch"].run.timeout == 120
    assert [str(note) for note in notes] == [
        "increase_timeout of 'fetch' done",
        f"enhance_output_detail of 'fetch' changes nothing: {notes[1].reason}",
    ]


def test_node_is_split_only_when_nothing_gentler_helped():
    edits = [adding(pieces("x", "y"))]
    both = [suggest("parts", "break_into_smaller_tasks", "increase_timeout")]
    found, notes = answer(news(*edits), both, FACTS)
    assert PlanGraph(found.root_nodes).nodes["parts"].run.timeout == 200
    assert notes[-1].reason == "something gentler has changed already"
    found, _ = answer(news(*edits), [suggest("parts", "break_into_smaller_tasks", "reduce_data_size")], FACTS)
    assert PlanGraph(found.root_nodes).nodes["parts"].type == "composite"


def test_node_that_has_gone_and_change_that_nobody_knows_are_noted():
    _, notes = answer(
        news(), [suggest("gone", "increase_timeout"), suggest("fetch", "increase_timeouts")], FACTS
    )
    assert [note.reason for note in notes] == [
        "the plan has no such node any more",
        "no strategy answers it (did you mean 'increase_timeout'?)",
    ]


def deepest():
    """As many levels of nodes as there may be, the last one of a node that could be split."""
    inner = pieces("x", "y")
    for level in range(RULES.limits.max_depth - 1):
        inner = composite(f"level-{level}", inner)
    return [inner]


def largest():
    """As many nodes as there may be, with another one, one of which could be split."""
    return [pieces("x", "y"), *(node(f"n{number}") for number in range(RULES.limits.max_nodes - 2))]


@pytest.mark.parametrize(
    ("made", "limit"), [(deepest, "32 levels of nodes"), (largest, "2,000 nodes")], ids=["deepest", "largest"]
)
def test_change_that_breaks_a_limit_is_noted_and_leaves_the_others(made, limit):
    wanted = [suggest("parts", "break_into_smaller_tasks"), suggest("other", "increase_timeout")]
    before = plan_of(plan(*made(), node("other", estimated_duration=60)))
    found, notes = answer(before, wanted, FACTS)
    reason = f"the plan that it makes would not run: a plan may have {limit}, this one has more"
    assert [note.reason for note in notes] == [None, reason]
    assert PlanGraph(plan_of(plan_data(found)).root_nodes).nodes["other"].run.timeout == 1200


class Planner:
    def __init__(self):
        self.asked = []

    def propose(self, plan, suggestions):
        self.asked.append([each["node_id"] for each in suggestions])
        return plan.model_copy(update={"tags": ("planned",)})


def test_planner_is_asked_for_what_no_strategy_changed_and_nothing_else():
    planner = Planner()
    suggestions = [
        suggest("fetch", "increase_timeout"),
        suggest("draft", "reduce_task_complexity"),
        {"node_id": "x"},
    ]
    found, _ = answer(news(), suggestions, FACTS, planner)
    assert planner.asked == [["draft", "x"]]
    assert found.tags == ("planned",) and PlanGraph(found.root_nodes).nodes["fetch"].run.timeout == 120
    answer(news(), suggestions[:1], FACTS, planner)
    assert len(planner.asked) == 1


class Editor:
    """A planner that edits what it is given, or begins anew."""

    def __init__(self, *edits, anew=False):
        self._edits, self._anew = edits, anew

    def propose(self, plan, suggestions):
        data = copy.deepcopy(NEWS) if self._anew else plan_data(plan)
        for edit in self._edits:
            edit(data)
        return plan_of(data)


OTHER = setting("draft", "description", to="Other")


def test_notes_tell_what_a_planner_did_from_what_it_left():
    suggestions = [
        suggest("fetch", "increase_timeout"),
        suggest("draft", "reduce_task_complexity"),
        {"node_id": "post", "reason": "failed_checks", "suggested_changes": []},
    ]
    _, notes = answer(news(), suggestions, FACTS, Editor(OTHER))
    assert [str(note) for note in notes] == [
        "increase_timeout of 'fetch' done",
        "reduce_task_complexity of 'draft' done by the model",
        "failed_checks of 'post' changes nothing: the model has left the node as it was",
    ]
    _, notes = answer(news(), suggestions[2:], FACTS)
    assert str(notes[0]) == "failed_checks of 'post' changes nothing: no strategy answers it"


SPARE, SPLIT = adding(node("spare", estimated_duration=60)), adding(pieces("x", "y"))
UNDONE = "the model has undone it, or made something else of it"


@pytest.mark.parametrize(
    ("node_id", "planner", "reason"),
    [
        ("spare", Editor(OTHER), None),
        ("spare", Editor(*run("spare", retries=0)), None),
        ("spare", Editor(OTHER, SPARE, SPLIT, anew=True), UNDONE),
        ("spare", Editor(*run("spare", timeout=7)), UNDONE),
        ("spare", Editor(without("spare")), UNDONE),
        ("parts", Editor(OTHER), None),
        ("parts", Editor(OTHER, SPARE, SPLIT, anew=True), UNDONE),
        ("parts", Editor(setting("parts", "children", to=[])), UNDONE),
    ],
    ids=["kept", "kept beside others", "forgotten", "overwritten", "removed", "split", "whole", "emptied"],
)
def test_notes_of_strategies_are_held_against_what_a_planner_makes(node_id, planner, reason):
    wanted = [
        suggest("spare", "increase_timeout"),
        suggest("parts", "break_into_smaller_tasks"),
        suggest("draft", "reduce_task_complexity"),
    ]
    _, notes = answer(news(SPARE, SPLIT), wanted, FACTS, planner)
    assert next(note for note in notes if note.node_id == node_id).reason == reason


def test_check_that_a_planner_adds_undoes_no_other_one():
    more = Editor(lambda data: node_in(data, "draft")["checks"].append({"matches": "."}))
    wanted = [suggest("draft", "enhance_output_detail"), suggest("post", "reduce_task_complexity")]
    found, notes = answer(news(), wanted, FACTS, more)
    assert len(PlanGraph(found.root_nodes).nodes["draft"].checks) == 4
    assert str(notes[0]) == "enhance_output_detail of 'draft' done"


def test_node_that_is_nowhere_is_not_said_to_be_left_as_it_was():
    _, notes = answer(news(), [suggest("gone", "x")], FACTS, Editor(OTHER))
    assert str(notes[0]) == "x of 'gone' changes nothing: the plan has no such node any more"


def test_facts_of_a_run_are_its_completed_nodes_and_how_long_they_took():
    result = ExecutionResult.model_validate(
        {
            "plan_id": "news",
            "status": "failed",
            "node_results": {
                "a": {"node_id": "a", "status": "completed", "duration": 1.5},
                "b": {"node_id": "b", "status": "failed", "duration": 9},
            },
        }
    )
    facts = RunFacts.of(result, SETTINGS, {"x": ["y"]})
    assert (facts.durations, facts.completed) == ({"a": 1.5}, {"a"})
    assert facts.fallback_connections == {"x": ["y"]}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(first_plans(), st.lists(st.sampled_from(sorted(STRATEGIES)), max_size=5), st.data())
def test_whatever_is_suggested_the_plan_stays_one_that_runs(data, changes, choices):
    first = sound(data)
    assume(first is not None)
    node_id = choices.draw(st.sampled_from(list(PlanGraph(first.root_nodes).nodes)))
    found, notes = answer(first, [suggest(node_id, *changes)], FACTS)
    again = plan_of(plan_data(found))
    assert diff_plans(first, again).is_empty == all(note.reason for note in notes)
    assert len(notes) == len(set(changes) or {"a suggestion"})
    assert NEWS["id"] == again.id
