"""What can be said of a run before it begins: how long it takes, and what it need not do again."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.models import NodeType, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.replan.diff import Frozen
from airflow_provider_vibe.replan.meaning import Meanings


class ExpectedTime(Frozen):
    """How long a run of a plan takes when nothing waits for a free worker.

    :param seconds: along the critical path: the nodes that must follow one another and take the longest.
    :param unknown: the nodes of which nobody knows how long they take; they count as nothing.
    """

    seconds: float
    unknown: tuple[str, ...] = ()


def expected_time(plan: WorkflowPlan, durations: Mapping[str, float]) -> ExpectedTime:
    """How long a run of *plan* takes.

    :param plan: a plan that the reader takes.
    :param durations: seconds that nodes are known to take; of others the plan's own estimate counts.
    """
    graph = PlanGraph(plan.root_nodes)
    seconds = {node_id: _seconds(node, durations) for node_id, node in graph.nodes.items()}
    done: dict[int, float] = {}
    for moment in graph.order:
        done[moment] = max((done[earlier] for earlier in graph.before[moment]), default=0.0)
        node_id = graph.node_at(moment)
        if moment != graph.done_moment(node_id):  # its own work is between its start and its children
            done[moment] += seconds[node_id] or 0.0
    return ExpectedTime(
        seconds=round(max(done.values()), 3),
        unknown=tuple(node_id for node_id, known in seconds.items() if known is None),
    )


def _seconds(node: WorkflowNode, durations: Mapping[str, float]) -> float | None:
    if node.type == NodeType.COMPOSITE:
        return 0.0  # its estimate is that of its children together
    if node.id in durations:
        return durations[node.id]
    estimate = node.estimated_duration
    return float(estimate) if estimate is not None and estimate >= 0 else None


def reusable_nodes(
    old: WorkflowPlan, new: WorkflowPlan, completed: Collection[str] | None
) -> tuple[str, ...]:
    """The nodes of *new* whose results of a run of *old* still hold, in the order of the file.

    Composites are not among them: what they gather is gathered in each run.

    :param completed: the nodes that have results; None when that is not known, then all are taken to.
    """
    before, after = Meanings(old).of, Meanings(new).of
    done = {node_id: made for node_id, made in before.items() if completed is None or node_id in completed}
    renamed = {made for node_id, made in done.items() if node_id not in after}

    def is_done(node_id: str) -> bool:
        return after[node_id] == done.get(node_id) if node_id in before else after[node_id] in renamed

    nodes = PlanGraph(new.root_nodes).nodes
    return tuple(id_ for id_, node in nodes.items() if node.type != NodeType.COMPOSITE and is_done(id_))
