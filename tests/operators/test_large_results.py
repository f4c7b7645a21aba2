"""Results too large for XCom, in plans that Airflow itself runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.operators.base import VibeNodeOperator, node_context
from airflow_provider_vibe.plan.models import Vibe
from airflow_provider_vibe.tools.artifacts import ArtifactError, save_artifact, save_own
from tests import run_tools as tools
from tests.airflow_runs import Ran, run_dag
from tests.operators.fakes import FakeTaskInstance
from tests.runtime.helpers import node, plan

LIMIT = 5000
SIZE = 20_000
TEXT = "x" * SIZE
PREVIEW = "x" * 300 + "…"


def reader(node_id: str, *dependencies: str, **tool_inputs: Any):
    return node(
        node_id, dependencies=list(dependencies), tool="copies", tool_inputs=tool_inputs or {"value": "seen"}
    )


def large(node_id: str):
    return node(node_id, tool="large", tool_inputs={"size": SIZE})


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module", autouse=True)
def configured(artifacts: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(artifacts))
        patch.setenv("AIRFLOW__VIBE__XCOM_MAX_BYTES", str(LIMIT))
        yield


@pytest.fixture(scope="module")
def ran(configured, tools_of_these_tests) -> Ran:
    """One run of a plan in which everything that is handed on is too large for XCom."""
    return run_dag(
        build_dag(
            plan(
                large("big"),
                reader("by_context", "big"),
                reader("by_reference", "big", value="${nodes.big.text}!"),
                reader("by_path", "big", value="${nodes.big.count}"),
                node(
                    "told",
                    description="On ${nodes.big.text}",
                    dependencies=["big"],
                    tool="large",
                    tool_inputs={"size": 3},
                ),
                node("group", "composite", children=[large("one"), reader("two")]),
                reader("after_group", "group", value="${nodes.group.children.one.text}"),
                id="large-results",
            )
        )
    )


def test_the_run_succeeds(ran):
    assert ran.state == "success"


def test_no_xcom_is_large(ran):
    for task_id in (*ran.states, "vibe_feedback"):
        for key, value in ran.xcoms(task_id).items():
            most = LIMIT * (1 + 8 * (task_id == "vibe_feedback"))
            assert len(json.dumps(value)) <= most, (task_id, key)


def test_xcom_has_the_usual_shape_with_a_preview_and_a_reference_beside_it(ran, artifacts):
    result = ran.result("big")
    assert set(result) == {"type", "tool", "description", "result", "metadata", "artifacts"}
    assert result["result"] == {"text": PREVIEW, "count": SIZE}
    reference = result["artifacts"]["result"]
    path = Path(reference["path"])
    assert path.relative_to(artifacts).parts[0] == "large-results"
    assert path.relative_to(artifacts).parts[2:] == ("big", "1", "_vibe", "result.json")
    assert json.loads(path.read_text()) == {"text": TEXT, "count": SIZE}


def test_dependent_gets_the_whole_text_in_its_context(ran):
    (call,) = tools.calls_of("by_context")
    assert call["workflow_context"] == f"Previous step (big):\n{TEXT}"
    assert call["previous_outputs"] == {"big": {"text": TEXT, "count": SIZE}}


def test_reference_gives_the_whole_text_and_what_stands_beside_it(ran):
    (reference,) = ran.result("by_reference")["artifacts"].values()
    assert json.loads(Path(reference["path"]).read_text()) == {"text": f"{TEXT}!"}
    assert ran.result("by_path")["result"] == SIZE


def test_large_description_is_kept_and_the_small_output_is_not(ran):
    result = ran.result("told")
    assert list(result["artifacts"]) == ["description"]
    assert result["description"] == "On " + "x" * 297 + "…"
    assert result["result"] == {"text": "xxx", "count": 3}


def test_composite_gathers_and_keeps_what_its_children_kept(ran):
    result = ran.result("group")
    assert list(result["artifacts"]) == ["output"]
    assert result["output"]["children"] == {"one": {"text": PREVIEW, "count": SIZE}, "two": {"text": "seen"}}
    (reference,) = ran.result("after_group")["artifacts"].values()
    assert json.loads(Path(reference["path"]).read_text()) == {"text": TEXT}


def test_feedback_shows_references_and_previews(ran):
    results = ran.result("vibe_feedback")["node_results"]
    assert results["big"]["result"] == ran.result("big")
    assert results["group"]["result"] == ran.result("group")


def test_quality_is_that_of_the_whole_result(ran):
    assert ran.outcome("big")["feedback"]["execution_quality"] == 0.8


# without a run


def execute(a_node, xcoms: dict[str, Any] | None = None, **fields: Any) -> tuple[Any, FakeTaskInstance]:
    ti = FakeTaskInstance(xcoms)
    return VibeNodeOperator(task_id=a_node.id, node=a_node, **fields).execute(ti.context()), ti


def test_node_whose_dependency_lost_its_artifact_fails_and_says_which_to_clear():
    result, _ = execute(large("big"))
    Path(result["artifacts"]["result"]["path"]).unlink()
    ti = FakeTaskInstance({"big": result})
    task = VibeNodeOperator(task_id="t", node=reader("after", "big"), upstream={"big": "big"})
    with pytest.raises(
        ArtifactError, match=r"the output of 'big' cannot be read: .* is gone \(clear 'big' and"
    ):
        task.execute(ti.context())
    assert ti.pushed["vibe_outcome"]["error_type"] == "ArtifactError"
    assert tools.calls_of("after") == []


def test_file_that_cannot_be_written_fails_the_node(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "file"))
    ti = FakeTaskInstance()
    with pytest.raises(ValueError, match="is a file already"):
        VibeNodeOperator(task_id="t", node=large("big")).execute(ti.context())
    assert ti.pushed["vibe_outcome"]["status"] == "failed"


SECRET = b'"the payroll"'


@pytest.fixture
def others() -> list[dict[str, Any]]:
    """References to what another DAG wrote, and to what it kept."""
    place = {"run": {"dag_id": "payroll", "id": "r"}, "node_id": "pay", "try_number": 1}
    return [
        save_artifact(place, "pay.json", SECRET),
        save_own(place, "result.json", SECRET, "application/json"),
    ]


def test_output_that_looks_like_a_reference_stays_data(others):
    for reference in others:
        for value in (reference, {"artifacts": {"result": reference}, "result": "x"}):
            result, _ = execute(node("forger", tool="copies", tool_inputs={"value": value}))
            assert result["result"] == value
            assert "artifacts" not in result
            read, _ = execute(
                reader("victim", "forger", value="${nodes.forger}"),
                {"forger": result},
                upstream={"forger": "forger"},
            )
            assert read["result"] == value


def test_result_of_another_kind_of_operator_reads_nothing_of_another_dag(others):
    for reference in others:
        result = {"tool": "x", "result": "x", "artifacts": {"result": reference}}
        with pytest.raises(ArtifactError, match="is not where this node keeps its result"):
            execute(reader("victim", "forger"), {"forger": result}, upstream={"forger": "forger"})


def test_own_work_cannot_write_references(others):
    class Forging(VibeNodeOperator):
        async def work(self, node, context, tools, rules):
            return {"tool": "x", "result": "x", "artifacts": {"result": others[0]}}

    with pytest.raises(Exception, match="'artifacts' is for what is too large"):
        Forging(task_id="t", node=node("n")).execute(FakeTaskInstance().context())


def test_a_retry_keeps_its_result_beside_that_of_the_try_before():
    paths = []
    for number in (1, 2):
        ti = FakeTaskInstance()
        ti.try_number = number
        result = VibeNodeOperator(task_id="t", node=large("again")).execute(ti.context())
        paths.append(Path(result["artifacts"]["result"]["path"]))
    assert [path.parts[-3] for path in paths] == ["1", "2"]
    assert all(path.exists() for path in paths)


def test_tool_is_told_its_try():
    ti = FakeTaskInstance()
    ti.try_number = 3
    VibeNodeOperator(task_id="t", node=reader("third")).execute(ti.context())
    (call,) = tools.calls_of("third")
    assert call["try_number"] == 3


def test_digest_of_what_was_kept_is_not_computed_anew():
    result, ti = execute(large("big"))
    context = node_context(ti.context(), Vibe(description=""), {"big": "big", "small": "small"})
    assert context.digests == {}
    ti.xcoms.update(big=result, small={"tool": "t", "result": 1})
    context = node_context(ti.context(), Vibe(description=""), {"big": "big", "small": "small"})
    assert context.outputs == {"big": {"text": TEXT, "count": SIZE}, "small": 1}
    assert context.digests == {"big": result["artifacts"]["result"]["sha256"]}
