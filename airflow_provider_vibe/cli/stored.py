"""The ExecutionResult that a run's feedback has gathered, as long as it still holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from airflow_provider_vibe.cli.looks import RESULT_KEY, Look, NodeState
from airflow_provider_vibe.cli.runs import RunReader
from airflow_provider_vibe.plan.identity import FEEDBACK_TASK_ID
from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult, some


class NoResult(VibeError):
    """There is no result to show: it was never gathered, or nodes have run since."""


@dataclass(frozen=True)
class StoredResult:
    """What the feedback of a run has gathered.

    :param result: as a model.
    :param raw: as it is stored.
    """

    result: ExecutionResult
    raw: Mapping[str, Any]


def stored_result(reader: RunReader, look: Look) -> StoredResult:
    """The result of a run, provided that no node has run since it was gathered.

    :param reader: reads the Airflow it ran in.
    :param look: where the run stands.
    :raises NoResult: says why there is none.
    """
    run = look.run
    if look.at_rest < len(look.nodes):
        raise NoResult(
            f"the run is not done: {look.at_rest} of {len(look.nodes)} nodes are at rest"
            f" (airflow vibe watch {run.dag_id} '{run.run_id}' shows how it goes on)"
        )
    raw = reader.xcom(run.dag_id, run.run_id, FEEDBACK_TASK_ID, RESULT_KEY)
    if raw is None:
        state = look.task(FEEDBACK_TASK_ID).state or "waiting"
        raise NoResult(
            f"nothing has been gathered: '{FEEDBACK_TASK_ID}' is {state} (clear it to gather anew)"
        )
    try:
        result = ExecutionResult.model_validate(raw)
    except ValidationError as error:
        raise NoResult(_not_a_result(raw, error)) from None
    since = [
        node_id
        for node_id, state in look.nodes.items()
        if _is_newer(state, result.node_results.get(node_id), result.completed_at)
    ]
    if since:
        raise NoResult(
            f"it was gathered before {_were(since)} last: clear '{FEEDBACK_TASK_ID}' to gather it anew"
        )
    return StoredResult(result, raw)


def _were(node_ids: list[str]) -> str:
    return f"{some(node_ids, 3)} {'was' if len(node_ids) == 1 else 'were'} run or changed"


def _not_a_result(raw: Any, error: ValidationError) -> str:
    if isinstance(raw, str):
        return (
            f"what '{FEEDBACK_TASK_ID}' left is kept outside of Airflow's database, by an XCom backend:"
            " run this on the Airflow machine, without --url"
        )
    return f"what '{FEEDBACK_TASK_ID}' left is no ExecutionResult: {error.errors()[0]['msg']}"


def _is_newer(state: NodeState, then: NodeResult | None, gathered_at: datetime | None) -> bool:
    """Whether a node is in another state, or another try, than when it was gathered."""
    if then is None or then.status is not state.status:
        return True
    if then.try_number:
        return state.try_number != then.try_number
    worked = state.status is not ExecutionStatus.SKIPPED and state.try_number > 0
    return bool(worked and state.started_at and gathered_at and state.started_at > gathered_at)
