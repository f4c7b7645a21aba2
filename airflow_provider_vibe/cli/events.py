"""The progress events of a run: vibe-aigc 0.7.1's (`executor.ProgressEvent`), and one for skipped nodes.

They are told from looks at the run. What happened between two looks is put in the order it happened in, as
far as clocks can tell, and always in one that makes sense: a node starts before it ends and after all it
depends on, a group starts before its nodes and is completed after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_vibe.cli.looks import Look, NodeState, Observer
from airflow_provider_vibe.cli.nodes import RunNode
from airflow_provider_vibe.runtime.outcome import ExecutionStatus

LONGEST_PREVIEW = 100
"""Characters of a result that an event shows, as in the original."""

_ENDED = {
    ExecutionStatus.COMPLETED: "node_completed",
    ExecutionStatus.FAILED: "node_failed",
    ExecutionStatus.SKIPPED: "node_skipped",
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ProgressEvent:
    """Something that happened in a run.

    :param event_type: ``workflow_started``, ``node_started``, ``node_completed``, ``node_failed``,
        ``node_skipped``, ``group_started``, ``group_completed``, ``workflow_completed``.
    :param node_id: the node it happened to; None for the run and its groups.
    :param progress_percent: how many of the nodes had come to an end by then, 0 to 100; it never falls.
    :param message: the same for a person.
    :param metadata: more about it, by kind of event.
    :param timestamp: when it happened, ISO 8601.
    """

    event_type: str
    node_id: str | None
    progress_percent: float
    message: str
    metadata: dict[str, Any] = field(default_factory=dict)
    timestamp: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Seen:
    """What was told of a node: that it started its n-th try, or how this ended."""

    try_number: int
    status: ExecutionStatus


@dataclass(frozen=True)
class _Change:
    """A node that started or ended between two looks.

    :param place: how far behind its task stands in the order of all tasks.
    """

    at: datetime
    place: int
    is_end: bool
    node: RunNode


class EventTeller:
    """Tells the events of one run, each once; a node that was cleared starts and ends again.

    :param observer: knows what the nodes left behind.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._seen: dict[str, _Seen] = {}
        self._percent = 0.0
        self._has_started = False
        self._groups_started: set[int] = set()
        self._groups_completed: set[int] = set()

    def events(self, look: Look) -> Iterator[ProgressEvent]:
        """What has happened since the last look.

        :param look: where the run stands now.
        """
        self._forget_cleared(look)
        changes = self._changes(look)
        if not self._has_started and (changes or look.run.state != "queued"):
            self._has_started = True
            yield self._workflow_started(look)
        yield from self._node_events(look, changes)
        if look.run.is_over:
            yield self._workflow_completed(look)

    def _forget_cleared(self, look: Look) -> None:
        """A node that had ended and now waits or works again has been cleared."""
        for node_id, state in look.nodes.items():
            seen = self._seen.get(node_id)
            if seen is None or not seen.status.is_final:
                continue
            if not state.status.is_final or state.try_number > seen.try_number:
                del self._seen[node_id]

    def _changes(self, look: Look) -> list[_Change]:
        starts, ends = _when(look)
        places = {task_id: place for place, task_id in enumerate(look.plan.order)}
        found = []
        for node in look.plan.nodes.values():
            state, first, seen = look.nodes[node.id], node.gate or node.task_id, self._seen.get(node.id)
            if seen is None and self._has_worked(look, node, state):
                found.append(_Change(starts[node.id], places[first], False, node))
            if state.status.is_final and (seen is None or seen.status is not state.status):
                found.append(_Change(ends[node.id], places[node.task_id], True, node))
            if state.status is not ExecutionStatus.PENDING:
                self._seen[node.id] = _Seen(state.try_number, state.status)
        return sorted(found, key=lambda change: (change.at, change.place, change.is_end))

    def _has_worked(self, look: Look, node: RunNode, state: NodeState) -> bool:
        """Whether a node began to work; a composite does when it opens."""
        if node.gate is not None:
            return look.task(node.gate).state == "success"
        if state.status is ExecutionStatus.SKIPPED:  # by its own tool: then it left word of it
            return look.task(node.task_id).state == "skipped" and bool(self._observer.outcome(node, state))
        return state.status is not ExecutionStatus.PENDING

    def _node_events(self, look: Look, changes: Iterable[_Change]) -> Iterator[ProgressEvent]:
        groups = look.plan.groups
        number_of = {node_id: number for number, group in enumerate(groups) for node_id in group}
        changes = list(changes)
        to_come = {change.node.id for change in changes if change.is_end}
        at_rest = {id_ for id_, state in look.nodes.items() if state.status.is_final} - to_come
        for change in changes:
            number, at = number_of[change.node.id], change.at.isoformat()
            if number not in self._groups_started:
                self._groups_started.add(number)
                yield self._group_event("group_started", "Starting parallel group", number, groups, at)
            if not change.is_end:
                message = f"Starting: {change.node.description}"
                yield ProgressEvent("node_started", change.node.id, self._percent, message, {}, at)
                continue
            at_rest.add(change.node.id)
            self._percent = max(self._percent, round(100 * len(at_rest) / len(look.nodes), 2))
            yield self._node_ended(change.node, look.nodes[change.node.id], at)
            if number not in self._groups_completed and at_rest.issuperset(groups[number]):
                self._groups_completed.add(number)
                yield self._group_event("group_completed", "Completed group", number, groups, at)

    def _node_ended(self, node: RunNode, state: NodeState, at: str) -> ProgressEvent:
        outcome = self._observer.outcome(node, state)
        message, metadata = f"Completed: {node.description}", self._about(state, outcome)
        if state.status is ExecutionStatus.COMPLETED:
            result = self._observer.result(node, state)
            metadata["result_preview"] = str(result)[:LONGEST_PREVIEW]
        else:
            reason = outcome.get("error") or state.reason or "it left no word"
            is_failure = state.status is ExecutionStatus.FAILED
            message = f"{'Failed' if is_failure else 'Skipped'}: {node.description} - {reason}"
            metadata["error" if is_failure else "reason"] = reason
        return ProgressEvent(_ENDED[state.status], node.id, self._percent, message, metadata, at)

    @staticmethod
    def _about(state: NodeState, outcome: Mapping[str, Any]) -> dict[str, Any]:
        if state.status is ExecutionStatus.SKIPPED:
            return {}
        return {"duration": duration_of(state, outcome), "try_number": state.try_number}

    def _group_event(
        self, event_type: str, words: str, number: int, groups: list[list[str]], at: str
    ) -> ProgressEvent:
        metadata = {"group_size": len(groups[number]), "group_nodes": groups[number]}
        message = f"{words} {number + 1}/{len(groups)}"
        return ProgressEvent(event_type, None, self._percent, message, metadata, at)

    def _workflow_started(self, look: Look) -> ProgressEvent:
        run = look.run
        done = [
            node_id
            for node_id, state in look.nodes.items()
            if state.status is ExecutionStatus.COMPLETED
            and state.ended_at is not None
            and run.started_at is not None
            and state.ended_at < run.started_at
        ]
        message = f"Starting workflow: {run.dag_id}"
        if done:
            message = f"Resuming workflow: {run.dag_id} ({len(done)} nodes already complete)"
        metadata = {"dag_id": run.dag_id, "run_id": run.run_id, "total_nodes": len(look.nodes)}
        at = run.started_at or datetime.now(UTC)
        return ProgressEvent("workflow_started", None, self._percent, message, metadata, at.isoformat())

    def _workflow_completed(self, look: Look) -> ProgressEvent:
        self._percent = 100.0
        statuses = [state.status for state in look.nodes.values()]
        word = "completed" if look.status is ExecutionStatus.COMPLETED else "failed"
        failed = len(look.failed_nodes)
        metadata = {
            "status": word,
            "total_nodes": len(statuses),
            "completed": statuses.count(ExecutionStatus.COMPLETED),
            "failed": failed,
            "unclosed": statuses.count(ExecutionStatus.FAILED) - failed,  # composites around them
            "skipped": statuses.count(ExecutionStatus.SKIPPED),
        }
        at = (look.run.ended_at or datetime.now(UTC)).isoformat()
        message = f"Workflow {word}: {look.run.dag_id}"
        return ProgressEvent("workflow_completed", None, self._percent, message, metadata, at)


