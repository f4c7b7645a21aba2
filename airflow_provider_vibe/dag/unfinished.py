"""What runs still need of a bundle, as far as this process can know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that has not ended.

    :param file: the file its DAG was read from, in the bundle.
    :param version: the version of the bundle it began with.
    """

    file: str
    version: str


def unfinished_runs(bundle_name: str) -> list[UnfinishedRun] | None:
    """The runs of a bundle that have not ended, the latest first; None when that cannot be known here.

    :param bundle_name: the bundle.
    """
    return _ask(bundle_name, lambda session: _unfinished_runs(bundle_name, session))


def versions_in_use(bundle_name: str) -> set[str] | None:
    """The versions of a bundle that runs began with, or will; None when that cannot be known here.

    Airflow begins a run with the version in which it last parsed the DAG.

    :param bundle_name: the bundle.
    """

    def versions(session: Session) -> set[str]:
        from airflow.models.dag import DagModel
        from sqlalchemy import select

        parsed = select(DagModel.bundle_version).where(
            DagModel.bundle_name == bundle_name, DagModel.is_stale.is_(False)
        )
        begun = {run.version for run in _unfinished_runs(bundle_name, session)}
        return begun | {version for version in session.scalars(parsed.distinct()) if version}

    return _ask(bundle_name, versions)


def _unfinished_runs(bundle_name: str, session: Session) -> list[UnfinishedRun]:
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import State
    from sqlalchemy import select

    query = (
        select(DagModel.relative_fileloc, DagRun.bundle_version)
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .where(DagModel.bundle_name == bundle_name, DagRun.state.in_(State.unfinished_dr_states))
        .order_by(DagRun.id.desc())
    )
    rows = session.execute(query)
    return list(dict.fromkeys(UnfinishedRun(file, version) for file, version in rows if file and version))


def _ask(bundle_name: str, question: Callable[[Session], T]) -> T | None:
    """The dag-processor, which looks after bundles, has Airflow's database at hand; a worker has not."""
    try:
        from airflow.utils.session import create_session

        with create_session() as session:
            return question(session)
    except Exception:
        log.warning("cannot tell which runs of bundle %s have not ended", bundle_name, exc_info=True)
        return None
