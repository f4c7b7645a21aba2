from __future__ import annotations

import jsonschema
import pytest
from pydantic import ValidationError

from airflow_provider_vibe.plan.models import NodeType, WorkflowNode, WorkflowPlan, whole_seconds
from tests.plan.plans import NOTATIONS, node, plan, read


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5", 5), (" 7 ", 7), ("-3", -3), (2.0, 2), (True, 1), (False, 0), (30, 30), (0, 0)],
)
def test_durations_are_coerced_as_the_original_does(written, seconds):
    read = WorkflowNode.model_validate(node("a", estimated_duration=written)).estimated_duration
    assert read == seconds
    assert type(read) is int


@pytest.mark.parametrize("written", [1.5, "1.5", "five", "", "5 s", "--5", "9" * 20, [5], {}])
def test_other_durations_are_refused(written):
    with pytest.raises(ValidationError):
        WorkflowNode.model_validate(node("a", estimated_duration=written))


def test_what_is_no_duration_is_left_for_the_model_to_refuse():
    assert whole_seconds(1.5) == 1.5
    assert whole_seconds(None) is None


def test_a_plan_cannot_be_changed():
    read = WorkflowPlan.model_validate(plan())
    with pytest.raises(ValidationError):
        read.id = "other"
    assert isinstance(read.root_nodes, tuple)
    assert isinstance(read.root_nodes[0].dependencies, tuple)


def test_keys_with_the_prefix_of_notes_are_dropped():
    noted = {**plan(node("a", **{"x-a": 1})), "x-b": 2}
    noted["source_vibe"]["x-c"] = 3
    assert WorkflowPlan.model_validate(noted) == WorkflowPlan.model_validate(plan(node("a")))


def test_a_plan_survives_a_round_trip_through_json():
    read = WorkflowPlan.model_validate(plan(node("a", children=[node("b", dependencies=["a"])]), tags=["t"]))
    assert WorkflowPlan.model_validate(read.model_dump(mode="json", by_alias=True)) == read
    assert WorkflowPlan.model_validate_json(read.model_dump_json(by_alias=True)) == read


def test_the_type_of_a_node_is_one_of_five():
    assert [str(each) for each in NodeType] == ["analyze", "generate", "transform", "validate", "composite"]
    assert WorkflowNode.model_validate(node("a")).type is NodeType.GENERATE
    with pytest.raises(ValidationError):
        WorkflowNode.model_validate(node("a", type="GENERATE"))


SCHEMA = WorkflowPlan.model_json_schema(by_alias=True)


def test_the_json_schema_takes_what_the_models_take():
    jsonschema.validate(plan(node("a", **{"x-note": 1}), **{"$schema": "x", "x-note": 1}), SCHEMA)


@pytest.mark.parametrize("bad", [plan(shedule={}), plan(node("a", tipe=1)), {**plan(), "root_nodes": []}, {}])
def test_the_json_schema_refuses_what_the_models_refuse(bad):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, SCHEMA)
    with pytest.raises(ValidationError):
        WorkflowPlan.model_validate(bad)


def test_replans_are_off_unless_asked_for():
    assert read(plan(node("a"))).plan.replan.mode == "off"


@pytest.mark.parametrize("mode", ["off", "propose", "approve", "auto"])
def test_replan_mode_is_a_word_in_both_notations(mode):
    for notation in NOTATIONS:
        data = plan(node("a"), replan={"mode": mode, "max_attempts": 1, "cooldown": 0})
        assert read(data, notation=notation).plan.replan.mode == mode


@pytest.mark.parametrize(
    ("replan", "told"),
    [
        ({"mode": "always"}, "'always'"),
        ({"max_attempts": 0}, "/replan/max_attempts"),
        ({"cooldown": -1}, "/replan/cooldown"),
        ({"modus": "auto"}, "did you mean 'mode'?"),
    ],
)
def test_replan_that_makes_no_sense_is_told(replan, told):
    assert any(told in str(problem) for problem in read(plan(node("a"), replan=replan)).problems)
