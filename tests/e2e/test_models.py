"""Nodes that ask a model, in real task processes, over HTTP on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import create_engine, text

from tests.dag.plans import plan
from tests.e2e.cluster import AirflowCluster, postgres_url
from tests.e2e.test_plans import DropPlan, drop_plan
from tests.tools.model_server import ModelServer

__all__ = ["drop_plan"]

KEY = "sk-e2e-very-secret-9f8e7d6c5b4a"
STRUCTURED = {"summary": "On tea.", "findings": [], "passed": True, "score": 0.9, "issues": []}

Connect = Callable[[str], str]


class TimedServer(ModelServer):
    """Notes when each request came."""

    def __init__(self, server: HTTPServer) -> None:
        super().__init__(server)
        self.times: list[float] = []
        self.text = "A text about tea, long enough to be one."
        self.structured = STRUCTURED

    def _chat(self, request: Any) -> Any:
        self.times.append(time.monotonic())
        return super()._chat(request)


@pytest.fixture
def models(httpserver: HTTPServer) -> TimedServer:
    return TimedServer(httpserver)


@pytest.fixture
def connect(cluster: AirflowCluster, models: TimedServer) -> Iterator[Connect]:
    """``connect(id)`` makes a connection to the model server, with a key, by Airflow's own API."""
    made = []

    def make(conn_id: str) -> str:
        fields = {"conn_type": "pydanticai", "host": models.url, "password": KEY, "extra": '{"model": "tea"}'}
        cluster.post("/connections", {"connection_id": conn_id, **fields})
        made.append(conn_id)
        return conn_id

    yield make
    for conn_id in made:
        cluster.request("DELETE", f"/connections/{conn_id}")


def asking(node_id: str, conn_id: str, *dependencies: str, **fields: Any) -> dict[str, Any]:
    """A node that names no tool."""
    return {
        "id": node_id,
        "type": "generate",
        "description": f"Write {node_id}",
        "parameters": {"tool_inputs": {"connection": conn_id}},
        "dependencies": list(dependencies),
        **fields,
    }


def test_plan_without_tools_runs_for_real(
    cluster: AirflowCluster, drop_plan: DropPlan, models: TimedServer, connect: Connect
) -> None:
    conn_id = connect("model_plain")
    kinds = ["analyze", "generate", "transform", "validate"]
    nodes = [
        asking(kind, conn_id, *kinds[max(0, number - 1) : number], type=kind)
        for number, kind in enumerate(kinds)
    ]
    dag_id = drop_plan(plan(*nodes, id="e2e-models-plain"))
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "success"
    results = {kind: cluster.xcom(dag_id, run_id, kind) for kind in kinds}
    assert [result["tool"] for result in results.values()] == [f"llm_{kind}" for kind in kinds]
    assert not any(result.get("simulated") for result in results.values())
    assert results["validate"]["result"] == {
        "text": models.text,
        "passed": True,
        "score": 0.9,
        "issues": [],
    }
    usage = results["generate"]["metadata"]["usage"]
    assert (usage["input_tokens"], usage["requests"], usage["cost"]) == (11, 1, None)
    assert "On tea." in models.requests[1].get_data(as_text=True)
    assert len(models.requests) == 4


def test_rate_limited_node_succeeds_on_its_second_try_and_not_before_the_time_named(
    cluster: AirflowCluster, drop_plan: DropPlan, models: TimedServer, connect: Connect
) -> None:
    models.fail(429, "slow down", retry_after="6")
    # the delay of the task would outlast the test: only the server's own can bring the node back
    node = asking("limited", connect("model_limited"), run={"retries": 2, "retry_delay": 3600})
    dag_id = drop_plan(plan(node, id="e2e-models-limited"))
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "success"
    assert cluster.task_instance(dag_id, run_id, "limited")["try_number"] == 2
    first, second = models.times
    assert second - first >= 6
    outcome = cluster.xcom(dag_id, run_id, "limited", key="vibe_outcome")
    assert (outcome["status"], outcome["try_number"]) == ("completed", 2)


def test_server_that_fails_twice_is_asked_a_third_time(
    cluster: AirflowCluster, drop_plan: DropPlan, models: TimedServer, connect: Connect
) -> None:
    models.fail(500, "out of order", times=2)
    node = asking("shaky", connect("model_shaky"), run={"retries": 3, "retry_delay": 1})
    dag_id = drop_plan(plan(node, id="e2e-models-shaky"))
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "success"
    assert cluster.task_instance(dag_id, run_id, "shaky")["try_number"] == 3
    first, second, third = models.times
    assert second - first >= 1
    assert third - second >= 2


def test_refused_key_is_asked_once_and_shown_nowhere(
    cluster: AirflowCluster, drop_plan: DropPlan, models: TimedServer, connect: Connect
) -> None:
    conn_id = connect("model_refused")
    models.fail(401, f"wrong key: Bearer {KEY}", "invalid_api_key", times=5)
    node = asking("refused", conn_id, run={"retries": 3, "retry_delay": 0})
    dag_id = drop_plan(plan(node, id="e2e-models-refused"))
    run_id = cluster.trigger(dag_id)

    assert cluster.wait_for_run(dag_id, run_id) == "failed"
    task = cluster.task_instance(dag_id, run_id, "refused")
    assert (task["state"], task["try_number"]) == ("failed", 1)
    assert len(models.requests) == 1
    assert models.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    feedback = cluster.xcom(dag_id, run_id, "vibe_feedback")
    assert "wrong key: Bearer ***" in feedback["node_results"]["refused"]["error"]
    assert feedback["replan_suggestions"] == []
    assert "wrong key" in cluster.log_text(dag_id, run_id, "refused")

    assert tables_with(cluster, "wrong key: Bearer") != []
    assert tables_with(cluster, KEY) == []
    assert files_with(cluster, "wrong key: Bearer") != []
    assert files_with(cluster, KEY) == []
    for path in (f"/dags/{dag_id}/details", f"/dagSources/{dag_id}", f"/connections/{conn_id}"):
        assert KEY not in str(cluster.get(path))
    assert KEY not in str(task["rendered_fields"])


def tables_with(cluster: AirflowCluster, words: str) -> list[str]:
    """The tables of Airflow's database with a row that holds these words: XCom, serialised DAGs and all."""
    url = postgres_url().set(database=cluster.database)
    with create_engine(url).connect() as connection:
        names = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return [
            name
            for name in names
            if connection.scalar(
                text(f'SELECT 1 FROM "{name}" AS one WHERE one::text LIKE :words LIMIT 1'),
                {"words": f"%{words}%"},
            )
        ]


def files_with(cluster: AirflowCluster, words: str) -> list[str]:
    """The files below AIRFLOW_HOME, logs among them, that hold these words."""
    files = (path for path in cluster.home.rglob("*") if path.is_file())
    return [str(path) for path in files if words.encode() in path.read_bytes()]
