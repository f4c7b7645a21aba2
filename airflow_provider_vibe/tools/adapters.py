"""vibe-aigc's own tools and registries, used as they are (the shapes of vibe-aigc 0.7.1 `tools`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_vibe.tools.base import ToolError, ToolResult
from airflow_provider_vibe.tools.schemas import checked_schema

log = logging.getLogger(__name__)

_SCHEMA_KEYWORDS = frozenset(
    {"$defs", "$id", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "description", "oneOf"}
    | {"patternProperties", "properties", "required", "title", "type", "unevaluatedProperties"}
)


class AdaptedTool:
    """A vibe-aigc tool behind our contract.

    :param tool: an object with ``spec.name``, ``spec.description``, ``spec.input_schema`` and an
        ``async execute(inputs, context)`` that returns an object with ``success``, ``output``, ``metadata``
        and ``error``.
    """

    input_schema: Mapping[str, Any]

    def __init__(self, tool: Any) -> None:
        spec = tool.spec
        self.tool = tool
        self.name = spec.name
        self.calls_models = bool(getattr(tool, "calls_models", False))
        self.description = getattr(spec, "description", None) or ""
        self.input_schema = _usable_schema(self.name, getattr(spec, "input_schema", None))

    def __repr__(self) -> str:
        return (
            f"<tool {self.name!r} adapted from {type(self.tool).__module__}.{type(self.tool).__qualname__}>"
        )

    @property
    def comes_with_the_original(self) -> bool:
        """Whether it is one of vibe-aigc's own tools, not one that a user wrote for it."""
        return type(self.tool).__module__.partition(".")[0] == "vibe_aigc"

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Call the tool and translate its result.

        :raises ToolError: what it returned is no result.
        """
        result = await self.tool.execute(inputs, context)
        if not (hasattr(result, "success") and hasattr(result, "output")):
            raise ToolError(
                f"tool {self.name!r} returned {type(result).__name__},"
                " expected an object with success, output, metadata and error"
            )
        error = getattr(result, "error", None)
        return ToolResult(
            success=bool(result.success),
            output=result.output,
            metadata=dict(getattr(result, "metadata", None) or {}),
            error=None if error is None else str(error),
        )


def is_foreign_tool(candidate: object) -> bool:
    """True when *candidate* has the shape of a vibe-aigc tool."""
    return hasattr(getattr(candidate, "spec", None), "name") and callable(getattr(candidate, "execute", None))


def is_foreign_registry(candidate: object) -> bool:
    """True when *candidate* has the shape of a vibe-aigc ``ToolRegistry``."""
    return all(callable(getattr(candidate, method, None)) for method in ("list_tools", "get"))


def tools_of_registry(registry: Any) -> Iterator[Any]:
    """The vibe-aigc tools in a vibe-aigc ``ToolRegistry``."""
    for spec in registry.list_tools():
        yield registry.get(spec.name)


def _usable_schema(name: object, schema: object) -> dict[str, Any]:
    """*schema* where it is one; otherwise its required inputs: all that vibe-aigc itself looks at."""
    try:
        copy = checked_schema(schema)
        if not copy or _SCHEMA_KEYWORDS & copy.keys():
            return copy
        reason = f"none of {', '.join(sorted(copy))[:100]} is a keyword of JSON Schema"
    except ToolError as error:
        reason = str(error)
    required = schema.get("required") if isinstance(schema, Mapping) else None
    names = [item for item in required if isinstance(item, str)] if isinstance(required, list) else []
    log.warning("tool %r: only its required inputs %r are checked: %s", name, names, reason)
    return {"type": "object", "required": list(dict.fromkeys(names))}
