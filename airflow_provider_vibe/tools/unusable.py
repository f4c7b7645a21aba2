"""UnusableTool: the place of a tool that cannot be used as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_vibe.plan.problems import one_line, quoted
from airflow_provider_vibe.tools.base import ToolError, ToolResult

LONGEST_REASON = 300


class UnusableTool:
    """Stands in for a tool that is not well made, so that it hurts the plans that name it, and no others.

    :param name: the name of the tool.
    :param reason: why it cannot be used.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.description = f"Cannot be used: {reason}"
        self.input_schema: Mapping[str, Any] = {}
        self.reason = reason

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Refuse the work.

        :raises ToolError: always.
        """
        raise ToolError(f"tool {quoted(self.name)} cannot be used: {self.reason}")


def told(error: Exception) -> str:
    """What a tool's own code raised, on one line."""
    words = f"{type(error).__name__}: {error}" if not isinstance(error, ToolError) else str(error)
    return one_line(words)[:LONGEST_REASON]
