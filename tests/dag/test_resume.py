"""Runs that go on from a checkpoint: ours, or one that vibe-aigc wrote. Real DAGs, `dag.test()`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.runtime.checkpoint import checkpoint_of, read_checkpoint, write_checkpoint
from airflow_provider_vibe.runtime.handover import hand_over, keep_handover
from airflow_provider_vibe.runtime.outcome import ExecutionResult
from airflow_provider_vibe.tools.artifacts import save_artifact
from tests.dag.plans import composite, plan
from tests.dag.scripted import Script

SAMPLES = sorted((Path(__file__).parents[1] / "data" / "oracle" / "samples" / "checkpoints").glob("*.json"))


@pytest.fixture(autouse=True)
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))


def work(node_id: str, *dependencies: str, **fields: Any) -> dict[str, Any]:
    parameters = {"tool": "scripted", "tool_inputs": {}}
    return {
        **{"id": node_id, "type": "analyze", "description": f"Do {node_id}", "parameters": parameters},
        **{"dependencies": list(dependencies), **fields},
    }


BAD = {"error": {"class": "ValueError", "message": "bad"}}


@pytest.fixture
def resume(run_scripted):
    """Runs a plan, takes a checkpoint of it to vibe-aigc and back, and goes on from there.

    Gives the nodes whose tools were called then, the contexts they got, and the result.
    """

    def go_on(content, first: dict[str, Any], second: dict[str, Any] | None = None, drop=(), changed=None):
        before, result = run_scripted(content, Script({"nodes": first}))
        document = json.loads(write_checkpoint(checkpoint_of(before.plan, result, {})))
        for node_id in drop:
            del document["execution_result"]["node_results"][node_id]
        for ours in ("plan_digest", "run_id"):
            del document["execution_result"][ours]
        del document["vibe"]
        if changed is not None:
            changed(document["execution_result"]["node_results"])
        checkpoint = read_checkpoint(json.dumps(document).encode())
        reference = keep_handover(hand_over(checkpoint, before.plan))
        after, resumed = run_scripted(content, Script({"nodes": second or {}}), {"reuse_from": reference})
        return {call["node"]: call["context"] for call in after.calls}, resumed

    return go_on


def statuses(result: ExecutionResult) -> dict[str, str]:
    return {node_id: node.status.value for node_id, node in result.node_results.items()}


LINEAR = plan(work("a"), work("b", "a"), work("c", "b"), id="resume-linear")


def test_what_is_done_is_not_done_again_and_its_context_is_there(resume):
    """Case 53; vibe-aigc 0.7.1 gives b nothing of a (B17) and still wants to replan afterwards (B18)."""
    calls, result = resume(LINEAR, {"b": {"error": {"class": "TimeoutError", "message": "timeout"}}})
    assert calls.keys() == {"b", "c"}
    assert calls["b"]["previous_outputs"] == {"a": {"text": "out of a: Do a"}}
    assert calls["b"]["workflow_context"] == "Previous step (a):\nout of a: Do a"
    assert set(statuses(result).values()) == {"completed"}
    assert (result.status, result.should_replan()) == ("completed", False)
    assert result.node_results["a"].reused_from.startswith("checkpoint resume-linear_")
    assert result.node_results["b"].reused_from is None


def test_what_fails_again_is_told_of_this_run(resume):
    calls, result = resume(LINEAR, {"b": BAD}, {"b": BAD})
    assert calls.keys() == {"b"}
    assert statuses(result) == {"a": "completed", "b": "failed", "c": "skipped"}
    assert result.failed_nodes() == ["b"]


def test_nothing_is_called_when_everything_is_done(resume):
    calls, result = resume(LINEAR, {})
    assert (calls, result.status) == ({}, "completed")


def test_node_that_is_missing_in_the_checkpoint_runs(resume):
    calls, result = resume(LINEAR, {}, drop=["b", "c"])
    assert calls.keys() == {"b", "c"}
    assert result.status == "completed"


def test_completed_node_behind_one_that_is_missing_is_kept(resume):
    """As in vibe-aigc, what is completed is not run again, whatever comes before it."""
    calls, _ = resume(LINEAR, {}, drop=["a"])
    assert calls.keys() == {"a"}


def test_dependent_of_a_composite_waits_for_the_children_that_were_missing(resume):
    """Case 55; vibe-aigc 0.7.1 runs it beside them (B21)."""
    content = plan(composite("P", [work("x"), work("y"), work("z")]), work("after", "P"), id="resume-55")
    calls, result = resume(content, {"y": BAD, "z": BAD})
    first, second, last = calls
    assert ({first, second}, last) == ({"y", "z"}, "after")
    made = calls["after"]["previous_outputs"]["P"]["children"]
    assert made.keys() == {"x", "y", "z"}
    assert result.status == "completed"


def test_composite_that_was_called_completed_before_its_children_gathers_them(resume):
    content = plan(composite("P", [work("x"), work("y")]), work("after", "P"), id="resume-early")
    calls, result = resume(content, {}, drop=["y", "after"])
    assert calls.keys() == {"y", "after"}
    assert result.node_results["P"].result["output"]["children"].keys() == {"x", "y"}


def test_children_of_a_completed_parent_go_on(resume):
    content = plan(work("p", children=[work("k1"), work("k2")]), id="resume-parent")
    calls, result = resume(content, {"k2": BAD})
    assert calls.keys() == {"k2"}
    assert result.status == "completed"


def test_result_that_is_too_large_for_xcom_is_kept_by_the_run_that_takes_it_over(resume):
    text = "long " * 20_000

    def lengthen(results):
        results["a"]["result"]["result"] = {"text": text}

    calls, result = resume(LINEAR, {"b": BAD}, changed=lengthen)
    assert calls.keys() == {"b", "c"}
    assert calls["b"]["previous_outputs"] == {"a": {"text": text}}
    assert "artifacts" in result.node_results["a"].result
    assert result.node_results["a"].reused_from.startswith("checkpoint resume-linear_")


def test_node_whose_artifact_is_gone_runs(resume, caplog):
    place = {"run": {"dag_id": "d", "id": "r"}, "node_id": "a", "try_number": 1}
    there, lost = (save_artifact(place, name, b"png") for name in ("there.png", "lost.png"))
    Path(lost["path"]).unlink()
    made = {"a": {"output": {"image": lost}}, "b": {"output": {"image": there}}, "c": BAD}
    calls, result = resume(LINEAR, made)
    assert calls.keys() == {"a", "c"}
    assert f"{lost['uri']}, to which a result of run checkpoint resume-linear_" in caplog.text
    assert result.node_results["b"].reused_from is not None


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[-30:])
def test_every_checkpoint_of_the_original_goes_on(path, run_scripted):
    checkpoint = read_checkpoint(path.read_bytes())
    content = json.loads(path.read_text())["plan"]
    reference = keep_handover(hand_over(checkpoint, checkpoint.plan))
    script = Script({"nodes": {}, "tools": ["scripted", "failing_tool"]})
    _, result = run_scripted(content, script, {"reuse_from": reference})
    assert result.status == "completed"
    taken = [node_id for node_id, node in result.node_results.items() if node.reused_from]
    assert sorted(taken) == sorted(checkpoint.completed)
    for node_id in taken:
        then, now = checkpoint.result.node_results[node_id].result, result.node_results[node_id].result
        assert now is then is None or now["result"] == then["result"]
