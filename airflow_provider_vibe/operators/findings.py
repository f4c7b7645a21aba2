"""Why a node's output was refused, kept for its next attempt.

Airflow's task state store is the place: XComs of a task are deleted when its next try begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_vibe.plan.models import OnFail, WorkflowNode
from airflow_provider_vibe.runtime.errors import QualityRefused

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_vibe.runtime.outcome import NodeOutcome

FINDINGS_KEY = "vibe_findings"


def findings_before(node: WorkflowNode, context: Context) -> list[str]:
    """Why the output of the node's attempt before was refused; empty when it was not.

    :param node: the node; asks only where it wants to be tried again.
    :param context: Airflow's task context.
    """
    if node.on_fail is not OnFail.RETRY:
        return []
    kept = context["task_state_store"].get(FINDINGS_KEY, [])
    return list(map(str, kept)) if isinstance(kept, list) else []


def keep_findings(node: WorkflowNode, outcome: NodeOutcome, context: Context) -> None:
    """Keep why an output was refused, until there is one that is not.

    :param node: the node.
    :param outcome: what came of this attempt; one that failed of something else says nothing of outputs.
    :param context: Airflow's task context.
    """
    if node.on_fail is not OnFail.RETRY:
        return
    if isinstance(outcome.exception, QualityRefused):
        context["task_state_store"].set(FINDINGS_KEY, [*outcome.exception.verdict.findings])
    elif outcome.exception is None:
        context["task_state_store"].delete(FINDINGS_KEY)
