"""What the state of a task says about its node."""

from __future__ import annotations

import pytest
from airflow.utils.state import TaskInstanceState

from airflow_provider_vibe.runtime.outcome import ExecutionStatus
from airflow_provider_vibe.sensors.states import FINAL_STATES, node_statuses, status_of

STATUSES = {
    "success": "completed",
    "failed": "failed",
    "upstream_failed": "skipped",
    "skipped": "skipped",
    "removed": "skipped",
    "queued": "pending",
    "scheduled": "pending",
    None: "pending",
    "running": "running",
    "deferred": "running",
    "awaiting_input": "running",
    "up_for_retry": "running",
    "up_for_reschedule": "running",
    "restarting": "running",
}


@pytest.mark.parametrize(("state", "status"), STATUSES.items())
def test_status_of_a_node_is_told_from_the_state_of_its_task(state, status):
    assert status_of(state) is ExecutionStatus(status)


def test_every_state_airflow_has_is_known():
    assert {state.value for state in TaskInstanceState} == STATUSES.keys() - {None}


def test_final_states_are_those_after_which_nothing_happens_by_itself():
    assert set(FINAL_STATES) == {"success", "failed", "upstream_failed", "skipped", "removed"}


def test_task_that_airflow_does_not_name_is_pending():
    statuses = node_statuses({"a-task": "success"}, {"a": "a-task", "b": "b-task"})
    assert statuses == {"a": ExecutionStatus.COMPLETED, "b": ExecutionStatus.PENDING}
