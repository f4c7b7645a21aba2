"""Where the work of a node may be found done already; what Airflow itself does with it is in `tests/dag`."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_vibe.operators.earlier import NothingToReuse, earlier_work
from airflow_provider_vibe.plan.models import Vibe
from airflow_provider_vibe.runtime.errors import HOPELESS, kind_of
from tests.runtime.helpers import node

OUTCOME = {
    **{"node_id": "n", "status": "completed", "started_at": None, "duration": 1.0},
    **{"fingerprint": "f", "feedback": {"execution_quality": 0.8}},
}


class Ran:
    """A task instance whose DAG has run before."""

    task_id = "n"
    max_tries = 2

    def __init__(self, state: str | None = "success", runs: int = 1, **outcome: Any) -> None:
        self.state, self.runs, self.asked = state, runs, 0
        self.left = {"vibe_outcome": OUTCOME | outcome, "return_value": {"tool": "t", "result": 1}}

    def get_task_states(self, **which: Any) -> dict[str, Any]:
        self.asked += 1
        assert which.pop("task_ids", ["n"]) == ["n"]
        assert which == {"dag_id": "d", "run_ids": ["first"]}
        return {"first": {"n": self.state}} if self.state else {}

    def get_dr_count(self, **which: Any) -> int:
        assert which == {"dag_id": "d", "run_ids": ["first"]}
        return self.runs

    def xcom_pull(self, *, task_ids: str, run_id: str, map_indexes: int, key: str = "return_value") -> Any:
        assert (task_ids, run_id, map_indexes) == ("n", "first", -1)
        return self.left[key]


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


def look(ti: Ran, store: Store | None = None, asked: Any = "first"):
    context: Any = {
        **{"ti": ti, "params": {"reuse_from": asked}, "dag_run": SimpleNamespace(dag_id="d")},
        "dag": SimpleNamespace(dag_id="d", task_dict={"n": None}),
        "task_state_store": Store() if store is None else store,
    }
    earlier = earlier_work(node("n"), Vibe(description="v"), context)
    assert earlier is not None
    return asyncio.run(earlier("f"))


def test_work_that_was_done_is_found():
    outcome = look(Ran())
    assert outcome is not None
    assert (outcome.reused_from, outcome.result["result"]) == ("first", 1)


@pytest.mark.parametrize(
    "ran",
    [
        *(Ran("failed"), Ran("running"), Ran("skipped"), Ran("removed"), Ran(None)),
        *(Ran(fingerprint="other"), Ran(fingerprint=None), Ran(status="failed"), Ran(status="skipped")),
    ],
    ids=[
        *("failed", "running", "skipped", "removed", "gone"),
        *("other", "unknown", "failed outcome", "skipped outcome"),
    ],
)
def test_work_that_was_not_done_is_not_found(ran):
    assert look(ran) is None


def test_node_that_was_taken_over_and_is_cleared_runs():
    store, ran = Store(), Ran()
    assert look(ran, store) is not None
    ran.max_tries += 1
    assert look(ran, store) is None
    assert look(ran, store) is None
    assert ran.asked == 1


def test_node_that_was_taken_over_by_an_attempt_that_died_is_taken_over_again():
    store, ran = Store(), Ran()
    assert look(ran, store) is not None
    assert look(ran, store) is not None


def test_result_that_is_gone_is_not_taken_over(caplog):
    ran = Ran()
    ran.left["return_value"] = None
    assert look(ran) is None
    assert "what task n made in run first is gone from XCom" in caplog.text


def test_node_that_failed_looks_again():
    store = Store()
    assert look(Ran("running"), store) is None
    assert look(Ran(), store) is not None


def test_run_that_is_not_there_is_told_and_not_tried_again():
    with pytest.raises(NothingToReuse, match="has no run 'first' that could be reused") as told:
        look(Ran(None, runs=0))
    assert kind_of(told.value) in HOPELESS


@pytest.mark.parametrize("asked", [None, ""])
def test_nothing_is_looked_for_unless_it_is_asked_for(asked):
    context: Any = {"params": {"reuse_from": asked}}
    assert earlier_work(node("n"), Vibe(description="v"), context) is None
    assert earlier_work(node("n"), Vibe(description="v"), {"params": {}}) is None  # type: ignore[typeddict-item]
