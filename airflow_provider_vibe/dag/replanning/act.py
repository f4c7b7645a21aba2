"""An approved proposal becomes the plan, and the plan runs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DagRunTriggerException

from airflow_provider_vibe.dag.replanning.case import Case, approved_proposal, left_by
from airflow_provider_vibe.dag.replanning.places import is_parsed, place_of, why_replaced
from airflow_provider_vibe.operators.earlier import REUSE_PARAM
from airflow_provider_vibe.operators.replan import LINEAGE_KEY
from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.replan.applying import (
    NotApproved,
    NotWritable,
    PlanChanged,
    apply,
    patch_of,
)
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.artifacts import save_artifact

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_vibe.plan.models import WorkflowPlan
    from airflow_provider_vibe.replan.proposal import Proposal

LONGEST_PARSE_SECONDS = 3600
"""After so long without the new revision there is something wrong with the dag-processor."""

RUN_KEY = "vibe_rerun"
"""What the state store of the task says the run is called that it starts."""


class VibeApplyOperator(BaseOperator):
    """Writes an approved proposal over the plan file, once, if nothing has changed since.

    Its XCom is ``{"plan_file", "revision", "digest", "already"}``. Where the folder of the plan cannot be
    written, or is not the place to change it (a Git repository's), it is skipped and leaves a patch as an
    artifact.

    :param case: ``{"dag_id", "run_id"}`` of the run.
    """

    template_fields: Sequence[str] = ("case",)

    def __init__(self, *, case: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply."""
        case, rules = Case.read(self.case, context), Settings.from_airflow().rules
        proposal, digest = approved_proposal(context)
        try:
            place = place_of(case, context)
            if place.why_not:
                raise NotWritable(place.why_not)
            applied = apply(proposal, place.path, approved=digest, rules=rules)
        except NotWritable as error:
            patch = patch_of(proposal, place.path, rules, root=place.root)
            uri = self._leave(proposal, place.path, patch, context)
            raise AirflowSkipException(
                f"{error}; the patch is {uri}, for 'git apply' in {place.root}"
            ) from None
        except (NotApproved, PlanChanged, PlanError) as error:
            raise AirflowFailException(str(error)) from None
        self.log.info("%s is revision %d now", applied.path, applied.revision)
        return {
            "plan_file": str(applied.path),
            "revision": applied.revision,
            "digest": plan_digest(proposal.plan(rules)),
            "already": applied.already,
        }

    def _leave(self, proposal: Proposal, path: Path, patch: str, context: Context) -> str:
        run, ti = context["dag_run"], context["ti"]
        kept = save_artifact(
            {
                "run": {"dag_id": run.dag_id, "id": run.run_id},
                "node_id": f"{ti.task_id}-{ti.map_index}",
                "try_number": ti.try_number,
            },
            f"{path.name.lstrip('.')}.r{proposal.revision}.patch",
            patch.encode(),
            "text/x-diff",
        )
        return str(kept["uri"])


class VibeRerunOperator(BaseSensorOperator):
    """Waits until Airflow knows the new revision, then starts one run of it that reuses the run before.

    However many cases lead to the same revision, it is run once. Skipped when another revision has taken its
    place meanwhile.

    :param case: ``{"dag_id", "run_id"}`` of the run.
    """

    template_fields: Sequence[str] = ("case",)

    def __init__(self, *, case: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(mode="reschedule", timeout=LONGEST_PARSE_SECONDS, **kwargs)
        self.case = case

    def poke(self, context: Context) -> bool:
        """Look once; starts the run when the revision is there."""
        case, rules = Case.read(self.case, context), Settings.from_airflow().rules
        proposal, _ = approved_proposal(context)
        plan = proposal.plan(rules)
        run_id = self._run_id(case, plan, context)
        if _exists(case.dag_id, run_id, context):
            self.log.info("run %s has been started already", run_id)
            return True
        if not is_parsed(case, plan, context):
            if reason := why_replaced(plan, case, context):
                raise AirflowSkipException(reason)
            self.log.info("Airflow does not know revision %d yet", plan.revision)
            return False
        raise DagRunTriggerException(
            trigger_dag_id=case.dag_id,
            dag_run_id=run_id,
            conf={
                **case.conf,
                REUSE_PARAM: case.run_id,
                LINEAGE_KEY: {"lineage": case.lineage, "attempt": case.attempt},
            },
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=0,
            deferrable=False,
            note=f"Revision {plan.revision}, after {case.run_id}",
        )

    def _run_id(self, case: Case, plan: WorkflowPlan, context: Context) -> str:
        """The id of the run, the same at each look.

        It is made of the plan. Where this case has written the plan, a run of that id is one of another time:
        the plan was this one before, and was set back.
        """
        store, first = context["task_state_store"], f"replan__{plan_digest(plan)[:16]}"
        if not isinstance(run_id := store.get(RUN_KEY), str):
            is_new = not left_by("apply", context)["already"]
            further = (f"{first}-{number}" for number in count(2))
            free = (each for each in chain([first], further) if not _exists(case.dag_id, each, context))
            run_id = next(free) if is_new else first
            store.set(RUN_KEY, run_id)
        return run_id


def _exists(dag_id: str, run_id: str, context: Context) -> bool:
    return bool(context["ti"].get_dr_count(dag_id=dag_id, run_ids=[run_id]))
