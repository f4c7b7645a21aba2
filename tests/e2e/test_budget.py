"""Plans with a budget in real task processes: what reaches the model's server is what the budget allows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.dag.plans import plan
from tests.e2e.cluster import AirflowCluster
from tests.e2e.test_models import Connect, TimedServer, asking, connect
from tests.e2e.test_plans import DropPlan, drop_plan

__all__ = ["connect", "drop_plan"]

BUDGET = 5
NODES = [f"spend_{number:02}" for number in range(20)]


class GatheringServer(TimedServer):
    """Answers once as many requests are there at the same time as it was told to gather."""

    def __init__(self, server: HTTPServer) -> None:
        super().__init__(server)
        self.gate = threading.Barrier(1)

    def _chat(self, request: Any) -> Any:
        self.gate.wait(timeout=120)
        return super()._chat(request)


@pytest.fixture
def models() -> Iterator[GatheringServer]:
    with HTTPServer(threaded=True) as server:
        models = GatheringServer(server)
        yield models
        models.gate.abort()


def spender(node_id: str, conn_id: str, **run: Any) -> dict[str, Any]:
    node = asking(node_id, conn_id, run={"retries": 2, "retry_delay": 0, **run})
    node["parameters"]["tool_inputs"]["max_tokens"] = 50
    return node


def test_twenty_nodes_at_once_make_the_five_calls_of_their_budget(
    cluster: AirflowCluster, drop_plan: DropPlan, models: GatheringServer, connect: Connect
) -> None:
    models.gate = threading.Barrier(BUDGET)  # all five are in their calls at the same time
    conn_id = connect("budget_wide")
    nodes = [spender(node_id, conn_id) for node_id in NODES]
    dag_id = drop_plan(plan(*nodes, id="e2e-budget-wide", budget={"requests": BUDGET}))
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id, timeout=400) == "failed"
    assert len(models.requests) == BUDGET
    tasks = {task["task_id"]: task for task in cluster.task_instances(dag_id, run_id)}
    assert [tasks[node_id]["try_number"] for node_id in NODES] == [1] * 20
    assert tasks["vibe_budget"]["state"] == "success"
    result = cluster.xcom(dag_id, run_id, "vibe_feedback")
    failed = [node for node in result["node_results"].values() if node["status"] == "failed"]
    assert len(failed) == 20 - BUDGET
    assert {node["error_type"] for node in failed} == {"BudgetSpent"}
    assert all("5 of 5 requests are used" in node["error"] for node in failed)
    used = result["usage"]
    assert (used["requests"], used["input_tokens"], used["output_tokens"]) == (5, 55, 15)
    assert (used["cost"], used["unknown_costs"]) == (None, 5)
    assert used["seconds"] > 0

    models.gate = threading.Barrier(1)
    assert "vibe_budget" in cluster.clear(dag_id, run_id)
    assert cluster.wait_for_run(dag_id, run_id, timeout=400) == "failed"
    assert len(models.requests) == BUDGET  # cleared tasks get no new money
    assert cluster.task_instance(dag_id, run_id, failed[0]["node_id"])["try_number"] == 2
    assert cluster.xcom(dag_id, run_id, "vibe_feedback")["usage"]["requests"] == BUDGET


def test_a_retry_gets_no_new_money(
    cluster: AirflowCluster, drop_plan: DropPlan, models: GatheringServer, connect: Connect
) -> None:
    models.fail(500, "out of order", times=9)
    node = spender("spend_again", connect("budget_again"), retries=5)
    dag_id = drop_plan(plan(node, id="e2e-budget-again", budget={"requests": 2}))
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "failed"
    assert len(models.requests) == 2
    assert cluster.task_instance(dag_id, run_id, "spend_again")["try_number"] == 3
    node_result = cluster.xcom(dag_id, run_id, "vibe_feedback")["node_results"]["spend_again"]
    assert (node_result["error_type"], node_result["usage"]["requests"]) == ("BudgetSpent", 2)


def test_a_call_whose_process_was_killed_stays_spent(
    cluster: AirflowCluster, drop_plan: DropPlan, models: GatheringServer, connect: Connect
) -> None:
    models.gate = threading.Barrier(2)  # the request waits there until the test has come, too
    node = spender("spend_killed", connect("budget_killed"))
    dag_id = drop_plan(plan(node, id="e2e-budget-killed", budget={"requests": 1}))
    run_id = cluster.trigger(dag_id)
    cluster.wait(lambda: models.gate.n_waiting or None, 120, "the request")
    cluster.kill_task(dag_id, run_id, "spend_killed")

    assert cluster.wait_for_run(dag_id, run_id) == "failed"
    assert cluster.task_instance(dag_id, run_id, "spend_killed")["try_number"] == 2
    assert models.gate.n_waiting == 1  # still the first request alone
    result = cluster.xcom(dag_id, run_id, "vibe_feedback")
    assert result["node_results"]["spend_killed"]["error_type"] == "BudgetSpent"
    used = result["usage"]
    assert (used["requests"], used["unanswered"], used["output_tokens"]) == (1, 1, 50)
