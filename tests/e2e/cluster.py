"""A small Airflow of real processes on a PostgreSQL database of its own, for end-to-end tests."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from tests.e2e import guard
from tests.e2e.polling import eventually
from tests.e2e.rest import AirflowRest

T = TypeVar("T")

POSTGRES_VARIABLE = "VIBE_TEST_POSTGRES"
DEFAULT_POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
HEARTBEAT_TIMEOUT = 15
"""Seconds without a heartbeat after which a running task counts as dead. Workers send one every 2 s."""

SETTINGS: dict[str, dict[str, object]] = {
    "core": {
        "load_examples": False,
        "executor": "LocalExecutor",
        "parallelism": 6,
        "simple_auth_manager_all_admins": True,
        "hostname_callable": "socket.gethostname",  # the default asks the name server
        "min_serialized_dag_update_interval": 0,  # else a second edit within 30 s is ignored
    },
    "database": {"sql_alchemy_pool_size": 3},
    "api": {"workers": 1},
    "scheduler": {
        "scheduler_heartbeat_sec": 1,
        "scheduler_idle_sleep_time": 0.2,
        "task_instance_heartbeat_timeout": HEARTBEAT_TIMEOUT,
        "task_instance_heartbeat_timeout_detection_interval": 2,
        "trigger_timeout_check_interval": 2,
        "orphaned_tasks_check_interval": 10,
    },
    "dag_processor": {
        "refresh_interval": 1,
        "bundle_refresh_check_interval": 1,
        # An edited file is parsed at once; this is for what it reads besides. 0.1 s of CPU a file.
        "min_file_process_interval": 10,
        "parsing_processes": 1,
    },
    "triggerer": {"job_heartbeat_sec": 1},
    "workers": {"min_heartbeat_interval": 2, "execution_api_timeout": 30},
    "logging": {
        "uvicorn_logging_level": "WARNING",
        # Else a line for every request and three for every second.
        "namespace_levels": (
            "http.access=WARNING airflow.dag_processing.manager.DagFileProcessorManager=WARNING"
        ),
    },
    "usage_data_collection": {"enabled": False},
}
"""A small fast Airflow: few processes, short intervals, no word to the outside."""


class ClusterError(RuntimeError):
    """The cluster itself is broken: there is no use in waiting on."""


def postgres_url() -> URL:
    """The PostgreSQL server to make databases on: ``VIBE_TEST_POSTGRES``, or the one of this machine."""
    url = make_url(os.environ.get(POSTGRES_VARIABLE) or DEFAULT_POSTGRES)
    return url.set(drivername="postgresql+psycopg2")


def postgres_trouble() -> str:
    """Why the server cannot be used, for a human; empty when it can."""
    url = postgres_url()
    try:
        with create_engine(url, connect_args={"connect_timeout": 5}).connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        cause = str(error.orig).strip().partition("\n")[0]
        return f"no PostgreSQL at {url.render_as_string()} ({POSTGRES_VARIABLE}): {cause}"
    return ""


class AirflowCluster(AirflowRest):
    """Api-server, scheduler with LocalExecutor, dag-processor and triggerer, from ``with`` to its end.

    :param home: an empty folder: AIRFLOW_HOME. It is left behind with all logs.
    :param env: environment variables on top of the cluster's own; they win.
    :param component_env: more of them for one component, by its name; they win over all.
    :param timeout: seconds for the cluster to become healthy.
    """

    def __init__(
        self,
        home: Path,
        env: Mapping[str, str] | None = None,
        component_env: Mapping[str, Mapping[str, str]] | None = None,
        *,
        timeout: float = 180,
    ) -> None:
        port = _free_port()
        super().__init__(f"http://127.0.0.1:{port}")
        self.home = home
        self.dags_folder = home / "dags"
        self.process_logs = home / "logs-e2e"
        self.timeout = timeout
        self._server = postgres_url()
        self.database = f"vibe_e2e_{secrets.token_hex(6)}"
        url = self._server.set(database=self.database).render_as_string(hide_password=False)
        self.env = {**_inherited(), **_settings(home, self.base_url, url), **(env or {})}
        self._component_env = component_env or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[str] | None = None
        self._commands = {
            "api-server": ["api-server", "--host", "127.0.0.1", "--port", str(port)],
            "scheduler": ["scheduler", "--skip-serve-logs"],
            "dag-processor": ["dag-processor"],
            "triggerer": ["triggerer", "--skip-serve-logs"],
        }

    # -- life

    def __enter__(self) -> Self:
        """Make the database, start the processes, wait for health."""
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        self.process_logs.mkdir(exist_ok=True)
        try:
            self._start_guard()
            self._make_database()
            for name in self._commands:
                self.start(name)
            self.wait_until_healthy()
        except BaseException as error:
            self.stop()
            if isinstance(error, Exception):
                error.add_note(self.log_tails())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything and drop the database."""
        self.stop()

    def stop(self) -> None:
        """End every process of the cluster and drop the database."""
        self.http.close()
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait(timeout=60)
            self._guard = None
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    def start(self, name: str) -> None:
        """Start one of the components: ``api-server``, ``scheduler``, ``dag-processor``, ``triggerer``."""
        process = self._spawn([sys.executable, "-m", "airflow", *self._commands[name]], name)
        self._processes[name] = process
        self._tell_guard(session=process.pid)

    def kill(self, name: str) -> None:
        """SIGKILL one component with everything that it started, tasks included; `start` starts it anew."""
        process = self._processes.pop(name)
        guard.end_sessions([process.pid], grace=0)
        process.wait()
        self._tell_guard(forget=process.pid)

    def wait_until_healthy(self) -> None:
        """Wait until every component says that it is healthy.

        Then make the first call of the execution API: the api-server builds it during that call, which takes
        seconds and would else fall to the first task.
        """

        def healthy() -> bool:
            try:
                health = self.get("/monitor/health")
            except httpx.TransportError as error:
                raise AssertionError(f"{type(error).__name__}: {error}") from error
            ill = {name: of["status"] for name, of in health.items() if of["status"] != "healthy"}
            assert not ill, f"not healthy: {ill}"
            return True

        self.wait(healthy, self.timeout, "a healthy cluster")
        # Without this header Airflow adds the admin's token, which is none of that API and makes it complain.
        nobody = {"Authorization": "none"}
        httpx.get(
            f"{self.base_url}/execution/health", headers=nobody, timeout=self.timeout
        ).raise_for_status()

    def wait(self, check: Callable[[], T | None], timeout: float, what: str) -> T:
        """`eventually`, ending at once when one of the processes has ended by itself.

        :raises ClusterError: naming the process and its exit code.
        """

        def check_alive_first() -> T | None:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise ClusterError(f"{name} ended with {process.returncode} during the wait for {what}")
            return check()

        return eventually(check_alive_first, timeout, what)

    def log_tails(self, lines: int = 40) -> str:
        """The last lines that each process wrote."""
        parts = []
        for path in sorted(self.process_logs.glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append("\n".join([f"--- {path}", *tail]))
        return "\n".join(parts)

    # -- processes of tasks

    def task_process(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, timeout: float = 60
    ) -> psutil.Process:
        """Wait until the task instance runs; return the process that runs its code.

        Its parent is the LocalExecutor's worker, which supervises it and sends the heartbeats.
        """
        scheduler = self._processes["scheduler"].pid

        def running() -> psutil.Process | None:
            ti = self.task_instance(dag_id, run_id, task_id, map_index)
            assert ti["state"] == "running" and ti["pid"], f"{ti['state']}, pid {ti['pid']}"
            try:
                assert os.getsid(ti["pid"]) == scheduler, f"pid {ti['pid']} is none of the scheduler's"
                return psutil.Process(ti["pid"])
            except (ProcessLookupError, psutil.NoSuchProcess) as error:
                raise AssertionError(f"{ti['state']}, but pid {ti['pid']} is gone") from error

        return self.wait(running, timeout, f"the process of {dag_id} {run_id} {task_id}")

    def kill_task(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, *, worker: bool = False
    ) -> None:
        """SIGKILL the process that runs a task instance, as the kernel does when memory is short.

        :param worker: kill the supervising worker too, as when a machine is lost: nothing is reported then,
            and only the missing heartbeat tells (`HEARTBEAT_TIMEOUT`).
        """
        self.kill_process(self.task_process(dag_id, run_id, task_id, map_index), worker=worker)

    def kill_process(self, process: psutil.Process, *, worker: bool = False) -> None:
        """SIGKILL the process of a task; as `kill_task` for a process that is known."""
        victims = [process]
        if worker:
            supervisor = process.parent()
            if supervisor is None or os.getsid(supervisor.pid) != self._processes["scheduler"].pid:
                raise ClusterError(f"the parent of {process} is not a worker of this cluster: {supervisor}")
            victims.insert(0, supervisor)
        for victim in victims:
            victim.send_signal(signal.SIGKILL)

    # -- inside

    def _start_guard(self) -> None:
        with (self.process_logs / "guard.log").open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, guard.__file__],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def _tell_guard(self, **order: Any) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise ClusterError("the cluster is not running")
        self._guard.stdin.write(json.dumps(order) + "\n")
        self._guard.stdin.flush()

    def _make_database(self) -> None:
        server = self._server.render_as_string(hide_password=False)
        self._tell_guard(server=server, database=self.database)
        with create_engine(self._server, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{self.database}"'))
        migration = self._spawn([sys.executable, "-m", "airflow", "db", "migrate"], "migrate")
        self._tell_guard(session=migration.pid)
        if code := migration.wait(timeout=self.timeout):
            raise ClusterError(f"airflow db migrate ended with {code}")
        self._tell_guard(forget=migration.pid)

    def _spawn(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self.process_logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env={**self.env, **self._component_env.get(name, {})},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _inherited() -> dict[str, str]:
    """The environment of this process without the Airflow that its user may have set up."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "COV_CORE"))}
    bin_folder = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([bin_folder, kept.get("PATH", os.defpath)])}


def _settings(home: Path, base_url: str, database: str) -> dict[str, str]:
    """The environment of a cluster: `SETTINGS`, its own addresses and fresh keys."""
    own: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": home / "dags",
            "execution_api_server_url": f"{base_url}/execution/",
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        },
        "database": {"sql_alchemy_conn": database},
        "api": {"base_url": base_url, "secret_key": secrets.token_hex(16)},
        "api_auth": {"jwt_secret": secrets.token_hex(32)},
    }
    named = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for options in (SETTINGS, own)
        for section, keys in options.items()
        for key, value in keys.items()
    }
    return {"AIRFLOW_HOME": str(home), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "DO_NOT_TRACK": "1", **named}
