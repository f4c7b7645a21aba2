"""A result for a person at a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.tree import Tree

from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import one_line
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult

MARKS = {
    ExecutionStatus.COMPLETED: "[green]✔[/]",
    ExecutionStatus.FAILED: "[red]✘[/]",
    ExecutionStatus.SKIPPED: "[yellow]↷[/]",
    ExecutionStatus.RUNNING: "[cyan]…[/]",
    ExecutionStatus.PENDING: "[dim]·[/]",
}


def result_tree(plan: WorkflowPlan, result: ExecutionResult) -> Tree:
    """The nodes of a plan with status, quality and time.

    :param plan: the plan that ran.
    :param result: what came of it.
    """
    tree = Tree(
        f"{MARKS[result.status]} [bold]{_text(plan.id)}[/] {result.status} in {result.total_duration:.1f} s"
    )
    for node in plan.root_nodes:
        _add(tree, node, result)
    return tree


def _add(tree: Tree, node: WorkflowNode, result: ExecutionResult) -> None:
    branch = tree.add(_line(node, result.node_results[node.id], result))
    for child in node.children:
        _add(branch, child, result)


def _line(node: WorkflowNode, outcome: NodeResult, result: ExecutionResult) -> str:
    quality = result.feedback_data.get(node.id, {}).get("execution_quality")
    facts = [outcome.status.value]
    if outcome.status is ExecutionStatus.COMPLETED:
        simulated = isinstance(outcome.result, dict) and outcome.result.get("simulated")
        facts += ["simulated" if simulated else f"quality {quality}", f"{outcome.duration:.2f} s"]
    if outcome.try_number > 1:
        facts.append(f"try {outcome.try_number}")
    if reason := outcome.reason or outcome.error:
        facts.append(_text(reason[:300]))
    return f"{MARKS[outcome.status]} [bold]{_text(node.id)}[/] [dim]{node.type}[/]  {', '.join(facts)}"


def artifacts(result: ExecutionResult) -> list[str]:
    """The URIs of the files that the nodes of a run wrote."""
    outputs = [
        node.result.get("result") for node in result.node_results.values() if isinstance(node.result, dict)
    ]
    return [str(output["uri"]) for output in outputs if isinstance(output, dict) and "uri" in output]


def _text(text: str) -> str:
    return escape(one_line(text))
