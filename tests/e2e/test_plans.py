"""Plans in a DAG folder of a real Airflow: dropped, triggered, failed, mended, scheduled, killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dag.plans import composite, plan
from tests.e2e.cluster import AirflowCluster
from tests.e2e.conftest import DropFile
from tests.e2e.polling import wait_for_file
from tests.e2e.tools import FOLDER_VARIABLE

LOADERS = Path(__file__).parents[2] / "dags"

DropPlan = Callable[..., str]


def work(node_id: str, *dependencies: str, text: str = "", **fields: Any) -> dict[str, Any]:
    """A node whose tool notes its call."""
    return {
        "id": node_id,
        "type": "generate",
        "description": f"Do {node_id}",
        "parameters": {"tool": "noted", "tool_inputs": {"text": text} if text else {}},
        "dependencies": list(dependencies),
        **fields,
    }


@pytest.fixture
def drop_plan(cluster: AirflowCluster, drop: DropFile) -> Iterator[DropPlan]:
    """``drop_plan(plan)`` puts it into the folder and waits until Airflow knows it; gives the DAG id."""
    for name in ("vibe_plans.py", "vibe_plan_errors.py"):
        if not (cluster.dags_folder / name).exists():
            shutil.copy(LOADERS / name, cluster.dags_folder / name)

    def drop_and_wait(content: dict[str, Any]) -> str:
        drop(f"{content['id']}.vibe.json", json.dumps(content), cluster.dags_folder / "plans")
        cluster.wait_for_dag(content["id"])
        cluster.unpause(content["id"])
        return str(content["id"])

    yield drop_and_wait


@pytest.fixture
def messages(cluster: AirflowCluster) -> Path:
    """The folder in which tests and tools leave each other messages; node ids differ from test to test."""
    return Path(cluster.env[FOLDER_VARIABLE])


def calls(messages: Path, node_id: str) -> list[dict[str, Any]]:
    path = messages / f"{node_id}.calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_dropped_plan_runs_with_params_and_passes_its_context(
    cluster: AirflowCluster, drop_plan: DropPlan, messages: Path
) -> None:
    dag_id = drop_plan(
        plan(
            work("ctx_research", text="Facts on ${params.topic}"),
            composite("ctx_parts", [work("ctx_one", text="First"), work("ctx_two", text="Second")]),
            work("ctx_final", "ctx_research", "ctx_parts", text="${nodes.ctx_research.text}, ${run.id}"),
            id="e2e-context",
            params={"topic": {"type": "string", "default": "tea"}},
        )
    )
    run_id = cluster.trigger(dag_id, conf={"topic": "coffee"})

    assert cluster.wait_for_run(dag_id, run_id) == "success"
    (call,) = calls(messages, "ctx_final")
    assert call["text"] == f"Facts on coffee, {run_id}"
    assert call["context"]["workflow_context"] == (
        "Previous step (ctx_research):\nFacts on coffee\n\nPrevious step (ctx_parts):\nFirst\n\nSecond"
    )
    feedback = cluster.xcom(dag_id, run_id, "vibe_feedback")
    assert feedback["status"] == "completed"
    assert feedback["summary"]["completed"] == 5
    assert feedback["node_results"]["ctx_research"]["result"]["result"] == {"text": "Facts on coffee"}


def test_failure_is_gathered_and_clearing_goes_on_where_it_stopped(
    cluster: AirflowCluster, drop_plan: DropPlan, messages: Path
) -> None:
    dag_id = drop_plan(
        plan(
            work("fix_start"),
            work("fix_broken", "fix_start", run={"retries": 0}),
            work("fix_after", "fix_broken"),
            work("fix_side", "fix_start"),
            id="e2e-mend",
        )
    )
    (messages / "fix_broken.fail").write_text("the server is gone")
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "failed"
    assert cluster.task_states(dag_id, run_id) == {
        "fix_start": "success",
        "fix_broken": "failed",
        "fix_after": "upstream_failed",
        "fix_side": "success",
        "vibe_feedback": "failed",
    }
    feedback = cluster.xcom(dag_id, run_id, "vibe_feedback")
    assert feedback["status"] == "failed"
    assert feedback["feedback_data"]["fix_broken"]["error_type"] == "ConnectionError"
    assert feedback["feedback_data"]["fix_broken"]["suggested_changes"] == [
        "retry_with_backoff",
        "use_alternative_endpoint",
    ]
    assert feedback["replan_suggestions"][0]["node_id"] == "fix_broken"
    assert feedback["node_results"]["fix_after"]["reason"] == "'fix_broken' failed"
    assert "plan failed: 1 of 4 nodes failed: fix_broken" in cluster.log_text(dag_id, run_id, "vibe_feedback")

    (messages / "fix_broken.fail").unlink()
    cluster.clear(dag_id, run_id, ["fix_broken"], downstream=True)

    assert cluster.wait_for_run(dag_id, run_id) == "success"
    feedback = cluster.xcom(dag_id, run_id, "vibe_feedback")
    assert feedback["status"] == "completed"
    assert feedback["replan_suggestions"] == []
    tries = {node_id: node["try_number"] for node_id, node in feedback["node_results"].items()}
    assert tries == {"fix_start": 1, "fix_broken": 2, "fix_after": 1, "fix_side": 1}
    assert [len(calls(messages, node_id)) for node_id in ("fix_start", "fix_side")] == [1, 1]
    assert [len(calls(messages, node_id)) for node_id in ("fix_broken", "fix_after")] == [2, 1]
    assert "fix_start is done" in calls(messages, "fix_broken")[1]["context"]["workflow_context"]


def test_cron_plan_gets_its_scheduled_run(
    cluster: AirflowCluster, drop_plan: DropPlan, messages: Path
) -> None:
    dag_id = drop_plan(
        plan(
            work("cron_node", text="for ${run.date}"),
            id="e2e-cron",
            schedule={
                "cron": "30 23 * * *",
                "timezone": "America/New_York",
                "start_date": "2026-11-01",
                "catchup": True,
            },
            max_active_runs=1,
        )
    )
    first = cluster.wait(lambda: next(iter(cluster.dag_runs(dag_id)), None), 60, "a scheduled run")
    assert first["run_type"] == "scheduled"
    run_id = first["dag_run_id"]
    assert cluster.wait_for_run(dag_id, run_id) == "success"
    cluster.patch(f"/dags/{dag_id}", {"is_paused": True})
    assert calls(messages, "cron_node")[0]["text"] == "for 2026-11-01"


def test_broken_plan_shows_its_own_import_error_and_hurts_no_other(
    cluster: AirflowCluster, drop_plan: DropPlan, drop: DropFile
) -> None:
    dag_id = drop_plan(plan(work("good_node"), id="e2e-good"))
    drop(
        "e2e-bad.vibe.yaml",
        "id: e2e-bad\nsource_vibe:\n  description: x\nroot_nodes:\n  - id: a\n    typ: analyze\n",
        cluster.dags_folder / "plans",
    )
    error = cluster.wait_for_import_error("vibe_plan_errors.py")
    assert "e2e-bad.vibe.yaml:6:5: unknown-key" in error
    assert "(did you mean 'type'?)" in error
    run_id = cluster.trigger(dag_id)
    assert cluster.wait_for_run(dag_id, run_id) == "success"


@pytest.mark.parametrize("worker", [False, True], ids=["its task process", "its worker too"])
def test_killed_node_fails_the_run_and_the_feedback_says_so(
    worker: bool, cluster: AirflowCluster, drop_plan: DropPlan, messages: Path
) -> None:
    victim, bystander = f"victim_{worker}", f"bystander_{worker}"
    dag_id = drop_plan(
        plan(work(victim, run={"retries": 0}), work(bystander), id=f"e2e-kill-{worker}".lower())
    )
    (messages / f"{victim}.wait").touch()
    run_id = cluster.trigger(dag_id)
    wait_for_file(messages / f"{victim}.calls")
    cluster.kill_task(dag_id, run_id, victim, worker=worker)

    assert cluster.wait_for_run(dag_id, run_id) == "failed"
    feedback = cluster.xcom(dag_id, run_id, "vibe_feedback")
    lost = feedback["node_results"][victim]
    assert lost["status"] == "failed"
    assert lost["error_type"] == "WorkerLost"
    assert f"'{victim}' ended without a report" in lost["error"]
    assert feedback["node_results"][bystander]["status"] == "completed"


def test_texts_of_a_plan_are_inert(cluster: AirflowCluster, drop_plan: DropPlan, messages: Path) -> None:
    touched = messages / "touched"
    hostile = (
        f"{{{{ macros.uuid.os.popen('touch {touched}').read() }}}} {{{{ conn.x.password }}}} "
        "{% for x in y %} {# gone #} ${params.note} run.sh"
    )
    shown = hostile.replace("${params.note}", "{{ ds }}")
    dag_id = drop_plan(
        plan(
            work("inert_node", text=hostile, description=hostile),
            id="e2e-inert",
            source_vibe={"description": hostile.replace("run.sh", "x.sql"), "style": "{{ ds }}.md"},
            params={"note": {"type": "string", "default": "{{ ds }}", "description": "{{ ds }}"}},
            tags=["{{ ds }}"],
        )
    )
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "success"
    (call,) = calls(messages, "inert_node")
    assert call["text"] == shown
    assert call["context"]["node_description"] == shown
    assert call["context"]["vibe"]["style"] == "{{ ds }}.md"
    assert cluster.xcom(dag_id, run_id, "inert_node")["result"] == {"text": shown}
    assert not touched.exists()


WATCHERS = """
from airflow.sdk import DAG
from airflow_provider_vibe.sensors.feedback import VibeFeedbackSensor

