"""What a run takes over from a checkpoint: its completed nodes, kept with the artifacts until needed.

A run is told of it by a reference that holds its digest, so that nothing else can be put in its place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import node_digest
from airflow_provider_vibe.plan.models import NodeType, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import one_line, quoted
from airflow_provider_vibe.runtime.assessment import is_simulated
from airflow_provider_vibe.runtime.checkpoint import Checkpoint, CheckpointError
from airflow_provider_vibe.runtime.node import RESULT_TYPE, SIMULATED, plain_json
from airflow_provider_vibe.runtime.outcome import ExecutionStatus, NodeOutcome
from airflow_provider_vibe.runtime.reuse import OWN_KEYS
from airflow_provider_vibe.tools.artifacts import artifacts_root, write_below
from airflow_provider_vibe.tools.base import ToolError

FOLDER = "checkpoints"
_REFERENCE = re.compile(r"checkpoint:([0-9a-f]{64})")
MOST_REASONS = 20


class HandedOver(BaseModel):
    """A completed node of a checkpoint.

    :param node_digest: of the node in the plan that goes on.
    :param result: what it made.
    :param outcome: what it left beside that.
    """

    node_digest: str
    result: Any
    outcome: NodeOutcome


class Handover(BaseModel):
    """The completed nodes of a checkpoint, by their ids.

    :param run_id: the run that the checkpoint is of; one that was none of ours is told as the checkpoint.
    """

    form: Literal[1] = 1
    run_id: str
    nodes: dict[str, HandedOver]


def hand_over(checkpoint: Checkpoint, plan: WorkflowPlan, *, accept_changed: bool = False) -> Handover:
    """What a run of *plan* takes over from *checkpoint*: all that is done; composites are gathered anew.

    :param checkpoint: of a run of this plan.
    :param plan: the plan that goes on.
    :param accept_changed: take over also what nodes made that have changed since.
    :raises CheckpointError: it is of another plan, nodes have changed, or Airflow cannot hold what one made;
        says which.
    """
    if plan.id != checkpoint.plan.id:
        raise CheckpointError(f"it is of another plan: {quoted(checkpoint.plan.id)}, not {quoted(plan.id)}")
    theirs, ours = PlanGraph(checkpoint.plan.root_nodes).nodes, PlanGraph(plan.root_nodes).nodes
    done = [node_id for node_id in checkpoint.completed if node_id in theirs]
    if not accept_changed:
        _refuse_changes(list(_changes(done, checkpoint.plan, plan, theirs, ours)))
    run_id = checkpoint.result.run_id if checkpoint.is_ours else None
    return Handover(
        run_id=run_id or f"checkpoint {checkpoint.checkpoint_id}",
        nodes={
            node_id: _handed_over(checkpoint, theirs[node_id], node_digest(ours[node_id], plan.source_vibe))
            for node_id in done
            if node_id in ours and theirs[node_id].type is not NodeType.COMPOSITE
        },
    )


def keep_handover(handover: Handover) -> str:
    """Keep *handover* with the artifacts; gives the reference to it. Blocks."""
    content = handover.model_dump_json(by_alias=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    write_below([FOLDER, f"{digest}.json"], content)
    return f"checkpoint:{digest}"


def is_handover(reference: str) -> bool:
    """Whether *reference* is one that :func:`keep_handover` gives."""
    return _REFERENCE.fullmatch(reference) is not None


def load_handover(reference: str) -> Handover:
    """What *reference* leads to. Blocks.

    :raises CheckpointError: it is gone, or was changed.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise CheckpointError(f"{quoted(reference)} is no reference to a checkpoint that was imported")
    path = artifacts_root().joinpath(FOLDER, f"{found[1]}.json")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(
            f"the imported checkpoint is not at {path}: import it where [vibe] artifacts_path is the same"
        ) from None
    if hashlib.sha256(content).hexdigest() != found[1]:
        raise CheckpointError(f"the imported checkpoint at {path} was changed: import it again")
    return Handover.model_validate_json(content)


def _changes(
    done: Sequence[str],
    then: WorkflowPlan,
    now: WorkflowPlan,
    theirs: dict[str, WorkflowNode],
    ours: dict[str, WorkflowNode],
) -> Iterator[str]:
    """What has changed since, of all that is done."""
    if done and then.source_vibe != now.source_vibe:
        yield "the vibe of the plan"
    for node_id in done:
        if theirs[node_id].type is NodeType.COMPOSITE:
            if node_id in ours and _gathers(theirs[node_id]) != _gathers(ours[node_id]):
                yield f"the children of {quoted(node_id)}"
        elif node_id not in ours:
            yield f"{quoted(node_id)}, which is gone"
        elif node_digest(theirs[node_id], now.source_vibe) != node_digest(ours[node_id], now.source_vibe):
            yield quoted(node_id)


def _gathers(node: WorkflowNode) -> set[str] | None:
    """The nodes whose outputs *node* hands on, in whatever order; None for one that does work of its own."""
    return {child.id for child in node.children} if node.type is NodeType.COMPOSITE else None


def _refuse_changes(changes: list[str]) -> None:
    if changes:
        more = f" and {len(changes) - MOST_REASONS} more" if len(changes) > MOST_REASONS else ""
        raise CheckpointError(
            f"changed since it was made: {', '.join(map(one_line, changes[:MOST_REASONS]))}{more}"
            " (--accept-changed takes over what these nodes made before)"
        )


def _handed_over(checkpoint: Checkpoint, node: WorkflowNode, digest: str) -> HandedOver:
    """What a node left, held to the same as what a tool of ours gives.

    :param digest: of the node in the plan that goes on.
    :raises CheckpointError: Airflow cannot hold it.
    """
    result, left = _result_in(checkpoint, node), _left_in(checkpoint, node.id)
    try:
        result, left = plain_json(result), plain_json(left)
    except ToolError as error:
        raise CheckpointError(f"{quoted(node.id)} cannot be taken over: {error}") from None
    if is_simulated(result) and left["feedback"]:
        left["feedback"]["execution_quality"] = None
    started_at = checkpoint.result.node_results[node.id].started_at
    outcome = NodeOutcome(node_id=node.id, status=ExecutionStatus.COMPLETED, started_at=started_at, **left)
    return HandedOver(node_digest=digest, result=result, outcome=outcome)


def _result_in(checkpoint: Checkpoint, node: WorkflowNode) -> Any:
    """What a node made, as a node of ours would have left it."""
    result = checkpoint.result.node_results[node.id].result
    if checkpoint.is_ours or not isinstance(result, dict):
        return result
    result = {key: value for key, value in result.items() if key not in OWN_KEYS}
    made_up = SIMULATED[node.type] + str(result.get("description"))
    if (
        result.get("type") == RESULT_TYPE[node.type]
        and "tool" not in result
        and result.get("result") == made_up
    ):
        result["simulated"] = True  # vibe-aigc 0.7.1 does not say so
    return result


def _left_in(checkpoint: Checkpoint, node_id: str) -> dict[str, Any]:
    """What is in the outcome of a node that is done, as far as a file can put in it what it likes."""
    node = checkpoint.result.node_results[node_id]
    suggested = [
        suggestion
        for suggestion in checkpoint.result.replan_suggestions
        if suggestion.get("node_id") == node_id and "error" not in suggestion
    ]
    return {
        "duration": node.duration,
        "feedback": checkpoint.result.feedback_data.get(node_id, {}),
        "replan_suggestion": suggested[0] if suggested else None,
        "usage": node.usage,
        "reused_from": node.reused_from if checkpoint.is_ours else None,
        "reused_usage": node.reused_usage,
    }
