"""Look: where a run and each of its nodes stand at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from airflow_provider_vibe.cli.nodes import RunNode, RunPlan
from airflow_provider_vibe.cli.runs import RunReader, RunState, TaskState
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.runtime.outcome import OUTCOME_KEY, ExecutionStatus, some
from airflow_provider_vibe.sensors.states import status_of

RESULT_KEY = "return_value"


@dataclass(frozen=True)
class NodeState:
    """Where a node stands.

    :param started_at: when it began to work; of a composite, when it opened.
    :param reason: why it did not run, or did not close, in words.
    """

    status: ExecutionStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    try_number: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Look:
    """Where a run and each of its nodes stand at one moment.

    :param run: the run.
    :param plan: its nodes.
    :param tasks: its tasks, by their ids.
    """

    run: RunState
    plan: RunPlan
    tasks: Mapping[str, TaskState]

    @cached_property
    def nodes(self) -> dict[str, NodeState]:
        """Where each node stands.

        A composite runs from when it opened, and failed when a node inside did, whatever its own task says.
        """
        return {node.id: self._state_of(node) for node in self.plan.nodes.values()}

    @property
    def at_rest(self) -> int:
        """How many nodes have come to an end."""
        return sum(state.status.is_final for state in self.nodes.values())

    @property
    def percent(self) -> float:
        """The share of the nodes that have come to an end, 0 to 100."""
        return 100.0 * self.at_rest / len(self.nodes) if self.nodes else 100.0

    @property
    def failed_nodes(self) -> list[str]:
        """The nodes that failed themselves, so without composites whose children failed."""
        return [node_id for node_id in self.plan.nodes if self._has_failed(node_id)]

    @property
    def status(self) -> ExecutionStatus:
        """Where the plan stands: it is completed only when every node is."""
        statuses = {state.status for state in self.nodes.values()}
        if not self.run.is_over:
            return ExecutionStatus.PENDING if self.run.state == "queued" else ExecutionStatus.RUNNING
        return ExecutionStatus.FAILED if statuses - {ExecutionStatus.COMPLETED} else ExecutionStatus.COMPLETED

    def task(self, task_id: str) -> TaskState:
        """Where a task stands; one that Airflow does not name has not been looked at yet."""
        return self.tasks.get(task_id) or TaskState(task_id, None)

    def _state_of(self, node: RunNode) -> NodeState:
        task = self.task(node.task_id)
        status, started_at, reason = status_of(task.state), task.started_at, None
        if node.gate is not None:
            gate = self.task(node.gate)
            started_at = gate.ended_at
            is_open = status_of(gate.state) is ExecutionStatus.COMPLETED
            if status is ExecutionStatus.PENDING and is_open:
                status = ExecutionStatus.RUNNING
        if status is ExecutionStatus.SKIPPED:
            reason = self._reason_for_skipping(node)
            inside = self.plan.descendants(node.id) if node.gate is not None else []
            if failed := [below for below in inside if self._has_failed(below)]:
                status = ExecutionStatus.FAILED
                reason = f"{len(failed)} of {len(inside)} children failed: {some(failed)}"
        return NodeState(
            status=status,
            started_at=started_at,
            ended_at=task.ended_at if status.is_final else None,
            try_number=task.try_number,
            reason=reason,
        )

    def _has_failed(self, node_id: str) -> bool:
        return status_of(self.task(self.plan.nodes[node_id].task_id).state) is ExecutionStatus.FAILED

    def _reason_for_skipping(self, node: RunNode) -> str:
        culprit = self._failed_before[node.task_id]
        return f"{quoted(culprit)} failed" if culprit else "skipped in Airflow"

    @cached_property
    def _failed_before(self) -> dict[str, str | None]:
        """For each task the failed node that stands in its way."""
        found: dict[str, str | None] = {}
        for task_id in self.plan.order:
            node_id = self.plan.node_of(task_id)
            earlier = next((found[task] for task in self.plan.tasks[task_id].upstream if found[task]), None)
            found[task_id] = node_id if node_id and self._has_failed(node_id) else earlier
        return found


class Observer:
    """Looks at a run again and again.

    :param reader: reads the Airflow it runs in.
    :param run: the run.
    """

    def __init__(self, reader: RunReader, run: RunState) -> None:
        self._reader = reader
        self._run = run
        self._plan: RunPlan | None = None
        self._version: int | None = None
        self._left: dict[tuple[str, str, ExecutionStatus, int], Any] = {}

    def look(self) -> Look:
        """Where the run stands now.

        :raises NotAPlan: its DAG was made from no plan.
        :raises VibeError: the run is no longer there.
        """
        dag_id, run_id = self._run.dag_id, self._run.run_id
        run = self._reader.run(dag_id, run_id)
        if run is None:
            raise VibeError(f"run {quoted(run_id, 250)} of {quoted(dag_id)} was deleted")
        # Its tasks come second: when the run is over, nothing in them changes any more.
        return Look(run, self._plan_of(run), self._reader.task_states(dag_id, run_id))

    def outcome(self, node: RunNode, state: NodeState) -> Mapping[str, Any]:
        """The ``vibe_outcome`` of a node that has come to an end; empty when it left none of that state."""
        left = self._what_is_left(node, state, OUTCOME_KEY)
        return left if isinstance(left, dict) and left.get("status") == state.status else {}

    def result(self, node: RunNode, state: NodeState) -> Any:
        """What a node that completed has made."""
        return self._what_is_left(node, state, RESULT_KEY)

    def _what_is_left(self, node: RunNode, state: NodeState, key: str) -> Any:
        at = (node.task_id, key, state.status, state.try_number)
        if at not in self._left:
            self._left[at] = self._reader.xcom(self._run.dag_id, self._run.run_id, node.task_id, key)
        return self._left[at]

    def _plan_of(self, run: RunState) -> RunPlan:
        """The plan of the run's version of the DAG; read anew only when the run was moved to another."""
        if self._plan is None or self._version != run.version:
            self._plan = RunPlan(run.dag_id, self._reader.structure(run.dag_id, run.version))
            self._version = run.version
        return self._plan
