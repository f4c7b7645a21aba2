"""The edges between the tasks of a plan: which tasks each one comes right after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import join_id, open_id
from airflow_provider_vibe.plan.models import NodeType, WorkflowNode

JOIN_FROM = 32
"""Where so many edges or more run between the same tasks, one task that does nothing joins them."""


@dataclass
class Wiring:
    """The edges of a DAG.

    :param upstream: for each task those it comes right after.
    :param joins: tasks that only join edges, each with the node in whose group it stands; None: in no group.
    """

    upstream: dict[str, tuple[str, ...]] = field(default_factory=dict)
    joins: dict[str, str | None] = field(default_factory=dict)

    def leaves(self) -> list[str]:
        """The tasks that nothing comes after."""
        followed = {task for tasks in self.upstream.values() for task in tasks}
        return [task for task in self.upstream if task not in followed]


def is_group(node: WorkflowNode) -> bool:
    """Whether a node becomes a TaskGroup."""
    return bool(node.children)


def has_gate(node: WorkflowNode) -> bool:
    """Whether a node's group is opened by a task of its own: its node's own task only closes it."""
    return is_group(node) and node.type is NodeType.COMPOSITE


def wire(graph: PlanGraph[WorkflowNode], task_id: Callable[[WorkflowNode], str]) -> Wiring:
    """The edges of a plan.

    :param graph: the order of its nodes.
    :param task_id: the id of a node's own task.
    """
    ends = _Ends(graph, task_id)
    wiring = Wiring()
    for node in graph.nodes.values():
        first = open_id(node.id) if has_gate(node) else task_id(node)
        wiring.upstream[first] = ends.before(node)
        if has_gate(node):
            wiring.upstream[task_id(node)] = ends.of_children(node)
    _join_edges(wiring, {task: graph.parents[node_id] for task, node_id in ends.owners.items()})
    return wiring


class _Ends:
    """The tasks that are the last of a node: when they are done, its whole subtree is.

    :param graph: the order of the nodes.
    :param task_id: the id of a node's own task.
    """

    def __init__(self, graph: PlanGraph[WorkflowNode], task_id: Callable[[WorkflowNode], str]) -> None:
        self._graph = graph
        self._task_id = task_id
        self._awaited_inside = {
            dep
            for node_id, deps in graph.waits_for.items()
            for dep in deps
            if (parent := graph.parents[dep]) is not None and graph.is_inside(node_id, parent)
        }
        self._ends: dict[str, tuple[str, ...]] = {}
        self.owners: dict[str, str] = {}
        for node in reversed(graph.nodes.values()):
            closes_itself = has_gate(node) or not is_group(node)
            self._ends[node.id] = (task_id(node),) if closes_itself else self.of_children(node)
            self.owners[task_id(node)] = node.id
            if has_gate(node):
                self.owners[open_id(node.id)] = node.id

    def of_children(self, node: WorkflowNode) -> tuple[str, ...]:
        """The last tasks of a node's children; one that another node inside waits for is not among them."""
        last = [child for child in node.children if child.id not in self._awaited_inside]
        return tuple(task for child in last for task in self._ends[child.id])

    def before(self, node: WorkflowNode) -> tuple[str, ...]:
        """The tasks a node comes right after: its dependencies' last, and its parent's first."""
        deps = self._graph.waits_for[node.id]
        tasks = [task for dep in deps for task in self._ends[dep]]
        parent_id = self._graph.parents[node.id]
        if parent_id is not None and not any(self._graph.is_inside(dep, parent_id) for dep in deps):
            parent = self._graph.nodes[parent_id]
            tasks.append(open_id(parent.id) if has_gate(parent) else self._task_id(parent))
        return tuple(dict.fromkeys(tasks))


def _join_edges(wiring: Wiring, parents: dict[str, str | None]) -> None:
    """Put one task between those that come before and those that come after, where it saves many edges."""
    followers: dict[frozenset[str], list[str]] = defaultdict(list)
    for task, before in wiring.upstream.items():
        followers[frozenset(before)].append(task)
    for before_set, tasks in followers.items():
        edges = len(before_set) * len(tasks)
        if edges < JOIN_FROM or edges <= len(before_set) + len(tasks):
            continue
        join = join_id(before_set)
        groups = {parents[task] for task in (*before_set, *tasks)}
        wiring.joins[join] = groups.pop() if len(groups) == 1 else None
        wiring.upstream[join] = wiring.upstream[tasks[0]]
        for task in tasks:
            wiring.upstream[task] = (join,)
