"""Which failures are tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.operators.retry import VibeRetryPolicy
from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.tools.base import ToolError, ToolFailed, ToolInputError
from tests import run_tools as tools
from tests.airflow_runs import run_dag
from tests.runtime.foreign_errors import ModelHTTPError, ModelRateLimitError, ModelTimeoutError
from tests.runtime.helpers import node


def decide(error):
    return VibeRetryPolicy().evaluate(error, try_number=1, max_tries=3)


@pytest.mark.parametrize(
    "error",
    [
        ToolInputError("wrong"),
        ToolError("unknown tool"),
        PlanError([]),
        BadReference("${nodes.a}"),
        ModelHTTPError(400, retry_after=5),
        ModelHTTPError(401),
        ModelHTTPError(403),
        ModelHTTPError(404),
        ToolFailed("Tool execution failed: invalid api key"),
    ],
)
def test_what_another_try_cannot_help_fails_at_once(error):
    decision = decide(error)
    assert decision.action is RetryAction.FAIL
    assert "another try would fail too" in decision.reason


@pytest.mark.parametrize(
    "error",
    [
        ModelHTTPError(429),
        ModelHTTPError(500),
        ModelTimeoutError(),
        ConnectionRefusedError(),
        TimeoutError(),
        MemoryError(),
        ValueError("who knows: 1 validation error, 401 rows"),
        ToolFailed("Tool execution failed: no luck"),
        SystemExit(1),
    ],
)
def test_anything_else_is_left_to_airflow(error):
    assert decide(error).action is RetryAction.DEFAULT


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ModelHTTPError(429, retry_after=12.5), 12.5),
        (ModelHTTPError(503, retry_after="7"), 7),
        (ModelRateLimitError(retry_after=0), 0),
        (ModelRateLimitError(retry_after=99999), 3600),
    ],
)
def test_next_try_is_when_the_server_asked_for_it_or_a_little_later(error, seconds):
    decisions = [decide(error) for _ in range(50)]
    assert {decision.action for decision in decisions} == {RetryAction.RETRY}
    delays = [decision.retry_delay.total_seconds() for decision in decisions]
    assert all(seconds <= delay <= seconds * 1.25 for delay in delays)
    assert seconds == 0 or len(set(delays)) > 1
    assert f"asked to wait {seconds:g} s" in decisions[0].reason


@pytest.fixture(scope="module")
def ran():
    """One run with two retries for every task, but one for `broken`."""
    with DAG("retries", schedule=None) as dag:
        for name in ("flaky", "limited", "picky", "broken", "reports"):
            VibeNodeOperator(
                task_id=name,
                node=node(name, tool=name),
                retries=1 if name == "broken" else 2,
                # a server's wait goes before the delay of the task, which would outlast the test
                retry_delay=timedelta(seconds=3600 if name == "limited" else 0),
                retry_policy=VibeRetryPolicy(),
            )
    return run_dag(dag)


@pytest.mark.parametrize("name", ["flaky", "limited"])
def test_lost_connection_is_tried_again_and_the_second_outcome_counts(ran, name):
    assert (ran.states[name], ran.tries(name)) == ("success", 2)
    outcome = ran.outcome(name)
    assert (outcome["status"], outcome["try_number"], outcome["error"]) == ("completed", 2, None)
    assert ran.result(name)["result"] == {"text": "worked"}


def test_wrong_input_is_never_tried_again(ran):
    assert (ran.states["picky"], ran.tries("picky")) == ("failed", 1)
    assert len(tools.calls_of("picky")) == 1


def test_unknown_error_is_tried_as_often_as_the_task_says(ran):
    assert (ran.states["broken"], ran.tries("broken")) == ("failed", 2)
    assert (ran.states["reports"], ran.tries("reports")) == ("failed", 3)
    assert ran.outcome("broken")["try_number"] == 2
