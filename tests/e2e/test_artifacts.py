"""A text of 100 MB and an image of 10 MB pass through a run of real processes by reference."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.dag.plans import plan
from tests.e2e.cluster import AirflowCluster, postgres_url
from tests.e2e.conftest import DropFile
from tests.e2e.tools import long_text

LOADERS = Path(__file__).parents[2] / "dags"
CHARACTERS = 100_000_000
IMAGE_BYTES = 10_000_000
LARGEST_ROW = 8192
"""Bytes: references and previews, and the feedback on three nodes."""


def node(node_id: str, tool: str, *dependencies: str, **tool_inputs: Any) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "generate",
        "description": node_id,
        "parameters": {"tool": tool, "tool_inputs": tool_inputs},
        "dependencies": list(dependencies),
        "run": {"retries": 0},
    }


def xcom_sizes(cluster: AirflowCluster, dag_id: str) -> dict[str, int]:
    """Bytes of each XCom of a DAG as PostgreSQL would write it, compressed by nothing."""
    query = text("SELECT task_id, key, octet_length(value::text) FROM xcom WHERE dag_id = :dag_id")
    engine = create_engine(postgres_url().set(database=cluster.database))
    with engine.connect() as connection:
        rows = connection.execute(query, {"dag_id": dag_id}).all()
    engine.dispose()
    return {f"{task_id} {key}": size for task_id, key, size in rows}


@pytest.fixture
def dag_id(cluster: AirflowCluster, drop: DropFile) -> str:
    """The plan: two nodes that make something large, and one that reads both."""
    content = plan(
        node("writes", "lengthy", characters=CHARACTERS),
        node("paints", "paints", size=IMAGE_BYTES),
        node("weighs", "weighs", "writes", "paints", image="${nodes.paints}"),
        id="e2e-artifacts",
    )
    shutil.copy(LOADERS / "vibe_plans.py", cluster.dags_folder / "vibe_plans.py")
    drop("e2e-artifacts.vibe.json", json.dumps(content), cluster.dags_folder / "plans")
    cluster.wait_for_dag("e2e-artifacts")
    cluster.unpause("e2e-artifacts")
    return "e2e-artifacts"


def test_large_text_and_image_reach_their_reader_while_xcom_stays_small(
    cluster: AirflowCluster, dag_id: str
) -> None:
    run_id = cluster.trigger(dag_id)
    assert cluster.wait_for_run(dag_id, run_id, 240) == "success"

    written = long_text(CHARACTERS)
    image = b"\x89PNG\r\n\x1a\n".ljust(IMAGE_BYTES, b"\xff")
    assert cluster.xcom(dag_id, run_id, "weighs")["result"] == {
        "text": hashlib.sha256(written.encode()).hexdigest(),
        "context": len("Previous step (writes):\n") + CHARACTERS,
        "image": hashlib.sha256(image).hexdigest(),
    }
    sizes = xcom_sizes(cluster, dag_id)
    assert {"writes return_value", "paints return_value", "vibe_feedback return_value"} <= sizes.keys()
    assert max(sizes.values()) < LARGEST_ROW, sizes

    made = cluster.xcom(dag_id, run_id, "writes")
    assert made["result"] == {"text": written[:300] + "…", "characters": CHARACTERS}
    reference = made["artifacts"]["result"]
    assert reference["size"] > CHARACTERS
    assert Path(reference["path"]).stat().st_size == reference["size"]
    assert Path(cluster.xcom(dag_id, run_id, "paints")["result"]["path"]).read_bytes() == image
    told = cluster.xcom(dag_id, run_id, "vibe_feedback")["node_results"]
    assert told["writes"]["result"] == made


def test_reader_of_a_lost_artifact_fails_and_clearing_its_maker_mends_the_run(
    cluster: AirflowCluster, dag_id: str
) -> None:
    run_id = cluster.trigger(dag_id)
    assert cluster.wait_for_run(dag_id, run_id, 240) == "success"
    Path(cluster.xcom(dag_id, run_id, "writes")["artifacts"]["result"]["path"]).unlink()
    cluster.clear(dag_id, run_id, ["weighs"])
    assert cluster.wait_for_run(dag_id, run_id, 240) == "failed"
    error = cluster.xcom(dag_id, run_id, "weighs", "vibe_outcome")["error"]
    assert "the output of 'writes' cannot be read" in error
    assert "is gone (clear 'writes'" in error

    cluster.clear(dag_id, run_id, ["writes"])
    assert cluster.wait_for_run(dag_id, run_id, 240) == "success"
