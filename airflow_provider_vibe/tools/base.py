"""What a tool is: a name, an input schema, and `async execute`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from airflow_provider_vibe.plan.problems import VibeError


@dataclass
class ToolResult:
    """What a tool gives back (the shape of vibe-aigc 0.7.1 `tools.ToolResult`).

    :param success: False fails the node with *error*.
    :param output: plain JSON; a tool that makes text returns ``{"text": ...}``.
    :param metadata: plain JSON about the call, e.g. ``{"model": ..., "usage": {"input_tokens": ...}}``.
    :param error: why it did not succeed.
    """

    success: bool
    output: Any
    metadata: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@runtime_checkable
class Tool(Protocol):
    """Who does the work of a node.

    ``name`` is how a plan asks for it, ``input_schema`` a JSON Schema (2020-12) of ``inputs``. ``context``
    holds ``node_id``, ``node_description``, ``workflow_context`` (the texts of the node's dependencies as
    one string), ``previous_outputs`` (``{node id: output}``), ``run``, ``vibe`` and ``try_number``. A tool
    that asks models has ``calls_models = True``, or makes its calls by
    :func:`~airflow_provider_vibe.tools.budget.within_budget`, so that a plan's budget can stop it. A tool
    may have a ``version``, a text: what another version of it made in an earlier run is not taken over.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Do the work. Both arguments are the tool's own copies."""
        ...


class ToolError(VibeError):
    """A tool cannot be used as it is: a wrong declaration, a name taken twice, a factory that is not one."""


class ToolInputError(VibeError, ValueError):
    """The inputs of a call are wrong; trying again with the same ones is of no use."""


class ToolFailed(VibeError, RuntimeError):
    """A tool reported that it did not succeed (``ToolResult.success`` is False).

    ``stands_for``: the names of the classes of an error that it takes the place of, since that one's words
    are not for showing.
    """

    stands_for: tuple[str, ...] = ()
