"""Calling a tool the way a node does."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_vibe.tools.base import Tool, ToolResult


def call(tool: Tool, inputs: dict[str, Any] | None = None, **context: Any) -> ToolResult:
    """The result of *tool* for *inputs*, in a context with the given keys."""
    return asyncio.run(tool.execute(inputs or {}, {"node_id": "here", "previous_outputs": {}, **context}))


def output(tool: Tool, inputs: dict[str, Any] | None = None, **context: Any) -> Any:
    """The output of a call that must succeed."""
    result = call(tool, inputs, **context)
    assert result.success, result.error
    return result.output


class PlainTool:
    """The least a tool can be."""

    def __init__(self, name: Any = "plain", schema: Any = None, description: Any = "does nothing") -> None:
        self.name = name
        self.description = description
        self.input_schema = {"type": "object"} if schema is None else schema

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Give back the inputs."""
        return ToolResult(True, inputs)
