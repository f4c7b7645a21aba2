"""Which runs of a bundle have not ended yet, as far as this process can know."""

from __future__ import annotations

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that has not ended.

    :param file: the file its DAG was read from, in the bundle.
    :param version: the version of the bundle it began with.
    """

    file: str
    version: str


def unfinished_runs(bundle_name: str) -> set[UnfinishedRun] | None:
    """The runs of a bundle that have not ended; None when that cannot be known here.

    The dag-processor, which looks after bundles, has Airflow's database at hand; a worker has not.
    """
    try:
        from airflow.models.dag import DagModel
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.state import State
        from sqlalchemy import select

        query = (
            select(DagModel.relative_fileloc, DagRun.bundle_version)
            .join(DagModel, DagModel.dag_id == DagRun.dag_id)
            .where(DagModel.bundle_name == bundle_name, DagRun.state.in_(State.unfinished_dr_states))
        )
        with create_session() as session:
            rows = session.execute(query).tuples()
            return {UnfinishedRun(file, version) for file, version in rows if file and version}
    except Exception:
        log.warning("cannot tell which runs of bundle %s have not ended", bundle_name, exc_info=True)
        return None
