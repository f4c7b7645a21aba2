"""Which runs are to be replanned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf

from airflow_provider_vibe.operators.replan import REPLAN_ASSET

if TYPE_CHECKING:
    from airflow.sdk import Context

MOST_EVENTS = 1000
"""So many of the last events are looked through for those that nobody has seen."""

SEEN_KEY = "events:seen"
"""What the state store of the asset says which events were looked at. No DAG, of which it says when it was
replanned, can be called so."""

TAKEN_KEY = "vibe_events"
"""What the state store of the task says which events it has taken, and the cases in them."""

CaseName = dict[str, str]


class VibeGatherOperator(BaseOperator):
    """Finds the runs that suggested another plan, in what has updated the asset since the last time.

    Its XCom is a list of ``{"dag_id", "run_id"}``, each run once; the same one when it is done again.

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
        own, shared = context["task_state_store"], context["asset_state_store"][REPLAN_ASSET]
        taken: Any = own.get(TAKEN_KEY)
        if taken is None:
            taken = self._take(shared.get(SEEN_KEY), context)
            own.set(TAKEN_KEY, taken)
        seen: Any = shared.get(SEEN_KEY) or []
        shared.set(SEEN_KEY, sorted({*seen, *taken["events"]})[-MOST_EVENTS:])
        cases: list[CaseName] = taken["cases"]
        return cases

    def _take(self, seen: Any, context: Context) -> dict[str, Any]:
        """The events that nobody has taken; the first time those that started this run, and later ones."""
        events = list(context["inlet_events"][REPLAN_ASSET].ascending(False).limit(MOST_EVENTS))[::-1]
        if isinstance(seen, list):
            new = [event for event in events if event.id not in seen]
        else:
            first = min((event.timestamp for event in _triggering(context)), default=None)
            new = [event for event in events if first is not None and event.timestamp >= first]
        cases = _cases(event.extra or {} for event in new)
        most = conf.getint("core", "max_map_length", fallback=1024)
        if len(cases) > most:
            self.log.warning("the first %d cases are left out: [core] max_map_length", len(cases) - most)
        return {"events": [event.id for event in events], "cases": cases[-most:]}


def _triggering(context: Context) -> Sequence[Any]:
    return context["triggering_asset_events"].get(REPLAN_ASSET, [])


def _cases(told: Iterable[Any]) -> list[CaseName]:
    named = [(each["dag_id"], each["run_id"]) for each in told if each.get("dag_id") and each.get("run_id")]
    return [{"dag_id": str(dag_id), "run_id": str(run_id)} for dag_id, run_id in dict.fromkeys(named)]
