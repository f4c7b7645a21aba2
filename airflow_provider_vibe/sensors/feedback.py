"""VibeFeedbackSensor: what came of a run of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_provider_vibe.plan.identity import FEEDBACK_TASK_ID
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.runtime.gathering import Trace, gather_result
from airflow_provider_vibe.runtime.outcome import OUTCOME_KEY, ExecutionResult, ExecutionStatus, NodeOutcome
from airflow_provider_vibe.sensors.states import FINAL_STATES, node_statuses
from airflow_provider_vibe.xcom_ledger import SharedBudget, used_by_task

if TYPE_CHECKING:
    from airflow.sdk import Context

RESULT_KEY = "return_value"


class VibeFeedbackSensor(BaseSensorOperator):
    """Waits until every node of a run has come to an end and gathers what came of them.

    In the DAG of a plan it is the teardown ``vibe_feedback``. In another DAG, with *external_dag_id*, it
    waits for the feedback of a run of a plan and gives the same answer. The answer, an
    :class:`~airflow_provider_vibe.runtime.ExecutionResult` as JSON, is its XCom; when the plan did
    not complete it fails after that, with a line that says why.

    :param plan: the plan whose nodes run in this DAG.
    :param task_ids: their task ids, by node id.
    :param budget: of the plan: its account tells what the nodes used.
    :param external_dag_id: the DAG of a plan to wait for instead. (templated)
    :param external_run_id: the run of it; left out, the run of the same logical date. (templated)
    :param fail_when_incomplete: whether a plan that did not complete fails this task.
    :param deferrable: wait in the triggerer; for *external_dag_id* only.
    """

    template_fields: Sequence[str] = ("external_dag_id", "external_run_id")
    ui_color = "#dff0ee"

    def __init__(
        self,
        *,
        plan: WorkflowPlan | None = None,
        task_ids: Mapping[str, str] | None = None,
        budget: SharedBudget | None = None,
        external_dag_id: str | None = None,
        external_run_id: str | None = None,
        fail_when_incomplete: bool = True,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (plan is None) == (external_dag_id is None):
            raise ValueError("VibeFeedbackSensor needs either the plan of its own DAG or an external_dag_id")
        self.plan = plan
        self.task_ids = dict(task_ids or {})
        self.budget = budget
        self.external_dag_id = external_dag_id
        self.external_run_id = external_run_id
        self.fail_when_incomplete = fail_when_incomplete
        default = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = external_dag_id is not None and (default if deferrable is None else deferrable)

    def execute(self, context: Context) -> Any:
        """Wait, by poking or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        try:
            answer = self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        return answer.xcom_value if isinstance(answer, PokeReturnValue) else self._wait_in_triggerer(context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once; True, with the answer, when there is nothing more to wait for."""
        result = self._gather(context) if self.plan else self._fetch(context)
        return PokeReturnValue(True, self._answer(result, context)) if result else False

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Come back from the triggerer; a run that was cleared meanwhile is waited for again."""
        return self.execute(context)

    def _answer(self, result: ExecutionResult, context: Context) -> dict[str, Any]:
        answer = result.as_json()
        if result.status is not ExecutionStatus.COMPLETED and self.fail_when_incomplete:
            context["ti"].xcom_push(key=RESULT_KEY, value=answer)
            raise AirflowFailException(result.headline())
        self.log.info(result.headline())
        return answer

    def _gather(self, context: Context) -> ExecutionResult | None:
        """The result of this run, or None while a node may still run."""
        assert self.plan is not None  # told by the caller
        ti, dag_run = context["ti"], context["dag_run"]
        states = ti.get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])
        statuses = node_statuses(states.get(dag_run.run_id, {}), self.task_ids)
        waiting = [node_id for node_id, status in statuses.items() if not status.is_final]
        if waiting:
            self.log.info("%d of %d nodes are not done yet", len(waiting), len(statuses))
            return None
        used = used_by_task(context, self.budget) if self.budget else {}
        traces = {node_id: self._trace(context, node_id, status) for node_id, status in statuses.items()}
        return gather_result(
            self.plan,
            {
                node_id: replace(trace, usage=used.get(self.task_ids[node_id]))
                for node_id, trace in traces.items()
            },
            started_at=dag_run.start_date,
            completed_at=datetime.now(UTC),
            dag_id=dag_run.dag_id,
            run_id=dag_run.run_id,
        )

    def _trace(self, context: Context, node_id: str, status: ExecutionStatus) -> Trace:
        ti, task_id = context["ti"], self.task_ids[node_id]
        pushed = ti.xcom_pull(task_ids=task_id, key=OUTCOME_KEY, map_indexes=-1)
        outcome = NodeOutcome.model_validate(pushed) if pushed else None
        completed = status is ExecutionStatus.COMPLETED
        result = ti.xcom_pull(task_ids=task_id, map_indexes=-1) if completed else None
        return Trace(status, outcome, result)

    def _fetch(self, context: Context) -> ExecutionResult | None:
        """The result that the run of the other DAG gathered, or None while it has none."""
        assert self.external_dag_id is not None  # told by the caller
        ti = context["ti"]
        states = ti.get_task_states(
            dag_id=self.external_dag_id, task_ids=[FEEDBACK_TASK_ID], **self._which_run(context)
        )
        for run_id, tasks in states.items():
            if str(tasks.get(FEEDBACK_TASK_ID)) in FINAL_STATES:
                return self._read(context, run_id)
        self.log.info("no feedback of %s yet", self.external_dag_id)
        return None

    def _read(self, context: Context, run_id: str) -> ExecutionResult:
        stored = context["ti"].xcom_pull(
            dag_id=self.external_dag_id, task_ids=FEEDBACK_TASK_ID, run_id=run_id, map_indexes=-1
        )
        if stored is None:
            raise AirflowFailException(
                f"run {quoted(run_id)} of {quoted(self.external_dag_id)} left no feedback"
            )
        return ExecutionResult.model_validate(stored)

    def _which_run(self, context: Context) -> dict[str, Any]:
        if self.external_run_id is not None:
            return {"run_ids": [self.external_run_id]}
        logical_date = context["dag_run"].logical_date
        if logical_date is None:
            raise AirflowFailException(
                "this run has no logical date to find the other DAG's run by:"
                " give the sensor an external_run_id"
            )
        return {"logical_dates": [logical_date]}

    def _wait_in_triggerer(self, context: Context) -> Any:
        from airflow.providers.standard.triggers.external_task import WorkflowTrigger

        assert self.external_dag_id is not None  # told by the caller
        trigger = WorkflowTrigger(
            external_dag_id=self.external_dag_id,
            external_task_ids=[FEEDBACK_TASK_ID],
            allowed_states=list(FINAL_STATES),
            poke_interval=self.poke_interval,
            **self._which_run(context),
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
