"""RunReader: what the command line asks of an Airflow about a run, wherever that Airflow is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_vibe.plan.identity import airflow_id
from airflow_provider_vibe.plan.problems import VibeError, did_you_mean, quoted

URL_VARIABLE = "AIRFLOW_VIBE_URL"
FINISHED = ("success", "failed")


class NotFound(VibeError):
    """Airflow has no such DAG or run."""


class Unavailable(VibeError):
    """Airflow gives no answer for now; it may a moment later."""


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    :param state: ``queued``, ``running``, ``success``, ``failed``.
    :param started_at: when it began, or went on after it was cleared.
    :param version: the number of the version of its DAG; None when it has none yet.
    :param conf: its parameters.
    """

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    version: int | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in FINISHED


@dataclass(frozen=True)
class TaskState:
    """Where a task of a run stands.

    :param state: Airflow's word for it; None when nobody has looked at it yet.
    :param started_at: of the latest try.
    """

    task_id: str
    state: str | None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    try_number: int = 0


@dataclass(frozen=True)
class DagTask:
    """A task of a DAG.

    :param name: its display name: the id of its node.
    :param operator: the name of its class.
    :param description: what its node is to do; empty when Airflow does not tell.
    :param upstream: the tasks that come right before it.
    :param group: the TaskGroup it stands in; None for the DAG itself.
    """

    task_id: str
    name: str
    operator: str = ""
    description: str = ""
    upstream: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class DagGroup:
    """A TaskGroup of a DAG.

    :param name: its display name: the id of its node.
    :param parent: the TaskGroup it stands in; None for the DAG itself.
    """

    name: str
    parent: str | None = None


@dataclass(frozen=True)
class DagStructure:
    """The tasks and groups of a DAG, by their ids.

    :param has_groups: whether the groups are known; without them some nesting can only be guessed.
    """

    tasks: Mapping[str, DagTask]
    groups: Mapping[str, DagGroup]
    has_groups: bool = True


class RunReader(Protocol):
    """Reads the runs of one Airflow, and starts them.

    Every method raises :class:`Unavailable` when that Airflow gives no answer.
    """

    def dag_ids(self) -> Sequence[str]:
        """The DAGs there are."""
        ...

    def run_ids(self, dag_id: str) -> Sequence[str] | None:
        """The latest runs of a DAG, the newest first; None when there is no such DAG."""
        ...

    def run(self, dag_id: str, run_id: str) -> RunState | None:
        """A run; None when there is none."""
        ...

    def task_states(self, dag_id: str, run_id: str) -> Mapping[str, TaskState]:
        """Every task of a run by its id."""
        ...

    def structure(self, dag_id: str, version: int | None) -> DagStructure:
        """The tasks and groups of a version of a DAG; of the latest for None."""
        ...

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """What a task left under *key*; None when it left nothing."""
        ...

    def source(self, dag_id: str, version: int | None) -> str | None:
        """The text that a version of a DAG was made from: the plan file; of the latest for None."""
        ...

    def is_paused(self, dag_id: str) -> bool:
        """Whether the runs of a DAG wait until it is unpaused; False where that is not told."""
        ...

    def start_run(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run with these parameters; gives its id.

        :raises VibeError: Airflow does not take them.
        """
        ...


@contextmanager
def open_reader(url: str | None) -> Iterator[RunReader]:
    """A reader of the Airflow at *url*, else at ``AIRFLOW_VIBE_URL``, else of the one installed here.

    :param url: where the api-server is; empty for the Airflow installed here, whatever the environment says.
    """
    url = os.environ.get(URL_VARIABLE) if url is None else url
    if url:
        from airflow_provider_vibe.cli.remote import Login, RestReader

        with RestReader(url, Login.from_environment()) as reader:
            yield reader
    else:
        from airflow_provider_vibe.cli.local import DatabaseReader

        yield DatabaseReader()


def find_run(reader: RunReader, dag_id: str, run_id: str) -> RunState:
    """The run a person named.

    :raises NotFound: there is none; says which ones there are.
    """
    run = reader.run(dag_id, run_id) if may_exist(dag_id, run_id) else None
    if run is not None:
        return run
    runs = reader.run_ids(dag_id) if may_exist(dag_id) else None
    if runs is None:
        raise no_such_dag(reader, dag_id)
    raise NotFound(f"DAG {quoted(dag_id)} has no run {quoted(run_id)} ({_run_hint(runs, run_id)})")


def no_such_dag(reader: RunReader, dag_id: str) -> NotFound:
    """The error that says that there is no such DAG, and which one may be meant."""
    return NotFound(f"there is no DAG {quoted(dag_id)} ({_dag_hint(reader, dag_id)})")


def may_exist(*ids: str) -> bool:
    """Whether Airflow can be asked for these ids at all: they are text, and lead to no other address."""
    return all(id_.strip(".") and "/" not in id_ and is_text(id_) for id_ in ids)


def is_text(typed: str) -> bool:
    """Whether what was typed is text: a byte that is none in UTF-8 reaches Python as half a character."""
    return not any("\ud800" <= char <= "\udfff" for char in typed)


def _dag_hint(reader: RunReader, dag_id: str) -> str:
    known = reader.dag_ids()
    if (of_plan := airflow_id(dag_id)) in known:
        return f"the plan of that id is the DAG {quoted(of_plan)}"
    hint = did_you_mean(dag_id, known)
    return hint or ("'airflow dags list' shows all there are" if known else "there is none at all")


def _run_hint(runs: Sequence[str], run_id: str) -> str:
    if not runs:
        return "it has never run"
    return did_you_mean(run_id, runs) or f"the latest is {quoted(runs[0], 250)}"
