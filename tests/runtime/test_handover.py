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
from airflow_provider_vibe.runtime.reuse import taken_over
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
    for ours in ("plan_digest", "run_id"):
        del document["execution_result"][ours]
    return read_checkpoint(json.dumps(document).encode())


def refusal(checkpoint: Checkpoint, now: WorkflowPlan) -> str:
    with pytest.raises(CheckpointError) as refused:
        hand_over(checkpoint, now)
    return str(refused.value)


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


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
    handover = hand_over(checkpoint, a_plan())
    handed = handover.nodes["a"]
    assert handed.result == made("a").result
    assert handover.run_id == "first"
    assert handed.outcome.feedback == {"execution_quality": 0.5}
    assert handed.outcome.replan_suggestion == low
    assert handed.outcome.usage == usage
    assert handed.outcome.duration == 2.0


def test_run_that_made_a_result_is_told_through_any_number_of_checkpoints():
    usage = {"input_tokens": 7}
    checkpoint = a_checkpoint(made("a", reused_from="zeroth", reused_usage=usage, usage={"input_tokens": 0}))
    handover = hand_over(checkpoint, a_plan())
    outcome = handover.nodes["a"].outcome
    assert (handover.run_id, outcome.reused_from) == ("first", "zeroth")
    taken = taken_over("a", outcome, handover.nodes["a"].result, handover.run_id, "f")
    assert (taken.reused_from, taken.reused_usage) == ("zeroth", usage)


def test_run_that_a_checkpoint_of_theirs_names_is_not_believed():
    handover = hand_over(as_theirs(a_checkpoint(made("a", reused_from="zeroth"))), a_plan())
    assert handover.run_id.startswith("checkpoint plan_")
    assert handover.nodes["a"].outcome.reused_from is None


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


def test_composite_that_gathers_others_is_refused_by_its_name():
    now = WorkflowPlan.model_validate(plan(NODES["a"], composite("both", [NODES["x"]]), NODES["y"]))
    checkpoint = a_checkpoint(made("a"), made("x"), made("y"), made("both"))
    told = refusal(checkpoint, now)
    assert told.startswith("changed since it was made: the children of 'both' (")
    assert hand_over(checkpoint, now, accept_changed=True).nodes.keys() == {"a", "x", "y"}


def test_node_behind_a_composite_is_not_taken_over_in_silence_when_that_has_one_more_child():
    def with_children(*children: str) -> WorkflowPlan:
        return WorkflowPlan.model_validate(plan(composite("k", [*map(node, children)]), node("z", "k")))

    done = a_checkpoint(made("x"), made("k"), made("z"))
    checkpoint = Checkpoint(**{**vars(done), "plan": with_children("x")})
    assert hand_over(checkpoint, with_children("x")).nodes.keys() == {"x", "z"}
    assert "the children of 'k'" in refusal(checkpoint, with_children("x", "y"))


@pytest.mark.parametrize(
    "now",
    [
        plan(NODES["a"], composite("both", [NODES["y"], NODES["x"]])),
        plan(NODES["a"], {**composite("both", [NODES["x"], NODES["y"]]), "description": "New"}),
        plan(NODES["a"], NODES["x"], NODES["y"]),
    ],
    ids=["another order", "another description", "gone"],
)
def test_what_changes_nothing_of_what_a_composite_hands_on_is_no_change(now):
    checkpoint = a_checkpoint(made("a"), made("x"), made("y"), made("both"))
    assert hand_over(checkpoint, WorkflowPlan.model_validate(now)).nodes.keys() == {"a", "x", "y"}


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
    assert handover.run_id == f"checkpoint {checkpoint.checkpoint_id}"
    for handed in handover.nodes.values():
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


# what no result of ours could be


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


UNFIT = [
    *(2**70, float("inf"), "a\0b", "\ud800", {"__classname__": "x", "__version__": 1, "__data__": 1}),
    *(nested(101), nested(255), nested(900)),
]


@pytest.mark.parametrize("value", UNFIT, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize(
    "left",
    [
        lambda value: {"node": {"result": {**made("a").result, "result": value}}},
        lambda value: {"node": {"result": value}},
        lambda value: {"node": {"usage": {"cost": value}}},
        lambda value: {"feedback_data": {"a": {"execution_quality": value}}},
        lambda value: {"replan_suggestions": [{"node_id": "a", "reason": value}]},
    ],
    ids=["output", "result", "usage", "feedback", "suggestion"],
)
def test_what_a_tool_could_not_leave_is_refused_by_the_name_of_its_node(left, value):
    given = left(value)
    checkpoint = a_checkpoint(made("x"), made("a", **given.pop("node", {})), **given)
    with pytest.raises(CheckpointError, match=r"^'a' cannot be taken over: the output cannot be kept: "):
        hand_over(checkpoint, a_plan(), accept_changed=True)


def test_result_of_a_node_that_is_gone_is_not_looked_at():
    checkpoint = a_checkpoint(made("a"), made("x", result=2**70))
    without_x = WorkflowPlan.model_validate(plan(NODES["a"]))
    assert hand_over(checkpoint, without_x, accept_changed=True).nodes.keys() == {"a"}


@pytest.mark.parametrize(
    "result", [None, 2**64 - 1, 1e300, "\u2028", nested(100), {"deep": nested(98)}], ids=str
)
def test_what_a_tool_could_leave_is_kept_and_given_back(artifacts, result):
    handover = hand_over(as_theirs(a_checkpoint(made("a", result=result))), a_plan())
    assert load_handover(keep_handover(handover)).nodes["a"].result == result


# keeping


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
