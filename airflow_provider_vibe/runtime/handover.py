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
from airflow_provider_vibe.runtime.node import RESULT_TYPE, SIMULATED
from airflow_provider_vibe.runtime.outcome import ExecutionResult, NodeOutcome, NodeResult
from airflow_provider_vibe.runtime.reuse import OWN_KEYS
from airflow_provider_vibe.tools.artifacts import artifacts_root, write_below

FOLDER = "checkpoints"
_REFERENCE = re.compile(r"checkpoint:([0-9a-f]{64})")
MOST_REASONS = 20


class HandedOver(BaseModel):
    """A completed node of a checkpoint.

    :param node_digest: of the node in the plan that goes on.
    :param made_in: the run that made it, or the checkpoint of a run that was none of ours.
    :param result: what it made.
    :param outcome: what it left beside that.
    """

    node_digest: str
    made_in: str
    result: Any
    outcome: NodeOutcome


class Handover(BaseModel):
    """The completed nodes of a checkpoint, by their ids.

    :param checkpoint_id: the checkpoint.
    """

    form: Literal[1] = 1
    checkpoint_id: str
    nodes: dict[str, HandedOver]


def hand_over(checkpoint: Checkpoint, plan: WorkflowPlan, *, accept_changed: bool = False) -> Handover:
    """What a run of *plan* takes over from *checkpoint*: all that is done; composites are gathered anew.

    :param checkpoint: of a run of this plan.
    :param plan: the plan that goes on.
    :param accept_changed: take over also what nodes made that have changed since.
    :raises CheckpointError: it is of another plan, or nodes have changed; says which.
    """
    if plan.id != checkpoint.plan.id:
        raise CheckpointError(f"it is of another plan: {quoted(checkpoint.plan.id)}, not {quoted(plan.id)}")
    theirs, ours = PlanGraph(checkpoint.plan.root_nodes).nodes, PlanGraph(plan.root_nodes).nodes
    done = [
        node_id
        for node_id in checkpoint.completed
        if node_id in theirs and theirs[node_id].type is not NodeType.COMPOSITE
    ]
    if not accept_changed:
        _refuse_changes(list(_changes(done, checkpoint.plan, plan, theirs, ours)))
    return Handover(
        checkpoint_id=checkpoint.checkpoint_id,
        nodes={
            node_id: HandedOver(
                node_digest=node_digest(ours[node_id], plan.source_vibe),
                made_in=_maker(checkpoint, node_id),
                result=(result := _result_in(checkpoint, theirs[node_id])),
                outcome=_outcome_in(checkpoint.result, node_id, is_simulated(result)),
            )
            for node_id in done
            if node_id in ours
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
        if node_id not in ours:
            yield f"{quoted(node_id)}, which is gone"
        elif node_digest(theirs[node_id], now.source_vibe) != node_digest(ours[node_id], now.source_vibe):
            yield quoted(node_id)


def _refuse_changes(changes: list[str]) -> None:
    if changes:
        more = f" and {len(changes) - MOST_REASONS} more" if len(changes) > MOST_REASONS else ""
        raise CheckpointError(
            f"changed since it was made: {', '.join(map(one_line, changes[:MOST_REASONS]))}{more}"
            " (--accept-changed takes over what these nodes made before)"
        )


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


def _maker(checkpoint: Checkpoint, node_id: str) -> str:
    here = checkpoint.result.node_results[node_id].reused_from or checkpoint.result.run_id
    return here if checkpoint.is_ours and here else f"checkpoint {checkpoint.checkpoint_id}"


def _outcome_in(result: ExecutionResult, node_id: str, made_up: bool) -> NodeOutcome:
    node: NodeResult = result.node_results[node_id]
    feedback = result.feedback_data.get(node_id, {})
    suggested = [
        suggestion
        for suggestion in result.replan_suggestions
        if suggestion.get("node_id") == node_id and "error" not in suggestion
    ]
    return NodeOutcome(
        node_id=node_id,
        status=node.status,
        started_at=node.started_at,
        duration=node.duration,
        feedback=feedback | {"execution_quality": None} if made_up and feedback else feedback,
        replan_suggestion=suggested[0] if suggested else None,
        usage=node.reused_usage or node.usage,
    )
