"""What a node may see: the outputs of the nodes before it, the run, the vibe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_vibe.plan.models import WITH_REFERENCES, NodeType, Vibe, WorkflowNode
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.references import (
    BadReference,
    Reference,
    as_text,
    follow,
    parse_template,
    strings_with_references,
    substitute,
)


@dataclass(frozen=True)
class NodeContext:
    """What a node may see.

    :param outputs: the outputs of the nodes before it, by id; a node that left none is not in it.
    :param without_output: the nodes before it that left none.
    :param params: the parameters of the run.
    :param run: ``id``, ``dag_id``, ``date``, ``logical_date`` of the run.
    :param vibe: the intent behind the plan.
    :param try_number: of the attempt, counted from 1.
    :param findings: why the output of the attempt before was refused, a text for each reason.
    :param digests: of those outputs whose digest is known already, by id.
    :param earlier_runs: the runs whose artifacts those outputs may lead to, beside this one.
    """

    outputs: Mapping[str, Any] = field(default_factory=dict)
    without_output: frozenset[str] = frozenset()
    params: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    vibe: Vibe = field(default_factory=lambda: Vibe(description=""))
    try_number: int = 1
    findings: Sequence[str] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    earlier_runs: Sequence[str] = ()

    def resolve(self, value: Any) -> Any:
        """A deep copy of *value* with every reference filled in.

        :raises BadReference: a reference that leads to nothing in this run.
        """
        return substitute(value, self._look_up)

    def resolve_text(self, text: str) -> str:
        """*text* with every reference filled in; a text stays one, whatever the references lead to.

        :raises BadReference: a reference that leads to nothing in this run.
        """
        return as_text(self.resolve(text))

    def resolved_vibe(self) -> dict[str, Any]:
        """The vibe as data, the references in its description filled in."""
        fields = self.vibe.model_dump(mode="json")
        return {**fields, "description": self.resolve_text(self.vibe.description)}

    def _look_up(self, reference: Reference) -> Any:
        if reference.root == "nodes":
            node_id, path = reference.split_node(self.outputs.keys() | self.without_output)
            if node_id not in self.outputs:
                message = f"{quoted(node_id)} left no output in this run (a simulated node leaves none)"
                raise BadReference(f"{reference} leads nowhere: {message}")
            return deepcopy(follow(reference, self.outputs[node_id], path))
        source = {
            "params": lambda: self.params,
            "run": lambda: self.run,
            "vibe": self.resolved_vibe,
        }[reference.root]
        return deepcopy(follow(reference, source(), reference.path))

    def for_tool(self, node: WorkflowNode, description: str) -> dict[str, Any]:
        """The context a tool is given: a copy of its own, so that it can change nobody else's.

        :param node: the node the tool works for.
        :param description: its description, references filled in.
        """
        previous = {dep: self.outputs[dep] for dep in node.dependencies if dep in self.outputs}
        return {
            "node_id": node.id,
            "node_description": description,
            "workflow_context": workflow_context(previous),
            "previous_outputs": deepcopy(previous),
            "run": dict(self.run),
            "vibe": self.resolved_vibe(),
            "try_number": self.try_number,
            "findings": list(self.findings),
            "earlier_runs": list(self.earlier_runs),
        }


def workflow_context(outputs: Mapping[str, Any]) -> str:
    """The texts of *outputs* as one (vibe-aigc 0.7.1 `executor._build_workflow_context`)."""
    return "\n\n".join(
        f"Previous step ({node_id}):\n{output['text']}"
        for node_id, output in outputs.items()
        if isinstance(output, dict) and "text" in output
    )


def output_part(result: Any) -> str | None:
    """Under which key of a node's result its output for others stands; None when it holds none.

    A simulated node supplies nothing; what it says was made up.
    """
    if not isinstance(result, dict):
        return None
    if result.get("type") == NodeType.COMPOSITE:
        return "output" if "output" in result else None
    return "result" if "tool" in result else None


def read_by(node: WorkflowNode, known_ids: Mapping[str, Any]) -> Sequence[str]:
    """The ids of the nodes whose outputs *node* may look at: its dependencies, its references, its children.

    :param node: the node.
    :param known_ids: the nodes of the plan by id.
    """
    referenced = []
    checks = [check.model_dump(mode="json", include=set(WITH_REFERENCES)) for check in node.checks]
    texts = strings_with_references([node.description, node.parameters.get("tool_inputs"), checks])
    for _, text in texts:
        for part in parse_template(text):
            if isinstance(part, Reference) and part.root == "nodes":
                referenced.append(part.split_node(known_ids)[0])
    children = [child.id for child in node.children] if node.type == NodeType.COMPOSITE else []
    return tuple(dict.fromkeys([*node.dependencies, *referenced, *children]))
