"""What the state of an Airflow task says about the node it runs."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_vibe.runtime.outcome import ExecutionStatus

_STATUS = {
    "success": ExecutionStatus.COMPLETED,
    "failed": ExecutionStatus.FAILED,
    "upstream_failed": ExecutionStatus.SKIPPED,
    "skipped": ExecutionStatus.SKIPPED,
    "removed": ExecutionStatus.SKIPPED,
    "running": ExecutionStatus.RUNNING,
    "deferred": ExecutionStatus.RUNNING,
    "awaiting_input": ExecutionStatus.RUNNING,
    "up_for_retry": ExecutionStatus.RUNNING,
    "up_for_reschedule": ExecutionStatus.RUNNING,
    "restarting": ExecutionStatus.RUNNING,
}

FINAL_STATES = tuple(state for state, status in _STATUS.items() if status.is_final)


def status_of(state: str | None) -> ExecutionStatus:
    """The status of a node whose task is in *state*; what waits, or is not known yet, is pending."""
    return _STATUS.get(str(state), ExecutionStatus.PENDING)


def node_statuses(
    states: Mapping[str, str | None], task_ids: Mapping[str, str]
) -> dict[str, ExecutionStatus]:
    """The status of each node.

    :param states: states by task id, as Airflow tells them; one it does not name has not been looked at yet.
    :param task_ids: task ids by node id.
    """
    return {node_id: status_of(states.get(task_id)) for node_id, task_id in task_ids.items()}
