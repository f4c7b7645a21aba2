"""What a suggestion to replan changes in a plan, one function for each kind of change.

The kinds are vibe-aigc's own (0.7.1 `executor._suggest_error_recovery`, `_suggest_optimizations`), and
``increase_max_tokens``. Each function gives a changed plan, or says why it changes nothing. What needs an
understanding of the task is left to a planner.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.replan.editing import with_inputs, with_node, with_run
from airflow_provider_vibe.replan.effective import (
    retries_of,
    retry_delay_of,
    timeout_of,
    tool_inputs_of,
    tool_of,
)
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.splitting import CannotSplit, split_node

LONGEST_TIMEOUT = 24 * 3600.0
MOST_RETRIES = 6
LONGEST_DELAY = 600.0
MOST_TOKENS = 64_000
MORE_WORDS = 1.5

NO_WORK = "it does no work of its own, and nothing judges its output"

SIZE_INPUTS = {"feed_read": "limit", "http_get": "max_bytes", "read_file": "max_bytes", "keywords": "top"}
"""By tool, the input that says how much it takes in or gives out."""


class Unchanged(str):
    """Why a strategy changes nothing, as the rest of a sentence about the node."""

    __slots__ = ()


Strategy = Callable[[WorkflowPlan, str, RunFacts], WorkflowPlan | Unchanged]


def increase_timeout(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """Twice the time, up to a day."""
    node = _node(plan, node_id)
    timeout = timeout_of(plan, node, facts.settings)
    if _is_idle(node, facts):
        return Unchanged(NO_WORK)
    if timeout is None:
        return Unchanged("it has no timeout that could be raised")
    if timeout >= LONGEST_TIMEOUT:
        return Unchanged(f"its timeout is {timeout:g} s, no strategy goes above {LONGEST_TIMEOUT:g}")
    longer = min(2 * timeout, LONGEST_TIMEOUT)
    return with_node(plan, node_id, lambda node: with_run(node, timeout=longer))


def retry_with_backoff(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """Two retries more, up to six, and twice the delay before the first, up to ten minutes."""
    node = _node(plan, node_id)
    retries = retries_of(plan, node, facts.settings)
    delay = retry_delay_of(plan, node, facts.settings)
    if _is_idle(node, facts):
        return Unchanged(NO_WORK)
    if retries >= MOST_RETRIES:
        return Unchanged(f"it is tried again {retries} times already")
    more = min(retries + 2, MOST_RETRIES)
    longer = max(delay, min(2 * max(delay, 1.0), LONGEST_DELAY))
    return with_node(plan, node_id, lambda node: with_run(node, retries=more, retry_delay=longer))


def use_alternative_endpoint(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """The connection that stands in for the node's own."""
    node = _node(plan, node_id)
    takes_one = facts.settings.tools.takes(tool_of(node, facts.settings) or "", "connection")
    if not takes_one:
        return Unchanged("its tool uses no connection that could be another one")
    connection = tool_inputs_of(node).get("connection") or facts.settings.llm_conn_id
    others = [name for name in facts.fallback_connections.get(connection, ()) if name != connection]
    if not others:
        return Unchanged(f"no other connection stands in for {quoted(connection)}")
    return with_node(plan, node_id, lambda node: with_inputs(node, connection=others[0]))


def break_into_smaller_tasks(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """A child for each part of the list of inputs."""
    try:
        return split_node(plan, node_id, facts.settings)
    except CannotSplit as error:
        return Unchanged(str(error))


def enhance_output_detail(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """Half as many words more than its check asks for now, but no more than another check allows."""
    node = _node(plan, node_id)
    least = max((check.min_words for check in node.checks if check.min_words), default=None)
    if least is None:
        return Unchanged("no check says how many words it should have at least")
    most = min((check.max_words for check in node.checks if check.max_words), default=None)
    raised = min(math.ceil(least * MORE_WORDS), most or 2**31 - 1)
    if raised == least:
        return Unchanged(f"its checks ask for {least} words and allow no more")
    checks = tuple(
        check.model_copy(update={"min_words": raised}) if check.min_words == least else check
        for check in node.checks
    )
    return with_node(plan, node_id, lambda node: node.model_copy(update={"checks": checks}))


def reduce_data_size(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """Half as much for a tool that can be told how much."""
    node = _node(plan, node_id)
    name = SIZE_INPUTS.get(tool_of(node, facts.settings) or "")
    size = tool_inputs_of(node).get(name) if name else None
    if name is None or type(size) is not int or size < 2:
        return Unchanged("it states no size that could be halved")
    return with_node(plan, node_id, lambda node: with_inputs(node, **{name: size // 2}))


def increase_max_tokens(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> WorkflowPlan | Unchanged:
    """Twice as long an answer, up to 64,000 tokens."""
    stated = tool_inputs_of(_node(plan, node_id)).get("max_tokens")
    if type(stated) is not int:
        return Unchanged("it states no max_tokens that could be raised")
    if stated >= MOST_TOKENS:
        return Unchanged(f"its max_tokens are {stated:,}, no strategy goes above {MOST_TOKENS:,}")
    longer = min(2 * stated, MOST_TOKENS)
    return with_node(plan, node_id, lambda node: with_inputs(node, max_tokens=longer))


def for_a_planner(plan: WorkflowPlan, node_id: str, facts: RunFacts) -> Unchanged:
    """What to change here only who understands the task can say."""
    return Unchanged("what to change takes an understanding of the task: that is for a planner")


STRATEGIES: dict[str, Strategy] = {
    "increase_timeout": increase_timeout,
    "retry_with_backoff": retry_with_backoff,
    "use_alternative_endpoint": use_alternative_endpoint,
    "increase_max_tokens": increase_max_tokens,
    "reduce_data_size": reduce_data_size,
    "enhance_output_detail": enhance_output_detail,
    "break_into_smaller_tasks": break_into_smaller_tasks,
    "parallelize_subtasks": break_into_smaller_tasks,  # children of one list run at the same time
    "reduce_task_complexity": for_a_planner,
    "use_streaming_approach": for_a_planner,
    "retry_with_different_parameters": for_a_planner,
}

SPLITTING = frozenset({"break_into_smaller_tasks", "parallelize_subtasks"})
"""Strategies that make other nodes; only for a node that no gentler one has changed."""


def _node(plan: WorkflowPlan, node_id: str) -> WorkflowNode:
    return PlanGraph(plan.root_nodes).nodes[node_id]


def _is_idle(node: WorkflowNode, facts: RunFacts) -> bool:
    """Whether there is nothing in a node that can fail or take its time: no tool, and no check."""
    return tool_of(node, facts.settings) is None and not node.checks
