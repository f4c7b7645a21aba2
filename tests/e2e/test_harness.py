"""The smoke test of the harness: a DAG written by hand, without the provider."""

from __future__ import annotations

import time

from tests.e2e.cluster import HEARTBEAT_TIMEOUT, AirflowCluster
from tests.e2e.conftest import DropFile
from tests.e2e.polling import wait_for_file

CHAIN = """
from airflow.sdk import dag, get_current_context, task

@dag(dag_id="harness_chain", schedule=None)
def harness_chain():
    @task
    def first():
        name = get_current_context()["dag_run"].conf["name"]
        print("hello from", name)
        return {"hello": name, "n": 1}

    @task
    def second(value):
        return {**value, "n": value["n"] + 1}

    second(second.override(task_id="middle")(first()))

harness_chain()
"""

SLEEPER = """
import os, time
from pathlib import Path
from airflow.sdk import dag, task

@dag(dag_id="harness_sleeper", schedule=None)
def harness_sleeper():
    @task
    def sleeps():
        mark = Path(os.environ["AIRFLOW_HOME"], "harness_sleeper.pid")
        mark.with_suffix(".draft").write_text(str(os.getpid()))
        mark.with_suffix(".draft").replace(mark)
        time.sleep(600)

    sleeps()

harness_sleeper()
"""


def test_dropped_dag_appears_runs_with_conf_and_leaves_xcom(cluster: AirflowCluster, drop: DropFile) -> None:
    drop("harness_chain.py", CHAIN)
    cluster.wait_for_dag("harness_chain")
    cluster.unpause("harness_chain")
    run_id = cluster.trigger("harness_chain", conf={"name": "Ada"})

    assert cluster.wait_for_run("harness_chain", run_id) == "success"
    assert cluster.task_states("harness_chain", run_id) == dict.fromkeys(
        ["first", "middle", "second"], "success"
    )
    assert cluster.xcom("harness_chain", run_id, "second") == {"hello": "Ada", "n": 3}
    assert "hello from Ada" in cluster.log_text("harness_chain", run_id, "first")

    assert cluster.clear("harness_chain", run_id, ["middle"]) == ["middle", "second"]
    assert cluster.wait_for_run("harness_chain", run_id) == "success"
    tries = {ti["task_id"]: ti["try_number"] for ti in cluster.task_instances("harness_chain", run_id)}
    assert tries == {"first": 1, "middle": 2, "second": 2}
    assert [run["dag_run_id"] for run in cluster.dag_runs("harness_chain")] == [run_id]


def test_broken_file_is_an_import_error_and_leaves_the_others_alone(
    cluster: AirflowCluster, drop: DropFile
) -> None:
    drop("harness_chain.py", CHAIN)
    drop("harness_broken.py", "from airflow.sdk import DAG\nraise ValueError('this file is broken')\n")

    assert "this file is broken" in cluster.wait_for_import_error("harness_broken.py")
    cluster.wait_for_dag("harness_chain")


def test_killed_task_process_fails_at_once(cluster: AirflowCluster, drop: DropFile) -> None:
    run_id, pid = start_sleeper(cluster, drop)
    assert cluster.task_process("harness_sleeper", run_id, "sleeps").pid == pid

    cluster.kill_task("harness_sleeper", run_id, "sleeps")

    assert cluster.wait_for_run("harness_sleeper", run_id, timeout=20) == "failed"
    assert cluster.task_states("harness_sleeper", run_id) == {"sleeps": "failed"}


def test_lost_worker_is_noticed_by_its_missing_heartbeat(cluster: AirflowCluster, drop: DropFile) -> None:
    run_id, _ = start_sleeper(cluster, drop)

    cluster.kill_task("harness_sleeper", run_id, "sleeps", worker=True)
    killed_at = time.monotonic()

    assert cluster.wait_for_run("harness_sleeper", run_id, timeout=HEARTBEAT_TIMEOUT + 20) == "failed"
    assert time.monotonic() - killed_at > HEARTBEAT_TIMEOUT / 2, "someone reported it: the worker lived on"


def start_sleeper(cluster: AirflowCluster, drop: DropFile) -> tuple[str, int]:
    """Run the DAG whose only task sleeps; return the run's id and the pid that the task wrote of itself."""
    mark = cluster.home / "harness_sleeper.pid"
    mark.unlink(missing_ok=True)
    drop("harness_sleeper.py", SLEEPER)
    cluster.wait_for_dag("harness_sleeper")
    cluster.unpause("harness_sleeper")
    run_id = cluster.trigger("harness_sleeper")
    return run_id, int(wait_for_file(mark))
