from __future__ import annotations

import pytest

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.models import Budget
from airflow_provider_vibe.plan.problems import ProblemCode
from tests.plan.plans import NOTATIONS, good, place_of, plan, problem, written

in_both_notations = pytest.mark.parametrize("notation", NOTATIONS)


@in_both_notations
@pytest.mark.parametrize(
    "budget",
    [
        {"tokens": 1, "cost": 0.01, "requests": 1, "seconds": 0.5},
        {"cost": 2, "tokens": None},
        {"requests": 20, "x-why": "the free tier"},
    ],
    ids=str,
)
def test_a_budget_limits_what_it_states(budget, notation):
    stated = {key: value for key, value in budget.items() if not key.startswith("x-")}
    assert good(plan(budget=budget), notation=notation).budget == Budget(**stated)


@in_both_notations
@pytest.mark.parametrize("budget", [{}, {"tokens": None}, {"x-why": "none"}], ids=str)
def test_a_budget_that_limits_nothing_is_refused(budget, notation):
    found = problem(plan(budget=budget), notation=notation)
    assert (found.code, found.where.pointer) == (ProblemCode.BAD_VALUE, ("budget",))
    assert found.hint == "state tokens, cost, requests or seconds, or leave it out"


@in_both_notations
@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("tokens", 0, ProblemCode.BAD_VALUE),
        ("tokens", 1.5, ProblemCode.WRONG_TYPE),
        ("requests", -1, ProblemCode.BAD_VALUE),
        ("requests", "20", ProblemCode.WRONG_TYPE),
        ("cost", 0, ProblemCode.BAD_VALUE),
        ("cost", "$5", ProblemCode.WRONG_TYPE),
        ("seconds", 0, ProblemCode.BAD_VALUE),
        ("seconds", 1e9, ProblemCode.BAD_VALUE),
    ],
)
def test_a_limit_is_a_number_above_nothing(key, value, code, notation):
    data = plan(budget={key: value})
    found = problem(data, notation=notation)
    assert found.code is code and found.where.pointer == ("budget", key)
    text = written(data, notation)
    assert (found.where.line, found.where.column) == place_of(text, str(value)) or text.count(str(value)) > 1


def test_a_misspelt_limit_is_told_with_the_right_one():
    found = problem(plan(budget={"token": 5, "cost": 1}))
    assert (found.code, found.hint) == (ProblemCode.UNKNOWN_KEY, "did you mean 'tokens'?")


def test_a_budget_is_part_of_what_a_plan_says():
    assert plan_digest(good(plan())) != plan_digest(good(plan(budget={"requests": 1})))
