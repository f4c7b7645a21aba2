"""A plan as the text of a file reads as the plan it was, in either notation, and as a patch."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.reading import examine, read_data
from airflow_provider_vibe.plan.rules import Limits
from airflow_provider_vibe.replan.patching import unified_patch
from airflow_provider_vibe.replan.writing import plan_data, with_notes, written
from tests.plan.plans import composite, node, plan
from tests.replan.adversary import first_plans
from tests.replan.plans import RULES, news
from tests.replan.test_auto_replans import sound

NAMES = ("a.vibe.json", "a.vibe.yaml", "a.vibe.yml")
lax = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

free = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
lookalikes = st.from_regex(r"[-+.0-9eE:_xob]{1,6}", fullmatch=True) | st.sampled_from(
    ["no", "~", "null", "=", "<<"]
)
texts = free.map(lambda text: text.replace("${", "$")) | lookalikes
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def back(text: str, name: str):
    return examine(text.encode(), name, RULES).plan_or_raise()


@lax
@given(first_plans(), st.sampled_from(NAMES))
def test_plan_reads_as_it_was(data, name):
    first = sound(data)
    assume(first is not None)
    text = written(plan_data(first), name, 2**20)
    assert plan_digest(back(text, name)) == plan_digest(first)


@lax
@example("0E0", None, "a.vibe.yaml")
@example("a\x85b", {"\u2028": "\n "}, "a.vibe.yaml")
@given(texts, values, st.sampled_from(NAMES))
def test_any_text_and_any_value_reads_as_it_was(text, value, name):
    data = plan(node("a", description=text, parameters={"any": value}))
    again = read_data(written(data, name, 2**20).encode(), name, Limits())
    assert again == json.loads(json.dumps(data))


def test_yaml_is_yaml_that_one_can_read():
    text = written(plan(node("a", description="First line\nSecond line\n")), "a.vibe.yaml", 2**20)
    assert "description: |\n" in text and "{" not in text


@pytest.mark.parametrize("name", NAMES)
def test_what_would_be_too_long_is_written_compactly(name):
    data = plan_data(news())
    text = written(data, name, 100)
    assert text == json.dumps(data) + "\n" and back(text, name) == news()


def test_values_used_twice_are_written_twice():
    shared = {"k": ["v"]}
    data = plan(node("a", parameters={"x": shared, "y": shared}))
    assert "&" not in written(data, "a.vibe.yaml", 2**20)


def test_notes_stay_with_the_plan_and_with_their_nodes():
    old = plan(
        composite("g", node("a", run={"retries": 1, "x-run": 1}, **{"x-a": {"who": "me"}})),
        node("gone", **{"x-gone": 1}),
        **{"x-plan": [1], "defaults": {"retries": 1, "x-d": 2}},
    )
    new = plan(node("a", run={"retries": 2}), composite("g", node("b")), defaults={"retries": 2})
    noted = with_notes(new, old)
    assert noted["x-plan"] == [1] and noted["defaults"] == {"retries": 2, "x-d": 2}
    assert noted["root_nodes"][0]["x-a"] == {"who": "me"}
    assert noted["root_nodes"][0]["run"] == {"retries": 2, "x-run": 1}
    assert "x-gone" not in json.dumps(noted)


def test_note_is_never_a_key_of_the_plan():
    noted = with_notes(plan(node("a")), plan(node("a"), schedule={"cron": "* * * * *"}, tags=["t"]))
    assert noted == plan(node("a"))


# patches


lines = st.lists(st.sampled_from(["a", "b", "", "c\x85d", "e\u2028f", "g\rh", "--- x", "+y"]), max_size=6)
files = st.builds(lambda parts, end: "\n".join(parts) + end, lines, st.sampled_from(["", "\n"]))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(files, files, st.sampled_from(["a.vibe.json", 'odd\t"name".vibe.yaml', "é.vibe.json"]))
def test_git_applies_the_patch(tmp_path_factory, old, new, name):
    folder = tmp_path_factory.mktemp("patched")
    (folder / name).write_bytes(old.encode())
    patch = unified_patch(old, new, name)
    assert bool(patch) == (old != new)
    if not patch or not old or not new:  # git has another form for files that come or go
        return
    subprocess.run(["git", "apply", "--whitespace=nowarn"], cwd=folder, input=patch.encode(), check=True)
    assert (folder / name).read_bytes() == new.encode()
