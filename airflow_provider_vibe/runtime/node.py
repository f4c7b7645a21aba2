"""run_node: one attempt at a node."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.models import NodeType, OnFail, WorkflowNode
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.runtime.assessment import (
    QUALITY_THRESHOLD,
    analyze_error,
    assess_result,
    error_type_of,
    is_simulated,
)
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.errors import QualityRefused, message_of, shortened
from airflow_provider_vibe.runtime.fingerprint import composite_digest, gathered, identify, inputs_for
from airflow_provider_vibe.runtime.outcome import ExecutionStatus, NodeOutcome
from airflow_provider_vibe.runtime.reuse import DIGEST_KEY
from airflow_provider_vibe.tools.base import Tool, ToolError, ToolFailed, ToolInputError, ToolResult
from airflow_provider_vibe.tools.budget import accounted
from airflow_provider_vibe.tools.registry import ToolRegistry
from airflow_provider_vibe.tools.threads import run_in_thread

if TYPE_CHECKING:
    from airflow_provider_vibe.runtime.quality.verdict import Verdict

RESULT_TYPE = {
    NodeType.ANALYZE: "analysis",
    NodeType.GENERATE: "generation",
    NodeType.TRANSFORM: "transformation",
    NodeType.VALIDATE: "validation",
    NodeType.COMPOSITE: "composite",
}

SIMULATED = {
    NodeType.ANALYZE: "Analysis completed for: ",
    NodeType.GENERATE: "Generated content for: ",
    NodeType.TRANSFORM: "Transformed content for: ",
    NodeType.VALIDATE: "Validation passed for: ",
}
"""What vibe-aigc 0.7.1 says of a node without a tool (`executor._execute_analyze` and its like)."""

Work = Callable[[WorkflowNode, NodeContext, ToolRegistry, PlanRules], Awaitable[Any]]
Earlier = Callable[[str], Awaitable[NodeOutcome | None]]
"""Gives, for the fingerprint of a node, the outcome of that work where an earlier run has done it."""


async def run_node(
    node: WorkflowNode,
    context: NodeContext,
    tools: ToolRegistry,
    rules: PlanRules | None = None,
    *,
    quality_threshold: float = QUALITY_THRESHOLD,
    work: Work | None = None,
    earlier: Earlier | None = None,
) -> NodeOutcome:
    """Do a node's work once and say what came of it; an error of the node is part of the outcome, not raised.

    :param node: what to do.
    :param context: what it may see.
    :param tools: who can do it.
    :param rules: default tools and whether a node without one is simulated.
    :param quality_threshold: below it a replan is suggested.
    :param work: does the work in place of :func:`do_work`.
    :param earlier: where the work may be found done already; asked before it is done.
    """
    rules = rules or PlanRules(tools=tools)
    fingerprint = None
    started_at, clock = datetime.now(UTC), time.monotonic()
    try:
        fingerprint = await identify(node, context, tools, rules)
        if earlier is not None and (found := await earlier(fingerprint)) is not None:
            return found
        made = await (work or do_work)(node, context, tools, rules)
        result = plain_json(made, None if node.type is NodeType.COMPOSITE else MOST_LEVELS)
        verdict = await examine(node, result, context, tools)
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled_from_outside():
            raise
        return failed_outcome(node, error, started_at, time.monotonic() - clock, fingerprint)
    duration = time.monotonic() - clock
    feedback, suggestion = assess_result(
        node.id, result, duration, node.estimated_duration, quality_threshold, verdict
    )
    return NodeOutcome(
        node_id=node.id,
        status=ExecutionStatus.COMPLETED,
        started_at=started_at,
        duration=duration,
        feedback=feedback,
        replan_suggestion=suggestion,
        fingerprint=fingerprint,
        usage=_usage_in(result),
        result=result,
    )


def _is_cancelled_from_outside() -> bool:
    """Whether this attempt is to end (Ctrl-C, say), and not just something inside a tool."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _usage_in(result: Any) -> dict[str, Any] | None:
    metadata = result.get("metadata") if isinstance(result, dict) else None
    usage = metadata.get("usage") if isinstance(metadata, dict) else None
    return usage if isinstance(usage, dict) else None


