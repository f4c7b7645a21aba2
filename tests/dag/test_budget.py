"""Plans with a budget, and what runs used, in runs that Airflow itself makes in this process."""

from __future__ import annotations

import pytest

from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.dag.translator import PlanTranslator
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.runtime.outcome import ExecutionResult
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools import ToolResult, tool
from airflow_provider_vibe.tools.budget import within_budget
from airflow_provider_vibe.tools.registry import build_registry
from tests.airflow_runs import run_dag
from tests.runtime.helpers import node, plan

calls: list[str] = []
USAGE = {"input_tokens": 10, "output_tokens": 5, "requests": 1, "cost": 0.25}


@tool("paid")
async def paid(fail: bool = False, *, context) -> ToolResult:
    """Calls a model; on a node's first try it may fail behind that."""

    async def call():
        calls.append(context["node_id"])
        return USAGE

    usage = await within_budget(call, max_tokens=20, usage_of=lambda usage: usage)
    if fail and calls.count(context["node_id"]) == 1:
        raise ConnectionError("lost")
    return ToolResult(True, {"text": "a text that is long enough"}, {"usage": usage})


@tool("reporting")
async def reporting() -> ToolResult:
    """Calls a model in a way of its own, and says so afterwards."""
    return ToolResult(True, {"text": "done"}, {"usage": {"input_tokens": 7}})


@tool("free")
async def free() -> str:
    return "no model needed"


def translated(a_plan):
    settings = Settings(tools=build_registry([("tests", [paid, reporting, free])]), rules=PlanRules())
    return build_dag(a_plan, PlanTranslator(settings))


def run_plan(*nodes, plan_id, **fields):
    calls.clear()
    ran = run_dag(translated(plan(*nodes, id=plan_id, **fields)))
    return ran, ExecutionResult.model_validate(ran.result("vibe_feedback"))


def chain(*ids, **fields):
    """Nodes one after the other, in a composite."""
    nodes = [
        node(each, tool="paid", dependencies=[ids[index - 1]] if index else [], **fields)
        for index, each in enumerate(ids)
    ]
    return node("all", "composite", children=nodes)


def test_without_a_budget_a_dag_is_what_it_was():
    dag = translated(plan(node("a", tool="free"), id="plain"))
    assert sorted(dag.task_ids) == ["a", "vibe_feedback"]
    assert dag.get_task("a").budget is None


def test_a_budget_is_one_task_more_that_never_works_and_comes_before_all_others():
    dag = translated(plan(chain("a", "b"), node("c", tool="free"), id="limited", budget={"requests": 3}))
    ledger = dag.get_task("vibe_budget")
    assert (ledger.task_type, ledger.task_display_name) == ("EmptyOperator", "budget")
    assert (ledger.upstream_task_ids, ledger.downstream_task_ids) == (set(), {"all__open", "c"})
    assert dag.get_task("a").budget.task_ids == ("a", "b", "c")  # a composite spends nothing
    assert dag.get_task("a").budget is dag.get_task("c").budget


@pytest.fixture(scope="module")
def limited(airflow_db):
    return run_plan(
        chain("a", "b", "c", run={"retries": 2, "retry_delay": 0}),
        node("f", tool="free", dependencies=["a"]),
        plan_id="limited",
        budget={"requests": 2},
    )


def test_a_node_beyond_the_budget_fails_at_once_and_says_why(limited):
    ran, result = limited
    assert calls == ["a", "b"]
    stopped = result.node_results["c"]
    assert (stopped.status.value, stopped.error_type, ran.tries("c")) == ("failed", "BudgetSpent", 1)
    assert stopped.error == "'c' may call no model: the plan's budget is spent: 2 of 2 requests are used"


def test_a_node_that_calls_no_model_does_not_mind_a_spent_budget(limited):
    assert limited[1].node_results["f"].status.value == "completed"


def test_the_account_lies_where_retries_and_clearing_do_not_reach(limited):
    ran, _ = limited
    assert set(ran.xcoms("vibe_budget")) == {"a", "b", "c", "f"}
    assert ran.states["vibe_budget"] == "success"


def test_the_result_holds_what_each_node_and_the_run_used(limited):
    _, result = limited
    assert result.node_results["a"].usage["requests"] == 1
    assert result.node_results["c"].usage["requests"] == 0
    used = result.usage
    assert (used["input_tokens"], used["output_tokens"], used["requests"]) == (20, 10, 2)
    assert (used["cost"], used["unknown_costs"]) == (0.5, 0)
    seconds = [each.usage["seconds"] for each in result.node_results.values() if each.usage]
    assert used["seconds"] == pytest.approx(sum(seconds), abs=0.1)


@pytest.mark.parametrize("limits", [{}, {"budget": {"requests": 9}}])
def test_what_an_attempt_used_that_failed_stays_in_the_result(airflow_db, limits):
    node_of_two_tries = node(
        "a", tool="paid", tool_inputs={"fail": True}, run={"retries": 1, "retry_delay": 0}
    )
    ran, result = run_plan(node_of_two_tries, plan_id=f"again-{len(limits)}", **limits)
    assert (ran.tries("a"), result.status.value) == (2, "completed")
    assert (result.usage["requests"], result.usage["cost"]) == (2, 0.5)
    assert result.node_results["a"].usage["requests"] == 2


def test_a_cost_that_a_tool_does_not_report_is_unknown_in_the_sum(airflow_db):
    _, result = run_plan(node("a", tool="paid"), node("b", tool="reporting"), plan_id="unpriced")
    assert (result.usage["cost"], result.usage["known_cost"], result.usage["unknown_costs"]) == (
        None,
        0.25,
        1,
    )
    assert result.usage["input_tokens"] == 17
