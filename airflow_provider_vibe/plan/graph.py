"""What must be done before what in a tree of nodes with dependencies.

Every node has two moments: its *start*, and when it is *done*, which is when its whole subtree is. A node
starts after each of its dependencies is done and after its parent has started (and done its own work, if
the parent is no composite); it is done when its children are. A dependency on one's own ancestor asks for
nothing more than that.
"""

from __future__ import annotations

import graphlib
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Generic, Protocol, TypeVar


class NodeLike(Protocol):
    """What the graph needs to know of a node."""

    @property
    def id(self) -> str:
        """Unique in the whole tree."""
        ...

    @property
    def type(self) -> str:
        """Whether it is a composite."""
        ...

    @property
    def dependencies(self) -> Sequence[str]:
        """The ids of the nodes that must be done first."""
        ...

    @property
    def children(self) -> Sequence[NodeLike]:
        """The nodes it holds."""
        ...


N = TypeVar("N", bound=NodeLike)
Moment = int
"""``2 * index`` is the start of a node, ``2 * index + 1`` when it is done."""


class CycleFound(Exception):
    """The nodes of a cycle, each waiting for the next, the last one for the first."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        super().__init__(" → ".join([*ids, ids[0]]))


class PlanGraph(Generic[N]):
    """The order of a tree of nodes whose ids are unique.

    Dependencies that name no node, the node itself or a descendant are not part of it: they are refused.

    :param root_nodes: the nodes at the top.
    :param without: dependencies, as pairs of node and dependency, that are left out as well.
    """

    def __init__(self, root_nodes: Sequence[N], without: Container[tuple[str, str]] = ()) -> None:
        self._without = without
        self.nodes: dict[str, N] = {}
        self.parents: dict[str, str | None] = {}
        self._last_descendant: dict[str, int] = {}
        self._index: dict[str, int] = {}
        for node, parent in walk(root_nodes):
            self._index[node.id] = len(self.nodes)
            self.nodes[node.id] = node
            self.parents[node.id] = parent.id if parent else None
        self._ids = list(self.nodes)
        for node_id in reversed(self._ids):
            children = self.nodes[node_id].children
            last = self._last_descendant[children[-1].id] if children else self._index[node_id]
            self._last_descendant[node_id] = last

    def is_inside(self, node_id: str, ancestor_id: str) -> bool:
        """Whether *node_id* stands anywhere below *ancestor_id*."""
        return self._index[ancestor_id] < self._index[node_id] <= self._last_descendant[ancestor_id]

    def descendants(self, node_id: str) -> list[str]:
        """The ids below a node, in the order of the file."""
        return self._ids[self._index[node_id] + 1 : self._last_descendant[node_id] + 1]

    def node_at(self, moment: Moment) -> str:
        """The id of the node a moment belongs to."""
        return self._ids[moment // 2]

    def done_moment(self, node_id: str) -> Moment:
        """When a node is done, its subtree too."""
        return 2 * self._index[node_id] + 1

    @cached_property
    def waits_for(self) -> dict[str, list[str]]:
        """For each node the dependencies that must be done, subtree and all, before it starts."""
        return {node_id: self._waits_for(node) for node_id, node in self.nodes.items()}

    def _waits_for(self, node: N) -> list[str]:
        known = dict.fromkeys(dep for dep in node.dependencies if dep in self.nodes)
        return [
            dep
            for dep in known
            if dep != node.id
            and not self.is_inside(node.id, dep)
            and not self.is_inside(dep, node.id)
            and (node.id, dep) not in self._without
        ]

    @cached_property
    def before(self) -> dict[Moment, list[Moment]]:
        """For each moment those that come directly before it."""
        before: dict[Moment, list[Moment]] = {}
        for node_id, node in self.nodes.items():
            start = 2 * self._index[node_id]
            before[start] = [2 * self._index[dep] + 1 for dep in self.waits_for[node_id]]
            before[start + 1] = [start, *(2 * self._index[child.id] + 1 for child in node.children)]
            parent = self.parents[node_id]
            if parent is not None:
                before[start].append(2 * self._index[parent])
        return before

    @cached_property
    def order(self) -> list[Moment]:
        """Every moment after those it waits for.

        :raises CycleFound: when there is no such order.
        """
        try:
            return list(graphlib.TopologicalSorter(self.before).static_order())
        except graphlib.CycleError as error:
            cycle = [self._ids[moment // 2] for moment in reversed(error.args[1])]
            distinct = [here for here, following in pairwise([*cycle, ""]) if here != following]
            raise CycleFound(distinct[:-1] if distinct[0] == distinct[-1] else distinct) from None

    @cached_property
    def groups(self) -> list[list[str]]:
        """The nodes in levels: each as early as its dependencies and its parent allow, one node a step."""
        level: dict[Moment, int] = {}
        for moment in self.order:
            level[moment] = max(
                (level[earlier] + (earlier % 2 == 0) for earlier in self.before[moment]), default=0
            )
        groups: list[list[str]] = [[] for _ in range(max(level.values(), default=0))]
        for node_id in sorted(self.nodes):
            groups[level[2 * self._index[node_id]]].append(node_id)
        return groups

    @cached_property
    def _earlier(self) -> dict[Moment, int]:
        """For each moment the set of all earlier ones, as the bits of an integer."""
        earlier: dict[Moment, int] = {}
        for moment in self.order:
            bits = 0
            for previous in self.before[moment]:
                bits |= earlier[previous] | 1 << previous
            earlier[moment] = bits
        return earlier

    def has_output_before(self, node_id: str, reader_id: str) -> bool:
        """Whether the output of *node_id* is there, in every run, when *reader_id* starts."""
        start = 2 * self._index[node_id]
        needed = start + 1 if self.nodes[node_id].type == "composite" else start
        return bool(self._earlier[2 * self._index[reader_id]] >> needed & 1)

    def can_depend_on(self, node_id: str, dep: str) -> bool:
        """Whether *node_id* could wait for *dep* without closing a cycle."""
        return not self._earlier[self.done_moment(dep)] >> (2 * self._index[node_id]) & 1


def walk(root_nodes: Sequence[N]) -> Iterator[tuple[N, N | None]]:
    """Every node with its parent, in the order of the file."""
    stack: list[tuple[N, N | None]] = [(node, None) for node in reversed(root_nodes)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((child, node) for child in reversed(node.children))  # type: ignore[misc] # same kind of node