with DAG("e2e_watchers", schedule=None, params={"run": ""}):
    for name, how in {
        "poke": {"mode": "poke", "deferrable": False},
        "reschedule": {"mode": "reschedule", "deferrable": False},
        "deferrable": {"deferrable": True},
    }.items():
        VibeFeedbackSensor(
            task_id=name, external_dag_id="e2e-watched", external_run_id="{{ params.run }}",
            poke_interval=5, fail_when_incomplete=False, retries=0, **how,
        )
"""


def test_other_dags_wait_for_the_feedback_in_three_ways_and_get_one_answer(
    cluster: AirflowCluster, drop: DropFile, drop_plan: DropPlan, messages: Path
) -> None:
    watched = drop_plan(plan(work("seen_node", run={"retries": 0}), id="e2e-watched"))
    drop("e2e_watchers.py", WATCHERS)
    cluster.wait_for_dag("e2e_watchers")
    cluster.unpause("e2e_watchers")
    (messages / "seen_node.wait").touch()
    (messages / "seen_node.fail").write_text("nothing to see")
    run_id = cluster.trigger(watched)
    wait_for_file(messages / "seen_node.calls")
    watchers = cluster.trigger("e2e_watchers", conf={"run": run_id})
    cluster.wait_for_task("e2e_watchers", watchers, "deferrable", states={"deferred"})
    cluster.wait_for_task("e2e_watchers", watchers, "reschedule", states={"up_for_reschedule"})
    (messages / "seen_node.wait").unlink()

    assert cluster.wait_for_run("e2e_watchers", watchers) == "success"
    feedback = cluster.xcom(watched, run_id, "vibe_feedback")
    assert feedback["status"] == "failed"
    for name in ("poke", "reschedule", "deferrable"):
        assert cluster.xcom("e2e_watchers", watchers, name) == feedback
