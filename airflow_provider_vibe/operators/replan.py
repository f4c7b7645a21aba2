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
    updated by success alone. Its XCom, ``{"plan", "plan_file", "params", "lineage", "attempt"}``, tells what
    the run ran.

    :param plan: the plan of the DAG.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#f0e8d8"

    def __init__(self, *, plan: WorkflowPlan, **kwargs: Any) -> None:
        super().__init__(outlets=[REPLAN_ASSET], **kwargs)
        self.plan = plan

    def execute(self, context: Context) -> dict[str, Any]:
        """Tell which run of which plan it is."""
        run = context["dag_run"]
        gathered = context["ti"].xcom_pull(task_ids=FEEDBACK_TASK_ID, map_indexes=-1)
        if gathered is None:
            raise AirflowSkipException(f"'{FEEDBACK_TASK_ID}' has gathered nothing")
        if not ExecutionResult.model_validate(gathered).should_replan():
            raise AirflowSkipException("nothing in this run suggests another plan")
        event = context["outlet_events"][REPLAN_ASSET]
        event.extra = {"dag_id": run.dag_id, "run_id": run.run_id}
        before = (run.conf or {}).get(LINEAGE_KEY) or {}
        return {
            "plan": self.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "plan_file": getattr(context["dag"], "vibe_plan_file", None),
            "params": {
                name: context["params"][name] for name in self.plan.params if name in context["params"]
            },
            "lineage": str(before.get("lineage", run.run_id)),
            "attempt": int(before.get("attempt", 0)) + 1,
        }
