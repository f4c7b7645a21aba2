"""A task instance that keeps its XComs to itself."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any


class FakeTaskInstance:
    """As much of Airflow's as an operator asks for.

    :param xcoms: results by task id.
    """

    try_number = 1

    def __init__(self, xcoms: dict[str, Any] | None = None) -> None:
        self.xcoms = xcoms or {}
        self.pushed: dict[str, Any] = {}

    def xcom_pull(self, *, task_ids: str, map_indexes: int) -> Any:
        return self.xcoms.get(task_ids)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def context(self, logical_date: datetime | None = None, **params: Any) -> Any:
        """The context of a task."""
        after = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
        dag_run = SimpleNamespace(run_id="r", dag_id="d", logical_date=logical_date, run_after=after)
        return {"ti": self, "params": params, "dag_run": dag_run}
