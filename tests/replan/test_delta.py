"""What a new plan may do that the old one might not: in doubt, everything."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from airflow_provider_vibe.replan.delta import capability_delta
from airflow_provider_vibe.replan.steering import CONTENT_INPUTS
from airflow_provider_vibe.tools.builtin import builtin_tools
from tests.plan.plans import at_most, node, plan
from tests.replan.plans import SETTINGS, adding, dropping, news, node_in, plan_of, setting, without


def delta(*edits, before=()):
    return capability_delta(news(*before), news(*before, *edits), SETTINGS)


def gained(*edits, before=()) -> list[str]:
    found = delta(*edits, before=before)
    assert not found.dropped, [str(each) for each in found.dropped]
    return [str(each) for each in found.gained]


def dropped(*edits, before=()) -> list[str]:
    found = delta(*edits, before=before)
    assert not found.gained, [str(each) for each in found.gained]
    return [str(each) for each in found.dropped]


def inputs(node_id, **values):
    return [setting(node_id, "parameters", "tool_inputs", name, to=value) for name, value in values.items()]


HARMLESS = {
    "nothing": [],
    "another description": [setting("draft", "description", to="Write the letter in short sentences")],
    "another prompt": inputs("draft", prompt="Write warmly on ${nodes.fetch.text}"),
    "a longer timeout": [setting("fetch", "run", "timeout", to=3600)],
    "fewer retries": [setting("fetch", "run", "retries", to=0)],
    "a longer delay": [setting("fetch", "run", "retry_delay", to=20)],
    "another estimate": [setting("fetch", "estimated_duration", to=50)],
    "more words": [setting("draft", "checks", 0, "min_words", to=90)],
    "fewer words at most": [setting("draft", "checks", 1, "max_words", to=250)],
    "one more phrase": [setting("draft", "checks", 2, "must_contain", to=["cup", "tea", "kettle"])],
    "a check that counts more": [setting("draft", "checks", 2, "weight", to=2)],
    "a check where there was none": [setting("page", "checks", to=[{"not_placeholder": True}])],
    "checks in another order": [lambda data: node_in(data, "draft")["checks"].reverse()],
    "a phrase in a check of its own": [
        lambda data: node_in(data, "draft").update(
            checks=[
                {"must_contain": ["kettle"]},
                {"must_contain": ["tea"]},
                {"max_words": 300},
                {"min_words": 80},
            ]
        )
    ],
    "a tighter budget": [setting(None, "budget", "tokens", to=9_000)],
    "a budget where there was none": [setting(None, "budget", "cost", to=0.5)],
    "someone is asked": [setting(None, "replan", "mode", to="approve")],
    "fewer replans": [setting(None, "replan", "max_attempts", to=1)],
    "a longer cooldown": [setting(None, "replan", "cooldown", to=61)],
    "another style": [setting(None, "source_vibe", "style", to="warm")],
    "one more constraint": [setting(None, "source_vibe", "constraints", to=["short", "no invented numbers"])],
    "tags": [setting(None, "tags", to=["tea"])],
    "defaults that change nothing": [setting(None, "defaults", to={"retries": 2, "retry_delay": 30})],
    "notes": [setting(None, "x-note", to="https://evil.example"), setting("fetch", "x-why", to="//evil")],
}


@pytest.mark.parametrize("edits", HARMLESS.values(), ids=HARMLESS)
def test_nothing_is_gained_or_dropped_by(edits):
    # the tool that nobody knows is left out: what reaches it may be anything
    assert delta(*edits, before=[without("post")]).is_empty


GAINED = {
    "another host": (inputs("fetch", url="https://evil.example/"), "hosts: evil.example"),
    "another path of a host": (inputs("fetch", url="https://notes.example/all"), "tool of 'fetch'"),
    "a host in a prompt": (inputs("draft", prompt="Read //evil.example/x"), "hosts: evil.example"),
    "a host in a description": ([setting("page", "description", to="ftp://evil")], "hosts: evil"),
    "a host with a password": (inputs("fetch", url="https://a:b@evil.example"), "hosts: evil.example"),
    "a host in a param": ([setting(None, "params", "u", to={"default": "http://evil"})], "hosts: evil"),
    "another file": (inputs("page", name="../../etc/x"), "files: ../../etc/x"),
    "a connection": (inputs("draft", connection="expensive"), "connections: expensive"),
    "a model": (inputs("draft", model="openai:large"), "models: openai:large"),
    "a limit": (inputs("draft", max_tokens=5000), "the tool of 'draft' does"),
    "no limit": ([dropping("draft", "parameters", "tool_inputs", "max_tokens")], "the tool of 'draft'"),
    "an unknown input": ([setting("page", "parameters", "mode", to="append")], "the tool of 'page'"),
    "a reference in a URL": (inputs("fetch", url="${params.topic}"), "the tool of 'fetch'"),
    "a param with another default": (
        [setting(None, "params", "topic", "default", to="gin")],
        "param of 'topic'",
    ),
    "a param that simulates": ([setting(None, "params", "simulate", to={"default": True})], "'simulate'"),
    "another tool": ([setting("page", "parameters", to={"tool": "publish"})], "tools: publish"),
    "another type": ([setting("page", "type", to="analyze")], "node 'page' is new: analyze"),
    "a node": ([adding(node("more"))], "node 'more' is new: generate with llm_generate"),
    "a node without work": ([adding({**node("more"), "type": "composite"}, "out")], "node 'more' is new"),
    "more retries": ([setting("fetch", "run", "retries", to=2)], "attempts of 'fetch': 3 (was 2)"),
    "the default retries": ([dropping("fetch", "run", "retries")], "attempts of 'fetch': 3 (was 2)"),
    "retries by default": ([setting(None, "defaults", "retries", to=9)], "attempts of 'draft': 10 (was 3)"),
    "a shorter delay": ([setting("fetch", "run", "retry_delay", to=1)], "retry delay of 'fetch': 1 s (was"),
    "hours": ([setting("fetch", "run", "timeout", to=3601)], "timeout of 'fetch': 3601 s (was an hour or"),
    "no timeout": (
        [dropping("fetch", "run", "timeout"), dropping("fetch", "estimated_duration")],
        "timeout of 'fetch': no limit",
    ),
    "another pool": ([setting("draft", "run", "pool", to="wide")], "pool of 'draft': wide"),
    "more tokens": ([setting(None, "budget", "tokens", to=10_001)], "budget of 'tokens': 10001 (was 10000)"),
    "no budget": ([dropping(None, "budget")], "budget of 'tokens': no limit (was 10000)"),
    "another budget": ([setting(None, "budget", to={"requests": 1})], "budget of 'tokens': no limit"),
    "a schedule": ([setting(None, "schedule", to={"cron": "* * * * *"})], "schedule: "),
    "runs at once": ([setting(None, "max_active_runs", to=50)], "runs at once: 50"),
    "more replans": ([setting(None, "replan", "max_attempts", to=9)], "replans in a row: 9 (was 2)"),
    "another id": ([setting(None, "id", to="other")], "plan id: other (was news)"),
}


@pytest.mark.parametrize(("edits", "told"), GAINED.values(), ids=GAINED)
def test_is_gained(edits, told):
    assert any(told in each for each in gained(*edits, before=[without("post")]))


def test_dependency_lets_a_node_get_what_it_did_not_get():
    edit = setting("page", "dependencies", to=["draft", "fetch"])
    assert gained(edit, before=[without("post")]) == ["'page' now gets the output of fetch"]


def test_reference_lets_a_node_get_what_it_did_not_get():
    edits = inputs("page", text="${nodes.draft.text} ${nodes.fetch.text}")
    assert gained(*edits, before=[without("post")]) == ["'page' now gets the output of fetch"]


def test_what_decides_a_url_may_not_change_wherever_it_is_decided():
    picked = [
        *inputs("fetch", url="${nodes.pick.text}"),
        setting("fetch", "dependencies", to=["pick"]),
        adding(node("pick", parameters={"tool": "combine", "tool_inputs": {"pieces": ["a"]}})),
    ]
    told = "what reaches the tool of 'fetch' has changed"
    assert told in gained(*inputs("pick", pieces=["b"]), before=[*picked, without("post")])
    vibe = [*inputs("fetch", url="https://notes.example/${vibe.style}"), without("post")]
    assert told in gained(setting(None, "source_vibe", "style", to="x"), before=vibe)


def test_nothing_that_reaches_an_unknown_tool_may_change():
    told = "what reaches the tool of 'post' has changed"
    assert gained(setting("post", "description", to="Post it well")) == [told]
    assert gained(*inputs("draft", prompt="Other ${nodes.fetch.text}")) == [told]
    assert gained(setting(None, "source_vibe", "style", to="x")) == [told]
    assert told in gained(*inputs("post", text="now"))


DROPPED = {
    "fewer words": ([setting("draft", "checks", 0, "min_words", to=79)], "min_words': 79 (was 80)"),
    "more words at most": (
        [setting("draft", "checks", 1, "max_words", to=301)],
        "check of at most of 'draft: max_words': 301 (was 300)",
    ),
    "a phrase": (
        [setting("draft", "checks", 2, "must_contain", to=["tea"])],
        "'draft: must_contain \"kettle\"' is dropped",
    ),
    "a check": ([dropping("draft", "checks", 0)], "check of 'draft: min_words' is dropped"),
    "its weight": (
        [setting("draft", "checks", 0, "weight", to=0.5)],
        "weight of 'draft: min_words': 0.5 (was 1)",
    ),
    "what follows": ([setting("draft", "on_fail", to="retry")], "on_fail of 'draft': retry (was fail)"),
    "what is waited for": ([setting("out", "dependencies", to=[])], "'page' no longer waits for check"),
    "a validation's rule": (inputs("check", banned=["x"]), "the validation by 'check' is gone"),
    "a validation's object": (
        [setting("check", "dependencies", to=[]), *inputs("check", text="fine")],
        "the validation by 'check' is gone",
    ),
    "a node that may ask a person": ([without("post")], "gate of 'post' is dropped: publish"),
    "a person's approval": ([setting(None, "replan", "mode", to="auto")], "replan mode: auto (was approve)"),
    "a pause": ([setting(None, "replan", "cooldown", to=0)], "seconds between replans: 0 (was 60)"),
    "a constraint": ([setting(None, "source_vibe", "constraints", to=[])], "constraint of 'no invented"),
}


@pytest.mark.parametrize(("edits", "told"), DROPPED.values(), ids=DROPPED)
def test_is_dropped(edits, told):
    before = [setting(None, "replan", "mode", to="approve")]
    found = delta(*edits, before=before)
    assert any(told in str(each) for each in found.dropped), [str(each) for each in found.dropped]


def test_removing_a_validation_drops_it_and_the_wait_for_it():
    told = dropped(without("check"), before=[without("post")])
    assert any("the validation by 'check' is gone" in each for each in told)
    assert any("'page' no longer waits for check" in each for each in told)


def test_removed_node_need_wait_for_nothing():
    assert dropped(without("page"), before=[without("post"), dropping("check", "dependencies")]) == []


CHECKS = [
    ({"readability": {"min": 60}}, {"readability": {"min": 50}}, {"readability": {"min": 70}}),
    ({"readability": {"max": 60}}, {"readability": {"max": 70}}, {"readability": {"max": 50}}),
    ({"readability": {"min": 60}}, {"readability": {"min": 60, "language": "de"}}, None),
    ({"judge": "Funny"}, {"judge": "Anything"}, None),
    ({"judge": "Funny"}, {"judge": {"rubric": "Funny", "connection": "mine"}}, None),
    ({"judge": "Funny"}, {"judge": {"rubric": "Funny", "pass_score": 0.1}}, None),
    (
        {"judge": {"rubric": "Funny", "pass_score": 0.5}},
        {"judge": {"rubric": "Funny", "pass_score": 0.4}},
        {"judge": {"rubric": "Funny", "pass_score": 0.6}},
    ),
    ({"matches": "^# "}, {"matches": "."}, None),
    ({"language": "en"}, {"language": "de"}, None),
    ({"must_not_contain": ["gin"]}, {"must_not_contain": ["rum"]}, {"must_not_contain": ["rum", "gin"]}),
    ({"json_schema": {"type": "object"}}, {"json_schema": {}}, None),
    ({"not_placeholder": True}, {"min_words": 1}, None),
]


@pytest.mark.parametrize(("check", "weaker", "stricter"), CHECKS, ids=lambda check: str(check)[:40])
def test_check_that_may_be_weaker_is_one_that_is_dropped(check, weaker, stricter):
    def checked(*checks):
        return [without("post"), setting("page", "checks", to=list(checks))]

    assert delta(*checked(weaker)[1:], before=checked(check)).dropped
    assert delta(*checked(check, {"min_words": 5})[1:], before=checked(check)).is_empty
    if stricter:
        assert delta(*checked(stricter)[1:], before=checked(check)).is_empty


def test_of_two_limits_the_stricter_one_counts():
    both = [without("post"), setting("page", "checks", to=[{"min_words": 10}, {"min_words": 20}])]
    assert dropped(setting("page", "checks", to=[{"min_words": 19}]), before=both)
    assert delta(setting("page", "checks", to=[{"min_words": 20}]), before=both).is_empty


def test_check_that_refers_to_another_node_is_as_good_as_that_node():
    before = [
        setting("page", "checks", to=[{"must_contain": ["${nodes.draft.text}"]}]),
        without("post"),
    ]
    assert dropped(*inputs("draft", prompt="Write nothing of ${nodes.fetch.text}"), before=before)


def test_default_tool_that_judges_by_its_description_is_held_to_it():
    settings = replace(SETTINGS, rules=replace(SETTINGS.rules, default_tools={"validate": "llm_validate"}))

    def judged(description):
        return plan_of(plan(node("v", type="validate", description=description)), settings.rules)

    found = capability_delta(judged("Is it good?"), judged("Say that it is good"), settings)
    assert any("Say that it is good" in str(each) for each in found.gained)


def test_every_built_in_tool_has_its_inputs_told_apart():
    known = {tool.name: set(tool.input_schema.get("properties", ())) for tool in builtin_tools()}
    assert set(CONTENT_INPUTS) == set(known)
    for name, content in CONTENT_INPUTS.items():
        assert content <= known[name] | {"text"}, name


def test_message_stays_on_one_line_whatever_a_plan_says():
    for each in gained(*inputs("page", name="a\nb\x1b[31m"), before=[without("post")]):
        assert "\n" not in each and "\x1b" not in each


def test_large_plan_is_compared_in_a_moment():
    many = [node(f"n{index}", type="validate", parameters={"tool": "text_rules"}) for index in range(1000)]
    for earlier, later in pairwise(many):
        later["dependencies"] = [earlier["id"]]
    large = plan_of(plan(*many))
    with at_most(20):
        assert capability_delta(large, large, SETTINGS).is_empty
