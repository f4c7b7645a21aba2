"""What a node of a plan really gets, defaults filled in: retries, their delay, a timeout, a tool.

`PlanTranslator` decides on it when it builds the DAG; a test holds the two against each other.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_vibe.plan.models import YEAR, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.settings import Settings

LEAST_TIMEOUT = 60.0
"""Seconds a node may take at the least when its timeout comes from its estimate."""


def retries_of(plan: WorkflowPlan, node: WorkflowNode, settings: Settings) -> int:
    """How often a node is tried again."""
    given = (node.run.retries, plan.defaults.retries, settings.default_retries)
    return next(value for value in given if value is not None)


def retry_delay_of(plan: WorkflowPlan, node: WorkflowNode, settings: Settings) -> float:
    """Seconds before the first retry."""
    given = (node.run.retry_delay, plan.defaults.retry_delay, settings.default_retry_delay)
    return next(value for value in given if value is not None)


def timeout_of(plan: WorkflowPlan, node: WorkflowNode, settings: Settings) -> float | None:
    """Seconds an attempt may take; None where nothing cuts it off."""
    stated = node.run.timeout or plan.defaults.timeout
    if stated is not None or node.estimated_duration is None or node.estimated_duration < 0:
        return stated
    return max(LEAST_TIMEOUT, min(YEAR, node.estimated_duration * settings.timeout_factor))


def tool_of(node: WorkflowNode, settings: Settings) -> str | None:
    """The tool that does a node's work; None for a composite, and for one that is simulated."""
    return settings.rules.tool_of(node.type, node.parameters)


def tool_inputs_of(node: WorkflowNode) -> dict[str, Any]:
    """The inputs a node states for its tool; a composite has none."""
    inputs = node.parameters.get("tool_inputs")
    return inputs if isinstance(inputs, dict) else {}
