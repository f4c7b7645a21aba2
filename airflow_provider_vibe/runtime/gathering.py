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
    some,
)
from airflow_provider_vibe.runtime.usage import Usage, total

DEPENDENCIES_NOT_SATISFIED = "Dependencies not satisfied"
"""What the original says of every node it skips; the reason says which one is to blame."""


_TOLD_BY_AIRFLOW = {
    ExecutionStatus.COMPLETED: "marked as done in Airflow",
    ExecutionStatus.FAILED: "failed in Airflow after its work was done",
}
"""What there is to say of a node whose outcome is missing, or is not what Airflow says of its task."""


class WorkerLost(VibeError):
    """A node's process ended without a word: killed, out of memory, or its machine gone."""


@dataclass(frozen=True)
class Trace:
    """What a node left behind in a run.

    :param status: told from the state of its task.
    :param outcome: what it pushed itself; None when it never ran, or was killed.
    :param result: what it made.
    :param usage: what the account of the run says it used; None when the run has no budget.
    """

    status: ExecutionStatus
    outcome: NodeOutcome | None = None
    result: Any = None
    usage: Usage | None = None


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
    :param started_at: when the run began, or went on after it was cleared.
    :param completed_at: when every node had come to an end.
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
        result = _node_result(node, traces[node.id], outcome, blame)
        results[node.id] = result.model_copy(update={"usage": _usage_json(traces[node.id])})
        if outcome is not None and outcome.feedback:
            feedback[node.id] = outcome.feedback
            suggestions += [outcome.replan_suggestion] if outcome.replan_suggestion else []
    took = (completed_at - started_at).total_seconds() if started_at and completed_at else 0.0
    return ExecutionResult(
        plan_id=plan.id,
        status=_overall([result.status for result in results.values()]),
        started_at=started_at,
        completed_at=completed_at,
        total_duration=took,
        node_results=results,
        parallel_efficiency=parallel_efficiency(_durations_since(started_at, results), took),
        execution_groups=graph.groups,
        feedback_data=feedback,
        replan_suggestions=suggestions,
        dag_id=dag_id,
        run_id=run_id,
        plan_digest=plan_digest(plan),
        plan_revision=plan.revision,
        usage=total(map(_work_of, results.values())).as_json(),
    )


def _usage_json(trace: Trace) -> dict[str, Any] | None:
    """What a node used; also one that never said so itself, if the run keeps an account."""
    if trace.usage is not None:
        return trace.usage.as_json()
    return trace.outcome.usage if trace.outcome is not None else None


def _work_of(result: NodeResult) -> Usage:
    """What a node used, and the seconds it worked."""
    if result.usage is None:
        return Usage(seconds=result.duration)
    return Usage.from_json(result.usage)


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
    if status is ExecutionStatus.SKIPPED:
        return _result_without_work(node, outcome, blame)
    if outcome is None:
        reason = _TOLD_BY_AIRFLOW.get(status)
        error = reason if status is ExecutionStatus.FAILED else None
        return NodeResult(node_id=node.id, status=status, result=trace.result, error=error, reason=reason)
    return NodeResult(
        node_id=node.id,
        status=status,
        result=trace.result,
        error=outcome.error,
        duration=outcome.duration,
        started_at=outcome.started_at,
        try_number=outcome.try_number,
        error_type=outcome.error_type,
        reused_from=outcome.reused_from,
        reused_usage=outcome.reused_usage,
    )


def _result_without_work(node: WorkflowNode, outcome: NodeOutcome | None, blame: _Blame) -> NodeResult:
    """The result of a node whose task Airflow did not run, or whose tool chose to skip it."""
    if node.type is NodeType.COMPOSITE and (failed := blame.failed_inside(node.id)):
        inside = len(blame.graph.descendants(node.id))
        told = f"{len(failed)} of {inside} children failed: {some(failed)}"
        return NodeResult(
            node_id=node.id,
            status=ExecutionStatus.FAILED,
            error=told,
            error_type=CHILDREN_FAILED,
            reason=told,
        )
    reason = blame.reason_for_skipping(node)
    own_words = (outcome.error if outcome else None) or "skipped in Airflow"
    return NodeResult(
        node_id=node.id,
        status=ExecutionStatus.SKIPPED,
        error=DEPENDENCIES_NOT_SATISFIED if reason else own_words,
        reason=reason or own_words,
    )


def _durations_since(started_at: datetime | None, results: Mapping[str, NodeResult]) -> dict[str, float]:
    """The durations of the nodes that worked since the run began; a resumed run has older ones."""
    return {
        node_id: result.duration
        for node_id, result in results.items()
        if started_at and result.started_at and result.started_at >= started_at
    }


class _Blame:
    """Which node is to blame for those that did not run.

    :param graph: the order of the plan.
    :param traces: what each node left behind.
    """

    def __init__(self, graph: PlanGraph[WorkflowNode], traces: Mapping[str, Trace]) -> None:
        self.graph = graph
        self._failed = {id_ for id_, trace in traces.items() if trace.status is ExecutionStatus.FAILED}
        skipped = {
            id_
            for id_, trace in traces.items()
            if trace.status is ExecutionStatus.SKIPPED and _outcome_of(graph.nodes[id_], trace)
        }
        self._failed_before = self._first_before(self._failed)
        self._skipped_before = self._first_before(skipped)

    def _first_before(self, culprits: set[str]) -> dict[int, str | None]:
        """For each moment the node among *culprits* that stands in its way."""
        found: dict[int, str | None] = {}
        for moment in self.graph.order:
            node_id = self.graph.node_at(moment)
            earlier = next((culprit for p in self.graph.before[moment] if (culprit := found[p])), None)
            found[moment] = node_id if node_id in culprits else earlier
        return found

    def failed_inside(self, node_id: str) -> list[str]:
        """The nodes below *node_id* that failed."""
        return [below for below in self.graph.descendants(node_id) if below in self._failed]

    def reason_for_skipping(self, node: WorkflowNode) -> str | None:
        """Which other node kept *node* from running; None when none did."""
        moment = self.graph.done_moment(node.id)
        if culprit := self._failed_before[moment]:
            return f"{quoted(culprit)} failed"
        culprit = self._skipped_before[moment]
        return f"{quoted(culprit)} was skipped" if culprit and culprit != node.id else None


def _overall(statuses: list[ExecutionStatus]) -> ExecutionStatus:
    if all(status is ExecutionStatus.COMPLETED for status in statuses):
        return ExecutionStatus.COMPLETED
    if all(status.is_final for status in statuses):
        return ExecutionStatus.FAILED
    if all(status is ExecutionStatus.PENDING for status in statuses):
        return ExecutionStatus.PENDING
    return ExecutionStatus.RUNNING
