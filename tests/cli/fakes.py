"""An Airflow that is not there: a reader of runs whose tasks move as a test says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_vibe.cli.local import structure_of
from airflow_provider_vibe.cli.nodes import RunPlan
from airflow_provider_vibe.cli.runs import DagStructure, RunState, TaskState
from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.plan.models import WorkflowPlan

BEGIN = datetime(2026, 1, 5, 7, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the run began."""
    return BEGIN + timedelta(seconds=seconds)


def done(start: float, end: float, state: str = "success", try_number: int = 1) -> TaskState:
    """A task that worked from one second of the run to another."""
    return TaskState("", state, at(start), at(end), try_number)


def working(start: float, try_number: int = 1) -> TaskState:
    """A task that works since a second of the run."""
    return TaskState("", "running", at(start), None, try_number)


def unreached(end: float, state: str = "upstream_failed") -> TaskState:
    """A task that Airflow did not run."""
    return TaskState("", state, at(end), at(end), 0)


def structure(content: dict[str, Any]) -> DagStructure:
    """The structure of the real DAG of a plan."""
    return structure_of(build_dag(WorkflowPlan.model_validate(content)).task_group)


def without_groups(whole: DagStructure) -> DagStructure:
    """What the public API alone tells of a DAG."""
    tasks = {task_id: replace(task, group=None) for task_id, task in whole.tasks.items()}
    return DagStructure(tasks, {}, has_groups=False)


def run_plan(content: dict[str, Any]) -> RunPlan:
    return RunPlan(content["id"], structure(content))


class FakeReader:
    """Runs of one plan, each look at them further on.

    :param content: the plan.
    :param steps: for each look the state of the run and the tasks that have one; the last one stays.
    :param left: what tasks left, by task id and key.
    """

    def __init__(
        self,
        content: dict[str, Any],
        *steps: tuple[str, Mapping[str, TaskState]],
        left: Mapping[tuple[str, str], Any] | None = None,
    ) -> None:
        self.dag_id, self.run_id = content["id"], "manual__1"
        self.steps = list(steps)
        self.left = dict(left or {})
        self.asked: list[tuple[str, str]] = []
        self.versions: list[int | None] = []
        self.text: str | None = json.dumps(content)
        self.paused = False
        self.started: list[tuple[str, Mapping[str, Any]]] = []
        self._structure = structure(content)
        self._tasks: Mapping[str, TaskState] = {}

    def dag_ids(self) -> list[str]:
        return [self.dag_id, "other"]

    def run_ids(self, dag_id: str) -> list[str] | None:
        return [self.run_id] if dag_id == self.dag_id else None

    def run(self, dag_id: str, run_id: str) -> RunState | None:
        if (dag_id, run_id) != (self.dag_id, self.run_id):
            return None
        state, self._tasks = self.steps[0]
        if len(self.steps) > 1:
            self.steps.pop(0)
        ended = max((task.ended_at for task in self._tasks.values() if task.ended_at), default=BEGIN)
        is_over = state in ("success", "failed")
        return RunState(dag_id, run_id, state, BEGIN, ended if is_over else None, 1)

    def task_states(self, dag_id: str, run_id: str) -> dict[str, TaskState]:
        return {task_id: replace(task, task_id=task_id) for task_id, task in self._tasks.items()}

    def structure(self, dag_id: str, version: int | None) -> DagStructure:
        self.versions.append(version)
        return self._structure

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        self.asked.append((task_id, key))
        return self.left.get((task_id, key))

    def source(self, dag_id: str, version: int | None) -> str | None:
        return self.text if dag_id == self.dag_id else None

    def is_paused(self, dag_id: str) -> bool:
        return self.paused

    def start_run(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        self.started.append((dag_id, conf))
        return "manual__new"


def outcome(status: str = "completed", quality: float | None = 0.8, **fields: Any) -> dict[str, Any]:
    """What a node leaves as ``vibe_outcome``."""
    return {"status": status, "duration": 1.5, "feedback": {"execution_quality": quality}, **fields}
