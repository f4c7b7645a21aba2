"""A folder of plan files as a versioned bundle, on a real Airflow whose workers keep bundles elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dag.plans import plan
from tests.e2e.cluster import AirflowCluster
from tests.e2e.conftest import DropFile
from tests.e2e.polling import wait_for_file
from tests.e2e.test_plans import calls, work
from tests.e2e.tools import FOLDER_VARIABLE

PARSE_AND_STORE_100_TIMES = """
from argparse import Namespace
from airflow.cli.commands.dag_command import dag_reserialize
for _ in range(100):
    dag_reserialize(Namespace(bundle_name=["plans"]))
"""
"""What `airflow dags reserialize --bundle-name plans` does, a hundred times."""

BAD = "id: bundle-bad\nsource_vibe:\n  description: x\nroot_nodes:\n  - id: a\n    typ: analyze\n"


Begin = Callable[[str], tuple[Path, str, str]]


@pytest.fixture
def folder(cluster: AirflowCluster) -> Path:
    """The folder of plans that is a bundle."""
    return cluster.home / "bundled"


@pytest.fixture
def messages(cluster: AirflowCluster) -> Path:
    return Path(cluster.env[FOLDER_VARIABLE])


def versions(cluster: AirflowCluster, dag_id: str) -> int:
    return int(cluster.get(f"/dags/{dag_id}/dagVersions")["total_entries"])


def two_steps(first: str, second: str, text: str, **fields: Any) -> dict[str, Any]:
    return plan(work(first), work(second, first, text=text), id="bundle-edited", **fields)


def test_run_ends_on_the_plan_it_began_with_and_the_next_uses_the_new_one(
    cluster: AirflowCluster, drop: DropFile, folder: Path, messages: Path
) -> None:
    drop("edited.vibe.json", json.dumps(two_steps("bun_first", "bun_old", "old text")), folder)
    cluster.wait_for_dag("bundle-edited")
    cluster.unpause("bundle-edited")
    (messages / "bun_first.wait").touch()
    began = cluster.trigger("bundle-edited")
    wait_for_file(messages / "bun_first.calls")

    drop("edited.vibe.json", json.dumps(two_steps("bun_first", "bun_new", "new text")), folder)
    cluster.wait_for_dag("bundle-edited", version=2)
    (messages / "bun_first.wait").unlink()

    assert cluster.wait_for_run("bundle-edited", began) == "success"
    assert set(cluster.task_states("bundle-edited", began)) == {"bun_first", "bun_old", "vibe_feedback"}
    assert calls(messages, "bun_old")[0]["text"] == "old text"
    following = cluster.trigger("bundle-edited")
    assert cluster.wait_for_run("bundle-edited", following) == "success"
    assert set(cluster.task_states("bundle-edited", following)) == {"bun_first", "bun_new", "vibe_feedback"}
    assert calls(messages, "bun_new")[0]["text"] == "new text"
    shown = [
        cluster.run("bundle-edited", run_id)["dag_versions"][0]["version_number"]
        for run_id in (began, following)
    ]
    assert shown == [1, 2]


def test_plan_deleted_in_flight_ends_well_and_its_dag_goes_away(
    cluster: AirflowCluster, drop: DropFile, folder: Path, messages: Path
) -> None:
    content = plan(work("gone_first"), work("gone_second", "gone_first"), id="bundle-gone")
    path = drop("gone.vibe.json", json.dumps(content), folder)
    cluster.wait_for_dag("bundle-gone")
    cluster.unpause("bundle-gone")
    (messages / "gone_first.wait").touch()
    run_id = cluster.trigger("bundle-gone")
    wait_for_file(messages / "gone_first.calls")
    path.unlink()
    refreshed = cluster.get("/dags/bundle-gone")["last_parsed_time"]
    cluster.wait(
        lambda: cluster.get("/dags/bundle-gone")["last_parsed_time"] != refreshed,
        60,
        "the folder to be looked at again",
    )
    (messages / "gone_first.wait").unlink()
    assert cluster.wait_for_run("bundle-gone", run_id) == "success"
    wait_until_gone(cluster, "bundle-gone")


def wait_until_gone(cluster: AirflowCluster, dag_id: str) -> None:
    cluster.wait(lambda: is_stale(cluster, dag_id), 60, f"the DAG {dag_id} to go away")


def is_stale(cluster: AirflowCluster, dag_id: str) -> bool:
    return bool(cluster.get(f"/dags/{dag_id}/details")["is_stale"])


@pytest.fixture
def begin(cluster: AirflowCluster, drop: DropFile, folder: Path, messages: Path) -> Begin:
    """``begin("x")`` drops the plan bundle-x with the nodes x_first and x_second, and begins its first node.

    The first node ends when ``x_first.wait`` is gone. Gives the file, the DAG id and the run.
    """

    def drop_and_begin(name: str) -> tuple[Path, str, str]:
        dag_id = f"bundle-{name}"
        content = plan(work(f"{name}_first"), work(f"{name}_second", f"{name}_first"), id=dag_id)
        path = drop(f"{name}.vibe.json", json.dumps(content), folder)
        cluster.wait_for_dag(dag_id)
        cluster.unpause(dag_id)
        (messages / f"{name}_first.wait").touch()
        run_id = cluster.trigger(dag_id)
        wait_for_file(messages / f"{name}_first.calls")
        return path, dag_id, run_id

    return drop_and_begin


def test_plan_file_renamed_in_flight_ends_well_and_its_run_can_be_cleared_afterwards(
    cluster: AirflowCluster, drop: DropFile, folder: Path, messages: Path, begin: Begin
) -> None:
    path, dag_id, run_id = begin("renamed")
    text = path.read_text()
    path.unlink()
    drop("new_name.vibe.json", text, folder / "moved")

    def is_parsed() -> bool:
        return str(cluster.get(f"/dags/{dag_id}/details")["fileloc"]).endswith("/moved/new_name.vibe.json")

    cluster.wait(is_parsed, 60, "the renamed plan to be parsed")
    (messages / "renamed_first.wait").unlink()
    assert cluster.wait_for_run(dag_id, run_id) == "success"

    cluster.clear(dag_id, run_id, ["renamed_second"])
    assert cluster.wait_for_run(dag_id, run_id) == "success"
    assert len(calls(messages, "renamed_second")) == 2


def test_plan_broken_in_flight_ends_well_and_tells_its_problems_meanwhile(
    cluster: AirflowCluster, drop: DropFile, folder: Path, messages: Path, begin: Begin
) -> None:
    path, dag_id, run_id = begin("broken")
    drop(path.name, json.dumps({"id": dag_id, "root_nodes": []}), folder)
    assert "broken.vibe.json:1:" in cluster.wait_for_import_error("broken.vibe.json.py")
    assert not is_stale(cluster, dag_id)
    (messages / "broken_first.wait").unlink()
    assert cluster.wait_for_run(dag_id, run_id) == "success"
    assert "broken.vibe.json:1:" in cluster.wait_for_import_error(f"{dag_id}.vibe.py")
    assert is_stale(cluster, dag_id)


def test_plan_whose_id_changes_in_flight_ends_well_beside_the_new_dag(
    cluster: AirflowCluster, drop: DropFile, folder: Path, messages: Path, begin: Begin
) -> None:
    path, dag_id, run_id = begin("case")
    drop(path.name, path.read_text().replace(dag_id, "bundle-CASE"), folder)
    cluster.wait_for_dag("bundle-CASE")
    (messages / "case_first.wait").unlink()
    assert cluster.wait_for_run(dag_id, run_id) == "success"
    wait_until_gone(cluster, dag_id)
    assert not is_stale(cluster, "bundle-CASE")


def test_twenty_good_plans_and_a_bad_one(cluster: AirflowCluster, drop: DropFile, folder: Path) -> None:
    for index in range(20):
        content = json.dumps(plan(work(f"n{index}"), id=f"bundle-good-{index}"))
        drop(f"good{index}.vibe.json", content, folder / "many")
    drop("bad.vibe.yaml", BAD, folder / "many")
    drop("double.vibe.json", json.dumps(plan(work("n"), id="bundle-good-3")), folder / "other")

    for index in range(20):
        cluster.wait_for_dag(f"bundle-good-{index}", timeout=120)
    error = cluster.wait_for_import_error("bundle-bad.vibe.py")
    assert "many/bad.vibe.yaml:6:5: unknown-key /root_nodes/0/typ: a node has no 'typ'" in error
    assert "(did you mean 'type'?)" in error
    assert "Traceback" not in error
    double = cluster.wait_for_import_error("other/double.vibe.json.py")
    assert "'bundle-good-3' is already the plan in many/good3.vibe.json" in double
    assert len([each for each in cluster.import_errors() if each["bundle_name"] == "plans"]) == 2


def test_code_tab_shows_the_plan_itself(cluster: AirflowCluster, drop: DropFile, folder: Path) -> None:
    text = json.dumps(plan(work("code_node"), id="bundle-code"), indent=2)
    drop("code.vibe.json", text, folder)
    cluster.wait_for_dag("bundle-code")
    source = cluster.request("GET", "/dagSources/bundle-code", headers={"Accept": "application/json"})
    assert source["content"] == text


def test_parsing_again_and_restarts_make_no_new_versions(
    cluster: AirflowCluster, drop: DropFile, folder: Path
) -> None:
    drop("calm.vibe.json", json.dumps(plan(work("calm_node"), id="bundle-calm")), folder)
    last = cluster.wait_for_dag("bundle-calm")["last_parsed_time"]
    subprocess.run(
        [sys.executable, "-c", PARSE_AND_STORE_100_TIMES], env=cluster.env, check=True, timeout=120
    )
    for _ in range(10):
        cluster.kill("dag-processor")
        cluster.start("dag-processor")

        def parsed_again(before: str = last) -> str | None:
            now = cluster.get("/dags/bundle-calm")["last_parsed_time"]
            return str(now) if now != before else None

        last = cluster.wait(parsed_again, 90, "the plan to be parsed again")
    assert versions(cluster, "bundle-calm") == 1
