"""From what each node left behind to the ExecutionResult of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.models import NodeType, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.runtime.assessment import analyze_error
from airflow_provider_vibe.runtime.outcome import (
    CHILDREN_FAILED,
    ExecutionResult,
    ExecutionStatus,
    NodeOutcome,
    NodeResult,
    parallel_efficiency,
)

DEPENDENCIES_NOT_SATISFIED = "Dependencies not satisfied"
"""What the original says of every node it skips; the reason says which one is to blame."""


class WorkerLost(VibeError):
    """A node's process ended without a word: killed, out of memory, or its machine gone."""


@dataclass(frozen=True)
class Trace:
    """What a node left behind in a run.

    :param status: told from the state of its task.
    :param outcome: what it pushed itself; None when it never ran, or was killed.
    :param result: what it made.
    """

    status: ExecutionStatus
    outcome: NodeOutcome | None = None
    result: Any = None


def gather_result(
    plan: WorkflowPlan,
    traces: Mapping[str, Trace],
    *,
    started_at: datetime | None,
    completed_at: datetime | None,
    dag_id: str | None = None,
    run_id: str | None = None,
) -> ExecutionResult:
    """What came of a run.

    :param plan: the plan that ran.
    :param traces: what each node left behind, by its id.
    :param started_at: when the run began.
    :param completed_at: when its last node came to an end.
    :param dag_id: the DAG it ran as.
    :param run_id: the run.
    """
    graph = PlanGraph(plan.root_nodes)
    blame = _Blame(graph, traces)
    results: dict[str, NodeResult] = {}
    feedback: dict[str, dict[str, Any]] = {}
    suggestions: list[dict[str, Any]] = []
    for node in graph.nodes.values():
        outcome = _outcome_of(node, traces[node.id])
        results[node.id] = _node_result(node, traces[node.id], outcome, blame)
        if outcome is not None:
            feedback[node.id] = outcome.feedback
            suggestions += [outcome.replan_suggestion] if outcome.replan_suggestion else []
    total = (completed_at - started_at).total_seconds() if started_at and completed_at else 0.0
    return ExecutionResult(
        plan_id=plan.id,
        status=_overall([result.status for result in results.values()]),
        started_at=started_at,
        completed_at=completed_at,
        total_duration=total,
        node_results=results,
        parallel_efficiency=parallel_efficiency({id_: res.duration for id_, res in results.items()}, total),
        execution_groups=graph.groups,
        feedback_data=feedback,
        replan_suggestions=suggestions,
        dag_id=dag_id,
        run_id=run_id,
        plan_digest=plan_digest(plan),
        plan_revision=plan.revision,
    )


def _outcome_of(node: WorkflowNode, trace: Trace) -> NodeOutcome | None:
    """The outcome a node pushed, if it still holds; one made up for it when its process was killed."""
    if trace.outcome is not None:
        return trace.outcome if trace.outcome.status is trace.status else None
    if trace.status is not ExecutionStatus.FAILED:
        return None
    error = WorkerLost(
        f"{quoted(node.id)} ended without a report: its process was killed, ran out of memory, or was lost"
    )
    feedback, suggestion = analyze_error(node.id, error, 0.0, node.estimated_duration)
    return NodeOutcome(
        node_id=node.id,
        status=ExecutionStatus.FAILED,
        error=str(error),
        error_type=WorkerLost.__name__,
        started_at=None,
        try_number=0,
        duration=0.0,
        feedback=feedback,
        replan_suggestion=suggestion,
    )


def _node_result(node: WorkflowNode, trace: Trace, outcome: NodeOutcome | None, blame: _Blame) -> NodeResult:
    status = trace.status
    if outcome is not None:
        return NodeResult(
            node_id=node.id,
            status=status,
            result=trace.result if status is ExecutionStatus.COMPLETED else None,
            error=outcome.error,
            duration=outcome.duration,
            started_at=outcome.started_at,
            try_number=outcome.try_number,
            error_type=outcome.error_type,
            usage=outcome.usage,
        )
    if status is not ExecutionStatus.SKIPPED:
        reason = "marked as done in Airflow" if status is ExecutionStatus.COMPLETED else None
        return NodeResult(node_id=node.id, status=status, result=trace.result, reason=reason)
    if node.type is NodeType.COMPOSITE and (failed := blame.failed_inside(node.id)):
        inside = len(blame.graph.descendants(node.id))
        told = f"{len(failed)} of {inside} children failed: {', '.join(failed)}"
        return NodeResult(
            node_id=node.id,
            status=ExecutionStatus.FAILED,
            error=told,
            error_type=CHILDREN_FAILED,
            reason=told,
        )
    culprit = blame.for_skipping(node)
    reason = f"{quoted(culprit)} failed" if culprit else "skipped in Airflow"
    return NodeResult(node_id=node.id, status=status, error=DEPENDENCIES_NOT_SATISFIED, reason=reason)


class _Blame:
    """Which failed node is to blame for those that did not run.

    :param graph: the order of the plan.
    :param traces: what each node left behind.
    """

    def __init__(self, graph: PlanGraph[WorkflowNode], traces: Mapping[str, Trace]) -> None:
        self.graph = graph
        self._failed = {id_ for id_, trace in traces.items() if trace.status is ExecutionStatus.FAILED}
        self._culprits: dict[int, str | None] = {}
        for moment in graph.order:
            node_id = graph.node_at(moment)
            blocked_by = next((found for p in graph.before[moment] if (found := self._culprits[p])), None)
            self._culprits[moment] = node_id if node_id in self._failed else blocked_by

    def failed_inside(self, node_id: str) -> list[str]:
        """The nodes below *node_id* that failed."""
        return [below for below in self.graph.descendants(node_id) if below in self._failed]

    def for_skipping(self, node: WorkflowNode) -> str | None:
        """The failed node that kept *node* from running, or from closing."""
        return self._culprits[self.graph.done_moment(node.id)]


def _overall(statuses: list[ExecutionStatus]) -> ExecutionStatus:
    if all(status is ExecutionStatus.COMPLETED for status in statuses):
        return ExecutionStatus.COMPLETED
    if all(status.is_final for status in statuses):
        return ExecutionStatus.FAILED
    if all(status is ExecutionStatus.PENDING for status in statuses):
        return ExecutionStatus.PENDING
    return ExecutionStatus.RUNNING
