"""A run for a person at a terminal: the tree of its nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from airflow_provider_vibe.cli.events import duration_of
from airflow_provider_vibe.cli.looks import Look, Observer
from airflow_provider_vibe.cli.nodes import RunNode
from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import one_line
from airflow_provider_vibe.runtime.errors import LONGEST_MESSAGE
from airflow_provider_vibe.runtime.kept import ARTIFACTS_KEY
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult
from airflow_provider_vibe.runtime.usage import Usage

MARKS = {
    ExecutionStatus.COMPLETED: "[green]✔[/]",
    ExecutionStatus.FAILED: "[red]✘[/]",
    ExecutionStatus.SKIPPED: "[yellow]↷[/]",
    ExecutionStatus.RUNNING: "[cyan]…[/]",
    ExecutionStatus.PENDING: "[dim]·[/]",
}
MOST_OF_A_REASON = LONGEST_MESSAGE
WIDTH_OF_A_LOG = 1_000


def result_tree(plan: WorkflowPlan, result: ExecutionResult) -> Tree:
    """The nodes of a plan with status, quality and time.

    :param plan: the plan that ran.
    :param result: what came of it.
    """
    tree = Tree(
        f"{MARKS[result.status]} [bold]{as_text(plan.id)}[/] {result.status} in {result.total_duration:.1f} s"
    )
    for node in plan.root_nodes:
        _add(tree, node, result)
    return tree


def _add(tree: Tree, node: WorkflowNode, result: ExecutionResult) -> None:
    outcome = result.node_results[node.id]
    branch = tree.add(_line(outcome.status, node.id, node.type, facts_of(outcome, result)))
    for child in node.children:
        _add(branch, child, result)


def facts_of(outcome: NodeResult, result: ExecutionResult) -> list[str]:
    """What there is to say of a node: its status, and its quality, time, try and reason where it has any."""
    facts = [outcome.status.value]
    if outcome.status is ExecutionStatus.COMPLETED:
        facts += [quality_of(outcome, result), f"{outcome.duration:.2f} s"]
    return facts + _tries_and_reason(outcome.try_number, why(outcome))


def why(outcome: NodeResult) -> str | None:
    """Why a node has the status it has, where there is more to say than that it worked."""
    return outcome.reason or outcome.error or _reused(outcome.reused_from)


def _reused(run_id: str | None) -> str | None:
    return f"reused from {run_id}" if run_id else None


def quality_of(outcome: NodeResult, result: ExecutionResult) -> str:
    """How good what a node made is; of a simulated result nothing can be said."""
    if isinstance(outcome.result, dict) and outcome.result.get("simulated"):
        return "simulated"
    return f"quality {result.feedback_data.get(outcome.node_id, {}).get('execution_quality')}"


def run_tree(look: Look, observer: Observer) -> Tree:
    """The nodes of a run, as far as it is, with status, quality and time.

    :param look: where the run stands.
    :param observer: knows what the nodes left behind.
    """
    tree = Tree(_headline(look))
    branches: dict[str | None, Tree] = {None: tree}
    waiting = list(reversed(look.plan.children.get(None, ())))
    while waiting:
        node = waiting.pop()
        line = _line(look.nodes[node.id].status, node.id, node.type, _facts(look, node, observer))
        branches[node.id] = branches[node.parent].add(line)
        waiting += reversed(look.plan.children.get(node.id, ()))
    return tree


def _headline(look: Look) -> str:
    run, status = look.run, look.status
    counted = f"{look.at_rest} of {len(look.nodes)} nodes at rest, {look.percent:.0f} %"
    counted += f", {len(look.failed_nodes)} failed" if look.failed_nodes else ""
    took = _seconds_since(run.started_at, run.ended_at)
    time = "" if took is None else f", {took:.1f} s"
    name = f"[bold]{as_text(run.dag_id)}[/] {as_text(run.run_id)}"
    return f"{MARKS[status]} {name}: {status}, {counted}{time}"


def _facts(look: Look, node: RunNode, observer: Observer) -> list[str]:
    state = look.nodes[node.id]
    facts = [state.status.value]
    if not state.status.is_final:
        took = _seconds_since(state.started_at, None)
        if state.status is ExecutionStatus.RUNNING and took is not None:
            facts.append(f"{took:.0f} s")
        return facts + _tries_and_reason(state.try_number, None)
    outcome = observer.outcome(node, state)
    if state.status is ExecutionStatus.COMPLETED:
        if outcome:
            quality = outcome.get("feedback", {}).get("execution_quality")
            facts.append("simulated" if quality is None else f"quality {quality}")
        duration = duration_of(state, outcome)
        facts += [] if duration is None else [f"{duration:.2f} s"]
    reason = outcome.get("error") or state.reason or _reused(outcome.get("reused_from"))
    return facts + _tries_and_reason(state.try_number, reason)


def _tries_and_reason(try_number: int, reason: str | None) -> list[str]:
    tries = [f"try {try_number}"] if try_number > 1 else []
    return tries + ([as_text(reason[:MOST_OF_A_REASON])] if reason else [])


def _seconds_since(start: datetime | None, end: datetime | None) -> float | None:
    if start is None:
        return None
    return max(0.0, ((end or datetime.now(UTC)) - start).total_seconds())


def _line(status: ExecutionStatus, node_id: str, node_type: str, facts: list[str]) -> str:
    return f"{MARKS[status]} [bold]{as_text(node_id)}[/] [dim]{as_text(node_type)}[/]  {', '.join(facts)}"


def usage_line(result: ExecutionResult) -> str | None:
    """What the models of a run used, on one line; None when it asked none.

    :param result: what came of the run.
    """
    used = Usage.from_json(result.usage or {})
    if not (result.usage and used.requests):
        return None
    return f"{usage_text(used)}; {used.seconds:.1f} s of work"


def usage_text(used: Usage) -> str:
    """What calls of models used: requests, tokens and cost."""
    cost = f"${used.known_cost:.4g}"
    if used.unknown_costs:
        known = f"{cost} and " if used.known_cost else ""
        cost = f"{known}an unknown cost for {_counted(used.unknown_costs, 'request')}"
    tokens = f"{used.tokens:,} tokens ({used.input_tokens:,} in, {used.output_tokens:,} out)"
    return f"used {_counted(used.requests, 'request')}, {tokens}, {cost}"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def artifacts(result: ExecutionResult) -> list[str]:
    """The URIs of the files that the nodes of a run wrote, and of what was too large for their results."""
    files: list[Any] = []
    for node in result.node_results.values():
        if isinstance(node.result, dict):
            output = node.result.get("result")
            files += [output, *_values(output), *_values(node.result.get(ARTIFACTS_KEY))]
    return [str(file["uri"]) for file in files if isinstance(file, dict) and "uri" in file]


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def open_console() -> Console:
    """Where a report goes: the terminal; a file or a pipe gets long lines, and each thing on one of them."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_LOG)


def as_text(text: str) -> str:
    """*text* as it may stand in a line of rich's markup."""
    return escape(one_line(text))
