"""Who does the work of a node: the contract of a tool, the registry of tools, and the built-in ones.

The names below are resolved on first use, so that importing a single module of this package stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_vibe.tools.base import Tool, ToolError, ToolFailed, ToolInputError, ToolResult
    from airflow_provider_vibe.tools.builtin import builtin_tools
    from airflow_provider_vibe.tools.decorator import tool
    from airflow_provider_vibe.tools.inputs import InputIssue, check_inputs
    from airflow_provider_vibe.tools.registry import ToolRegistry, build_registry, load_tools
    from airflow_provider_vibe.tools.threads import run_in_thread

__all__ = [
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
    "load_tools",
    "run_in_thread",
    "tool",
]

_HOMES = {
    "base": ("Tool", "ToolError", "ToolFailed", "ToolInputError", "ToolResult"),
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
