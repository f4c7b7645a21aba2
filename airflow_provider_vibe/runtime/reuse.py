"""A node's result and outcome, taken over from an earlier run.

Such a result says at its top which run made it, and which earlier runs what it holds may lead into; so does
every result made from it. These keys, like the others of :data:`OWN_KEYS`, no tool can write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_vibe.plan.models import NodeType
from airflow_provider_vibe.runtime.outcome import ExecutionStatus, NodeOutcome

ARTIFACTS_KEY = "artifacts"
"""References to the parts of a result that are too large for XCom."""

DIGEST_KEY = "output_digest"
"""Of a composite: digest of its output, the same in whatever order its children stand."""

REUSED_KEY = "reused_from"
"""The run that keeps a result that was taken over: below it lie the parts that are too large for XCom."""

REUSED_NODE_KEY = "reused_node"
"""The node that keeps it there, where it had another id."""

EARLIER_KEY = "earlier_runs"
"""The runs whose artifacts a result may lead to, beside those of its own run."""

OWN_KEYS = frozenset({ARTIFACTS_KEY, DIGEST_KEY, REUSED_KEY, REUSED_NODE_KEY, EARLIER_KEY})


def taken_over(
    node_id: str, earlier: NodeOutcome, result: Any, run_id: str, fingerprint: str | None
) -> NodeOutcome:
    """The outcome of a node whose work an earlier run has done.

    Nothing was used in this run; what the work cost then is told as ``reused_usage``.

    ``reused_from`` of the outcome is the run that did the work, through however many runs it was taken over
    since. ``reused_from`` of the result is the run that keeps it (:data:`REUSED_KEY`): the same one, unless a
    run in between, or this one, could not keep it as it was (:func:`kept_again`).

    :param node_id: the node, which may have had another id then.
    :param earlier: what it left then.
    :param result: what it made.
    :param run_id: the run in which both stand, or the checkpoint of a run that was none of ours.
    :param fingerprint: of the node in this run.
    """
    if isinstance(result, dict):
        renamed = {REUSED_NODE_KEY: earlier.node_id} if earlier.node_id != node_id else {}
        keeper = kept_in(result, run_id)
        result = {**renamed, **with_earlier_runs(result, [keeper]), REUSED_KEY: keeper}
    suggestion = earlier.replan_suggestion
    return NodeOutcome(
        node_id=node_id,
        status=ExecutionStatus.COMPLETED,
        started_at=datetime.now(UTC),
        duration=0.0,
        feedback=earlier.feedback,
        replan_suggestion=suggestion and {**suggestion, "node_id": node_id},
        fingerprint=fingerprint,
        reused_from=earlier.reused_from or run_id,
        reused_usage=earlier.reused_usage if earlier.reused_from else earlier.usage,
        result=result,
    )


def kept_again(result: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """*result*, of which a run has kept parts itself; one that was taken over says so from now on.

    :param result: of a node, made or taken over.
    :param run_id: the run that keeps it, under the node's present id.
    """
    own = {key: value for key, value in result.items() if key != REUSED_NODE_KEY}
    return own | {REUSED_KEY: run_id} if REUSED_KEY in own else own


def with_earlier_runs(result: Any, runs: Iterable[str]) -> Any:
    """*result*, saying that what it holds may lead into *runs* too.

    :param result: of a node; one that is no object hands nothing on.
    :param runs: their ids.
    """
    named = {*runs, *earlier_runs(result)}
    return {**result, EARLIER_KEY: sorted(named)} if named and isinstance(result, dict) else result


def earlier_runs(result: Any) -> list[str]:
    """The earlier runs that a result says it may lead into."""
    named = result.get(EARLIER_KEY) if isinstance(result, dict) else None
    return list(map(str, named)) if isinstance(named, list) else []


def kept_in(result: Mapping[str, Any], run_id: str) -> str:
    """The id of the run that keeps a result.

    :param result: as it stands in XCom.
    :param run_id: the run in whose XCom it stands.
    """
    return str(result.get(REUSED_KEY) or run_id)


def kept_by(result: Mapping[str, Any], node_id: str) -> str:
    """The id under which the node keeps a result there.

    :param result: as it stands in XCom.
    :param node_id: whose XCom it is.
    """
    return str(result.get(REUSED_NODE_KEY) or node_id)


def known_digest(result: Mapping[str, Any]) -> str | None:
    """The digest of the output of a composite, which does not depend on the order of its children."""
    digest = result.get(DIGEST_KEY) if result.get("type") == NodeType.COMPOSITE else None
    return digest if isinstance(digest, str) else None
