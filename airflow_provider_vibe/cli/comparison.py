"""Two runs of a plan side by side: what became of each node, and what is different."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_vibe.cli.events import duration_of
from airflow_provider_vibe.cli.looks import Look, Observer
from airflow_provider_vibe.cli.runs import RunReader, find_run
from airflow_provider_vibe.runtime.outcome import ExecutionStatus
from airflow_provider_vibe.runtime.usage import NOTHING, Usage, total


class Change(StrEnum):
    """What a node of the later run has to do with that of the earlier one."""

    ADDED = "added"
    REMOVED = "removed"
    REUSED = "reused"
    CHANGED = "changed"
    SAME = "same"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class NodeFacts:
    """What became of a node in a run.

    :param quality: 0 to 1; None when nothing can be said.
    :param seconds: of work; None when it is not known.
    :param tries: how often it was tried.
    :param usage: what it used of models in this run.
    :param fingerprint: digest of what it was asked to do.
    :param reused_from: the run that did its work, if it was not this one.
    :param reused_usage: what that run used for it.
    """

    status: ExecutionStatus
    quality: float | None = None
    seconds: float | None = None
    tries: int = 0
    usage: Usage = NOTHING
    fingerprint: str | None = None
    reused_from: str | None = None
    reused_usage: Usage = NOTHING

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            **asdict(self),
            "status": self.status.value,
            "usage": self.usage.as_json(),
            "reused_usage": self.reused_usage.as_json(),
        }


@dataclass(frozen=True)
class RunFacts:
    """What became of a run, as far as it is.

    :param seconds: from its start to its end; None while it goes on.
    :param nodes: by their ids.
    """

    run_id: str
    status: ExecutionStatus
    seconds: float | None
    nodes: Mapping[str, NodeFacts]

    def as_json(self) -> dict[str, Any]:
        """What all nodes come to, as plain JSON."""
        nodes = self.nodes.values()
        return {
            "run_id": self.run_id,
            "status": self.status.value,
            "seconds": self.seconds,
            "work_seconds": round(sum(node.seconds or 0.0 for node in nodes), 3),
            "tries": sum(node.tries for node in nodes),
            "completed": sum(node.status is ExecutionStatus.COMPLETED for node in nodes),
            "reused": sum(node.reused_from is not None for node in nodes),
            "usage": total(node.usage for node in nodes).as_json(),
            "reused_usage": total(node.reused_usage for node in nodes).as_json(),
        }


@dataclass(frozen=True)
class Compared:
    """A node in two runs; None where a run has no such node."""

    node_id: str
    earlier: NodeFacts | None
    later: NodeFacts | None

    @property
    def change(self) -> Change:
        """What the later one has to do with the earlier one."""
        if self.earlier is None:
            return Change.ADDED
        if self.later is None:
            return Change.REMOVED
        if self.later.reused_from is not None:
            return Change.REUSED
        if self.earlier.fingerprint is None or self.later.fingerprint is None:
            return Change.UNKNOWN
        return Change.SAME if self.earlier.fingerprint == self.later.fingerprint else Change.CHANGED


def compare_runs(earlier: RunFacts, later: RunFacts) -> Iterator[Compared]:
    """Each node of either run, those of the later one first.

    :param earlier: a run.
    :param later: another one of the same DAG.
    """
    for node_id in dict.fromkeys([*later.nodes, *earlier.nodes]):
        yield Compared(node_id, earlier.nodes.get(node_id), later.nodes.get(node_id))


def facts_of(reader: RunReader, dag_id: str, run_id: str) -> RunFacts:
    """What became of a run, as far as it is.

    :param reader: reads the Airflow it runs in.
    :param dag_id: the DAG.
    :param run_id: the run.
    :raises NotFound: there is none.
    """
    observer = Observer(reader, find_run(reader, dag_id, run_id))
    look = observer.look()
    run = look.run
    took = (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None
    nodes = {node_id: _facts(node_id, look, observer) for node_id in look.nodes}
    return RunFacts(run_id, look.status, took, nodes)


def _facts(node_id: str, look: Look, observer: Observer) -> NodeFacts:
    state = look.nodes[node_id]
    if not state.status.is_final:
        return NodeFacts(state.status, tries=state.try_number)
    outcome = observer.outcome(look.plan.nodes[node_id], state)
    return NodeFacts(
        status=state.status,
        quality=outcome.get("feedback", {}).get("execution_quality"),
        seconds=duration_of(state, outcome) if state.try_number else None,
        tries=state.try_number,
        usage=_usage(outcome.get("usage")),
        fingerprint=outcome.get("fingerprint"),
        reused_from=outcome.get("reused_from"),
        reused_usage=_usage(outcome.get("reused_usage")),
    )


def _usage(stored: Any) -> Usage:
    return Usage.from_json(stored) if isinstance(stored, dict) else NOTHING
