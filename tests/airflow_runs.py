"""Running a DAG in this process, on the database of the `airflow_db` fixture, and reading what it left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select


@dataclass(frozen=True)
class Ran:
    """A run that is over."""

    dag_id: str
    run_id: str

    @property
    def state(self) -> str:
        """The state of the run."""
        with create_session() as session:
            query = select(DagRun.state).where(DagRun.dag_id == self.dag_id, DagRun.run_id == self.run_id)
            return str(session.scalars(query).one())

    @property
    def states(self) -> dict[str, str]:
        """The state of every task."""
        return {task_id: str(ti.state) for task_id, ti in self.task_instances().items()}

    def task_instances(self) -> dict[str, TaskInstance]:
        with create_session() as session:
            query = select(TaskInstance).where(
                TaskInstance.dag_id == self.dag_id, TaskInstance.run_id == self.run_id
            )
            return {ti.task_id: ti for ti in session.scalars(query)}

    def tries(self, task_id: str) -> int:
        """The number of the last try."""
        return self.task_instances()[task_id].try_number

    def xcoms(self, task_id: str) -> dict[str, Any]:
        """Everything a task left."""
        with create_session() as session:
            query = XComModel.get_many(run_id=self.run_id, task_ids=task_id, dag_ids=self.dag_id)
            found = session.scalars(query).all()
            return {xcom.key: XComModel.deserialize_value(xcom) for xcom in found}

    def outcome(self, task_id: str) -> dict[str, Any]:
        return self.xcoms(task_id)["vibe_outcome"]

    def result(self, task_id: str) -> Any:
        return self.xcoms(task_id)["return_value"]


def register(dag: DAG) -> None:
    """Airflow runs only what its database knows."""
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder="/dev/null", collect_dags=False)
    dag.relative_fileloc = f"{dag.dag_id}.py"
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)


def run_dag(dag: DAG, conf: Mapping[str, Any] | None = None, **how: Any) -> Ran:
    """Run *dag* once, task after task; *how* goes to `dag.test()`."""
    register(dag)
    run = dag.test(run_conf=dict(conf or {}), **how)
    return Ran(run.dag_id, run.run_id)
