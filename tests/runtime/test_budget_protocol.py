"""How the attempts of a run share a budget, whatever the order in which they read and write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.models import Budget
from tests.runtime.budget_simulation import Simulation


def played(make, schedule):
    """A simulation after the steps of *schedule*, the budget checked after each."""
    simulation = make()
    for node in schedule:
        simulation.go(node)
        simulation.check()
    return simulation


@pytest.mark.parametrize(
    ("budget", "claims", "used", "calls"),
    [
        (Budget(requests=1), {"a": 1, "b": 1}, None, 1),
        (Budget(tokens=10), {"a": 6, "b": 6}, None, 1),
        (Budget(tokens=10), {"a": 6, "b": 6}, 3, 2),  # each fits alone, and leaves enough for the other
    ],
)
def test_no_order_of_the_steps_of_two_nodes_overspends_and_from_every_one_both_get_on(
    budget, claims, used, calls
):
    def make():
        return Simulation(budget, claims, used)

    seen: set[str] = set()
    to_visit: list[list[str]] = [[]]
    while to_visit:
        schedule = to_visit.pop()
        simulation = played(make, schedule)
        if simulation.state() in seen:
            continue
        seen.add(simulation.state())
        to_visit += [[*schedule, node] for node in simulation.waiting if simulation.paused[node] < 2]
        simulation.finish_in_turn()
        simulation.check()
        assert len(simulation.called) == calls
    assert len(seen) > 100


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_schedule_and_any_losses_keep_the_budget_and_let_the_others_get_on(data):
    claims = {node: data.draw(st.integers(1, 5), label=node) for node in "abcd"}
    budget = data.draw(st.sampled_from([Budget(requests=2), Budget(tokens=7), Budget(tokens=9, requests=3)]))
    simulation = Simulation(budget, claims, data.draw(st.sampled_from([None, 1])))
    losses = data.draw(st.integers(0, 2))
    for _ in range(data.draw(st.integers(0, 120))):
        if not simulation.waiting:
            break
        node = data.draw(st.sampled_from(simulation.waiting))
        if losses and data.draw(st.integers(0, 20)) == 0:
            losses -= 1
            simulation.kill(node)
        else:
            simulation.go(node)
        simulation.check()
    simulation.finish_in_turn()
    simulation.check()


def test_the_dead_are_neither_waited_for_nor_forgotten():
    simulation = Simulation(Budget(requests=2), {"a": 1, "b": 1, "c": 1})
    while not simulation.in_call:
        simulation.go("a")
    simulation.kill("a")  # in its call: that may have been billed
    simulation.finish_in_turn()
    assert (simulation.called, simulation.refused) == (["a", "b"], ["c"])
    assert max(simulation.paused.values()) < 20


def test_who_died_asking_takes_nothing_along():
    simulation = Simulation(Budget(requests=1), {"a": 1, "b": 1})
    while "a" not in simulation.store.kept:
        simulation.go("a")
    simulation.kill("a")
    simulation.finish_in_turn()
    assert simulation.called == ["b"]
