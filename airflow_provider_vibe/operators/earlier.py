"""What an earlier run has done already, for a run that was asked to take it over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.identity import node_digest
from airflow_provider_vibe.plan.models import Vibe, WorkflowNode
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.runtime.assessment import is_simulated
from airflow_provider_vibe.runtime.handover import is_handover, load_handover
from airflow_provider_vibe.runtime.node import Earlier
from airflow_provider_vibe.runtime.outcome import OUTCOME_KEY, ExecutionStatus, NodeOutcome
from airflow_provider_vibe.runtime.reuse import taken_over
from airflow_provider_vibe.tools.artifacts import is_reference, is_there
from airflow_provider_vibe.tools.threads import run_in_thread

if TYPE_CHECKING:
    from airflow.sdk import Context

REUSE_PARAM = "reuse_from"
"""A run takes over what it can from the run that this parameter names, or from an imported checkpoint."""

TAKEN_KEY = "vibe_taken_over"
"""What the state store of a task holds once the node was taken over: the task's ``max_tries`` then.

The store outlives retries and clearing. Airflow raises ``max_tries`` when a task is cleared
(`airflow.models.taskinstance.clear_task_instances`) and leaves it as it is for a retry.
"""

MOST_GONE = 50
"""Where more nodes are gone than that, it is another plan: each that is new would ask for each of them."""

log = logging.getLogger(__name__)


class NothingToReuse(VibeError):
    """The run that was to be reused is not there."""


def earlier_work(node: WorkflowNode, vibe: Vibe, context: Context) -> Earlier | None:
    """Where the work of a node may be found done already; None when the run was not asked to look.

    A node that was taken over once and is cleared runs: whoever clears it wants it done again. One whose
    attempt died afterwards, and that Airflow tries again, is taken over again.

    :param node: the node.
    :param vibe: the intent behind its plan.
    :param context: Airflow's task context.
    :raises NothingToReuse: what was asked for is no id of a run.
    """
    asked = context["params"].get(REUSE_PARAM)
    if asked in (None, ""):
        return None
    if not isinstance(asked, str):
        raise NothingToReuse(f"the parameter '{REUSE_PARAM}' should be the id of a run, not {quoted(asked)}")
    store, max_tries = context["task_state_store"], context["ti"].max_tries

    def find(fingerprint: str) -> NodeOutcome | None:
        if store.get(TAKEN_KEY) not in (None, max_tries):
            log.info("this node was taken over before and then cleared, so it runs")
            return None
        if is_handover(asked):
            found = _from_checkpoint(asked, node, vibe, fingerprint)
        else:
            found = _from_run(asked, node.id, context, fingerprint)
        if found is not None:
            store.set(TAKEN_KEY, max_tries)
        return found

    return lambda fingerprint: run_in_thread(find, fingerprint)


def _from_checkpoint(reference: str, node: WorkflowNode, vibe: Vibe, fingerprint: str) -> NodeOutcome | None:
    """What a checkpoint holds of a node that is still what it was when the checkpoint was imported."""
    handover = load_handover(reference)
    found = handover.nodes.get(node.id)
    if found is None:
        return None
    if found.node_digest != node_digest(node, vibe):
        log.info("this node has changed since the checkpoint was imported, so it runs")
        return None
    if _is_lost(found.result, handover.run_id):
        return None
    return taken_over(node.id, found.outcome, found.result, handover.run_id, fingerprint)


def _from_run(run_id: str, node_id: str, context: Context, fingerprint: str) -> NodeOutcome | None:
    """What the node did in an earlier run, if it was asked for the same."""
    for task_id in _tasks_in(run_id, context):
        if (found := _done_by(task_id, run_id, context["ti"], fingerprint)) is not None:
            outcome, result = found
            return taken_over(node_id, outcome, result, run_id, fingerprint)
    log.info("run %s has nothing to take over that was asked for the same, so this node runs", run_id)
    return None


def _tasks_in(run_id: str, context: Context) -> list[str]:
    """The tasks of an earlier run that succeeded and may have done the same: of the same id, else renamed."""
    ti, dag = context["ti"], context["dag"]
    by_run = ti.get_task_states(dag_id=dag.dag_id, task_ids=[ti.task_id], run_ids=[run_id])
    if run_id not in by_run:
        if not ti.get_dr_count(dag_id=dag.dag_id, run_ids=[run_id]):
            raise NothingToReuse(
                f"DAG {quoted(dag.dag_id)} has no run {quoted(run_id, 250)} that could be reused:"
                f" start a run with the id of another one as '{REUSE_PARAM}'"
            )
        by_run = ti.get_task_states(dag_id=dag.dag_id, run_ids=[run_id])
    states = by_run.get(run_id, {})
    gone = sorted(task_id for task_id in states if task_id not in dag.task_dict)
    if len(gone) > MOST_GONE:
        log.info("too many nodes are gone since run %s to look for a renamed one", run_id)
        gone = []
    return [task_id for task_id in (ti.task_id, *gone) if str(states.get(task_id)) == "success"]


def _done_by(task_id: str, run_id: str, ti: Any, fingerprint: str) -> tuple[NodeOutcome, Any] | None:
    """Outcome and result of a task of an earlier run, if it did the same and what it made is still there."""
    pushed = ti.xcom_pull(task_ids=task_id, key=OUTCOME_KEY, run_id=run_id, map_indexes=-1)
    outcome = NodeOutcome.model_validate(pushed) if pushed else None
    if outcome is None or outcome.status is not ExecutionStatus.COMPLETED:
        return None
    if outcome.fingerprint != fingerprint:
        return None
    result = ti.xcom_pull(task_ids=task_id, run_id=run_id, map_indexes=-1)
    if result is None:
        log.warning("what task %s made in run %s is gone from XCom", task_id, run_id)
        return None
    return None if is_simulated(result) or _is_lost(result, run_id) else (outcome, result)


def _is_lost(result: Any, run_id: str) -> bool:
    """Whether an artifact that a result leads to is no longer there. Blocks.

    :param run_id: the run in which it stands.
    """
    lost = next((each["uri"] for each in _references_in(result) if not is_there(each)), None)
    if lost is not None:
        log.warning("%s, to which a result of run %s leads, is gone", lost, run_id)
    return lost is not None


def _references_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every reference to an artifact in *value*, however deep."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if is_reference(current):
            yield current
        elif isinstance(current, dict):
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
