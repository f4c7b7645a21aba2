"""From a failed run to the next revision of its plan, on a real Airflow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dag.plans import plan
from tests.e2e.cluster import AirflowCluster
from tests.e2e.conftest import DropFile
from tests.e2e.test_plans import calls, work
from tests.e2e.tools import FOLDER_VARIABLE

REPLAN = "vibe_replan"
LOADER = (Path(__file__).parents[2] / "dags" / "vibe_replan.py").read_text()

SETTLED_SECONDS = 4
"""Airflow 3.3.2 may take the end of the asking, told late, for a failure of a task that has gone on since."""

Asked = tuple[str, str]
"""A run of the replan DAG that waits for a person, and the plan it shows."""


@pytest.fixture
def messages(cluster: AirflowCluster) -> Path:
    return Path(cluster.env[FOLDER_VARIABLE])


@pytest.fixture
def flaky(cluster: AirflowCluster, drop: DropFile, messages: Path) -> Callable[[str], Path]:
    """``flaky(name)`` puts a plan there of which one node of three fails, and runs it until it has failed."""
    drop("vibe_replan.py", LOADER)
    cluster.wait_for_dag(REPLAN)
    cluster.unpause(REPLAN)

    def run(name: str) -> Path:
        first, second, third = (f"{name}_{which}" for which in ("first", "flaky", "last"))
        content = plan(
            work(first),
            work(second, first, run={"retries": 0}),
            work(third, second),
            id=f"replan-{name}",
            replan={"mode": "approve", "cooldown": 0},
        )
        path = drop(f"{name}.vibe.json", json.dumps(content), cluster.home / "bundled")
        cluster.wait_for_dag(f"replan-{name}")
        cluster.unpause(f"replan-{name}")
        (messages / f"{second}.fail").write_text("connection lost")
        run_id = cluster.trigger(f"replan-{name}")
        assert cluster.wait_for_run(f"replan-{name}", run_id) == "failed"
        (messages / f"{second}.fail").unlink()
        return path

    return run


def asked_about(cluster: AirflowCluster, dag_id: str) -> Asked:
    """Wait until a person has been asked about the plan of a DAG, and has had time to read the question."""
    seen: dict[tuple[str, int], float] = {}

    def waiting() -> Asked | None:
        for detail in cluster.get(f"/dags/{REPLAN}/dagRuns/~/hitlDetails")["hitl_details"]:
            instance = detail["task_instance"]
            if dag_id in detail["subject"] and instance["state"] == "awaiting_input":
                first = seen.setdefault((instance["id"], instance["try_number"]), time.monotonic())
                if time.monotonic() - first > SETTLED_SECONDS:
                    return instance["dag_run_id"], detail["params"]["plan"]["value"]
        return None

    return cluster.wait(waiting, 120, f"a question about {dag_id}")


def answer(cluster: AirflowCluster, run_id: str, option: str, text: str) -> None:
    path = f"/dags/{REPLAN}/dagRuns/{run_id}/taskInstances/replan.approve/0/hitlDetails"
    cluster.patch(path, {"chosen_options": [option], "params_input": {"plan": text}})


def is_asked_again_after_refusal(cluster: AirflowCluster, run_id: str, reason: str) -> bool:
    """Wait until an answer was refused for *reason*; whether the question is open again, or has failed.

    It fails for good; but Airflow 3.3.2 may take the end of the asking, told late, for a failure that is to
    be tried again.
    """
    task_id = "replan.approve"

    def refused() -> bool | None:
        assert reason in cluster.log_text(REPLAN, run_id, task_id, try_number=1, map_index=0)
        task = cluster.task_instance(REPLAN, run_id, task_id, map_index=0)
        if task["try_number"] == 1:
            assert task["state"] == "failed" and cluster.run(REPLAN, run_id)["state"] == "failed"
        return True

    cluster.wait(refused, 120, "the answer to be refused")
    return cluster.task_instance(REPLAN, run_id, task_id, map_index=0)["try_number"] > 1


def reruns(cluster: AirflowCluster, dag_id: str) -> list[str]:
    return [run["dag_run_id"] for run in cluster.dag_runs(dag_id) if run["dag_run_id"].startswith("replan__")]


def test_approved_proposal_becomes_the_next_revision_and_only_what_failed_runs_again(
    cluster: AirflowCluster, flaky: Callable[[str], Path], messages: Path
) -> None:
    path = flaky("whole")
    run_id, text = asked_about(cluster, "replan-whole")
    answer(cluster, run_id, "Approve", text)

    assert cluster.wait_for_run(REPLAN, run_id) == "success"
    written = json.loads(path.read_text())
    assert written["revision"] == 2
    assert written["root_nodes"][1]["run"]["retries"] > 0
    (rerun,) = reruns(cluster, "replan-whole")
    assert cluster.wait_for_run("replan-whole", rerun) == "success"
    assert cluster.run("replan-whole", rerun)["dag_versions"][0]["version_number"] == 2
    assert [len(calls(messages, f"whole_{which}")) for which in ("first", "flaky", "last")] == [1, 2, 1]
    result = cluster.xcom("replan-whole", rerun, "vibe_feedback")
    assert result["status"] == "completed" and result["plan_revision"] == 2
    assert result["node_results"]["whole_first"]["reused_from"] is not None


def test_rejected_proposal_changes_nothing_and_neither_does_one_edited_into_no_plan(
    cluster: AirflowCluster, flaky: Callable[[str], Path]
) -> None:
    path = flaky("refused")
    before = path.read_bytes()
    run_id, text = asked_about(cluster, "replan-refused")
    broken: dict[str, Any] = json.loads(text)
    broken["root_nodes"][0]["parameters"]["tool"] = "notd"
    answer(cluster, run_id, "Approve", json.dumps(broken))
    if not is_asked_again_after_refusal(cluster, run_id, "did you mean 'noted'?"):
        cluster.clear(REPLAN, run_id, task_ids=["replan.approve"])
    again, text = asked_about(cluster, "replan-refused")
    assert again == run_id
    answer(cluster, run_id, "Reject", text)
    assert cluster.wait_for_run(REPLAN, run_id) == "success"
    assert path.read_bytes() == before and reruns(cluster, "replan-refused") == []


def test_killed_processes_leave_one_revision_and_one_run_of_it(
    cluster: AirflowCluster, flaky: Callable[[str], Path], messages: Path
) -> None:
    path = flaky("killed")
    run_id, text = asked_about(cluster, "replan-killed")
    cluster.kill("dag-processor")  # nobody sees the new revision
    answer(cluster, run_id, "Approve", text)
    cluster.wait_for_task(REPLAN, run_id, "replan.apply", ("running", "success"), map_index=0)
    cluster.kill("scheduler")  # and with it the workers, wherever they were
    cluster.start("dag-processor")
    cluster.start("scheduler")

    assert cluster.wait_for_run(REPLAN, run_id, timeout=180) == "success"
    assert json.loads(path.read_text())["revision"] == 2
    assert [kept.name for kept in (path.parent / ".revisions").glob("killed.*")] == ["killed.r1.vibe.json"]
    (rerun,) = reruns(cluster, "replan-killed")
    assert cluster.wait_for_run("replan-killed", rerun) == "success"
    assert len(calls(messages, "killed_first")) == 1
