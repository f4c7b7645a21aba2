"""What runs still need of a bundle, as Airflow's database tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_vibe.dag.unfinished import UnfinishedRun, unfinished_runs, versions_in_use

BUNDLE = "unfinished-plans"

# SQLAlchemy warns of what its next release takes away.
pytestmark = pytest.mark.filterwarnings("error::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def rows(airflow_db: Any) -> Iterator[Any]:
    """Puts rows into the database until the test ends."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType
    from sqlalchemy import delete

    def forget() -> None:
        with create_session() as session:
            known = DagModel.bundle_name.in_([BUNDLE, "another"])
            mine = [dag.dag_id for dag in session.query(DagModel).filter(known)]
            session.execute(delete(DagRun).where(DagRun.dag_id.in_(mine)))
            session.execute(delete(DagModel).where(DagModel.dag_id.in_(mine)))
            session.execute(delete(DagBundleModel).where(DagBundleModel.name.in_([BUNDLE, "another"])))

    def add(
        dag_id: str, parsed: str, *runs: tuple[str, str], stale: bool = False, bundle: str = BUNDLE
    ) -> None:
        with create_session() as session:
            session.merge(DagBundleModel(name=bundle))
            session.flush()
            dag = DagModel(dag_id=dag_id, bundle_name=bundle, bundle_version=parsed, is_stale=stale)
            dag.relative_fileloc = f"{dag_id}.vibe.py"
            session.add(dag)
            session.flush()
            for number, (state, version) in enumerate(runs):
                run = DagRun(dag_id=dag_id, run_id=f"run-{number}", run_type=DagRunType.MANUAL, state=state)
                run.bundle_version = version
                session.add(run)
                session.flush()

    yield add
    forget()


def test_unfinished_runs_are_those_of_the_bundle_that_have_not_ended_the_latest_first(rows):
    rows("un-a", "v9", ("success", "v1"), ("running", "v2"), ("queued", "v3"), ("queued", "v3"))
    rows("un-gone", "v1", ("running", "v1"), stale=True)
    rows("un-other", "v1", ("running", "v1"), bundle="another")
    assert unfinished_runs(BUNDLE) == [
        UnfinishedRun("un-gone.vibe.py", "v1"),
        UnfinishedRun("un-a.vibe.py", "v3"),
        UnfinishedRun("un-a.vibe.py", "v2"),
    ]


def test_versions_in_use_are_those_of_runs_and_those_that_runs_will_begin_with(rows):
    rows("un-a", "v5", ("success", "v1"), ("running", "v2"))
    rows("un-gone", "v3", stale=True)
    rows("un-other", "v7", ("running", "v8"), bundle="another")
    assert versions_in_use(BUNDLE) == {"v2", "v5"}


def test_database_that_does_not_answer_knows_nothing(monkeypatch, caplog):
    def refuse() -> None:
        raise ConnectionError("no database here")

    monkeypatch.setattr("airflow.utils.session.create_session", refuse)
    assert unfinished_runs(BUNDLE) is None and versions_in_use(BUNDLE) is None
    assert f"cannot tell which runs of bundle {BUNDLE} have not ended" in caplog.text
