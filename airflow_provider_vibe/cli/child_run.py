"""A run in a process of its own, so that it can be ended at any moment, and a tool can end only that one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.cli.local_run import Watcher, prepare_database, read_result, run_dag
from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.runtime.outcome import ExecutionResult, some

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session


POLL_SECONDS = 0.2
"""So often it is looked whether the run was interrupted."""


class RunInterrupted(VibeError):
    """A run that was ended by Ctrl-C."""


class RunLost(VibeError):
    """A run whose process has ended before it did."""


def run_in_child(dag: DAG, conf: Mapping[str, Any], watcher: Watcher) -> ExecutionResult:
    """Run *dag* once in a process of its own, and give what came of it.

    :param dag: the DAG of a plan.
    :param conf: the parameters of the run.
    :param watcher: is told what happens as it happens, in that process.
    :raises RunInterrupted: by Ctrl-C, or a signal to end; the run is marked as failed.
    :raises RunLost: a tool has ended the process, or somebody has killed it; the run is marked as failed.
    :raises VibeError: the run left no result.
    """
    prepare_database()
    moment = datetime.now(UTC)
    # A DAG cannot be pickled, with what its operators hold: the process gets it as it is.
    child = multiprocessing.get_context("fork").Process(target=_work, args=(dag, conf, watcher, moment))
    interrupted = _wait_for(child)
    with _left_alone():
        run, working = _end(dag.dag_id, moment)
    if run is None:
        raise RunInterrupted("interrupted before the run began") if interrupted else RunLost(_end_of(child))
    if working is not None:
        where = f"{f' in {some(working)}' if working else ''}; run {run.run_id} is marked as failed"
        raise RunInterrupted(f"interrupted{where}") if interrupted else RunLost(f"{_end_of(child)}{where}")
    return read_result(run)


def _work(dag: DAG, conf: Mapping[str, Any], watcher: Watcher, moment: datetime) -> None:
    from airflow import settings
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both: the parent's to act on
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings.get_engine().dispose(close=False)  # its connections are the parent's
    in_process_api_server.cache_clear()  # so are the threads of one that has been used before
    run_dag(dag, conf, watcher, moment)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _wait_for(child: BaseProcess) -> bool:
    """Wait until the process has ended, or end it; tells whether it was interrupted."""
    asked = threading.Event()  # an exception, raised wherever the process happens to be, could be lost
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda number, frame: asked.set()) for each in signals}
    try:
        child.start()
        while child.is_alive() and not asked.is_set():
            child.join(POLL_SECONDS)
        if asked.is_set():
            child.kill()
        child.join()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return asked.is_set()


@contextmanager
def _left_alone() -> Iterator[None]:
    """Meanwhile a further Ctrl-C does nothing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(dag_id: str, moment: datetime) -> tuple[DagRun | None, list[str] | None]:
    """The run of a moment, and the tasks that worked when its process ended; None when it had ended itself.

    A run that still goes on, as Airflow has it, is marked as failed, with the tasks that nobody works at.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.logical_date == moment)
        run = session.scalar(query)
        if run is None or run.state in ("success", "failed"):
            return run, None
        return run, _fail(run, session)


def _fail(run: DagRun, session: Session) -> list[str]:
    from airflow.utils.state import DagRunState, State, TaskInstanceState

    working = []
    for ti in run.get_task_instances(session=session):
        if ti.state in (TaskInstanceState.RUNNING, TaskInstanceState.DEFERRED):
            working.append(ti.task_display_name)
            ti.set_state(TaskInstanceState.FAILED, session=session)
        elif ti.state not in State.finished:
            ti.set_state(TaskInstanceState.SKIPPED, session=session)
    run.set_state(DagRunState.FAILED)
    return working


def _end_of(child: BaseProcess) -> str:
    code = child.exitcode or 0
    if code < 0:
        return f"the process of the run was killed by {signal.Signals(-code).name}"
    return f"the process of the run has ended by itself, with exit code {code}"
