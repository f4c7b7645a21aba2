"""The runs of the Airflow installed here, read from its database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.utils.session import create_session
from sqlalchemy import inspect, select
from sqlalchemy.exc import OperationalError

from airflow_provider_vibe.cli.runs import DagGroup, DagStructure, DagTask, RunState, TaskState, Unavailable
from airflow_provider_vibe.plan.problems import VibeError, one_line, quoted

if TYPE_CHECKING:
    from airflow.serialization.definitions.taskgroup import SerializedTaskGroup
    from sqlalchemy.orm import Session

LATEST = 100
"""So many runs of a DAG are looked through for one that may be meant."""


@contextmanager
def _silence_told() -> Iterator[None]:
    """A database that gives no answer becomes an error that is told on one line."""
    try:
        yield
    except OperationalError as error:
        words = one_line(str(error.orig).strip().partition("\n")[0])
        raise Unavailable(f"Airflow's database gives no answer: {words}") from None


@contextmanager
def _session() -> Iterator[Session]:
    with _silence_told(), create_session() as session:
        yield session


def check_database() -> None:
    """Make sure that the database of the Airflow installed here answers.

    :raises Unavailable: it does not.
    """
    with _session() as session:
        session.connection()


class DatabaseReader:
    """Reads the runs of the Airflow installed here.

    :raises VibeError: its database has no tables.
    """

    def __init__(self) -> None:
        with _session() as session:
            if not inspect(session.connection()).has_table("dag_run"):
                raise VibeError(
                    "the Airflow installed here has never run: its database has no tables"
                    " (AIRFLOW_HOME names another one, --url one on another machine)"
                )

    def dag_ids(self) -> list[str]:
        """The DAGs there are."""
        from airflow.models.dag import DagModel

        with _session() as session:
            return list(session.scalars(select(DagModel.dag_id).order_by(DagModel.dag_id)))

    def run_ids(self, dag_id: str) -> list[str] | None:
        """The latest runs of a DAG, the newest first; None when there is no such DAG."""
        from airflow.models.dag import DagModel
        from airflow.models.dagrun import DagRun

        with _session() as session:
            if session.get(DagModel, dag_id) is None:
                return None
            query = select(DagRun.run_id).where(DagRun.dag_id == dag_id)
            return list(session.scalars(query.order_by(DagRun.run_after.desc()).limit(LATEST)))

    def run(self, dag_id: str, run_id: str) -> RunState | None:
        """A run; None when there is none."""
        from airflow.models.dagrun import DagRun

        with _session() as session:
            query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
            run = session.scalar(query)
            if run is None:
                return None
            versions = [version.version_number for version in run.dag_versions]
            return RunState(
                dag_id,
                run_id,
                state=str(run.state),
                started_at=run.start_date,
                ended_at=run.end_date,
                version=max(versions, default=None),
                conf=run.conf if isinstance(run.conf, dict) else {},
            )

    def task_states(self, dag_id: str, run_id: str) -> dict[str, TaskState]:
        """Every task of a run by its id."""
        from airflow.models.taskinstance import TaskInstance

        columns = ("task_id", "state", "start_date", "end_date", "try_number")
        query = select(*(getattr(TaskInstance, name) for name in columns)).where(
            TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id
        )
        with _session() as session:
            return {
                ti.task_id: TaskState(
                    ti.task_id, ti.state and str(ti.state), ti.start_date, ti.end_date, ti.try_number or 0
                )
                for ti in session.execute(query)
            }

    def structure(self, dag_id: str, version: int | None) -> DagStructure:
        """The tasks and groups of a version of a DAG; of the latest for None."""
        from airflow.models.dag_version import DagVersion
        from airflow.models.serialized_dag import SerializedDagModel

        query = select(SerializedDagModel).join(DagVersion).where(DagVersion.dag_id == dag_id)
        if version is not None:
            query = query.where(DagVersion.version_number == version)
        with _session() as session:
            stored = session.scalar(query.order_by(DagVersion.version_number.desc()).limit(1))
            return DagStructure({}, {}) if stored is None else structure_of(stored.dag.task_group)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """What a task left under *key*; None when it left nothing."""
        from airflow.models.xcom import XComModel
        from airflow.sdk.execution_time.xcom import XCom

        query = XComModel.get_many(run_id=run_id, key=key, task_ids=task_id, dag_ids=dag_id, map_indexes=-1)
        with _session() as session:
            stored = session.scalars(query).first()
            if stored is None:
                return None
            value = XComModel.deserialize_value(stored)
        return XCom.deserialize_value(SimpleNamespace(value=value))  # a backend may keep it elsewhere

    def source(self, dag_id: str, version: int | None) -> str | None:
        """The text that a version of a DAG was made from; of the latest for None."""
        from airflow.models.dag_version import DagVersion

        with _session() as session:
            found = DagVersion.get_version(dag_id, version, session=session)
            return None if found is None or found.dag_code is None else str(found.dag_code.source_code)

    def is_paused(self, dag_id: str) -> bool:
        """Whether the runs of a DAG wait until it is unpaused."""
        from airflow.models.dag import DagModel

        with _session() as session:
            return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == dag_id)))

    def start_run(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run with these parameters; gives its id."""
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.exceptions import AirflowException
        from airflow.utils.types import DagRunTriggeredByType

        try:
            with _silence_told():
                run = trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.CLI, conf=dict(conf))
        except (AirflowException, ValueError) as error:
            reason = one_line(str(error).partition("\n")[0])
            raise VibeError(f"DAG {quoted(dag_id)} cannot be started: {reason}") from error
        assert run is not None  # Airflow gives None for no DAG it knows
        return str(run.run_id)


def structure_of(root: SerializedTaskGroup) -> DagStructure:
    """The tasks and groups below the root group of a DAG."""
    tasks: dict[str, DagTask] = {}
    groups: dict[str, DagGroup] = {}
    waiting: list[tuple[Any, str | None]] = [(item, None) for item in reversed(root.topological_sort())]
    while waiting:
        item, group = waiting.pop()
        if hasattr(item, "task_id"):
            tasks[item.task_id] = DagTask(
                task_id=item.task_id,
                name=item.task_display_name,
                operator=item.operator_name,
                description=item.doc_md or "",
                upstream=tuple(sorted(item.upstream_task_ids)),
                group=group,
            )
        else:
            groups[item.group_id] = DagGroup(item.group_display_name or item.label, group)
            waiting += [(child, item.group_id) for child in reversed(item.topological_sort())]
    return DagStructure(tasks, groups)
