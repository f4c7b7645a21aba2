from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.identity import (
    airflow_id,
    group_id,
    is_reserved,
    join_id,
    open_id,
    plan_digest,
    sha256,
)
from tests.plan.plans import NOTATIONS, composite, good, node, plan

TASK_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
GROUP_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

AWKWARD = [
    "",
    " ",
    ".",
    "..",
    "...",
    "a\n",
    "\na",
    "a b",
    "a/b",
    "../x",
    "a%2Fb",
    "caf\u00e9",
    "cafe\u0301",
    "日本",
    "🎬",
    "A",
    "a",
    "x" * 200,
    "x" * 201,
    "é" * 300,
    "-",
    "&amp;",
    "&#99999999999999999999;",
    "&#xD800;",
    "\ud800",
    "a.b",
    "a-b",
    "a_b",
    "{{ ti }}",
    "x" * 195,
    "x" * 194 + ".",
]

names = st.one_of(st.text(max_size=250), st.text("aAé /.-_", max_size=6), st.sampled_from(AWKWARD))


@pytest.mark.parametrize("name", ["research", "Node_1.final-v2", "a", "...", "0", "x" * 200])
def test_an_id_that_airflow_takes_stays_as_it_is(name):
    assert airflow_id(name) == name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("a b", "a-b"),
        ("Café au lait", "Cafe-au-lait"),
        ("日本", "Ri-Ben"),
        ("a\n", "a"),
        ("..", "id"),
        ("", "id"),
        ("&amp; so on", "amp-so-on"),
    ],
)
def test_any_other_id_becomes_a_readable_slug_with_a_digest(name, slug):
    assert airflow_id(name) == f"{slug}-{sha256(name)[:8]}"


def test_a_very_long_id_is_cut_and_told_apart_by_its_digest():
    assert airflow_id("x" * 201) == "x" * 100 + "-" + sha256("x" * 201)[:8]


@pytest.mark.parametrize("name", AWKWARD)
def test_every_kind_of_task_and_group_id_is_one_that_airflow_takes(name):
    assert TASK_ID.fullmatch(airflow_id(name))
    assert TASK_ID.fullmatch(open_id(name))
    assert TASK_ID.fullmatch(join_id([name]))
    assert GROUP_ID.fullmatch(group_id(name))
    assert airflow_id(name) not in (".", "..")


@pytest.mark.parametrize("make", [airflow_id, open_id, group_id])
def test_awkward_ids_stay_apart(make):
    assert len({make(name) for name in AWKWARD}) == len(AWKWARD)


@settings(deadline=None)
@given(st.sets(names, max_size=30))
def test_ids_are_injective_and_depend_on_nothing_else(some):
    for make in (airflow_id, open_id, group_id):
        made = {name: make(name) for name in some}
        assert len(set(made.values())) == len(some)
        assert all(make(name) == made[name] for name in sorted(some, reverse=True))


@settings(deadline=None)
@given(names)
def test_what_airflow_takes_is_not_changed_again(name):
    assert airflow_id(airflow_id(name)) == airflow_id(name)
    assert TASK_ID.fullmatch(airflow_id(name))
    assert GROUP_ID.fullmatch(group_id(name))


def test_a_join_is_called_after_the_set_of_tasks_it_joins():
    assert join_id(["a", "b"]) == join_id(["b", "a"])
    assert join_id(["a", "b"]) != join_id(["a,b"])
    assert is_reserved(join_id(["a", "b"]))


@pytest.mark.parametrize("name", ["vibe_feedback", "vibe_budget", "x__open", "__open", "join-0f3a9c12__open"])
def test_the_ids_of_our_own_tasks_are_reserved(name):
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["vibe_feedback2", "x__opened", "x_open", "open", "Vibe_feedback"])
def test_ids_that_only_look_like_them_are_not(name):
    assert not is_reserved(name)


def test_the_helper_of_every_id_has_a_reserved_form():
    assert all(is_reserved(open_id(name)) for name in AWKWARD)


def digest(**fields):
    return plan_digest(good(plan(**fields)))


def test_the_digest_tells_plans_apart():
    assert digest() == digest()
    assert digest() != digest(revision=2)
    assert digest() != plan_digest(good(plan(node("only", parameters={"a": 1}))))


def test_the_digest_is_of_what_a_plan_says_not_of_how_it_is_written():
    data = plan(composite("c", node("a", parameters={"x": [1, {"y": "é"}]})), tags=["b", "a"])
    turned = dict(reversed(data.items()))
    digests = {
        plan_digest(good(each, notation=notation)) for each in (data, turned) for notation in NOTATIONS
    }
    assert len(digests) == 1


def test_what_is_left_out_counts_like_what_is_written_as_the_default():
    full = plan(
        node("only", parameters={}, dependencies=[], children=[], estimated_duration=None, run={}),
        estimated_total_duration=None,
        created_at=None,
        revision=1,
        schedule=None,
        params={},
        defaults={"retries": None},
        tags=[],
    )
    assert plan_digest(good(full)) == digest()


def test_editors_schema_and_notes_of_ones_own_are_not_part_of_the_digest():
    noted = plan(
        node("only", **{"x-why": [1]}), **{"$schema": "https://example.org/s.json", "x-note": {"a": 1}}
    )
    assert plan_digest(good(noted)) == digest()
