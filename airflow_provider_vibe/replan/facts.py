"""What is known when a plan is replanned: how it ran, and what this installation offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus
from airflow_provider_vibe.settings import Settings


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run, and of where it ran.

    :param settings: the defaults and the rules of this installation.
    :param durations: seconds of work of each node that worked.
    :param completed: the nodes whose results can be taken over; None when that is not known.
    :param fallback_connections: by connection, those to use in its place, the best one first.
    """

    settings: Settings
    durations: Mapping[str, float] = field(default_factory=dict)
    completed: frozenset[str] | None = None
    fallback_connections: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        result: ExecutionResult,
        settings: Settings,
        fallback_connections: Mapping[str, Sequence[str]] | None = None,
    ) -> RunFacts:
        """The facts of a run that has been gathered."""
        completed = result.nodes_with(ExecutionStatus.COMPLETED)
        return cls(
            settings,
            {node_id: result.node_results[node_id].duration for node_id in completed},
            frozenset(completed),
            fallback_connections or {},
        )
