"""A process that ends what a test cluster started, also when the tests themselves were killed.

Run as a program it reads one JSON object a line from its standard input, and acts when that ends: because
the cluster closed it, or because the process that held the other end is gone, for whatever reason. Everything
is found by the session ids it was told of (each Airflow component leads a session of its own): a task runs in
a process group of its own and may have lost its parent, but stays in the session.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import psutil
from sqlalchemy import create_engine, text


def members(session_id: int) -> list[psutil.Process]:
    """The living processes of a session, and their descendants in other sessions (bash operators)."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session_id and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process
                found.update((child.pid, child) for child in process.children(recursive=True))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return [process for process in found.values() if _alive(process)]


def end_sessions(session_ids: list[int], grace: float) -> None:
    """Ask every process of the sessions to end, and kill what is left.

    :param grace: seconds between the two; 0 kills at once.
    """
    for process in _members(session_ids) if grace else ():
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (left := _members(session_ids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    while left:
        for process in left:
            _signal(process, signal.SIGKILL)
        time.sleep(0.05)
        left = _members(session_ids)


def drop_database(server: str, name: str) -> None:
    """Drop a database of the server, whoever is still connected to it."""
    with create_engine(server, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def main() -> None:
    """Read the orders, wait for the end of the input, clean up."""
    sessions: list[int] = []
    databases: list[tuple[str, str]] = []
    for line in sys.stdin:
        order = json.loads(line)
        if "session" in order:
            sessions.append(order["session"])
        if "forget" in order:
            sessions.remove(order["forget"])
        if "database" in order:
            databases.append((order["server"], order["database"]))
    end_sessions(sessions, grace=5)
    for server, name in databases:
        drop_database(server, name)


def _members(session_ids: list[int]) -> list[psutil.Process]:
    return [process for session_id in session_ids for process in members(session_id)]


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


if __name__ == "__main__":
    main()
