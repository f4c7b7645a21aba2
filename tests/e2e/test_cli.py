"""The commands that watch a run, on a real Airflow, from a machine that has neither it nor the plan."""

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

from tests.dag.plans import composite, plan, write
from tests.e2e.cluster import AirflowCluster
from tests.e2e.conftest import DropFile
from tests.e2e.polling import wait_for_file
from tests.e2e.test_plans import work
from tests.e2e.tools import FOLDER_VARIABLE

DAG = "e2e-cli"
MENDED = "e2e-cli-mended"
CONTENT = plan(
    work("cli_start"),
    composite("cli_parts", [work("cli_one"), work("cli_broken", run={"retries": 0})], "cli_start"),
    work("cli_parent", "cli_start", children=[work("cli_child")]),
    work("cli_after", "cli_parts"),
    id=DAG,
)
GROUPS = [["cli_start"], ["cli_parent", "cli_parts"], ["cli_broken", "cli_child", "cli_one"], ["cli_after"]]

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def vibe(cluster: AirflowCluster, tmp_path: Path) -> Command:
    """``vibe("watch", …)`` starts the command elsewhere, with a token and the URL of the cluster."""
    token = httpx.get(f"{cluster.base_url}/auth/token", timeout=30).json()["access_token"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env = {**kept, "AIRFLOW_HOME": str(tmp_path / "elsewhere"), "AIRFLOW_VIBE_TOKEN": token}

    def start(command: str, *args: str) -> subprocess.Popen[str]:
        asked = [sys.executable, "-m", "airflow", "vibe", command, *args, "--url", cluster.base_url]
        return subprocess.Popen(
            asked, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def ended(process: subprocess.Popen[str], code: int) -> str:
    """What a command printed; it must end with *code*."""
    out, err = process.communicate(timeout=180)
    assert process.returncode == code, out + err
    return out


def events_of(process: subprocess.Popen[str], code: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended(process, code).splitlines()]


def check_story(events: list[dict[str, Any]]) -> None:
    """Each event once, in an order that makes sense, with a percent that rises to 100."""
    told = [(event["event_type"], event["node_id"], event["message"]) for event in events]
    assert len(set(told)) == len(told)
    assert (told[0][0], told[-1][0]) == ("workflow_started", "workflow_completed")
    percents = [event["progress_percent"] for event in events]
    assert percents == sorted(percents) and percents[-1] == 100
    place = {(kind, node_id): number for number, (kind, node_id, _) in enumerate(told)}
    ends = {node_id: number for (kind, node_id), number in place.items() if node_id and "started" not in kind}
    assert set(ends) == {node_id for group in GROUPS for node_id in group}
    for before, after in (
        ("cli_start", "cli_parts"),
        ("cli_start", "cli_parent"),
        ("cli_parent", "cli_child"),
    ):
        assert ends[before] < place["node_started", after] < ends[after]
    for child in ("cli_one", "cli_broken"):
        assert (
            place["node_started", "cli_parts"]
            < place["node_started", child]
            < ends[child]
            < ends["cli_parts"]
        )
    assert ends["cli_parts"] < ends["cli_after"]
    started = [event["metadata"]["group_nodes"] for event in events if event["event_type"] == "group_started"]
    assert sorted(started, key=GROUPS.index) == GROUPS


@pytest.fixture
def messages(cluster: AirflowCluster) -> Path:
    return Path(cluster.env[FOLDER_VARIABLE])


def put(cluster: AirflowCluster, drop: DropFile, content: dict[str, Any]) -> None:
    """Put a plan into the folder of plans and wait for its DAG."""
    drop(f"{content['id']}.vibe.json", json.dumps(content), cluster.home / "bundled")
    cluster.wait_for_dag(content["id"])
    cluster.unpause(content["id"])


def test_run_is_watched_read_and_drawn_through_the_api(
    cluster: AirflowCluster, drop: DropFile, messages: Path, vibe: Command, tmp_path: Path
) -> None:
    put(cluster, drop, CONTENT)
    (messages / "cli_start.wait").touch()
    (messages / "cli_broken.fail").write_text("the server is gone")
    run_id = cluster.trigger(DAG)
    wait_for_file(messages / "cli_start.calls")

    watching = vibe("watch", DAG, run_id, "--events", "--interval", "0.5")
    assert ended(vibe("result", DAG, run_id), 1) == ""
    (messages / "cli_start.wait").unlink()
    events = events_of(watching, 1)
    check_story(events)
    ends = {
        event["node_id"]: event for event in events if event["event_type"] in ("node_failed", "node_skipped")
    }
    assert ends["cli_broken"]["metadata"]["error"] == "the server is gone"
    assert ends["cli_parts"]["metadata"]["error"] == "1 of 2 children failed: cli_broken"
    assert ends["cli_after"]["event_type"] == "node_skipped"
    assert ends["cli_after"]["metadata"]["reason"] == "'cli_broken' failed"
    assert events[0]["message"] == f"Starting workflow: {DAG}"
    assert events[-1]["message"] == f"Workflow failed: {DAG}"

    shown = json.loads(ended(vibe("result", DAG, run_id, "--format", "json"), 0))
    assert shown == cluster.xcom(DAG, run_id, "vibe_feedback")
    assert shown["execution_groups"] == GROUPS
    drawn = ended(vibe("graph", str(write(tmp_path, "p.vibe.json", CONTENT)), "--run", run_id), 0)
    for line in (
        "❌ [generate] Do cli_broken",
        "❌ [composite] Step cli_parts",
        "✅ [generate] Do cli_child",
    ):
        assert line in drawn
    assert "Status: failed\nCompleted: 4/7" in drawn
    tree = ended(vibe("watch", DAG, run_id), 1)
    assert "7 of 7 nodes at rest, 100 %" in tree
    assert "│   └── ✔ cli_child generate  completed, quality 0.8" in tree


def test_mended_run_goes_on_and_an_old_result_is_not_shown(
    cluster: AirflowCluster, drop: DropFile, messages: Path, vibe: Command
) -> None:
    broken = work("cli_mend", "cli_first", run={"retries": 0})
    put(cluster, drop, plan(work("cli_first"), broken, work("cli_last", "cli_mend"), id=MENDED))
    (messages / "cli_mend.fail").write_text("the server is gone")
    run_id = cluster.trigger(MENDED)
    assert cluster.wait_for_run(MENDED, run_id) == "failed"
    assert "plan failed: 1 of 3 nodes failed: cli_mend" in ended(vibe("result", MENDED, run_id), 0)

    (messages / "cli_mend.fail").unlink()
    (messages / "cli_mend.wait").touch()
    cluster.clear(MENDED, run_id, ["cli_mend"], downstream=True)
    cluster.wait_for_task(MENDED, run_id, "cli_mend", states={"running"})
    process = vibe("result", MENDED, run_id)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("airflow vibe result: the run is not done: 1 of 3 nodes are at rest")
    assert err.count("\n") == 1

    watching = vibe("watch", MENDED, run_id, "--events", "--interval", "0.5")
    (messages / "cli_mend.wait").unlink()
    events = events_of(watching, 0)
    assert events[0]["message"] == f"Resuming workflow: {MENDED} (1 nodes already complete)"
    assert events[-1]["metadata"]["completed"] == 3
    assert "plan completed: all 3 nodes" in ended(vibe("result", MENDED, run_id), 0)
