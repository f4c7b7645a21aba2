"""The tools a plan may ask for, by name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import repeat
from typing import Any

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.adapters import AdaptedTool
from airflow_provider_vibe.tools.base import Tool, ToolError
from airflow_provider_vibe.tools.builtin import builtin_tools
from airflow_provider_vibe.tools.inputs import InputChecker, InputIssue, Unresolved
from airflow_provider_vibe.tools.schemas import checked_schema
from airflow_provider_vibe.tools.sources import Source, entry_point_sources, factory_sources, tools_of
from airflow_provider_vibe.tools.unusable import UnusableTool, told

log = logging.getLogger(__name__)

BUILT_IN = "the built-in tools"


@dataclass(frozen=True)
class _Registered:
    tool: Tool
    origin: str
    version: str | None


class ToolRegistry(Mapping[str, Tool]):
    """The tools there are: a mapping from name to tool that does not change once it is built.

    :param registered: made by :func:`build_registry`.
    """

    def __init__(self, registered: Mapping[str, _Registered]) -> None:
        self._registered = dict(sorted(registered.items()))
        self._checkers: dict[str, InputChecker] = {}

    def __getitem__(self, name: str) -> Tool:
        return self._registered[name].tool

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)

    def __repr__(self) -> str:
        return f"ToolRegistry({', '.join(self)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tools, sorted."""
        return tuple(self)

    def origin(self, name: str) -> str:
        """Where the tool *name* comes from, in words.

        :raises KeyError: there is no such tool.
        """
        return self._registered[name].origin

    def version(self, name: str) -> str | None:
        """The version of the tool *name*: the ``version`` it tells itself, else of the package it comes in.

        :raises KeyError: there is no such tool.
        """
        registered = self._registered[name]
        own = getattr(registered.tool, "version", None)
        return registered.version if own is None else str(own)

    def check_inputs(
        self, name: str, inputs: Mapping[str, Any], unresolved: Unresolved | None = None
    ) -> list[InputIssue]:
        """Everything that is wrong with *inputs* for the tool *name*; its schema is prepared once.

        A tool that fails when it is asked for its schema takes no inputs: that is an issue of theirs.

        :param unresolved: see :func:`airflow_provider_vibe.tools.inputs.check_inputs`.
        :raises KeyError: there is no such tool.
        """
        tool = self[name]
        if isinstance(tool, UnusableTool):
            return [InputIssue((), tool.reason)]
        try:
            if (checker := self._checkers.get(name)) is None:
                checker = self._checkers[name] = InputChecker(tool.input_schema)
            return checker.issues(inputs, unresolved)
        except Exception as error:  # what a tool's own code, or a schema that leads in circles, may raise
            return [InputIssue((), f"its input_schema cannot be used: {told(error)}")]

    def takes(self, name: str, key: str) -> bool:
        """Whether the tool *name* may be given *key*; a schema that lists no properties takes any."""
        if name not in self:
            return False
        try:
            properties = self[name].input_schema.get("properties")
        except Exception as error:
            log.debug("%r takes no inputs: %s", name, told(error))  # check_inputs tells the plan
            return False
        return properties is None or key in properties


def load_tools(factories: Sequence[str] = ()) -> ToolRegistry:
    """The built-in tools, those of installed packages, and those of *factories*.

    :param factories: import paths of callables that return tools or a registry (``[vibe] tool_factories``).
    :raises ToolError: a source cannot be used, a tool has no name, or two have the same.
    """
    # by its name: an import of the package counts as one of its upper layers, which its types are from
    own_version = import_module(__name__.partition(".")[0]).__version__
    built_in = Source(BUILT_IN, builtin_tools(), own_version)
    return build_registry([built_in, *entry_point_sources(), *factory_sources(factories)])


def build_registry(sources: Iterable[Source | tuple[str, Any]]) -> ToolRegistry:
    """A registry of the tools of *sources*.

    A tool that is not well made is there by its name, but takes no inputs: see :class:`UnusableTool`.

    :param sources: where it comes from, in words, and a tool, an iterable of tools, a registry, or a callable
        that returns one of these.
    :raises ToolError: a source gives something else, a tool has no name, or two have the same; but what
        vibe-aigc itself brings under a built-in name (``llm_generate``, ``template_fill``, ``combine``) gives
        way, so that its whole registry can be used.
    """
    registered: dict[str, _Registered] = {}
    for origin, offered, version in (Source(*source) for source in sources):
        for tool in map(_well_made, tools_of(origin, offered), repeat(origin)):
            if (other := registered.get(tool.name)) is not None:
                if other.origin == BUILT_IN and _gives_way(tool):
                    log.debug("%r of %s gives way to the built-in one", tool.name, origin)
                    continue
                raise ToolError(
                    f"two tools are called {quoted(tool.name)}: one from {other.origin}, one from {origin};"
                    " rename or leave out one of them"
                )
            registered[tool.name] = _Registered(tool, origin, version)
    return ToolRegistry(registered)


def _gives_way(tool: Tool) -> bool:
    return isinstance(tool, AdaptedTool) and tool.comes_with_the_original


def _well_made(tool: Tool, origin: str) -> Tool:
    """*tool*, or what stands in for it when it is not what it has to be.

    :raises ToolError: it has no name to stand in under.
    """
    if not isinstance(tool.name, str) or not tool.name.strip():
        raise ToolError(
            f"{origin}: a {type(tool).__name__} has the name {tool.name!r}, expected a text that is not empty"
        )
    if origin == BUILT_IN:
        return tool  # our own tests check the rest; here it would cost every parse the import of them all
    reason = tool.reason if isinstance(tool, UnusableTool) else _fault_of(tool)
    if reason is None:
        return tool
    log.warning("%s: tool %r cannot be used: %s", origin, tool.name, reason)
    return UnusableTool(tool.name, reason)


def _fault_of(tool: Tool) -> str | None:
    try:
        if not isinstance(tool.description, str):
            return "it has no description (a string)"
        checked_schema(tool.input_schema)
    except Exception as error:  # a tool's own code may raise anything
        return told(error)
    return None
