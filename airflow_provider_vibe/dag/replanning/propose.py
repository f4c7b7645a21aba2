"""The proposal for a run, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_vibe.dag.replanning.case import Case, connection_called
from airflow_provider_vibe.dag.replanning.places import why_replaced
from airflow_provider_vibe.operators.replan import REPLAN_ASSET
from airflow_provider_vibe.replan.decision import Step, decide, held_back
from airflow_provider_vibe.replan.markdown import as_markdown
from airflow_provider_vibe.replan.planner import ModelPlanner, NoPlan
from airflow_provider_vibe.replan.proposal import Proposal, propose
from airflow_provider_vibe.runtime.errors import HOPELESS, kind_of, message_of
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.models.connection import default_connection

if TYPE_CHECKING:
    from airflow.sdk import Context


class VibeProposeOperator(BaseOperator):
    """Makes the proposal for one run, and decides what becomes of it.

    Its XCom is ``{"proposal", "step", "reason"}``; skipped, with the reason, when nothing becomes of it.

    :param case: ``{"dag_id", "run_id"}`` of the run.
    """

    template_fields: Sequence[str] = ("case",)

    def __init__(self, *, case: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(inlets=[REPLAN_ASSET], **kwargs)
        self.case = case

    def execute(self, context: Context) -> dict[str, Any]:
        """Propose."""
        case, settings = Case.read(self.case, context), Settings.from_airflow()
        last = LastReplan(case, context)
        since = last.seconds_ago()
        held = held_back(case.plan.replan, case.attempt, since)
        if reason := held or why_replaced(case.plan, case, context):
            raise AirflowSkipException(reason)
        proposal = self._proposal(case, settings, context["ti"])
        decision = decide(proposal, case.plan.replan, since)
        self.log.info("%s: %s\n%s", decision.step, decision.reason, as_markdown(proposal))
        if decision.step is Step.NOTHING:
            raise AirflowSkipException(decision.reason)
        last.is_now()
        return {"proposal": proposal.as_json(), "step": str(decision.step), "reason": decision.reason}

    def _proposal(self, case: Case, settings: Settings, ti: Any) -> Proposal:
        """With the help of a model where there is one; without, where it cannot be had."""
        make = partial(
            propose,
            case.plan,
            case.result.replan_suggestions,
            case.facts(settings),
            lineage=case.lineage,
            attempt=case.attempt,
        )
        planner = configured_planner(settings)
        try:
            return make(planner=planner)
        except Exception as error:
            is_hopeless = isinstance(error, NoPlan) or kind_of(error) in HOPELESS
            if not is_hopeless and ti.try_number <= ti.max_tries:
                raise
            self.log.warning("without the model: %s", message_of(error))
            return make()
        finally:
            if planner is not None:
                self.log.info("what the model has used: %s", planner.usage.as_json())


class LastReplan:
    """When a plan was last replanned, kept in the state store of the asset.

    :param case: the run in question.
    :param context: Airflow's task context; a task that is tried again does not hold itself back.
    """

    def __init__(self, case: Case, context: Context) -> None:
        self._store = context["asset_state_store"][REPLAN_ASSET]
        self._key = case.dag_id
        self._by = f"{context['dag_run'].run_id} {context['ti'].map_index}"

    def seconds_ago(self) -> float | None:
        """How long ago; None when it never was, or only by this task."""
        known = self._store.get(self._key)
        if not isinstance(known, dict) or known.get("by") == self._by:
            return None
        return (datetime.now(UTC) - datetime.fromisoformat(str(known["at"]))).total_seconds()

    def is_now(self) -> None:
        """Keep this moment."""
        self._store.set(self._key, {"by": self._by, "at": datetime.now(UTC).isoformat()})


def configured_planner(settings: Settings) -> ModelPlanner | None:
    """The model that may rewrite a plan, where there is a connection for it."""
    return ModelPlanner(settings) if connection_called(default_connection()) else None
