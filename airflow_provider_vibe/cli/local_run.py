"""One run of a plan in this process: its real DAG, its real operators, no scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.identity import FEEDBACK_TASK_ID
from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.runtime.outcome import ExecutionResult

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

OWN_SUFFIX = ".vibe-run"
"""What a DAG that only `airflow vibe run` has made known says it was read from."""

Watcher = Callable[[str, Mapping[str, Any]], None]
"""Is told ``started``, ``completed``, ``failed``, ``retry`` with Airflow's task context."""


def run_locally(dag: DAG, conf: Mapping[str, Any], watcher: Watcher | None = None) -> ExecutionResult:
    """Run *dag* once, task after task, as `airflow dags test` does, and give what came of it.

    :param dag: the DAG of a plan.
    :param conf: the parameters of the run.
    :param watcher: is told what happens as it happens.
    :raises VibeError: the run left no result.
    """
    prepare_database()
    return read_result(run_dag(dag, conf, watcher, datetime.now(UTC)))


def run_dag(dag: DAG, conf: Mapping[str, Any], watcher: Watcher | None, moment: datetime) -> DagRun:
    """The run of *dag* for a moment, ended.

    :param dag: the DAG of a plan.
    :param conf: the parameters of the run.
    :param watcher: is told what happens as it happens.
    :param moment: its logical date, by which it can be found.
    """
    _register(dag)
    if watcher is not None:
        _attach(dag, watcher)
    run: DagRun = dag.test(run_conf=dict(conf), logical_date=moment)
    return run


def prepare_database() -> None:
    """Make the tables of an SQLite database that has none, as `airflow standalone` does.

    :raises VibeError: another database has none; making them there is not ours to decide.
    """
    from airflow import settings
    from airflow.utils import db
    from sqlalchemy import inspect

    engine = settings.get_engine()
    if inspect(engine).has_table("dag_run"):
        return
    if engine.dialect.name != "sqlite":
        raise VibeError("Airflow's database has no tables yet: run `airflow db migrate` first")
    db.initdb()


def read_result(run: DagRun) -> ExecutionResult:
    """The result that the feedback of a run has gathered.

    :raises VibeError: it has gathered none.
    """
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    query = XComModel.get_many(
        run_id=run.run_id, key="return_value", task_ids=FEEDBACK_TASK_ID, dag_ids=run.dag_id
    )
    with create_session() as session:
        stored = session.scalars(query).first()
        if stored is None:
            raise VibeError(f"run {run.run_id} of {run.dag_id} left no feedback; it ended {run.state}")
        return ExecutionResult.model_validate(XComModel.deserialize_value(stored))


def _register(dag: DAG) -> None:
    """Make the DAG known, for Airflow runs only what it knows; one that is deployed is left as it is."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dag import DagModel

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    own_place = f"{dag.dag_id}{OWN_SUFFIX}"
    known = DagModel.get_current(dag.dag_id)
    if known is not None and not known.is_stale and known.relative_fileloc != own_place:
        return
    bag = DagBag(dag_folder="/dev/null", collect_dags=False)
    dag.relative_fileloc = own_place
    bag.bag_dag(dag)
    bundle = known.bundle_name if known is not None else next(iter(manager.get_all_dag_bundles())).name
    sync_bag_to_db(bag, bundle, None)


def _attach(dag: DAG, watcher: Watcher) -> None:
    for task in dag.tasks:
        task.on_execute_callback = [lambda context: watcher("started", context)]
        task.on_success_callback = [lambda context: watcher("completed", context)]
        task.on_failure_callback = [lambda context: watcher("failed", context)]
        task.on_retry_callback = [lambda context: watcher("retry", context)]
