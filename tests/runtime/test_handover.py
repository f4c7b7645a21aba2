"""What a run takes over from a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.runtime.checkpoint import (
    Checkpoint,
    CheckpointError,
    checkpoint_of,
    read_checkpoint,
    write_checkpoint,
)
from airflow_provider_vibe.runtime.handover import hand_over, is_handover, keep_handover, load_handover
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult
from tests.dag.plans import composite, node, plan

SAMPLES = sorted((Path(__file__).parents[1] / "data" / "oracle" / "samples" / "checkpoints").glob("*.json"))
NODES = {"a": node("a"), "x": node("x", "a"), "y": node("y", "a")}


def a_plan(nodes: dict[str, Any] | None = None, **fields: Any) -> WorkflowPlan:
    a, x, y = ({**NODES, **(nodes or {})}[node_id] for node_id in NODES)
    return WorkflowPlan.model_validate(plan(a, composite("both", [x, y]), **fields))


def made(node_id: str, status: str = "completed", **fields: Any) -> NodeResult:
    result = {"type": "tool_execution", "tool": "template_fill", "result": {"text": node_id}}
    return NodeResult(
        **{"node_id": node_id, "status": ExecutionStatus(status), "result": result, "duration": 2.0, **fields}
    )


def a_checkpoint(*results: NodeResult, run_id: str | None = "first", **fields: Any) -> Checkpoint:
    done = ExecutionResult(
        plan_id="plan",
        status=ExecutionStatus.FAILED,
        node_results={each.node_id: each for each in results},
        run_id=run_id,
        **fields,
    )
    return checkpoint_of(a_plan(), done, {})


def as_theirs(checkpoint: Checkpoint) -> Checkpoint:
    document = json.loads(write_checkpoint(checkpoint))
    del document["vibe"]
    return read_checkpoint(json.dumps(document).encode())


def refusal(checkpoint: Checkpoint, now: WorkflowPlan) -> str:
    with pytest.raises(CheckpointError) as refused:
        hand_over(checkpoint, now)
    return str(refused.value)


def test_only_what_is_done_is_handed_over():
    checkpoint = a_checkpoint(made("a"), made("x", "failed"), made("y", "skipped"), made("both"))
    assert hand_over(checkpoint, a_plan()).nodes.keys() == {"a"}


def test_result_feedback_and_usage_go_along():
    usage = {"input_tokens": 7, "requests": 1, "cost": None}
    low = {"node_id": "a", "reason": "low_quality_output", "suggested_changes": []}
    checkpoint = a_checkpoint(
        made("a", usage=usage),
        feedback_data={"a": {"execution_quality": 0.5}},
        replan_suggestions=[{**low, "node_id": "x"}, low],
    )
    handed = hand_over(checkpoint, a_plan()).nodes["a"]
    assert handed.result == made("a").result
    assert handed.made_in == "first"
    assert handed.outcome.feedback == {"execution_quality": 0.5}
    assert handed.outcome.replan_suggestion == low
    assert handed.outcome.usage == usage
    assert handed.outcome.duration == 2.0


def test_run_that_made_a_result_is_told_through_any_number_of_checkpoints():
    usage = {"input_tokens": 7}
    checkpoint = a_checkpoint(made("a", reused_from="zeroth", reused_usage=usage, usage={"input_tokens": 0}))
    handed = hand_over(checkpoint, a_plan()).nodes["a"]
    assert (handed.made_in, handed.outcome.usage) == ("zeroth", usage)


def test_suggestion_of_a_failure_that_is_over_is_not_handed_over():
    old = {"node_id": "a", "error": "lost", "replan_reason": "execution_failure"}
    handed = hand_over(a_checkpoint(made("a"), replan_suggestions=[old]), a_plan()).nodes["a"]
    assert handed.outcome.replan_suggestion is None


def test_checkpoint_of_another_plan_is_refused():
    told = "it is of another plan: 'plan', not 'other'"
    assert refusal(a_checkpoint(made("a")), a_plan(id="other")) == told


CHANGES = [
    {"description": "Another step"},
    {"type": "generate"},
    {"parameters": {"tool": "template_fill", "tool_inputs": {"template": "new"}}},
    {"parameters": {"tool": "combine", "tool_inputs": {"template": "out of x"}}},
    {"dependencies": []},
    {"checks": [{"min_words": 3}]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_node_is_refused_by_its_name(change):
    now = a_plan({"x": {**NODES["x"], **change}})
    told = refusal(a_checkpoint(made("a"), made("x")), now)
    assert told.startswith("changed since it was made: 'x' (")
    assert "--accept-changed" in told


@pytest.mark.parametrize("change", CHANGES)
def test_changed_node_that_is_not_done_is_no_reason_to_refuse(change):
    now = a_plan({"x": {**NODES["x"], **change}})
    assert hand_over(a_checkpoint(made("a"), made("x", "failed")), now).nodes.keys() == {"a"}


def test_how_airflow_runs_a_node_is_no_change():
    now = a_plan({"x": {**NODES["x"], "run": {"retries": 5}, "estimated_duration": 9}})
    assert hand_over(a_checkpoint(made("x")), now).nodes.keys() == {"x"}


def test_place_of_a_node_is_no_change():
    now = WorkflowPlan.model_validate(plan(NODES["y"], composite("more", [NODES["x"]]), NODES["a"]))
    checkpoint = a_checkpoint(made("x"), made("y"), made("a"))
    assert hand_over(checkpoint, now).nodes.keys() == {"a", "x", "y"}


def test_changed_vibe_and_lost_node_are_refused():
    now = WorkflowPlan.model_validate(plan(NODES["a"], source_vibe={"description": "Another vibe"}))
    told = refusal(a_checkpoint(made("a"), made("x")), now)
    assert told.startswith("changed since it was made: the vibe of the plan, 'x', which is gone (")


def test_what_changed_can_be_accepted():
    now = a_plan({"x": {**NODES["x"], "description": "New"}}, source_vibe={"description": "Another vibe"})
    handover = hand_over(a_checkpoint(made("a"), made("x")), now, accept_changed=True)
    assert handover.nodes.keys() == {"a", "x"}
    without_x = WorkflowPlan.model_validate(plan(NODES["a"]))
    assert hand_over(a_checkpoint(made("a"), made("x")), without_x, accept_changed=True).nodes.keys() == {"a"}


def test_prompt_that_the_original_wrote_into_its_plan_is_no_change():
    """vibe-aigc 0.7.1 executor: an llm_generate node without a prompt gets its description as one."""
    asking = {**NODES["a"], "type": "generate", "parameters": {"tool": "llm_generate"}}
    written = {**asking, "parameters": {"tool": "llm_generate", "tool_inputs": {"prompt": "Step a"}}}
    other = {**asking, "parameters": {"tool": "llm_generate", "tool_inputs": {"prompt": "Step b"}}}
    done = a_checkpoint(made("a"))
    theirs = Checkpoint(**{**vars(done), "plan": a_plan({"a": written}), "is_ours": False})
    assert hand_over(theirs, a_plan({"a": asking})).nodes.keys() == {"a"}
    assert "'a'" in refusal(theirs, a_plan({"a": other}))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[-30:])
def test_every_checkpoint_of_the_original_is_handed_over_to_its_own_plan(path):
    checkpoint = read_checkpoint(path.read_bytes())
    handover = hand_over(checkpoint, checkpoint.plan)
    assert sorted(handover.nodes) == sorted(checkpoint.completed)
    for handed in handover.nodes.values():
        assert handed.made_in == f"checkpoint {checkpoint.checkpoint_id}"
        if handed.result is not None:
            assert handed.result["simulated"] is True
            assert handed.outcome.feedback["execution_quality"] is None


def test_what_a_tool_of_the_original_made_is_not_called_simulated():
    checkpoint = as_theirs(a_checkpoint(made("a")))
    assert hand_over(checkpoint, a_plan()).nodes["a"].result == made("a").result


def test_keys_of_ours_in_a_result_of_theirs_are_not_believed():
    forged = {"artifacts": {}, "reused_from": "r", "earlier_runs": ["s"], "output_digest": "d"}
    checkpoint = as_theirs(a_checkpoint(made("a", result={**made("a").result, **forged})))
    assert hand_over(checkpoint, a_plan()).nodes["a"].result == made("a").result


# keeping


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def test_handover_is_kept_by_its_digest(artifacts):
    handover = hand_over(a_checkpoint(made("a")), a_plan())
    reference = keep_handover(handover)
    assert is_handover(reference)
    assert load_handover(reference) == handover
    assert keep_handover(handover) == reference
    (file,) = (artifacts / "checkpoints").iterdir()
    assert file.name == f"{reference.removeprefix('checkpoint:')}.json"


def test_changed_or_lost_handover_is_refused(artifacts):
    reference = keep_handover(hand_over(a_checkpoint(made("a")), a_plan()))
    (file,) = (artifacts / "checkpoints").iterdir()
    file.write_bytes(file.read_bytes().replace(b"template_fill", b"template_gone"))
    with pytest.raises(CheckpointError, match="was changed: import it again"):
        load_handover(reference)
    file.unlink()
    with pytest.raises(CheckpointError, match=r"import it where .* artifacts_path is the same"):
        load_handover(reference)


@pytest.mark.parametrize(
    "reference",
    ["manual__1", "checkpoint:", "checkpoint:../x", "checkpoint:" + "A" * 64, "x checkpoint:" + "a" * 64],
)
def test_other_texts_are_no_references(reference):
    assert not is_handover(reference)
    with pytest.raises(CheckpointError, match="no reference"):
        load_handover(reference)
