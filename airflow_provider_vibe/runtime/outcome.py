"""NodeOutcome, ExecutionResult: what came of a node, and of a whole run.

`ExecutionResult` is vibe-aigc 0.7.1's (`executor.ExecutionResult`, in its checkpoint form) with its methods,
and ours: where the run is, which plan it ran, and for each node the try, the kind of error, the reason and
the usage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_vibe.plan.problems import one_line

OUTCOME_KEY = "vibe_outcome"
"""What a node leaves beside its result, also when it fails, goes by this name in XCom."""

CHILDREN_FAILED = "ChildrenFailed"
"""The error type of a composite that could not close; the failure is its children's, counted there."""


class ExecutionStatus(StrEnum):
    """Where a node, or a run, stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.SKIPPED)


class NodeOutcome(BaseModel):
    """What came of one attempt at a node; its JSON is what the node leaves in XCom as ``vibe_outcome``.

    :param started_at: when the work began; None when nobody is left to tell.
    :param duration: seconds of work, without waiting in the queue.
    :param fingerprint: digest of what the node was asked to do, inputs filled in; None if it did not get
        so far.
    :param node_digest: digest of what the node itself says, whatever it was given.
    :param usage: what the node used of models, in this and in earlier attempts, e.g.
        ``{"input_tokens": 12, "cost": None}``.
    :param reused_from: the run that did the work, where this one has taken it over.
    :param reused_usage: what that run used for it.
    :param result: what the node made; goes to XCom as its return value, not with the outcome.
    :param exception: what the attempt failed of.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    node_id: str
    status: ExecutionStatus
    error: str | None = None
    error_type: str | None = None
    started_at: datetime | None
    duration: float
    try_number: int = 1
    feedback: dict[str, Any] = {}
    replan_suggestion: dict[str, Any] | None = None
    fingerprint: str | None = None
    node_digest: str | None = None
    usage: dict[str, Any] | None = None
    reused_from: str | None = None
    reused_usage: dict[str, Any] | None = None
    result: Any = Field(default=None, exclude=True)
    exception: BaseException | None = Field(default=None, exclude=True)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return self.model_dump(mode="json", by_alias=True)


class NodeResult(BaseModel):
    """What is known of a node once a run has been gathered.

    :param error: why there is no result.
    :param reason: why it was skipped, or did not close, in words.
    :param duration: seconds of work of the last try.
    :param started_at: when the last try began to work.
    :param reused_from: the run that did the work, where this one has taken it over.
    :param reused_usage: what that run used for it; not part of this one's totals.
    """

    node_id: str
    status: ExecutionStatus
    result: Any = None
    error: str | None = None
    duration: float = 0.0
    started_at: datetime | None = None
    try_number: int = 0
    error_type: str | None = None
    reason: str | None = None
    usage: dict[str, Any] | None = None
    reused_from: str | None = None
    reused_usage: dict[str, Any] | None = None


class ExecutionResult(BaseModel):
    """What came of a run of a plan.

    :param total_duration: seconds from the start of the run until it was gathered.
    :param execution_groups: levels of the whole tree: the nodes of one could run at the same time.
    :param parallel_efficiency: the share of the nodes' work that ran at the same time as other work, 0.0 to
        1.0.
    :param plan_digest: SHA-256 of the plan that ran.
    :param usage: what all nodes used together: ``input_tokens``, ``output_tokens``, ``requests``, ``cost``
        (US dollars; None when part of it is not known), ``known_cost``, ``unknown_costs`` (requests whose
        cost is not known), ``unanswered`` (those of them that timed out or were cut off) and ``seconds`` of
        work.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    plan_id: str
    status: ExecutionStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    total_duration: float = 0.0
    node_results: dict[str, NodeResult] = {}
    parallel_efficiency: float = 0.0
    execution_groups: list[list[str]] = []
    feedback_data: dict[str, dict[str, Any]] = {}
    replan_suggestions: list[dict[str, Any]] = []
    dag_id: str | None = None
    run_id: str | None = None
    plan_digest: str | None = None
    plan_revision: int = 1
    usage: dict[str, Any] | None = None

    def nodes_with(self, status: ExecutionStatus) -> list[str]:
        """The ids of the nodes of one status."""
        return [node_id for node_id, result in self.node_results.items() if result.status is status]

    def failed_nodes(self) -> list[str]:
        """The ids of the nodes that failed themselves, so without composites whose children failed."""
        failed = self.nodes_with(ExecutionStatus.FAILED)
        return [node_id for node_id in failed if self.node_results[node_id].error_type != CHILDREN_FAILED]

    def get_summary(self) -> dict[str, Any]:
        """Counts and times."""
        return {
            "plan_id": self.plan_id,
            "status": self.status.value,
            "total_nodes": len(self.node_results),
            "completed": len(self.nodes_with(ExecutionStatus.COMPLETED)),
            "failed": len(self.nodes_with(ExecutionStatus.FAILED)),
            "skipped": len(self.nodes_with(ExecutionStatus.SKIPPED)),
            "total_duration": self.total_duration,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
            "parallel_efficiency": self.parallel_efficiency,
            "execution_groups": len(self.execution_groups),
        }

    def is_complete(self) -> bool:
        """Whether every node has come to an end."""
        return all(result.status.is_final for result in self.node_results.values())

    def should_replan(self) -> bool:
        """Whether more than one node failed, or any calls for a replan."""
        return len(self.failed_nodes()) > 1 or bool(self.replan_suggestions)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: the fields, the summary, and whether to replan."""
        return {
            **self.model_dump(mode="json", by_alias=True),
            "summary": self.get_summary(),
            "should_replan": self.should_replan(),
        }

    def headline(self) -> str:
        """A line that says how the run ended: ``plan failed: 1 of 7 nodes failed: fetch``."""
        if self.status is ExecutionStatus.COMPLETED:
            return f"plan completed: all {len(self.node_results)} nodes"
        total = len(self.node_results)
        failed, skipped = self.failed_nodes(), self.nodes_with(ExecutionStatus.SKIPPED)
        told = f"{len(failed)} of {total} nodes failed: {some(failed)}" if failed else ""
        if skipped and not failed:
            told = f"{len(skipped)} of {total} nodes were skipped: {some(skipped)}"
        return f"plan {self.status}: {told or 'not every node is done'}"


def some(ids: Sequence[str], limit: int = 10) -> str:
    """The first few ids, on one line."""
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return ", ".join(map(one_line, ids[:limit])) + more


def parallel_efficiency(durations: Mapping[str, float], total: float) -> float:
    """The share of the work that ran beside other work (vibe-aigc 0.7.1 `executor.execute_plan`).

    :param durations: seconds of work of each node.
    :param total: seconds that all of it took.
    """
    work = sum(durations.values())
    return max(0.0, (work - total) / work) if work > 0 else 0.0
