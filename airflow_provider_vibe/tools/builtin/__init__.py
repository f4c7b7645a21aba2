"""The tools that come with the provider."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from airflow_provider_vibe.tools.base import Tool, ToolError, ToolResult

MODULES = {
    "combine": "combining",
    "feed_read": "feeds",
    "html_to_markdown": "html",
    "http_get": "http",
    "image_card": "cards",
    "image_generate": "image_generate",
    "json_schema": "json_schema",
    "keywords": "text",
    "llm_analyze": "llm",
    "llm_generate": "llm",
    "llm_transform": "llm",
    "llm_validate": "llm",
    "markdown_to_html": "markdown",
    "read_file": "reading",
    "render_chart": "charts",
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
        """The tool itself.

        :raises ToolError: its module cannot be imported, or has no such tool.
        """
        try:
            found: Tool = getattr(import_module(f"{__name__}.{MODULES[self.name]}"), self.name)
        except AttributeError as error:  # for which Python asks __getattr__, which would ask for the tool
            raise ToolError(f"the built-in tool {self.name!r} cannot be imported: {error}") from error
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of a copy that is not complete yet
            raise AttributeError(name)
        return getattr(self.tool, name)

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Do the work."""
        return await self.tool.execute(inputs, context)


def builtin_tools() -> list[BuiltinTool]:
    """The built-in tools. The libraries behind them are imported when a tool is called."""
    return [BuiltinTool(name) for name in MODULES]
