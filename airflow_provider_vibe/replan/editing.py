"""Changed copies of plans; a plan itself never changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan

Change = Callable[[WorkflowNode], WorkflowNode]


def with_node(plan: WorkflowPlan, node_id: str, change: Change) -> WorkflowPlan:
    """*plan* with what *change* makes of one of its nodes in that node's place."""
    return plan.model_copy(update={"root_nodes": _changed(plan.root_nodes, node_id, change)})


def _changed(nodes: tuple[WorkflowNode, ...], node_id: str, change: Change) -> tuple[WorkflowNode, ...]:
    return tuple(
        change(node)
        if node.id == node_id
        else node.model_copy(update={"children": _changed(node.children, node_id, change)})
        for node in nodes
    )


def with_run(node: WorkflowNode, **settings: Any) -> WorkflowNode:
    """*node* with other settings of its run."""
    return node.model_copy(update={"run": node.run.model_copy(update=settings)})


def with_inputs(node: WorkflowNode, **inputs: Any) -> WorkflowNode:
    """*node* with other inputs for its tool; those not named stay."""
    changed = {**(node.parameters.get("tool_inputs") or {}), **inputs}
    return node.model_copy(update={"parameters": {**node.parameters, "tool_inputs": changed}})
