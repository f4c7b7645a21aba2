"""Who decides on a proposal: nobody, a person, or the rules alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.plan.models import Replan
from airflow_provider_vibe.replan.decision import Step, decide, held_back
from tests.replan.plans import dropping, setting
from tests.replan.test_proposal import proposed

HARMLESS = proposed(setting("fetch", "run", "timeout", to=120))
ABLE = proposed(setting("fetch", "run", "retries", to=5))
LOOSE = proposed(setting("draft", "on_fail", to="suggest"))
EMPTY = proposed()


def step(proposal, mode, since_last=None, **values):
    return decide(proposal, Replan(mode=mode, **values), since_last).step


@pytest.mark.parametrize(
    ("proposal", "mode", "expected"),
    [
        (HARMLESS, "off", Step.NOTHING),
        (HARMLESS, "propose", Step.LEAVE),
        (HARMLESS, "approve", Step.ASK),
        (HARMLESS, "auto", Step.APPLY),
        (ABLE, "auto", Step.ASK),
        (LOOSE, "auto", Step.ASK),
        (EMPTY, "auto", Step.NOTHING),
        (EMPTY, "approve", Step.NOTHING),
    ],
)
def test_mode_decides_and_auto_only_where_nothing_is_gained(proposal, mode, expected):
    assert step(proposal, mode) is expected


def test_reasons_say_why():
    asked = decide(ABLE, Replan(mode="auto"), None)
    assert "attempts of 'fetch': 6 (was 2)" in asked.reason
    nothing = decide(EMPTY, Replan(mode="auto"), None).reason
    assert "changes nothing" in nothing and "the model has left the node as it was" in nothing


def test_long_reason_names_some_and_counts_the_rest():
    many = proposed(dropping(None, "budget"), dropping("draft", "checks"), dropping("draft", "on_fail"))
    assert "more" in decide(many, Replan(mode="auto"), None).reason.rpartition(" and ")[2]


def test_so_many_attempts_and_no_more():
    assert step(HARMLESS.model_copy(update={"attempt": 3}), "auto", max_attempts=3) is Step.APPLY
    late = decide(HARMLESS.model_copy(update={"attempt": 4}), Replan(mode="auto", max_attempts=3), None)
    assert late.step is Step.NOTHING and "3 replans have followed one another" in late.reason


def test_plan_that_was_just_replanned_is_left_alone_for_a_while():
    assert step(HARMLESS, "auto", 599.0, cooldown=600) is Step.NOTHING
    assert step(HARMLESS, "auto", 600.0, cooldown=600) is Step.APPLY
    assert "asks for 500 s more" in held_back(Replan(mode="auto", cooldown=600), 1, 100.0)


@given(
    st.sampled_from([HARMLESS, ABLE, LOOSE, EMPTY]),
    st.sampled_from(["off", "propose", "approve", "auto"]),
    st.integers(1, 5),
    st.none() | st.floats(0, 2000),
)
def test_nothing_is_applied_unasked_but_what_is_allowed(proposal, mode, attempt, since_last):
    decision = decide(proposal.model_copy(update={"attempt": attempt}), Replan(mode=mode), since_last)
    if decision.step is Step.APPLY:
        assert mode == "auto" and proposal.delta.is_empty
    if held_back(Replan(mode=mode), attempt, since_last):
        assert decision.step is Step.NOTHING
