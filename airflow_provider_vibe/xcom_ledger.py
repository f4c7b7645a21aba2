"""Where Airflow keeps the account of a run: XComs of a task that never works, seen by all tasks of the run.

A task has no database, its own XComs are deleted when it is tried again, and its state store is hidden from
the others. But it may write XComs of another task of its run; and those of `vibe_budget`, which the scheduler
sets to success without running it, outlive retries and clearing. Each node writes one key there, its task id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.identity import BUDGET_TASK_ID
from airflow_provider_vibe.plan.models import Budget
from airflow_provider_vibe.runtime.budget import RESERVED_TOKENS, NodeAccount
from airflow_provider_vibe.runtime.ledger import Entry
from airflow_provider_vibe.runtime.usage import Usage
from airflow_provider_vibe.tools.threads import run_in_thread

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor

STATE_KEY = "vibe_usage"


@dataclass(frozen=True)
class SharedBudget:
    """A plan's budget and the tasks that spend it.

    :param limits: what a run may use.
    :param task_ids: of all nodes that work.
    :param reserved_tokens: set aside for an answer whose length the call does not limit.
    """

    limits: Budget
    task_ids: tuple[str, ...]
    reserved_tokens: int = RESERVED_TOKENS


class XComLedger:
    """The entries of a run with a budget; a :class:`~airflow_provider_vibe.runtime.ledger.LedgerStore`.

    :param dag_id: the DAG.
    :param run_id: the run.
    :param task_ids: the tasks that may have an entry.
    """

    def __init__(self, dag_id: str, run_id: str, task_ids: tuple[str, ...]) -> None:
        self._of = {"dag_id": dag_id, "run_id": run_id, "task_id": BUDGET_TASK_ID}
        self._task_ids = task_ids

    async def read(self, node: str) -> Entry:
        """The entry of one task."""
        return await run_in_thread(self.entry, node)

    async def read_all(self) -> dict[str, Entry]:
        """All entries: a request for each task."""
        return await run_in_thread(self.entries)

    async def write(self, node: str, entry: Entry) -> None:
        """Replace an entry."""
        from airflow.sdk.execution_time.xcom import XCom

        await run_in_thread(XCom.set, node, entry.as_json(), **self._of)

    async def working(self) -> set[str]:
        """The tasks that run."""
        return await run_in_thread(self._running)

    def entry(self, node: str) -> Entry:
        """The entry of one task; blocks."""
        from airflow.sdk.execution_time.xcom import XCom

        return Entry.from_json(XCom.get_one(key=node, **self._of))

    def entries(self) -> dict[str, Entry]:
        """All entries; blocks."""
        return {task_id: self.entry(task_id) for task_id in self._task_ids}

    def _running(self) -> set[str]:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        dag_id, run_id = self._of["dag_id"], self._of["run_id"]
        states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
        return {task_id for task_id, state in states.items() if str(state) == "running"}


class OwnEntry:
    """The entry of a node in a run without a budget, kept in its task's state store.

    :param store: of the task.
    """

    def __init__(self, store: TaskStateStoreAccessor) -> None:
        self._store = store

    async def read(self, node: str) -> Entry:
        """What earlier attempts left."""
        stored: Any = await run_in_thread(self._store.get, STATE_KEY)
        return Entry.from_json(stored)

    async def write(self, node: str, entry: Entry) -> None:
        """Keep it for later attempts."""
        await run_in_thread(self._store.set, STATE_KEY, entry.as_json())


def account_of(task_id: str, context: Context, budget: SharedBudget | None) -> NodeAccount:
    """The account of an attempt at a node.

    :param task_id: of the node.
    :param context: Airflow's task context.
    :param budget: of the plan.
    """
    try_number, run = context["ti"].try_number, context["dag_run"]
    if budget is not None:
        ledger = XComLedger(run.dag_id, run.run_id, budget.task_ids)
        limits, reserved = budget.limits, budget.reserved_tokens
        return NodeAccount(task_id, try_number, ledger, limits, reserved_tokens=reserved)
    state = context.get("task_state_store")
    return NodeAccount(task_id, try_number, None if state is None else OwnEntry(state))


def used_by_task(context: Context, budget: SharedBudget) -> dict[str, Usage]:
    """What the account of a run says of each task that has an entry, once none of them works any more.

    :param context: Airflow's task context.
    :param budget: of the plan.
    """
    run = context["dag_run"]
    entries = XComLedger(run.dag_id, run.run_id, budget.task_ids).entries()
    return {task_id: entry.used_if_dead for task_id, entry in entries.items() if entry.attempts}