def failed_outcome(
    node: WorkflowNode,
    error: BaseException,
    started_at: datetime,
    duration: float,
    fingerprint: str | None = None,
) -> NodeOutcome:
    """The outcome of an attempt that ended with *error* after *duration* seconds."""
    feedback, suggestion = analyze_error(node.id, error, duration, node.estimated_duration)
    return NodeOutcome(
        node_id=node.id,
        status=ExecutionStatus.FAILED,
        error=message_of(error),
        error_type=error_type_of(error),
        started_at=started_at,
        duration=duration,
        feedback=feedback,
        replan_suggestion=suggestion,
        fingerprint=fingerprint,
        exception=error,
    )


def skipped_outcome(failed: NodeOutcome) -> NodeOutcome:
    """The outcome of an attempt whose error only says that there is nothing to do; no feedback on that."""
    return failed.model_copy(
        update={"status": ExecutionStatus.SKIPPED, "feedback": {}, "replan_suggestion": None}
    )


async def do_work(node: WorkflowNode, context: NodeContext, tools: ToolRegistry, rules: PlanRules) -> Any:
    """What a node of this type does: gather its children, call its tool, or make its simulated result."""
    description = context.resolve_text(node.description)
    if node.type is NodeType.COMPOSITE:
        return gather_children(node, context, description)
    name = rules.tool_of(node.type, node.parameters)
    if name is None and rules.simulate_missing:
        return simulated_result(node, description)
    tool = tools.get(name) if name is not None else None
    if tool is None:
        raise ToolError(f"{quoted(node.id)} has no tool to work with: {_no_tool(name, tools)}")
    inputs = inputs_for(node, tool.name, context, rules)
    output, metadata = await call_tool(tool, inputs, context.for_tool(node, description), tools)
    named = node.parameters.get("tool") is not None
    return {
        "type": "tool_execution" if named else RESULT_TYPE[node.type],
        "tool": tool.name,
        "description": description,
        "result": output,
        "metadata": metadata,
    }


def _no_tool(name: str | None, tools: ToolRegistry) -> str:
    if name is None:
        return "it names none, and its type has no default one"
    return f"no tool is called {quoted(name)} on this machine; there are {', '.join(tools.names)}"


async def call_tool(
    tool: Tool, inputs: dict[str, Any], tool_context: dict[str, Any], tools: ToolRegistry
) -> tuple[Any, dict[str, Any]]:
    """The output and metadata of one call.

    :raises ToolInputError: inputs that the tool's own schema refuses.
    :raises ToolFailed: the tool said that it did not succeed.
    """
    issues = tools.check_inputs(tool.name, inputs)
    if issues:
        told = "; ".join(map(str, issues))
        raise ToolInputError(f"{quoted(tool.name)} does not take these inputs: {told}")
    result = await accounted(tool, lambda: _execute(tool, inputs, tool_context))
    if not isinstance(result, ToolResult):
        raise ToolError(f"{quoted(tool.name)} returned a {type(result).__name__}, expected a ToolResult")
    if not result.success:
        raise ToolFailed(shortened(f"Tool execution failed: {result.error}"))
    return result.output, dict(result.metadata or {})


