"""An approved proposal becomes the plan, and the plan runs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DagRunTriggerException

from airflow_provider_vibe.dag.replanning.case import Case, approved_proposal
from airflow_provider_vibe.dag.replanning.places import Place, is_parsed, place_of, why_replaced
from airflow_provider_vibe.operators.earlier import REUSE_PARAM
from airflow_provider_vibe.operators.replan import LINEAGE_KEY, REPLAN_ASSET
from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.replan.applying import ApplyError, NotWritable, apply, patch_of
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.artifacts import save_artifact

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_vibe.plan.models import WorkflowPlan
    from airflow_provider_vibe.replan.proposal import Proposal

LONGEST_PARSE_SECONDS = 3600
"""After so long without the new revision there is something wrong with the dag-processor."""

RUN_KEY = "rerun"
"""Before a colon and the DAG: what the state store of the asset says the run of a new revision is called."""


class VibeApplyOperator(BaseOperator):
    """Writes an approved proposal over the plan file, once, if nothing has changed since.

    Its XCom is ``{"plan_file", "revision", "digest", "already"}``. Where the folder of the plan cannot be
    written, or is not the place to change it (a Git repository's), it is skipped and leaves a patch as an
    artifact.

    :param case: ``{"dag_id", "run_id"}`` of the run.
    """

    template_fields: Sequence[str] = ("case",)

    def __init__(self, *, case: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(inlets=[REPLAN_ASSET], **kwargs)
        self.case = case

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply."""
        case, rules = Case.read(self.case, context), Settings.from_airflow().rules
        proposal, digest = approved_proposal(context)
        try:
            place, plan = place_of(case, context), proposal.plan(rules)
            RunOfRevision(case, plan, context).settle()
            try:
                if place.why_not:
                    raise NotWritable(place.why_not)
                applied = apply(proposal, place.path, approved=digest, rules=rules)
            except NotWritable as error:
                patch = patch_of(proposal, place.path, rules, root=place.root)
                raise AirflowSkipException(self._left(patch, proposal, place, str(error), context)) from None
        except (ApplyError, PlanError) as error:
            raise AirflowFailException(str(error)) from None
        self.log.info("%s is revision %d now", applied.path, applied.revision)
        return {
            "plan_file": str(applied.path),
            "revision": applied.revision,
            "digest": plan_digest(plan),
            "already": applied.already,
        }

    def _left(self, patch: str, proposal: Proposal, place: Place, why: str, context: Context) -> str:
        """Leave a patch as an artifact; says where, and why."""
        if not patch:
            return f"{place.path} is revision {proposal.revision} already"
        run, ti = context["dag_run"], context["ti"]
        kept = save_artifact(
            {
                "run": {"dag_id": run.dag_id, "id": run.run_id},
                "node_id": f"{ti.task_id}-{ti.map_index}",
                "try_number": ti.try_number,
            },
            f"{place.path.name.lstrip('.')}.r{proposal.revision}.patch",
            patch.encode(),
            "text/x-diff",
        )
        return f"{why}; the patch is {kept['uri']}, for 'git apply' in {place.root}"


class VibeRerunOperator(BaseSensorOperator):
    """Waits until Airflow knows the new revision, then starts one run of it that reuses the run before.

    However many cases lead to the same revision, it is run once. Skipped when another revision has taken its
    place meanwhile.

    :param case: ``{"dag_id", "run_id"}`` of the run.
    """

    template_fields: Sequence[str] = ("case",)

    def __init__(self, *, case: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(inlets=[REPLAN_ASSET], mode="reschedule", timeout=LONGEST_PARSE_SECONDS, **kwargs)
        self.case = case

    def poke(self, context: Context) -> bool:
        """Look once; starts the run when the revision is there."""
        case, rules = Case.read(self.case, context), Settings.from_airflow().rules
        proposal, _ = approved_proposal(context)
        plan = proposal.plan(rules)
        run = RunOfRevision(case, plan, context)
        if run.is_started:
            self.log.info("run %s has been started already", run.id)
            return True
        if reason := why_replaced(plan, case, context):
            raise AirflowSkipException(reason)
        if not is_parsed(case, plan, context):
            self.log.info("Airflow does not know revision %d yet", plan.revision)
            return False
        raise DagRunTriggerException(
            trigger_dag_id=case.dag_id,
            dag_run_id=run.id,
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


class RunOfRevision:
    """The id of the run of a new revision, the same for all cases that lead to it.

    It is made of the plan. A run of that id may be one of another time, as a plan can be set back; so whoever
    is about to write the revision keeps an id that is free.

    :param case: the run that suggested another plan.
    :param plan: the new revision.
    :param context: Airflow's task context.
    """

    def __init__(self, case: Case, plan: WorkflowPlan, context: Context) -> None:
        self._case, self._plan, self._context = case, plan, context
        self._store, self._key = context["asset_state_store"][REPLAN_ASSET], f"{RUN_KEY}:{case.dag_id}"
        self._digest = plan_digest(plan)
        self._first = f"replan__{self._digest[:16]}"

    def settle(self) -> None:
        """Keep a free id, unless the revision is written already."""
        further = (f"{self._first}-{number}" for number in count(2))
        free = next(run_id for run_id in chain([self._first], further) if not self._is_there(run_id))
        if why_replaced(self._plan, self._case, self._context):  # asked last: then nobody can have run it yet
            self._store.set(self._key, {"plan": self._digest, "run_id": free})

    @property
    def id(self) -> str:
        """The id."""
        kept: Any = self._store.get(self._key)
        is_of_this = isinstance(kept, dict) and kept["plan"] == self._digest
        return str(kept["run_id"]) if is_of_this else self._first

    @property
    def is_started(self) -> bool:
        """Whether there is such a run."""
        return self._is_there(self.id)

    def _is_there(self, run_id: str) -> bool:
        return bool(self._context["ti"].get_dr_count(dag_id=self._case.dag_id, run_ids=[run_id]))
