"""The tree of nodes as it stands in a document that may be wrong anywhere: enough to check it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.problems import Place, Pointer, Problem, ProblemCode, quoted
from airflow_provider_vibe.plan.rules import Limits

T = TypeVar("T")
_NO_LIST: list[Any] = []


@dataclass
class NodeOutline:
    """One node as far as it can be read; what has the wrong type counts as left out.

    :param at: where it stands.
    :param raw: the object as written.
    :param id: its id, made unique: of two nodes of one id the first has it.
    """

    at: Pointer
    raw: dict[str, Any]
    id: str = ""
    children: list[NodeOutline] = field(default_factory=list)

    @property
    def written_id(self) -> str:
        """Its id as it stands in the file; empty when there is none."""
        return self._read("id", "")

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return quoted(self.written_id) if self.written_id else "this node"

    @property
    def description(self) -> str:
        """What is to be done; empty when it does not say."""
        return self._read("description", "")

    @property
    def type(self) -> str:
        """What it says its type is; may be none that exists."""
        return self._read("type", "")

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters, never to be changed."""
        return self._read("parameters", {})

    @property
    def dependencies(self) -> list[str]:
        """The dependencies that are texts."""
        return [dep for dep in self._read("dependencies", _NO_LIST) if isinstance(dep, str)]

    def dependency_places(self) -> Iterator[tuple[Pointer, str]]:
        """Each dependency with the place it is written at."""
        for index, dep in enumerate(self._read("dependencies", _NO_LIST)):
            if isinstance(dep, str):
                yield (*self.at, "dependencies", index), dep

    def _read(self, key: str, default: T) -> T:
        value = self.raw.get(key)
        return value if isinstance(value, type(default)) else default


@dataclass
class PlanOutline:
    """A document's tree of nodes.

    :param data: the whole document.
    :param roots: its root nodes.
    :param nodes: all nodes, in the order of the file.
    :param problems: what keeps the tree from being read whole: too many nodes, too deep, too many edges.
    """

    data: dict[str, Any]
    roots: list[NodeOutline] = field(default_factory=list)
    nodes: list[NodeOutline] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @cached_property
    def graph(self) -> PlanGraph[NodeOutline]:
        """The order of the nodes, as far as they have one."""
        return PlanGraph(self.roots)

    @classmethod
    def of(cls, data: dict[str, Any], limits: Limits) -> PlanOutline:
        """Read the tree of *data*, no further than *limits* allow."""
        outline = cls(data)
        stack = [(root, outline.roots, 1) for root in reversed(_node_list(data, "root_nodes", ()))]
        edges = 0
        taken: set[str] = set()
        while stack:
            node, siblings, depth = stack.pop()
            siblings.append(node)
            unique = node.written_id not in taken
            node.id = node.written_id if unique else f"{node.written_id}\0{len(outline.nodes)}"
            taken.add(node.id)
            outline.nodes.append(node)
            edges += len(node.dependencies)
            if outline._is_past(limits, node, depth, edges):
                break
            children = _node_list(node.raw, "children", node.at)
            stack.extend((child, node.children, depth + 1) for child in reversed(children))
        return outline

    def _is_past(self, limits: Limits, node: NodeOutline, depth: int, edges: int) -> bool:
        excess = {
            ProblemCode.TOO_MANY_NODES: (len(self.nodes), limits.max_nodes, "nodes", "max_nodes"),
            ProblemCode.TOO_MANY_EDGES: (edges, limits.max_edges, "dependencies", "max_edges"),
            ProblemCode.TOO_DEEP: (depth, limits.max_depth, "levels of nodes", "max_depth"),
        }
        for code, (count, limit, what, option) in excess.items():
            if count > limit:
                hint = f"split it into several plans, or raise [vibe] {option}"
                message = f"a plan may have {limit:,} {what}, this one has more"
                self.problems.append(Problem(code, message, Place(node.at), hint))
        return bool(self.problems)


def _node_list(raw: dict[str, Any], key: str, at: Pointer) -> list[NodeOutline]:
    items = raw.get(key)
    if not isinstance(items, list):
        return []
    return [
        NodeOutline((*at, key, index), item) for index, item in enumerate(items) if isinstance(item, dict)
    ]
