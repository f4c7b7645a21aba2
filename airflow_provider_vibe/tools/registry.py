"""The tools a plan may ask for, by name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.adapters import AdaptedTool
from airflow_provider_vibe.tools.base import Tool, ToolError
from airflow_provider_vibe.tools.builtin import builtin_tools
from airflow_provider_vibe.tools.inputs import InputChecker, InputIssue, Unresolved
from airflow_provider_vibe.tools.schemas import checked_schema
from airflow_provider_vibe.tools.sources import Source, entry_point_sources, factory_sources, tools_of

log = logging.getLogger(__name__)

BUILT_IN = "the built-in tools"


@dataclass(frozen=True)
class _Registered:
    tool: Tool
    origin: str


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

    def check_inputs(
        self, name: str, inputs: Mapping[str, Any], unresolved: Unresolved | None = None
    ) -> list[InputIssue]:
        """Everything that is wrong with *inputs* for the tool *name*; its schema is prepared once.

        :param unresolved: see :func:`airflow_provider_vibe.tools.inputs.check_inputs`.
        :raises KeyError: there is no such tool.
        """
        if (checker := self._checkers.get(name)) is None:
            checker = self._checkers[name] = InputChecker(self[name].input_schema)
        return checker.issues(inputs, unresolved)

    def takes(self, name: str, key: str) -> bool:
        """Whether the tool *name* may be given *key*; a schema that lists no properties takes any."""
        properties = self[name].input_schema.get("properties") if name in self else None
        return name in self and (properties is None or key in properties)


def load_tools(factories: Sequence[str] = ()) -> ToolRegistry:
    """The built-in tools, those of installed packages, and those of *factories*.

    :param factories: import paths of callables that return tools or a registry (``[vibe] tool_factories``).
    :raises ToolError: a source cannot be used, a tool is not well made, or two tools have one name.
    """
    return build_registry([(BUILT_IN, builtin_tools()), *entry_point_sources(), *factory_sources(factories)])


def build_registry(sources: Iterable[Source]) -> ToolRegistry:
    """A registry of the tools of *sources*.

    :param sources: pairs of where it comes from, in words, and a tool, an iterable of tools, a registry, or a
        callable that returns one of these.
    :raises ToolError: a source gives something else, a tool is not well made, or two tools have one name; but
        what vibe-aigc itself brings under a built-in name (``llm_generate``, ``template_fill``, ``combine``)
        gives way, so that its whole registry can be used.
    """
    registered: dict[str, _Registered] = {}
    for origin, offered in sources:
        for tool in tools_of(origin, offered):
            _check_declaration(tool, origin)
            if (other := registered.get(tool.name)) is not None:
                if other.origin == BUILT_IN and _gives_way(tool):
                    log.debug("%r of %s gives way to the built-in one", tool.name, origin)
                    continue
                raise ToolError(
                    f"two tools are called {quoted(tool.name)}: one from {other.origin}, one from {origin};"
                    " rename or leave out one of them"
                )
            registered[tool.name] = _Registered(tool, origin)
    return ToolRegistry(registered)


def _gives_way(tool: Tool) -> bool:
    return isinstance(tool, AdaptedTool) and tool.comes_with_the_original


def _check_declaration(tool: Tool, origin: str) -> None:
    if not isinstance(tool.name, str) or not tool.name.strip():
        raise ToolError(
            f"{origin}: a {type(tool).__name__} has the name {tool.name!r}, expected a text that is not empty"
        )
    if origin == BUILT_IN:
        return  # our own tests check the rest; here it would cost every parse the import of them all
    if not isinstance(tool.description, str):
        raise ToolError(f"{origin}: tool {quoted(tool.name)} has no description (a string)")
    try:
        checked_schema(tool.input_schema)
    except ToolError as error:
        raise ToolError(f"{origin}: tool {quoted(tool.name)} cannot be used: {error}") from error
