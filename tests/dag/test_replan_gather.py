"""Which runs are taken to be replanned, from the events that there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow_provider_vibe.dag.replanning.gather import VibeGatherOperator
from airflow_provider_vibe.operators.replan import REPLAN_ASSET


class Events:
    """A context in which the asset was updated by runs, some of which have started this run."""

    def __init__(self, *run_ids: str) -> None:
        self.happened: list[Any] = []
        self.happen(*run_ids)
        self.triggering = list(self.happened)
        self.shared: dict[str, Any] = {}

    def happen(self, *run_ids: str) -> None:
        for run_id in run_ids:
            number = len(self.happened)
            moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
            extra = {"dag_id": "d", "run_id": run_id}
            self.happened.append(SimpleNamespace(id=number, timestamp=moment, extra=extra))

    def ascending(self, _: bool) -> Events:
        return self

    def limit(self, most: int) -> list[Any]:
        return self.happened[::-1][:most]

    def gather(self, run: str = "first", **conf: str) -> list[str]:
        """The runs that are found by a run of the DAG."""
        context: Any = {
            "dag_run": SimpleNamespace(conf=conf, run_id=run),
            "triggering_asset_events": {REPLAN_ASSET: self.triggering},
            "inlet_events": {REPLAN_ASSET: self},
            "asset_state_store": {REPLAN_ASSET: Store(self.shared)},
        }
        return [case["run_id"] for case in VibeGatherOperator(task_id="gather").execute(context)]


class Store(dict[str, Any]):
    def __init__(self, kept: dict[str, Any]) -> None:
        self.get, self.set = kept.get, kept.__setitem__  # type: ignore[method-assign]


def test_each_run_is_one_case_however_often_it_asked():
    assert Events("1", "2", "1").gather() == ["1", "2"]


def test_event_that_started_no_run_is_found_by_the_run_that_there_is():
    events = Events("1")
    events.happen("2")
    assert events.gather() == ["1", "2"]
    events.happen("3")
    assert (events.gather("second"), events.gather("third")) == (["3"], [])


def test_what_happened_before_the_first_look_is_left_alone():
    events = Events("old", "1")
    del events.triggering[0]
    assert events.gather() == ["1"]


def test_first_look_by_hand_leaves_the_events_to_the_run_that_they_start():
    events = Events("1")
    triggering, events.triggering = events.triggering, []
    assert events.gather("by-hand") == []
    events.triggering = triggering
    assert events.gather() == ["1"]


def test_each_event_is_taken_by_one_run_however_often_that_tries():
    events = Events("1")
    assert events.gather() == ["1"]
    events.happen("2")
    assert (events.gather("second"), events.gather(), events.gather("second")) == (["2"], ["1"], ["2"])


def test_run_that_a_person_names_is_the_only_case():
    assert Events("1").gather(dag_id="d", run_id="7") == ["7"]


def test_more_cases_than_airflow_maps_are_cut_to_the_last(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    assert Events(*"12345").gather() == ["4", "5"]
