"""Nodes, tools and contexts in a line each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.node import run_node
from airflow_provider_vibe.runtime.outcome import NodeOutcome
from airflow_provider_vibe.tools.base import Tool, ToolResult
from airflow_provider_vibe.tools.registry import build_registry


def node(node_id: str = "n", type: str = "analyze", description: str = "D", **fields: Any) -> WorkflowNode:
    """A node; ``tool`` and ``tool_inputs`` go into its parameters."""
    parameters = {key: fields.pop(key) for key in ("tool", "tool_inputs") if key in fields}
    return WorkflowNode.model_validate(
        {"id": node_id, "type": type, "description": description, "parameters": parameters, **fields}
    )


def plan(*nodes: WorkflowNode, **fields: Any) -> WorkflowPlan:
    """A plan of these nodes."""
    data = {"id": "p", "source_vibe": {"description": "v"}, "root_nodes": nodes}
    return WorkflowPlan.model_validate(data | fields)


class Working:
    """A tool that keeps what it was given, and does what *act* does with it."""

    def __init__(
        self,
        act: Callable[[dict[str, Any], dict[str, Any]], Any] = lambda inputs, context: {"text": "done"},
        name: str = "work",
        schema: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.description = name, "Works"
        self.input_schema = schema or {"type": "object"}
        self.act = act
        self.inputs: dict[str, Any] = {}
        self.context: dict[str, Any] = {}

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Anything that is no exception and no :class:`ToolResult` is the output."""
        self.inputs, self.context = inputs, context
        made = self.act(inputs, context)
        if isinstance(made, BaseException):
            raise made
        return made if isinstance(made, ToolResult) else ToolResult(success=True, output=made)


def run(
    a_node: WorkflowNode,
    *tools: Tool,
    context: NodeContext | None = None,
    default_tools: Mapping[str, str] | None = None,
    simulate: bool = False,
) -> NodeOutcome:
    """What comes of one attempt at a node."""
    registry = build_registry([("a test", list(tools))])
    rules = PlanRules(tools=registry, default_tools=default_tools or {}, simulate_missing=simulate)
    return asyncio.run(run_node(a_node, context or NodeContext(), registry, rules))
