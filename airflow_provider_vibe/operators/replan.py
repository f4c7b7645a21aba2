"""VibeReplanOperator: says that a run suggests another plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_vibe.plan.identity import FEEDBACK_TASK_ID
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.runtime.outcome import ExecutionResult

if TYPE_CHECKING:
    from airflow.sdk import Context

REPLAN_ASSET = Asset(name="vibe_replan", uri="vibe://replan")
"""Is updated when a run suggests another plan; ``dags/vibe_replan.py`` is scheduled on it."""

LINEAGE_KEY = "vibe_replan"
"""What the configuration of a run says that a replan has started: ``{"lineage": RUN, "attempt": N}``."""


class VibeReplanOperator(BaseOperator):
    """Updates the asset ``vibe_replan`` when a run suggests another plan; is skipped when it does not.

    Stands behind ``vibe_feedback`` as a teardown of its own: that one fails with its plan, and an asset is
    updated by success alone. Its XCom, ``{"plan", "plan_file", "conf", "lineage", "attempt"}``, tells what
    the run ran, and what it was given.

    :param plan: the plan of the DAG.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#f0e8d8"

    def __init__(self, *, plan: WorkflowPlan, **kwargs: Any) -> None:
        super().__init__(outlets=[REPLAN_ASSET], **kwargs)
        self.plan = plan

    def execute(self, context: Context) -> dict[str, Any]:
        """Tell which run of which plan it is."""
        from airflow_provider_vibe.operators.earlier import REUSE_PARAM  # no parse needs it

        run = context["dag_run"]
        gathered = context["ti"].xcom_pull(task_ids=FEEDBACK_TASK_ID, map_indexes=-1)
        if gathered is None:
            raise AirflowSkipException(f"'{FEEDBACK_TASK_ID}' has gathered nothing")
        if not ExecutionResult.model_validate(gathered).should_replan():
            raise AirflowSkipException("nothing in this run suggests another plan")
        event = context["outlet_events"][REPLAN_ASSET]
        event.extra = {"dag_id": run.dag_id, "run_id": run.run_id}
        conf = dict(run.conf or {})
        lineage, attempt = _before(conf.pop(LINEAGE_KEY, None))
        conf.pop(REUSE_PARAM, None)
        return {
            "plan": self.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "plan_file": getattr(context["dag"], "vibe_plan_file", None),
            "conf": conf,
            "lineage": lineage or run.run_id,
            "attempt": attempt + 1,
        }


def _before(told: Any) -> tuple[str | None, int]:
    """The lineage of a run that a replan has started, and its attempt; of another one none, and 0."""
    if not isinstance(told, dict):
        return None, 0
    lineage, attempt = told.get("lineage"), told.get("attempt")
    if isinstance(lineage, str) and type(attempt) is int and attempt >= 0:
        return lineage, attempt
    return None, 0
