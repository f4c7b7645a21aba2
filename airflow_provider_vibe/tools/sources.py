"""Where tools come from: entry points, and factories named in the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from airflow_provider_vibe.tools.adapters import (
    AdaptedTool,
    is_foreign_registry,
    is_foreign_tool,
    tools_of_registry,
)
from airflow_provider_vibe.tools.base import Tool, ToolError
from airflow_provider_vibe.tools.builtin import BuiltinTool
from airflow_provider_vibe.tools.unusable import UnusableTool, told

ENTRY_POINT_GROUP = "airflow_provider_vibe.tools"
_EXPECTED = "expected a tool, an iterable of tools, a registry, or a callable that returns one of these"


class Source(NamedTuple):
    """A place that tools come from.

    :param origin: the place, in words that can stand behind "from".
    :param offered: what was found there.
    :param version: of the tools there that do not tell their own; None when it is not known.
    """

    origin: str
    offered: Any
    version: str | None = None


def entry_point_sources() -> Iterator[Source]:
    """What installed packages offer under the group ``airflow_provider_vibe.tools``, sorted by name.

    :raises ToolError: an entry point cannot be loaded.
    """
    for entry_point in sorted(
        entry_points(group=ENTRY_POINT_GROUP), key=lambda found: (found.name, found.value)
    ):
        origin = f"entry point {entry_point.name!r} ({entry_point.value}{_distribution(entry_point)})"
        version = entry_point.dist.version if entry_point.dist is not None else None
        yield Source(origin, _imported(entry_point.value, origin), version)


def factory_sources(factories: Sequence[str]) -> Iterator[Source]:
    """What the import paths in ``[vibe] tool_factories`` lead to, in the order given.

    :param factories: ``"package.module.callable"`` or ``"package.module:callable"`` each.
    :raises ToolError: one cannot be imported.
    """
    for path in factories:
        origin = f"factory {path.strip()!r}"
        yield Source(origin, _imported(path.strip(), origin))


def tools_of(origin: str, offered: Any) -> Iterator[Tool]:
    """The tools that *offered* is, holds, or returns when called; vibe-aigc's own are adapted.

    :param origin: for the messages, e.g. ``"factory 'a.b.c'"``.
    :param offered: a tool, an iterable of tools, a registry, or a callable that returns one of these.
    :raises ToolError: it is none of these, or the call failed.
    """
    if (tools := _listed(origin, offered)) is None and callable(offered):
        try:
            offered = offered()
        except Exception as error:
            raise ToolError(f"{origin}: the call failed: {told(error)}") from error
        tools = _listed(origin, offered)
    if tools is None:
        raise ToolError(f"{origin} gives {_described(offered)}; {_EXPECTED}")
    for candidate in tools:
        if (adapted := _as_tool(candidate)) is None:
            raise ToolError(f"{origin}: among its tools is {_described(candidate)}, which is none")
        yield adapted


def _listed(origin: str, offered: Any) -> list[Any] | None:
    """The candidates in *offered*; None when it is nothing that holds tools."""
    try:
        tools = _tools_in(offered)
        return None if tools is None else list(tools)
    except Exception as error:  # a generator, or a registry, may raise anything
        raise ToolError(f"{origin}: its tools cannot be listed: {told(error)}") from error


def _tools_in(offered: Any) -> Iterable[Any] | None:
    if isinstance(offered, type):
        return None
    if (single := _as_tool(offered)) is not None:
        return [single]
    if is_foreign_registry(offered):
        return tools_of_registry(offered)
    if isinstance(offered, Mapping):  # our own ToolRegistry, or a plain {name: tool}
        return offered.values()
    return offered if isinstance(offered, Iterable) and not isinstance(offered, str | bytes) else None


def _as_tool(candidate: Any) -> Tool | None:
    """The tool that *candidate* is, or what stands in for one that fails when it is looked at."""
    if isinstance(candidate, type):
        return None
    if isinstance(candidate, BuiltinTool):  # to ask whether it is a Tool would import it
        return candidate
    try:
        if isinstance(candidate, Tool):  # reads all that a tool has
            return candidate
        return AdaptedTool(candidate) if is_foreign_tool(candidate) else None
    except Exception as error:  # a property can raise anything
        return UnusableTool(_name_of(candidate), told(error))


def _name_of(candidate: Any) -> str:
    try:
        name: str = getattr(candidate, "spec", candidate).name
    except Exception as error:
        kind = f"{type(candidate).__module__}.{type(candidate).__qualname__}"
        raise ToolError(f"a {kind} fails when it is asked for its name: {told(error)}") from error
    return name


def _imported(path: str, origin: str) -> Any:
    module, _, attributes = path.partition(":") if ":" in path else path.rpartition(".")
    if not (module and attributes):
        raise ToolError(f"{origin} is no import path; write 'package.module.callable'")
    try:
        return reduce(getattr, attributes.split("."), import_module(module))
    except Exception as error:  # a module can raise anything while it is imported
        raise ToolError(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error


def _distribution(entry_point: EntryPoint) -> str:
    return f" of {entry_point.dist.name}" if entry_point.dist is not None else ""


def _described(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}" if value is not None else "None"
