"""One task's process: make the DAG, then execute one node again and again, and print what each call cost.

``python -m benchmarks.probe DEPENDENCIES CALLS`` prints a JSON list of CPU milliseconds, the tool's own left
out. The first call is what a real task pays: Airflow runs each in a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import Context
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_provider_vibe import build_dag, read_plan
from airflow_provider_vibe.operators.base import VibeNodeOperator
from benchmarks.quiet_tool import QUIET, quiet_tools

NODE_ID = "node"


@dataclass
class MemoryTaskInstance:
    """A task instance whose XComs are a dict.

    :param xcoms: by task id and key.
    """

    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    try_number: int = 1

    def xcom_pull(self, task_ids: str, key: str = "return_value", **where: Any) -> Any:
        return self.xcoms.get((task_ids, key))

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[NODE_ID, key] = value


def call_costs(dependencies: int, calls: int) -> list[float]:
    """CPU milliseconds of each call of a node's ``execute``, without those of its tool.

    :param dependencies: nodes it depends on.
    :param calls: how often it is called.
    """
    dag = build_dag(read_plan(json.dumps(plan(dependencies)).encode()))
    task = cast("VibeNodeOperator", dag.get_task(NODE_ID))
    context = cast("Context", task_context(dependencies))
    ExecutorSafeguard.tracker.set(task)  # as Airflow's task runner does
    return [1000 * _one_call(task, context) for _ in range(calls)]


def _one_call(task: VibeNodeOperator, context: Context) -> float:
    begun = time.process_time()
    task.execute(context)
    return time.process_time() - begun - QUIET.spent


def plan(dependencies: int) -> dict[str, Any]:
    """A node that reads the outputs of the nodes it depends on.

    :param dependencies: how many these are.
    """
    before = [f"before-{index}" for index in range(dependencies)]
    text = " ".join(f"${{nodes.{node_id}.text}}" for node_id in before)
    return {
        "id": "overhead",
        "source_vibe": {"description": "A plan with one node that counts", "style": "plain"},
        "root_nodes": [
            *(_node(node_id, "At first", []) for node_id in before),
            _node(NODE_ID, text, before),
        ],
    }


def _node(node_id: str, text: str, dependencies: list[str]) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "generate",
        "description": f"Node {node_id}",
        "parameters": {"tool": QUIET.name, "tool_inputs": {"text": text}},
        "dependencies": dependencies,
        "estimated_duration": 30,
    }


def task_context(dependencies: int) -> dict[str, Any]:
    """What Airflow gives a task; each node before it left a text of 2,300 characters.

    :param dependencies: how many these are.
    """
    done = {"type": "tool_execution", "tool": QUIET.name, "result": {"text": "A text of some length. " * 100}}
    xcoms = {(f"before-{index}", "return_value"): done for index in range(dependencies)}
    now = datetime.now(UTC)
    dag_run = SimpleNamespace(run_id="manual__1", dag_id="overhead", logical_date=now, run_after=now)
    return {"ti": MemoryTaskInstance(xcoms), "params": {}, "dag_run": dag_run}


if __name__ == "__main__":
    assert quiet_tools() == [QUIET]
    print(json.dumps(call_costs(int(sys.argv[1]), int(sys.argv[2]))))
