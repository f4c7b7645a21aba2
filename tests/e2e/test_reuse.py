"""A run that takes over what another has done, on a real Airflow: reuse, checkpoints, comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.dag.plans import composite, plan
from tests.e2e.cluster import AirflowCluster
from tests.e2e.conftest import DropFile
from tests.e2e.polling import wait_for_file
from tests.e2e.test_plans import calls, work
from tests.e2e.tools import FOLDER_VARIABLE

DAG = "e2e-reuse"

Command = Callable[..., str]


def content(last: str) -> dict[str, Any]:
    return plan(
        work("reuse_first", text="facts on ${params.topic}"),
        composite("reuse_parts", [work("reuse_broken", run={"retries": 0})], "reuse_first"),
        work("reuse_last", "reuse_first", "reuse_parts", text=last, description=f"Write {last}"),
        id=DAG,
        params={"topic": {"type": "string", "default": "tea"}},
    )


@pytest.fixture
def messages(cluster: AirflowCluster) -> Path:
    return Path(cluster.env[FOLDER_VARIABLE])


@pytest.fixture
def vibe(cluster: AirflowCluster, tmp_path: Path) -> Command:
    """``vibe("compare", …)`` runs the command elsewhere, with the cluster's artifacts; gives its output."""
    token = httpx.get(f"{cluster.base_url}/auth/token", timeout=30).json()["access_token"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env = {
        **kept,
        "AIRFLOW_HOME": str(tmp_path / "elsewhere"),
        "AIRFLOW__VIBE__ARTIFACTS_PATH": str(cluster.home / "vibe_artifacts"),
        "AIRFLOW_VIBE_TOKEN": token,
        "AIRFLOW_VIBE_URL": cluster.base_url,
    }

    def call(*args: str) -> str:
        asked = [sys.executable, "-m", "airflow", "vibe", *args]
        ended = subprocess.run(asked, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=180)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return call


def put(cluster: AirflowCluster, drop: DropFile, text: str, version: int) -> None:
    drop(f"{DAG}.vibe.json", json.dumps(content(text)), cluster.home / "bundled")
    cluster.wait_for_dag(DAG, version=version)
    cluster.unpause(DAG)


def times_called(messages: Path) -> list[int]:
    return [len(calls(messages, node_id)) for node_id in ("reuse_first", "reuse_broken", "reuse_last")]


def reused(cluster: AirflowCluster, run_id: str) -> dict[str, str]:
    results = cluster.xcom(DAG, run_id, "vibe_feedback")["node_results"]
    return {node_id: node["reused_from"] for node_id, node in results.items() if node["reused_from"]}


def test_later_runs_pay_only_for_what_is_not_done(
    cluster: AirflowCluster, drop: DropFile, messages: Path, vibe: Command, tmp_path: Path
) -> None:
    put(cluster, drop, "the end", version=1)
    (messages / "reuse_broken.wait").touch()
    (messages / "reuse_broken.fail").write_text("the server is gone")
    first = cluster.trigger(DAG, conf={"topic": "coffee"})
    wait_for_file(messages / "reuse_broken.calls")

    # a checkpoint of a run that goes on
    assert (
        vibe("checkpoint", "export", DAG, first, "-o", "half.json")
        == "wrote half.json: 1 of 4 nodes are done\n"
    )
    (messages / "reuse_broken.wait").unlink()
    assert cluster.wait_for_run(DAG, first) == "failed"
    assert times_called(messages) == [1, 1, 0]

    # a run of the next revision that reuses it
    put(cluster, drop, "another end", version=2)
    (messages / "reuse_broken.fail").unlink()
    second = cluster.trigger(DAG, conf={"topic": "coffee", "reuse_from": first})
    assert cluster.wait_for_run(DAG, second) == "success"
    assert times_called(messages) == [1, 2, 1]
    assert reused(cluster, second) == {"reuse_first": first}
    (call,) = calls(messages, "reuse_last")
    assert call["context"]["previous_outputs"]["reuse_first"] == {"text": "facts on coffee"}

    compared = json.loads(vibe("compare", DAG, first, second, "--format", "json"))
    changes = {node_id: node["change"] for node_id, node in compared["nodes"].items()}
    assert changes["reuse_first"] == "reused"
    assert changes["reuse_broken"] == "same"
    assert (compared["earlier"]["status"], compared["later"]["status"]) == ("failed", "completed")
    assert "failed → completed" in vibe("compare", DAG, first, second)

    # a run that goes on from the checkpoint
    started = vibe("checkpoint", "import", "half.json")
    third = started.split()[1].rstrip(":")
    assert started.startswith(f"started {third}: 1 nodes are taken over")
    assert cluster.wait_for_run(DAG, third) == "success"
    assert times_called(messages) == [1, 3, 2]
    assert reused(cluster, third) == {"reuse_first": first}
    assert calls(messages, "reuse_last")[1]["context"]["workflow_context"].startswith(
        "Previous step (reuse_first):\nfacts on coffee"
    )

    # a whole run again, of a run that itself took something over
    fourth = cluster.trigger(DAG, conf={"topic": "coffee", "reuse_from": third})
    assert cluster.wait_for_run(DAG, fourth) == "success"
    assert times_called(messages) == [1, 3, 2]
    assert reused(cluster, fourth) == {"reuse_first": first, "reuse_broken": third, "reuse_last": third}

    # what is cleared is done again, though it was taken over
    cluster.clear(DAG, fourth, ["reuse_broken"], downstream=False)
    cluster.clear(DAG, fourth, ["vibe_feedback"], downstream=False)
    assert cluster.wait_for_run(DAG, fourth) == "success"
    assert times_called(messages) == [1, 4, 2]
    assert reused(cluster, fourth) == {"reuse_first": first, "reuse_last": third}
