"""Checkpoints: what is read back, and what is refused and why."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from airflow_provider_vibe.runtime.checkpoint import (
    Checkpoint,
    CheckpointError,
    checkpoint_of,
    read_checkpoint,
    write_checkpoint,
)
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult
from tests.dag.plans import composite, node, plan

SAMPLES = sorted((Path(__file__).parents[1] / "data" / "oracle" / "samples" / "checkpoints").glob("*.json"))
PLAN = WorkflowPlan.model_validate(
    plan(node("a"), composite("both", [node("x"), node("y")], "a"), params={"topic": {"type": "string"}})
)


def result(**statuses: str) -> ExecutionResult:
    nodes = {
        node_id: NodeResult(node_id=node_id, status=ExecutionStatus(status), result={"result": node_id})
        for node_id, status in statuses.items()
    }
    return ExecutionResult(
        plan_id=PLAN.id, status=ExecutionStatus.RUNNING, node_results=nodes, dag_id="plan", run_id="r"
    )


def written(**changes: Any) -> dict[str, Any]:
    """A checkpoint of ours as JSON; with *changes*, made after it was written."""
    done = checkpoint_of(PLAN, result(a="completed", x="failed", y="pending"), {"topic": "tea"})
    return json.loads(write_checkpoint(done)) | changes


def as_theirs(**changes: Any) -> dict[str, Any]:
    document = written()
    del document["vibe"]
    for key in ("plan_digest", "run_id"):
        del document["execution_result"][key]
    return document | changes


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


def refusal(content: bytes) -> str:
    with pytest.raises(CheckpointError) as refused:
        read_checkpoint(content)
    return str(refused.value)


def test_checkpoint_is_read_back():
    made = checkpoint_of(PLAN, result(a="completed", x="failed"), {"topic": "tea"})
    assert read_checkpoint(write_checkpoint(made)) == made
    assert made.completed == ["a"]


def test_checkpoint_has_the_form_of_the_original():
    theirs = json.loads(SAMPLES[0].read_text())
    ours = written()
    assert ours.keys() - theirs.keys() == {"vibe"}
    assert theirs.keys() <= ours.keys()
    assert theirs["execution_result"].keys() <= ours["execution_result"].keys()
    assert ours["schema_version"] == "1.0"


def test_nodes_that_have_not_begun_are_left_out():
    assert written()["execution_result"]["node_results"].keys() == {"a", "x"}


def test_id_is_a_file_name_whatever_the_plan_is_called():
    hostile = PLAN.model_copy(update={"id": "../../etc/ä"})
    made = checkpoint_of(hostile, result().model_copy(update={"plan_id": hostile.id}), {})
    assert "/" not in made.checkpoint_id
    assert not made.checkpoint_id.startswith(".")
    assert read_checkpoint(write_checkpoint(made)).plan.id == hostile.id


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[-30:])
def test_every_checkpoint_of_the_original_is_read(path):
    document = json.loads(path.read_text())
    checkpoint = read_checkpoint(path.read_bytes())
    assert not checkpoint.is_ours
    assert checkpoint.plan.id == document["plan"]["id"]
    statuses = {key: node["status"] for key, node in document["execution_result"]["node_results"].items()}
    assert {key: node.status for key, node in checkpoint.result.node_results.items()} == statuses
    assert checkpoint.conf == {}


def test_all_samples_are_there():
    assert len(SAMPLES) == 6


@given(st.integers(min_value=0))
def test_cut_off_file_is_refused(cut):
    whole = write_checkpoint(checkpoint_of(PLAN, result(a="completed"), {})).rstrip()
    assert "cut off" in refusal(whole[: cut % len(whole)])


def every_leaf(value: Any, path: tuple[Any, ...] = ()):
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from every_leaf(value[key], (*path, key))
    else:
        yield path


LEAVES = list(every_leaf(written()))


@settings(max_examples=60)
@given(st.sampled_from(LEAVES), st.sampled_from(["other", 7, None, True, [], {}]))
def test_changed_file_is_refused_wherever_it_was_changed(path, value):
    document = copy.deepcopy(written())
    place = document
    for key in path[:-1]:
        place = place[key]
    if place[path[-1]] == value and type(place[path[-1]]) is type(value):
        return
    place[path[-1]] = value
    assert refusal(raw(document))


def test_changed_result_is_told_by_the_digest():
    document = written()
    document["execution_result"]["node_results"]["a"]["result"] = {"result": "forged"}
    assert "it was changed after it was written" in refusal(raw(document))


def test_notation_and_order_of_keys_do_not_count_as_changes():
    document = written()
    again = dict(reversed(document.items()))
    assert read_checkpoint(json.dumps(again, indent=7).encode()).is_ours


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema_version": "1.1"}, "'1.1' is newer than 1.0"),
        ({"schema_version": "2.0"}, "'2.0' is newer than 1.0"),
        ({"schema_version": "10.0"}, "'10.0' is newer than 1.0"),
        ({"schema_version": "0.9"}, "'0.9' is not 1.0"),
        ({"schema_version": 1.0}, "is not 1.0"),
        ({"checkpoint_id": "../up"}, "'../up' would lead out of the folder"),
        ({"checkpoint_id": "a/b"}, "would lead out of the folder"),
        ({"checkpoint_id": "a\\b"}, "would lead out of the folder"),
        ({"checkpoint_id": ".."}, "would lead out of the folder"),
        ({"checkpoint_id": "a\x00"}, "a NUL character"),
        ({"checkpoint_id": "a\x1b"}, "would lead out of the folder"),
        ({"checkpoint_id": ""}, "would lead out of the folder"),
        ({"checkpoint_id": 5}, "would lead out of the folder"),
        ({"execution_result": {"plan_id": "other", "status": "running"}}, "a run of another one, 'other'"),
        (
            {"execution_result": {"plan_id": "plan", "status": "odd"}},
            "execution_result cannot be read: 'status'",
        ),
        ({"execution_result": []}, "execution_result cannot be read"),
        ({"plan": {"id": "plan"}}, "its plan cannot run"),
        ({"plan": []}, "its plan cannot run"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(changes, told):
    assert told in refusal(raw(as_theirs(**changes)))


def test_results_under_the_id_of_another_node_are_refused():
    document = as_theirs()
    results = document["execution_result"]["node_results"]
    results["y"] = results["a"]
    assert "those of others: y" in refusal(raw(document))


@pytest.mark.parametrize("key", ["checkpoint_id", "created_at", "plan", "execution_result"])
def test_missing_part_is_named(key):
    document = as_theirs()
    del document[key]
    assert refusal(raw(document)) == f"it is no whole checkpoint: it has no '{key}'"


@pytest.mark.parametrize("content", [b"{}", b"[]", b"1", b'{"id": "plan"}'])
def test_other_json_is_no_checkpoint(content):
    assert refusal(content) == "it is no checkpoint: it has no 'schema_version'"


@pytest.mark.parametrize("ours", [None, [], "x", {}, {"digest": None}, {"digest": "0" * 64}])
def test_our_key_with_anything_but_the_right_digest_is_refused(ours):
    assert "it was changed" in refusal(raw(written(vibe=ours)))


def test_our_file_without_our_key_is_refused():
    document = written()
    del document["vibe"]
    assert refusal(raw(document)) == "it was changed after it was written: its key 'vibe' is gone"


@pytest.mark.parametrize("conf", [None, ["x"], "x", 3])
def test_parameters_that_are_no_object_are_refused(conf):
    made = checkpoint_of(PLAN, result(a="completed"), {})
    document = json.loads(write_checkpoint(made)) | {"vibe": {"conf": conf}}
    document["vibe"]["digest"] = sha256(canonical_json(document))
    assert refusal(raw(document)) == "the parameters of its run, 'conf' under 'vibe', are no object"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"schema_version": "\xff"}', "it cannot be read: byte 0xFF is not UTF-8"),
        (b"[" * 200_000, "it cannot be read: nested more than 259 levels deep"),
        (b'{"schema_version": NaN}', "it cannot be read: 'NaN' is not a number"),
        (b'{"schema_version": "2.0", "schema_version": "1.0"}', "duplicate key 'schema_version'"),
    ],
)
def test_hostile_bytes_are_refused(content, told):
    assert told in refusal(content)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("9" * 5000, "is not a number"),
        ("1e999", "'1e999' is not a number"),
        (r'"\ud800"', "a lone surrogate (U+D800)"),
        (r'"a\u0000"', "a NUL character"),
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        *[("[" * depth + "]" * depth, "nested more than") for depth in (256, 300, 500, 900, 5000)],
        *[('{"k":' * depth + "1" + "}" * depth, "nested more than") for depth in (300, 900)],
    ],
    ids=lambda text: text[:20],
)
def test_result_that_no_node_could_have_left_is_refused(value, told):
    document = as_theirs()
    document["execution_result"]["node_results"]["a"]["result"] = "VALUE"
    assert told in refusal(raw(document).replace(b'"VALUE"', value.encode()))


def nested(depth: int, innermost: Any = 1) -> Any:
    return [nested(depth - 1, innermost)] if depth else innermost


def with_result(value: Any) -> Checkpoint:
    done = result(a="completed")
    done.node_results["a"].result = value
    return checkpoint_of(PLAN, done, {})


@pytest.mark.parametrize("deepest", [nested(254), nested(254, [])], ids=["full", "empty"])
def test_deepest_result_that_is_written_is_read(deepest):
    read = read_checkpoint(write_checkpoint(with_result(deepest)))
    assert read.result.node_results["a"].result == deepest


@pytest.mark.parametrize("made", [with_result(nested(255)), checkpoint_of(PLAN, result(), {"x": "\ud800"})])
def test_what_could_not_be_read_again_is_not_written(made):
    with pytest.raises(CheckpointError, match="this run cannot be kept in a checkpoint: "):
        write_checkpoint(made)


@pytest.mark.parametrize("name", ["large.vibe.yaml", "large.vibe.json"])
def test_plan_of_the_largest_size_in_other_letters_is_read_back(name):
    nodes = [{"id": f"n{number}", "type": "generate", "description": "é" * 1000} for number in range(480)]
    content = {"id": "large", "source_vibe": {"description": "v"}, "root_nodes": nodes}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    if name.endswith(".yaml"):
        rows = "".join(
            f"- {{id: {n['id']}, type: generate, description: {n['description']}}}\n" for n in nodes
        )
        text = f"id: large\nsource_vibe: {{description: v}}\nroot_nodes:\n{rows}".encode()
    limits = Limits(max_plan_bytes=len(text))
    large = examine(text, name, PlanRules(limits, simulate_missing=True)).plan_or_raise()
    made = checkpoint_of(large, ExecutionResult(plan_id="large", status=ExecutionStatus.RUNNING), {})
    assert read_checkpoint(write_checkpoint(made), limits).plan == large


def test_huge_file_is_not_read(monkeypatch):
    monkeypatch.setattr("airflow_provider_vibe.runtime.checkpoint.MOST_BYTES", 10)
    assert refusal(b"{" * 11) == "it cannot be read: larger than 10 bytes"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_checkpoint_or_a_reason(content):
    assert refusal(content)
