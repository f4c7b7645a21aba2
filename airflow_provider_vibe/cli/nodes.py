"""The nodes of a plan as its DAG shows them: who stands in whom, what comes after what, in which groups.

The plan file is not needed, and may be nowhere near: a task's display name is its node's id, a TaskGroup's
the id of the node that holds the others, and the tasks that are no nodes are known by their ids.
"""

from __future__ import annotations

import graphlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from airflow_provider_vibe.cli.runs import DagStructure, DagTask
from airflow_provider_vibe.plan.identity import BUDGET_TASK_ID, FEEDBACK_TASK_ID, HELPER_SUFFIX
from airflow_provider_vibe.plan.models import NodeType
from airflow_provider_vibe.plan.problems import VibeError, quoted


class NotAPlan(VibeError):
    """A DAG that was not made from a plan."""


@dataclass(frozen=True)
class RunNode:
    """A node of a plan, told from its DAG.

    :param type: what kind of work it is; the name of its operator where that is one of the user's own.
    :param description: what is to be done; its id when Airflow does not tell.
    :param parent: the id of the node it stands in; None at the top.
    :param gate: the task that opens it, when it is a composite; its own task closes it.
    """

    id: str
    task_id: str
    type: str
    description: str
    parent: str | None = None
    gate: str | None = None


class RunPlan:
    """The nodes of a DAG that was made from a plan.

    :param dag_id: the DAG.
    :param structure: its tasks and groups.
    :raises NotAPlan: it was made from no plan.
    """

    def __init__(self, dag_id: str, structure: DagStructure) -> None:
        if FEEDBACK_TASK_ID not in structure.tasks:
            raise NotAPlan(
                f"DAG {quoted(dag_id)} is not made from a plan: it has no task '{FEEDBACK_TASK_ID}'"
            )
        self.tasks = structure.tasks
        self._structure = structure
        names = Counter(task.name for task in self._work())
        self._ids = {
            task.task_id: task.name if names[task.name] == 1 else task.task_id for task in self._work()
        }
        self._owners = self._owners_of_groups()
        self._gates = {
            task.name.removeprefix("open "): task_id
            for task_id, task in self.tasks.items()
            if task_id.endswith(HELPER_SUFFIX) and task.name.startswith("open ")
        }
        nodes = [self._node(task) for task in self._work()]
        self.nodes = {node.id: node for node in (nodes if structure.has_groups else self._guess(nodes))}

    @cached_property
    def order(self) -> list[str]:
        """The tasks, each after those it comes after."""
        before = {task_id: task.upstream for task_id, task in self.tasks.items()}
        return list(graphlib.TopologicalSorter(before).static_order())

    @cached_property
    def groups(self) -> list[list[str]]:
        """The execution groups: levels of the whole tree, sorted ids; as ``PlanGraph.groups`` has them."""
        costs = {(node.gate or node.task_id): 1 for node in self.nodes.values()}
        starts: dict[str, int] = {}
        for task_id in self.order:
            before = self.tasks[task_id].upstream
            starts[task_id] = max((starts[task] + costs.get(task, 0) for task in before), default=0)
        groups: dict[int, list[str]] = {}
        for node in sorted(self.nodes.values(), key=lambda node: node.id):
            groups.setdefault(starts[node.gate or node.task_id], []).append(node.id)
        return [groups[level] for level in sorted(groups)]

    @cached_property
    def children(self) -> dict[str | None, list[RunNode]]:
        """The nodes inside each node; those at the top under None."""
        children: dict[str | None, list[RunNode]] = {}
        for node in self.nodes.values():
            children.setdefault(node.parent, []).append(node)
        return children

    def descendants(self, node_id: str) -> list[str]:
        """The ids of all nodes inside a node."""
        found: list[str] = []
        waiting = [node_id]
        while waiting:
            inside = [child.id for child in self.children.get(waiting.pop(), ())]
            found += inside
            waiting += inside
        return found

    def node_of(self, task_id: str) -> str | None:
        """The id of the node that a task runs; None for a task that only holds the graph together."""
        return self._ids.get(task_id)

    def _work(self) -> list[DagTask]:
        """The tasks that run nodes: neither those that hold the graph together nor what comes at the end."""
        last = self._feedback_and_after
        return [
            task
            for task_id, task in self.tasks.items()
            if task_id not in last and task_id != BUDGET_TASK_ID and not task_id.endswith(HELPER_SUFFIX)
        ]

    @cached_property
    def _feedback_and_after(self) -> set[str]:
        found = {FEEDBACK_TASK_ID}
        for task_id in self.order:
            if not found.isdisjoint(self.tasks[task_id].upstream):
                found.add(task_id)
        return found

    def _owners_of_groups(self) -> dict[str, str]:
        """For each group the id of the node it belongs to: the one of its name."""
        groups = self._structure.groups
        owners = {}
        for task in self._work():
            if task.group is not None and groups[task.group].name == task.name:
                owners[task.group] = self._ids[task.task_id]
        return owners

    def _node(self, task: DagTask) -> RunNode:
        node_id = self._ids[task.task_id]
        group = task.group
        while group is not None and self._owners.get(group) in (None, node_id):
            group = self._structure.groups[group].parent
        return RunNode(
            id=node_id,
            task_id=task.task_id,
            type=_type_of(task.operator),
            description=task.description or node_id,
            parent=None if group is None else self._owners[group],
            gate=self._gates.get(task.name),
        )

    def _guess(self, nodes: list[RunNode]) -> list[RunNode]:
        """Where Airflow does not tell the groups: what lies between the gate and the end of a composite."""
        inside = {node.id: self._between(node.gate, node.task_id) for node in nodes if node.gate}
        parents: Mapping[str, str | None] = {
            node.id: min(
                (holder for holder, tasks in inside.items() if node.task_id in tasks),
                key=lambda holder: len(inside[holder]),
                default=None,
            )
            for node in nodes
        }
        return [
            RunNode(node.id, node.task_id, node.type, node.description, parents[node.id], node.gate)
            for node in nodes
        ]

    def _between(self, first: str, last: str) -> set[str]:
        after: set[str] = {first}
        for task_id in self.order:
            if not after.isdisjoint(self.tasks[task_id].upstream):
                after.add(task_id)
        before: set[str] = set(self.tasks[last].upstream)
        for task_id in reversed(self.order):
            if task_id in before:
                before.update(self.tasks[task_id].upstream)
        return after & before - {first, last}


def _type_of(operator: str) -> str:
    kind = operator.removeprefix("Vibe").removesuffix("Operator").lower()
    return kind if kind in set(NodeType) else operator
