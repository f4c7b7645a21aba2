"""What a plan is held against: limits, the tools there are, what to do with a node without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_vibe.plan.models import NodeType

TASK_INPUTS = ("prompt", "rubric")
"""What the input is called that says what a tool is to do; a tool's first one of these counts."""

TEXT_INPUT = "text"

WORKS_ON_TEXT = frozenset({NodeType.TRANSFORM, NodeType.VALIDATE})
"""The types of nodes whose default tools work on a text: an earlier node's, when they are given none."""


class InputIssue(Protocol):
    """One thing that is wrong with the inputs of a tool."""

    @property
    def path(self) -> Sequence[str | int]:
        """The keys and list indexes that lead to it inside the inputs."""
        ...

    @property
    def message(self) -> str:
        """What is wrong, for a person."""
        ...

    @property
    def hint(self) -> str | None:
        """What to do about it."""
        ...


class ToolCatalog(Protocol):
    """The tools a plan may name (``tools.ToolRegistry`` is one)."""

    @property
    def names(self) -> Iterable[str]:
        """Their names."""
        ...

    def check_inputs(
        self, name: str, inputs: Mapping[str, Any], unresolved: Callable[[Any], bool]
    ) -> Iterable[InputIssue]:
        """What a tool's own schema has against *inputs*.

        :param unresolved: says of a text that its final value is not known yet; it is not judged then.
        """
        ...

    def takes(self, name: str, key: str) -> bool:
        """Whether the inputs of a tool may have *key*."""
        ...


@dataclass(frozen=True)
class Limits:
    """How large a plan may be.

    :param max_plan_bytes: bytes of a file.
    :param max_nodes: nodes in the whole tree.
    :param max_depth: levels of the tree.
    :param max_edges: dependencies in the whole plan.
    :param max_id_length: characters of an id.
    :param max_string_length: characters of any one text.
    """

    max_plan_bytes: int = 1024 * 1024
    max_nodes: int = 2_000
    max_depth: int = 32
    max_edges: int = 100_000
    max_id_length: int = 200
    max_string_length: int = 20_000

    @property
    def max_nesting(self) -> int:
        """Levels of objects and lists in a file: two a level of nodes, and a hundred for their parameters."""
        return 2 * self.max_depth + 100


@dataclass(frozen=True)
class PlanRules:
    """What a plan is held against.

    :param limits: how large it may be.
    :param tools: the tools it may name; None leaves everything about tools unchecked.
    :param default_tools: the tool of a node that names none, by node type.
    :param simulate_missing: whether a node without a tool is simulated (``[vibe] missing_tool = simulate``).
    :param default_tools_chosen: whether somebody chose the default tools; else they are the provider's own.
    """

    limits: Limits = field(default_factory=Limits)
    tools: ToolCatalog | None = None
    default_tools: Mapping[str, str] = field(default_factory=dict)
    simulate_missing: bool = False
    default_tools_chosen: bool = True

    def tool_of(self, node_type: str, parameters: Mapping[str, Any]) -> str | None:
        """The name of the tool a node asks for, else the default one of its type; a composite has none.

        Where simulation is asked for, the provider's own default tools, which ask a model, give way to it.
        """
        if node_type == NodeType.COMPOSITE:
            return None
        asked: str | None = parameters.get("tool")
        gives_way = self.simulate_missing and not self.default_tools_chosen
        return asked if asked is not None or gives_way else self.default_tools.get(node_type)

    def inputs_of(
        self, tool: str, parameters: Mapping[str, Any], description: str, *, stands_alone: bool = False
    ) -> dict[str, Any]:
        """The inputs of a call; the description and the plain parameters tell a default tool what to do,
        unless its inputs do.

        vibe-aigc 0.7.1 does so for ``llm_generate`` with the description (`executor._execute_generate`).

        :param tool: the name of the tool.
        :param parameters: those of the node.
        :param description: what the node is to do.
        :param stands_alone: whether the node works on a text and no node before it can leave one; if it names
            no tool either, what it is told to do is that text too.
        """
        inputs = dict(parameters.get("tool_inputs") or {})
        if tool not in self.default_tools.values() or self.tools is None:
            return inputs
        told = _task(description, parameters)
        task = next((name for name in TASK_INPUTS if self.tools.takes(tool, name)), None)
        if task is not None:
            inputs.setdefault(task, told)
        if stands_alone and parameters.get("tool") is None and self.tools.takes(tool, TEXT_INPUT):
            inputs.setdefault(TEXT_INPUT, told)
        return inputs


def _task(description: str, parameters: Mapping[str, Any]) -> str:
    """The description, and below it the plain parameters: ``tone: casual``, a line each."""
    lines = [
        f"{name}: {told}"
        for name, value in parameters.items()
        if name not in ("tool", "tool_inputs") and (told := _told(value)) is not None
    ]
    return "\n".join([description, "", *lines]) if lines else description


def _told(value: Any) -> str | None:
    """A text, a number, true or false, or a list of such, as a model reads it; None of anything else."""
    if isinstance(value, list):
        parts = [None if isinstance(each, list) else _told(each) for each in value]
        return None if None in parts or not parts else ", ".join(map(str, parts))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None
