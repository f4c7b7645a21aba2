"""A tool that does nothing and knows how long that took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_vibe.tools.base import ToolResult


@dataclass
class QuietTool:
    """Gives a short text.

    :param spent: CPU seconds of the last call.
    """

    name: str = "quiet"
    description: str = "Does nothing"
    input_schema: dict[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {"text": {"type": "string"}}}
    )
    spent: float = 0.0

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        begun = time.process_time()
        result = ToolResult(success=True, output={"text": "A text of some length. " * 40})
        self.spent = time.process_time() - begun
        return result


QUIET = QuietTool()


def quiet_tools() -> list[QuietTool]:
    """The tool, for ``[vibe] tool_factories``."""
    return [QUIET]