def duration_of(state: NodeState, outcome: Mapping[str, Any]) -> float | None:
    """Seconds of work; of a node that left no word, the time its task took."""
    if (told := outcome.get("duration")) is not None:
        return float(told)
    if state.started_at is None or state.ended_at is None:
        return None
    return max(0.0, (state.ended_at - state.started_at).total_seconds())


def _when(look: Look) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """When each node started and ended, by clocks that may differ: never before what it comes after."""
    starts: dict[str, datetime] = {}
    ends: dict[str, datetime] = {}
    for task_id in look.plan.order:
        task = look.task(task_id)
        earlier = max((ends[before] for before in look.plan.tasks[task_id].upstream), default=_LONG_AGO)
        starts[task_id] = max(earlier, task.started_at or task.ended_at or earlier)
        ends[task_id] = max(starts[task_id], task.ended_at or starts[task_id])
    now = look.run.ended_at or datetime.now(UTC)
    nodes = look.plan.nodes.values()

    def told(times: Mapping[str, datetime], task_id: str) -> datetime:
        return now if times[task_id] == _LONG_AGO else times[task_id]

    return (
        {node.id: told(ends if node.gate else starts, node.gate or node.task_id) for node in nodes},
        {node.id: told(ends, node.task_id) for node in nodes},
    )
