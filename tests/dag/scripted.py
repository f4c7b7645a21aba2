"""The scripted tool of the oracle: does for each node what a script says, and notes how it was called."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_vibe.tools.base import ToolResult

ERRORS = {name: type(name, (Exception,), {}) for name in ("HTTPError", "RateLimitError")} | {
    "CancelledError": asyncio.CancelledError
}


def error_of(spec: dict[str, Any]) -> BaseException:
    """The exception that a script names."""
    import builtins

    cls = ERRORS.get(spec["class"]) or getattr(builtins, spec["class"])
    return cls(spec["message"]) if "message" in spec else cls()


@dataclass
class Script:
    """What each node is to do.

    :param spec: the content of a ``script.json``.
    """

    spec: dict[str, Any]
    calls: list[dict[str, Any]] = field(default_factory=list)

    def of(self, node_id: str) -> dict[str, Any]:
        return self.spec["nodes"].get(node_id, self.spec.get("default", {}))

    async def output(self, node_id: str, description: str) -> Any:
        """Sleep, raise, or give what the script says for a node."""
        outcome = self.of(node_id)
        await asyncio.sleep(outcome.get("sleep", 0))
        if "error" in outcome:
            raise error_of(outcome["error"])
        return outcome.get("output", {"text": f"out of {node_id}: {description}"})


@dataclass
class ScriptedTool:
    """A tool that follows a script."""

    script: Script
    name: str = "scripted"
    description: str = "Follows a script"
    input_schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        node_id = context["node_id"]
        outcome = self.script.of(node_id)
        self.script.calls.append(
            {"node": node_id, "tool": self.name, "inputs": deepcopy(inputs), "context": deepcopy(context)}
        )
        inputs.update(outcome.get("mutate_inputs", {}))
        if "fail" in outcome:
            return ToolResult(success=False, output=None, error=outcome["fail"])
        output = await self.script.output(node_id, context["node_description"])
        return ToolResult(success=True, output=output, metadata=outcome.get("metadata", {}))
