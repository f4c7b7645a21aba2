"""What decides the work of a node: its own words, and everything that reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import NodeType, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.references import Reference, scan_template, strings_with_references


def references_in(value: Any) -> Iterator[Reference]:
    """Every reference in *value*, however deep."""
    for _, text in strings_with_references(value):
        yield from (part for part in scan_template(text) if isinstance(part, Reference))


class Meanings:
    """What the nodes of a plan are to do, and whose outputs reach them.

    :param plan: a plan that the reader takes, so without cycles.
    """

    def __init__(self, plan: WorkflowPlan) -> None:
        self.plan = plan
        self.graph = PlanGraph(plan.root_nodes)

    def nodes_named(self, value: Any) -> set[str]:
        """The nodes that the references in *value* lead to."""
        known = self.graph.nodes
        return {each.split_node(known)[0] for each in references_in(value) if each.root == "nodes"} & set(
            known
        )

    @cached_property
    def sources(self) -> dict[str, set[str]]:
        """For each node those whose outputs it gets: its dependencies, and what its texts refer to."""
        return {node_id: self._sources(node) for node_id, node in self.graph.nodes.items()}

    def _sources(self, node: WorkflowNode) -> set[str]:
        named = self.nodes_named(self._texts_of(node))
        gathered = {child.id for child in node.children} if node.type == NodeType.COMPOSITE else set()
        return {*self._dependencies(node)} | named | gathered

    def _dependencies(self, node: WorkflowNode) -> list[str]:
        return [dep for dep in dict.fromkeys(node.dependencies) if dep in self.graph.nodes]

    def _texts_of(self, node: WorkflowNode) -> Any:
        checks = [check.model_dump(mode="json", exclude_defaults=True) for check in node.checks]
        return [node.description, node.parameters.get("tool_inputs"), checks]

    def _params_named(self, value: Any) -> dict[str, Any]:
        names = {each.path[0] for each in references_in(value) if each.root == "params"}
        return {name: self.plan.params[name] for name in names & set(self.plan.params)}

    @cached_property
    def of(self) -> Mapping[str, str]:
        """For each node a digest of its work and of all that reaches it.

        Its place, its estimate and the way it is run do not count; the order of its dependencies, in which a
        tool is given them, does.
        """
        digests: dict[str, str] = {}
        for node_id in self._sources_first():
            node = self.graph.nodes[node_id]
            said = [
                _work_of(node),
                self._dependencies(node),
                {source: digests[source] for source in self.sources[node_id] if source in digests},
                self._vibe,
                self._params_named([self._texts_of(node), self._vibe]),
            ]
            digests[node_id] = sha256(canonical_json(said))
        return digests

    def reaching(self, value: Any) -> str:
        """A digest of all that decides what the references in *value* give in a run.

        :returns: the empty text when they lead to no node and to nothing of the vibe.
        """
        roots = {each.root for each in references_in(value)}
        named = {node_id: self.of[node_id] for node_id in self.nodes_named(value)}
        if not named and "vibe" not in roots:
            return ""
        return sha256(canonical_json([named, self._vibe if "vibe" in roots else None]))

    @cached_property
    def _vibe(self) -> Any:
        return self.plan.source_vibe.model_dump(mode="json")

    def _sources_first(self) -> Iterable[str]:
        """All nodes, each after those it gets something of; a node may refer to its own ancestor."""
        placed: dict[str, None] = {}
        for moment in self.graph.order:
            node_id = self.graph.node_at(moment)
            is_composite = self.graph.nodes[node_id].type == NodeType.COMPOSITE
            if moment % 2 == (1 if is_composite else 0):  # when its own work is done
                placed[node_id] = None
        return placed


def _work_of(node: WorkflowNode) -> Any:
    said = node.model_dump(mode="json", include={"type", "description", "parameters"})
    checks = [canonical_json(check.model_dump(mode="json", exclude_defaults=True)) for check in node.checks]
    return {**said, "checks": sorted(checks), "on_fail": node.on_fail if checks else None}
