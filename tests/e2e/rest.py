"""The public REST API (v2) of a running Airflow, in the words of a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpx

from tests.e2e.polling import eventually

T = TypeVar("T")

FINISHED_RUN = frozenset({"success", "failed"})
FINISHED_TASK = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class AirflowRest:
    """Helpers over httpx. No token is sent: the cluster makes an admin of everyone."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = httpx.Client(base_url=f"{base_url}/api/v2", timeout=30)

    # -- the plain verbs

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request; return the decoded answer (None when empty).

        :param path: below ``/api/v2``, with its leading slash.
        :param options: as for ``httpx.Client.request``.
        :raises AssertionError: with Airflow's own words, on any status of 400 and above.
        """
        response = self.http.request(method, path, **options)
        if response.is_error:
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text[:2000]}")
        return response.json() if response.content else None

    def get(self, path: str, **params: Any) -> Any:
        """GET ``path`` with query parameters."""
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any) -> Any:
        """POST a JSON body to ``path``."""
        return self.request("POST", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH ``path`` with a JSON body."""
        return self.request("PATCH", path, json=body)

    def wait(self, check: Callable[[], T | None], timeout: float, what: str) -> T:
        """`eventually`, ending early when the cluster itself is broken."""
        return eventually(check, timeout, what)

    # -- DAGs

    def wait_for_dag(self, dag_id: str, timeout: float = 60, *, version: int = 1) -> dict[str, Any]:
        """Wait until Airflow knows ``dag_id`` in this version or a later one, without import errors."""

        def known() -> dict[str, Any] | None:
            response = self.http.get(f"/dags/{dag_id}")
            errors = [(error["filename"], error["stack_trace"]) for error in self.import_errors()]
            assert response.is_success, f"{response.status_code}; import errors: {errors}"
            dag: dict[str, Any] = response.json()
            assert not dag["is_stale"], f"is stale; import errors: {errors}"
            assert not dag["has_import_errors"], f"import errors: {errors}"
            latest = self.dag_version(dag_id)
            assert latest >= version, f"version {latest}"
            return dag

        return self.wait(known, timeout, f"the DAG {dag_id} in version {version}")

    def dag_version(self, dag_id: str) -> int:
        """The number of the latest version of a DAG, counted from 1; 0 while there is none."""
        versions = self.get(f"/dags/{dag_id}/dagVersions", order_by="-version_number", limit=1)[
            "dag_versions"
        ]
        return versions[0]["version_number"] if versions else 0

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self.patch(f"/dags/{dag_id}", {"is_paused": False})

    def import_errors(self) -> list[dict[str, Any]]:
        """The import errors: ``filename``, ``bundle_name``, ``stack_trace``."""
        errors: list[dict[str, Any]] = self.get("/importErrors", limit=100)["import_errors"]
        return errors

    def wait_for_import_error(self, filename: str, timeout: float = 60) -> str:
        """Wait for an import error of a file whose path ends in ``filename``; return its stack trace."""

        def found() -> str | None:
            errors = self.import_errors()
            traces = [e["stack_trace"] for e in errors if e["filename"].endswith(filename)]
            assert traces, f"errors of {[e['filename'] for e in errors]}"
            return str(traces[0])

        return self.wait(found, timeout, f"an import error of {filename}")

    # -- runs

    def trigger(
        self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None, **body: Any
    ) -> str:
        """Start a run by hand; return its id.

        :param logical_date: ISO 8601; None gives a run without one, where ``{{ ds }}`` is undefined.
        :param body: other fields of the request, such as ``dag_run_id``, ``note``.
        """
        sent = {"conf": conf or {}, "logical_date": logical_date, **body}
        return str(self.post(f"/dags/{dag_id}/dagRuns", sent)["dag_run_id"])

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the latest first."""
        runs = self.get(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
        return list(runs)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        run: dict[str, Any] = self.get(f"/dags/{dag_id}/dagRuns/{run_id}")
        return run

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120) -> str:
        """Wait until the run has ended; return ``success`` or ``failed``."""

        def ended() -> str | None:
            state = self.run(dag_id, run_id)["state"]
            assert state in FINISHED_RUN, f"{state}, tasks {self.task_states(dag_id, run_id)}"
            return str(state)

        return self.wait(ended, timeout, f"the end of {dag_id} {run_id}")

    # -- tasks

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """All task instances of a run, every index of a mapped task among them."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(found), order_by="id")
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State by task id; by ``task_id[map_index]`` for a mapped task."""
        states: dict[str, str | None] = {}
        for ti in self.task_instances(dag_id, run_id):
            index = "" if ti["map_index"] < 0 else f"[{ti['map_index']}]"
            states[ti["task_id"] + index] = ti["state"]
        return states

    def task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """One task instance: ``state``, ``try_number``, ``pid``, ``start_date``, ``duration`` and more."""
        ti: dict[str, Any] = self.get(_task_path(dag_id, run_id, task_id, map_index))
        return ti

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Iterable[str] = FINISHED_TASK,
        timeout: float = 60,
        map_index: int = -1,
    ) -> dict[str, Any]:
        """Wait until the task instance is in one of ``states``; return it."""
        wanted = frozenset(states)

        def reached() -> dict[str, Any] | None:
            ti = self.task_instance(dag_id, run_id, task_id, map_index)
            assert ti["state"] in wanted, f"{ti['state']} (try {ti['try_number']})"
            return ti

        return self.wait(reached, timeout, f"{dag_id} {run_id} {task_id} in {sorted(wanted)}")

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """The value of an XCom as the JSON that the task pushed.

        :raises AssertionError: 404, when the task pushed no such key.
        """
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(path, map_index=map_index)["value"]

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: list[str] | None = None,
        *,
        downstream: bool = True,
        only_failed: bool = False,
        **body: Any,
    ) -> list[str]:
        """Clear task instances of a run so that they run again; return the task ids.

        :param task_ids: None for all tasks of the run.
        :param body: other fields of the request, such as ``run_on_latest_version``.
        """
        sent = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "include_downstream": downstream,
            "only_failed": only_failed,
            **body,
        }
        cleared = self.post(f"/dags/{dag_id}/clearTaskInstances", sent)["task_instances"]
        return sorted(ti["task_id"] for ti in cleared)

    def log_text(
        self, dag_id: str, run_id: str, task_id: str, *, try_number: int | None = None, map_index: int = -1
    ) -> str:
        """The log of one try (the latest by default), a line of JSON per event after its own text."""
        number = try_number or self.task_instance(dag_id, run_id, task_id, map_index)["try_number"]
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{number}"
        events = self.get(path, full_content=True, map_index=map_index)["content"]
        return "\n".join(event if isinstance(event, str) else _log_line(event) for event in events)


def _task_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
    return path if map_index < 0 else f"{path}/{map_index}"


def _log_line(event: dict[str, Any]) -> str:
    rest = {key: value for key, value in event.items() if key != "event"}
    return f"{event['event']} {json.dumps(rest)}"
