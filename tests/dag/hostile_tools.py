"""Tools that fail when they are looked at, or worse, named in ``[vibe] tool_factories``."""

from __future__ import annotations

import contextlib
import os
import threading
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


class Ends(Hostile):
    """Ends the process it works in."""

    name = "ends"
    input_schema: ClassVar[dict[str, Any]] = {"type": "object"}

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        os._exit(inputs["code"])


class Waits(Hostile):
    """Never comes to an end, and takes no notice of anything."""

    name = "waits"
    input_schema: ClassVar[dict[str, Any]] = {"type": "object"}

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        while True:
            with contextlib.suppress(BaseException):
                threading.Event().wait()


def make_tools() -> list[Hostile]:
    return [Raises(), Circles(), Ends(), Waits()]