async def _execute(tool: Tool, inputs: dict[str, Any], tool_context: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(tool.execute):
        return await tool.execute(inputs, tool_context)
    # plain code, or something that gives an awaitable
    given: Any = await run_in_thread(tool.execute, inputs, tool_context)
    return await given if inspect.isawaitable(given) else given


async def examine(
    node: WorkflowNode, result: Any, context: NodeContext, tools: ToolRegistry
) -> Verdict | None:
    """What the node's checks say of its result; None where there are none, or the result is made up.

    :raises QualityRefused: the result does not pass, and the node does not let that be.
    """
    if not node.checks or is_simulated(result):
        return None
    from airflow_provider_vibe.runtime.quality.verdict import verdict_on  # no parse needs it

    async def ask(name: str, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if (tool := tools.get(name)) is None:
            raise ToolError(f"the output of {quoted(node.id)} cannot be judged: {_no_tool(name, tools)}")
        fresh = replace(context, findings=())  # a judge is not to know what was said before
        return await call_tool(
            tool, inputs, fresh.for_tool(node, fresh.resolve_text(node.description)), tools
        )

    verdict = await verdict_on(node, result, context, ask)
    if not verdict.passed and node.on_fail is not OnFail.SUGGEST:
        raise QualityRefused(verdict, again=node.on_fail is OnFail.RETRY)
    return verdict


def gather_children(node: WorkflowNode, context: NodeContext, description: str) -> dict[str, Any]:
    """The result of a composite: its children's outputs, and their texts as one."""
    outputs = {child.id: context.outputs[child.id] for child in node.children if child.id in context.outputs}
    result: dict[str, Any] = {
        "type": RESULT_TYPE[NodeType.COMPOSITE],
        "description": description,
        "result": f"Composite task organized: {description}",
        "child_count": len(node.children),
    }
    if outputs:
        result["output"] = gathered(outputs)
        result[DIGEST_KEY] = composite_digest(node, context)
    return result


def simulated_result(node: WorkflowNode, description: str) -> dict[str, Any]:
    """The original's answer for a node without a tool, marked as what it is."""
    return {
        "type": RESULT_TYPE[node.type],
        "description": description,
        "result": SIMULATED[node.type] + description,
        "parameters": node.parameters,
        "simulated": True,
    }


MOST_LEVELS = 100
"""How deep what a node makes may be nested.

XCom is read with pydantic, whose parser takes 200 levels; a composite adds some to what is inside it, and the
result of the run some to all.
"""


def plain_json(value: Any, most_levels: int | None = MOST_LEVELS) -> Any:
    """*value* as JSON gives it back: tuples are lists, keys are texts.

    :param most_levels: how deep it may be nested; None: what gathers others' outputs is not held to it again.
    :raises ToolError: something that JSON, XCom or the database cannot hold.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()  # a lone surrogate is no text
        if "\\u0000" in text and _NUL.search(text):  # the search alone takes seconds for 100 MB
            raise ToolError("the output cannot be kept: it holds a NUL character")
        plain = json.loads(text, object_hook=_without_reserved_keys, parse_int=_number_of_64_bits)
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"the output cannot be kept: it is no plain JSON ({error})") from error
    if most_levels is not None and _has_more_levels(plain, most_levels):
        raise ToolError(f"the output cannot be kept: it is nested more than {most_levels} levels deep")
    return plain


def _has_more_levels(value: Any, most: int) -> bool:
    """Whether *value*, plain JSON, is nested more than *most* levels deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        insides = (each.values() if isinstance(each, dict) else each for each in level)
        level = [inner for inside in insides for inner in inside if isinstance(inner, dict | list)]
        if not level:
            return False
    return bool(level)


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL; behind an odd number of backslashes it would be the text of one."""


def _number_of_64_bits(digits: str) -> int:
    """Airflow's tasks speak MessagePack with their supervisor, which has no larger integers."""
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise ToolError("the output cannot be kept: it holds an integer of more than 64 bits")
    return number


def _without_reserved_keys(value: dict[str, Any]) -> dict[str, Any]:
    """XCom reads an object with one of these keys as an instance of a class (`airflow.sdk.serde`)."""
    reserved = {"__classname__", "__id__"} & value.keys()
    if {"__type", "__var"} <= value.keys():
        reserved.add("__type")
    if reserved:
        raise ToolError(f"the output cannot be kept: Airflow reserves the key {quoted(min(reserved))}")
    return value
