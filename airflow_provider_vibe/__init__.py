"""Run vibe-aigc content plans on Apache Airflow: a plan file becomes a DAG.

The public names are resolved when they are used: importing the package imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_vibe.dag.builder import build_dag
    from airflow_provider_vibe.dag.loader import load_vibe_dags, raise_plan_errors, read_plan
    from airflow_provider_vibe.plan.problems import PlanError
    from airflow_provider_vibe.tools.base import Tool, ToolResult
    from airflow_provider_vibe.tools.decorator import tool

__version__ = "0.1.0"

_HOMES = {
    "build_dag": "dag.builder",
    "load_vibe_dags": "dag.loader",
    "raise_plan_errors": "dag.loader",
    "read_plan": "dag.loader",
    "PlanError": "plan.problems",
    "Tool": "tools.base",
    "ToolResult": "tools.base",
    "tool": "tools.decorator",
}

__all__ = [
    "PlanError",
    "Tool",
    "ToolResult",
    "build_dag",
    "load_vibe_dags",
    "raise_plan_errors",
    "read_plan",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
