"""The tools that come with the provider."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from airflow_provider_vibe.tools.base import Tool, ToolResult

MODULES = {
    "combine": "combining",
    "image_generate": "image_generate",
    "keywords": "text",
    "llm_analyze": "llm",
    "llm_generate": "llm",
    "llm_transform": "llm",
    "llm_validate": "llm",
    "markdown_to_html": "markdown",
    "template_fill": "templates",
    "text_profile": "text",
    "text_rules": "rules",
    "write_file": "files",
}
"""The module of each tool, in which it goes by its own name."""

MODEL_TOOLS = frozenset({"image_generate", "llm_analyze", "llm_generate", "llm_transform", "llm_validate"})
"""The tools that ask a model, through the connection in their input ``connection``."""


class BuiltinTool:
    """A built-in tool; its module is imported when it is asked for more than its name.

    A parse looks at few of them, and to describe the inputs of one takes a millisecond or two.

    :param name: one of :data:`MODULES`.
    """

    description: str
    input_schema: Mapping[str, Any]

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<built-in tool {self.name!r}>"

    @cached_property
    def tool(self) -> Tool:
        """The tool itself."""
        found: Tool = getattr(import_module(f"{__name__}.{MODULES[self.name]}"), self.name)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tool, name)

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Do the work."""
        return await self.tool.execute(inputs, context)


def builtin_tools() -> list[BuiltinTool]:
    """The built-in tools. The libraries behind them are imported when a tool is called."""
    return [BuiltinTool(name) for name in MODULES]
