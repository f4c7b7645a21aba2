"""Which runs are to be replanned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf

from airflow_provider_vibe.operators.replan import REPLAN_ASSET

if TYPE_CHECKING:
    from airflow.sdk import Context

MOST_EVENTS = 500
"""So many of the last events are looked through for those that nobody has seen."""

TAKEN_KEY = "events:taken"
"""What the state store of the asset says which run has taken which event. No DAG, of which it says when it
was replanned, can be called so."""

NOBODY = ""

CaseName = dict[str, str]


class VibeGatherOperator(BaseOperator):
    """Finds the runs that suggested another plan, in what has updated the asset since the last time.

    Its XCom is a list of ``{"dag_id", "run_id"}``, each run once; the same ones when it is done again.

    It looks for the events itself: one that comes while Airflow 3.3.2 makes the run for another one starts no
    run, and belongs to none until the next event.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(inlets=[REPLAN_ASSET], max_active_tis_per_dag=1, **kwargs)

    def execute(self, context: Context) -> list[CaseName]:
        """Look at the events, or at the ``conf`` of a run that a person has triggered for one case."""
        if asked := _cases([context["dag_run"].conf or {}]):
            return asked
        store, run_id = context["asset_state_store"][REPLAN_ASSET], context["dag_run"].run_id
        events = list(context["inlet_events"][REPLAN_ASSET].ascending(False).limit(MOST_EVENTS))[::-1]
        taken: Any = store.get(TAKEN_KEY)
        if not isinstance(taken, dict):
            triggering = context["triggering_asset_events"].get(REPLAN_ASSET, [])
            if not triggering:
                return []
            taken = _older_than(min(event.timestamp for event in triggering), events)
        taken = {str(event.id): taken.get(str(event.id), run_id) for event in events}
        store.set(TAKEN_KEY, taken)
        return self._cut(_cases(event.extra or {} for event in events if taken[str(event.id)] == run_id))

    def _cut(self, cases: list[CaseName]) -> list[CaseName]:
        most = conf.getint("core", "max_map_length", fallback=1024)
        if len(cases) > most:
            self.log.warning("the first %d cases are left out: [core] max_map_length", len(cases) - most)
        return cases[-most:]


def _older_than(moment: datetime, events: Iterable[Any]) -> dict[str, str]:
    """The events of before the first look; they are left alone."""
    return {str(event.id): NOBODY for event in events if event.timestamp < moment}


def _cases(told: Iterable[Any]) -> list[CaseName]:
    named = [(each["dag_id"], each["run_id"]) for each in told if each.get("dag_id") and each.get("run_id")]
    return [{"dag_id": str(dag_id), "run_id": str(run_id)} for dag_id, run_id in dict.fromkeys(named)]
