"""Who does the work of a node: the contract of a tool, the registry of tools, and the built-in ones.

The names below are resolved on first use, so that importing a single module of this package stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_vibe.tools.artifacts import ArtifactError, load_artifact, save_artifact
    from airflow_provider_vibe.tools.base import Tool, ToolError, ToolFailed, ToolInputError, ToolResult
    from airflow_provider_vibe.tools.budget import BudgetSpent, within_budget
    from airflow_provider_vibe.tools.builtin import builtin_tools
    from airflow_provider_vibe.tools.decorator import tool
    from airflow_provider_vibe.tools.inputs import InputIssue, check_inputs
    from airflow_provider_vibe.tools.registry import ToolRegistry, build_registry, load_tools
    from airflow_provider_vibe.tools.threads import run_in_thread

__all__ = [
    "ArtifactError",
    "BudgetSpent",
    "InputIssue",
    "Tool",
    "ToolError",
    "ToolFailed",
    "ToolInputError",
    "ToolRegistry",
    "ToolResult",
    "build_registry",
    "builtin_tools",
    "check_inputs",
    "load_artifact",
    "load_tools",
    "run_in_thread",
    "save_artifact",
    "tool",
    "within_budget",
]

_HOMES = {
    "artifacts": ("ArtifactError", "load_artifact", "save_artifact"),
    "base": ("Tool", "ToolError", "ToolFailed", "ToolInputError", "ToolResult"),
    "budget": ("BudgetSpent", "within_budget"),
    "builtin": ("builtin_tools",),
    "decorator": ("tool",),
    "inputs": ("InputIssue", "check_inputs"),
    "registry": ("ToolRegistry", "build_registry", "load_tools"),
    "threads": ("run_in_thread",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if (module := _HOME_OF.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
