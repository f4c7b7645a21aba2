"""No chain of replans that nobody approved ever lets a plan do more, or holds it back less."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.replan.decision import Step, decide
from airflow_provider_vibe.replan.delta import capability_delta
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.proposal import propose
from airflow_provider_vibe.replan.writing import plan_data
from tests.replan.adversary import edit, first_plans
from tests.replan.plans import NEWS, RULES, SETTINGS, plan_of
from tests.replan.second_opinion import assert_no_more_able

FACTS = RunFacts(SETTINGS)
WANTS = [{"node_id": "fetch", "suggested_changes": ["retry_with_different_parameters"]}]


class Adversary:
    """A planner that proposes whatever it is told to."""

    def __init__(self, plan):
        self._plan = plan

    def propose(self, plan, suggestions):
        return self._plan


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(first_plans(), st.data())
def test_no_chain_of_automatic_replans_gains_a_capability_or_drops_a_check(data, choices):
    first = current = sound(data)
    assume(first is not None)
    bin_: list[dict[str, Any]] = []
    applied = 0
    for _ in range(choices.draw(st.integers(1, 6))):
        wanted = plan_data(current)
        for _ in range(choices.draw(st.sampled_from([1, 1, 1, 2]))):
            edit(choices.draw, wanted, bin_)
        if (new := sound(wanted)) is None:
            continue
        proposal = propose(current, WANTS, FACTS, lineage="run", planner=Adversary(new))
        if decide(proposal, current.replan, None).step is Step.APPLY:
            current = proposal.plan(RULES)
            applied += 1
    event(f"applied: {applied}")
    assert_no_more_able(plan_data(first), plan_data(current))


def sound(data: dict[str, Any]):
    """The plan *data* is, if it is one."""
    try:
        return plan_of(data)
    except PlanError:
        return None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(first_plans(), st.data())
def test_no_more_able_is_an_order(data, choices):
    chain = [sound(data)]
    for _ in range(2):
        edit(choices.draw, data, [])
        chain.append(sound(data))
    assume(None not in chain)
    a, b, c = chain
    assert capability_delta(a, a, SETTINGS).is_empty
    if capability_delta(a, b, SETTINGS).is_empty and capability_delta(b, c, SETTINGS).is_empty:
        assert capability_delta(a, c, SETTINGS).is_empty


def test_second_opinion_sees_what_is_gained():
    """Else the property would hold of anything."""
    worse = copy.deepcopy(NEWS)
    worse["root_nodes"][0]["run"]["retries"] = 5
    assert_no_more_able(NEWS, NEWS)
    with pytest.raises(AssertionError):
        assert_no_more_able(NEWS, worse)
