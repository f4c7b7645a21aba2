"""One case of a replan: a run that suggested another plan, and what the tasks before have made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_vibe.plan.graph import walk
from airflow_provider_vibe.plan.identity import FEEDBACK_TASK_ID, REPLAN_TASK_ID
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.proposal import Proposal
from airflow_provider_vibe.runtime.outcome import ExecutionResult
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.models.connection import default_connection

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

GROUP = "replan"


@dataclass(frozen=True)
class Case:
    """A run that suggested another plan.

    :param dag_id: the DAG of the plan.
    :param run_id: the run.
    :param plan: what it ran.
    :param plan_file: where the plan stood when its DAG was parsed; None when that is not known.
    :param conf: what the run was started with.
    :param lineage: the run that the first of these replans followed.
    :param attempt: the how manieth of them this one is, from 1.
    :param result: what came of the run.
    """

    dag_id: str
    run_id: str
    plan: WorkflowPlan
    plan_file: str | None
    conf: Mapping[str, Any]
    lineage: str
    attempt: int
    result: ExecutionResult

    @classmethod
    def read(cls, named: Mapping[str, str], context: Context) -> Case:
        """What the run left in XCom.

        :param named: its ``dag_id`` and ``run_id``.
        :param context: Airflow's task context.
        """
        ti = context["ti"]
        told, result = (
            ti.xcom_pull(dag_id=named["dag_id"], run_id=named["run_id"], task_ids=task_id, map_indexes=-1)
            for task_id in (REPLAN_TASK_ID, FEEDBACK_TASK_ID)
        )
        if not told or not result:
            raise AirflowFailException(
                f"run {quoted(named['run_id'], 250)} of {quoted(named['dag_id'])} has left nothing to replan:"
                " it is gone, or has begun anew"
            )
        return cls(
            dag_id=named["dag_id"],
            run_id=named["run_id"],
            plan=WorkflowPlan.model_validate(told["plan"]),
            plan_file=told["plan_file"],
            conf=told["conf"],
            lineage=told["lineage"],
            attempt=told["attempt"],
            result=ExecutionResult.model_validate(result),
        )

    def facts(self, settings: Settings) -> RunFacts:
        """What is known of the run, and of where it ran."""
        return RunFacts.of(self.result, settings, _fallbacks(self.plan))


def left_by(task: str, context: Context) -> Any:
    """What the task *task* of the same case has left.

    :param task: its id in the group.
    :param context: Airflow's task context.
    """
    ti = context["ti"]
    return ti.xcom_pull(task_ids=f"{GROUP}.{task}", map_indexes=ti.map_index)


def approved_proposal(context: Context) -> tuple[Proposal, str]:
    """The proposal as it was approved, and the digest that stands for it."""
    approved = left_by("approve", context)
    return Proposal.from_json(approved["proposal"]), approved["digest"]


def connection_called(conn_id: str) -> Connection | None:
    """The connection of an id; None when there is none.

    :param conn_id: its id.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _fallbacks(plan: WorkflowPlan) -> dict[str, list[str]]:
    """For each connection that a node names, those that the connection itself names to fall back on."""
    found: dict[str, list[str]] = {}
    named = {
        (node.parameters.get("tool_inputs") or {}).get("connection") for node, _ in walk(plan.root_nodes)
    }
    for conn_id in {default_connection(), *(name for name in named if isinstance(name, str))}:
        connection = connection_called(conn_id)
        listed = connection and connection.extra_dejson.get("fallback_conn_ids")
        if isinstance(listed, list) and listed:
            found[conn_id] = [str(each) for each in listed]
    return found
