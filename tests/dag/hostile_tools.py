"""Tools that fail when they are looked at, named in ``[vibe] tool_factories``."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_vibe.tools import ToolResult


class Hostile:
    """The least a tool can be."""

    description = "Does nothing"

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        return ToolResult(True, inputs)


class Raises(Hostile):
    """Cannot tell its inputs."""

    name = "raises"

    @property
    def input_schema(self) -> dict[str, Any]:
        raise RuntimeError("no licence")


class Circles(Hostile):
    """Has a schema that is one, and leads back to itself."""

    name = "circles"
    input_schema: ClassVar[dict[str, Any]] = {"$ref": "#"}


def make_tools() -> list[Hostile]:
    return [Raises(), Circles()]
