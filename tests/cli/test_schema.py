"""The JSON Schema of a plan file: as committed, and of one mind with the reader."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from airflow_provider_vibe.cli.plan_schema import as_file, plan_schema
from airflow_provider_vibe.cli.plan_schema_examples import EXAMPLES
from airflow_provider_vibe.cli.schema import schema
from airflow_provider_vibe.plan.documents import DocumentLimits, parse_document
from airflow_provider_vibe.plan.models import RunSettings, Schedule, Vibe, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.decorator import tool
from tests.dag.plans import composite, node, plan

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "schema" / "vibe-plan.schema.json"
EXAMPLE_PLANS = sorted((ROOT / "dags" / "plans").glob("*.vibe.*"))
FOREIGN_PLANS = sorted((ROOT / "tests" / "data" / "oracle").glob("**/*plan*/**/*.json")) + sorted(
    (ROOT / "tests" / "data" / "oracle" / "cases").glob("*/plan.json")
)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(plan_schema())


def document(path: Path) -> Any:
    """A plan file as the reader sees it before it becomes a plan."""
    return parse_document(path.read_bytes(), path.name, DocumentLimits(2**20, 20_000, 200)).data


def test_committed_schema_is_the_one_of_the_models():
    renew = "airflow vibe schema --output schema/vibe-plan.schema.json"
    assert json.loads(COMMITTED.read_text("utf-8")) == plan_schema(), f"renew it: {renew}"
    assert COMMITTED.read_text("utf-8") == as_file(plan_schema()), f"renew it: {renew}"


@pytest.mark.parametrize("dialect", [Draft202012Validator, Draft7Validator])
def test_schema_is_one_for_new_and_for_older_editors(dialect):
    dialect.check_schema(plan_schema())


def test_same_schema_every_time():
    assert as_file(plan_schema()) == as_file(plan_schema())


@pytest.mark.parametrize("path", EXAMPLE_PLANS, ids=lambda path: path.name)
def test_example_plans_fit(validator, path):
    assert [error.message for error in validator.iter_errors(document(path))] == []


def test_what_the_reader_takes_fits(validator):
    rules = Settings.from_airflow().rules
    taken = 0
    for path in FOREIGN_PLANS:
        data = document(path)
        if examine(path.read_bytes(), path.name, rules).plan is not None:
            taken += 1
            assert [error.message for error in validator.iter_errors(data)] == [], path
    assert taken > 10


def everything() -> dict[str, Any]:
    """A plan that says all that can be said."""
    settings = {"retries": 3, "retry_delay": 1.5, "timeout": 60, "pool": "llm", "x-why": 1}
    return plan(
        node("a", estimated_duration=30, run=settings, **{"x-note": {"any": "thing"}}),
        composite("c", [node("d", estimated_duration="5")], "a"),
        node(
            "good",
            checks=[{"must_contain": ["${params.count}"], "weight": 2}, {"judge": "x"}],
            on_fail="retry",
        ),
        node("own", "c", parameters={"tool": "my_tool", "tool_inputs": {"free": [1]}, "note": None}),
        node("refs", "a", parameters={"tool": "keywords", "tool_inputs": {"top": "${params.count}"}}),
        node("empty", "a", parameters={"tool": "combine", "tool_inputs": None}),
        **{"$schema": "x", "x-own": True},
        source_vibe={"description": "", "style": None, "constraints": ["a"], "domain": "t", "metadata": {}},
        estimated_total_duration=2.0,
        created_at="whenever",
        revision=2,
        schedule={"at": ["2026-01-05"], "every": None, "timezone": "UTC", "start_date": None},
        params={"count": {"type": ["integer", "null"], "default": 1, "multipleOf": 1}},
        defaults=settings,
        max_active_runs=1,
        tags=["t"],
    )


def test_all_that_can_be_said_fits(validator):
    assert WorkflowPlan.model_validate(everything())
    assert [error.message for error in validator.iter_errors(everything())] == []


def changed(**fields: Any) -> dict[str, Any]:
    return everything() | fields


def with_node(**fields: Any) -> dict[str, Any]:
    return plan(node("a", **fields))


def with_tool(tool: str, **inputs: Any) -> dict[str, Any]:
    return with_node(parameters={"tool": tool, "tool_inputs": inputs})


MISTAKES = {
    "no id": {key: value for key, value in everything().items() if key != "id"},
    "empty id": changed(id=""),
    "id too long": changed(id="x" * 201),
    "id of a node too long": with_node(id="x" * 201),
    "id is a number": changed(id=5),
    "no nodes": changed(root_nodes=[]),
    "unknown key": changed(root_node=[]),
    "misspelt key of a node": with_node(dependecies=["a"]),
    "unknown type": with_node(type="analyse"),
    "type in capitals": with_node(type="GENERATE"),
    "no description": plan({"id": "a", "type": "analyze"}),
    "one dependency, no list": with_node(dependencies="b"),
    "broken duration": with_node(estimated_duration=1.5),
    "duration in words": with_node(estimated_duration="5 minutes"),
    "mistake deep inside": plan(composite("c", [composite("d", [node("e", type="?")])])),
    "retries below 0": with_node(run={"retries": -1}),
    "timeout of 0": changed(defaults={"timeout": 0}),
    "unknown setting": with_node(run={"retry": 3}),
    "two schedules": changed(schedule={"cron": "@daily", "every": "P1D"}),
    "no schedule in the schedule": changed(schedule={"timezone": "UTC"}),
    "schedule as a text": changed(schedule="@daily"),
    "no dates": changed(schedule={"at": []}),
    "catchup from nowhere": changed(schedule={"cron": "@daily", "catchup": True}),
    "parameter that is a value": changed(params={"topic": "tea"}),
    "parameter of no type": changed(params={"topic": {"type": "text"}}),
    "constraints as a text": changed(source_vibe={"description": "x", "constraints": "short"}),
    "tool inputs as a list": with_node(parameters={"tool": "combine", "tool_inputs": []}),
    "inputs of an unnamed tool as a list": with_node(parameters={"tool_inputs": []}),
    "misspelt input of a tool": with_tool("keywords", tops=3),
    "input too large": with_tool("keywords", top=1000),
    "input of another kind": with_tool("combine", pieces="one"),
    "name of no template": with_tool("template_fill", template_name="blog"),
    "two kinds in one check": with_node(checks=[{"min_words": 1, "max_words": 5}]),
    "check of no kind": with_node(checks=[{"weight": 2}]),
    "misspelt check": with_node(checks=[{"min_word": 5}]),
    "no phrases": with_node(checks=[{"must_contain": []}]),
    "judge without a rubric": with_node(checks=[{"judge": {"model": "m"}}]),
    "unknown way to fail": with_node(checks=[{"min_words": 5}], on_fail="stop"),
    "input missing": with_tool("write_file", text="x"),
    "all inputs missing": with_node(parameters={"tool": "write_file"}),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_mistake_is_refused(validator, mistake):
    assert not validator.is_valid(MISTAKES[mistake])


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_reader_refuses_it_too(mistake):
    raw = json.dumps(MISTAKES[mistake]).encode()
    assert examine(raw, "x.vibe.json", Settings.from_airflow().rules).plan is None


def test_every_field_tells_what_it_is():
    whole = plan_schema()
    models = [
        whole,
        *(whole["$defs"][model.__name__] for model in (Vibe, Schedule, RunSettings, WorkflowNode)),
    ]
    for model in models:
        for name, value in model["properties"].items():
            assert value["title"] and value["description"], name


def test_examples_are_of_fields_there_are_and_fit_them():
    whole = plan_schema()
    for model, fields in EXAMPLES.items():
        properties = (whole if model == "WorkflowPlan" else whole["$defs"][model])["properties"]
        for name, examples in fields.items():
            of_field = Draft202012Validator({"$defs": whole["$defs"], **properties[name]})
            for example in examples:
                assert [error.message for error in of_field.iter_errors(example)] == [], (model, name)


def test_tools_are_offered_by_name_with_what_they_do():
    choices = plan_schema()["$defs"]["WorkflowNode"]["properties"]["parameters"]["properties"]["tool"][
        "anyOf"
    ]
    offered = {choice["const"]: choice["description"] for choice in choices if "const" in choice}
    assert offered == {tool.name: tool.description for tool in Settings.from_airflow().tools.values()}


@tool("shout", description="Says it louder")
def shout(text: str, times: int = 1) -> str:
    return text.upper() * times


class Foreign:
    """A tool whose schema leads to parts of itself."""

    name = "foreign"
    description = "From elsewhere"
    input_schema: ClassVar = {"$defs": {"n": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/n"}}}


def test_own_tools_are_checked_as_well_and_the_schema_is_another():
    own = Draft202012Validator(plan_schema([*Settings.from_airflow().tools.values(), shout, Foreign()]))
    assert own.is_valid(with_tool("shout", text="x", times=2))
    assert own.is_valid(with_tool("shout", text="x", times="${params.n}"))
    assert not own.is_valid(with_tool("shout", text="x", times="often"))
    assert not own.is_valid(with_tool("shout"))
    assert own.is_valid(with_tool("foreign", n="no word on its inputs"))
    assert "$id" not in own.schema
    assert "$id" in plan_schema()


def test_command_prints_it_or_writes_a_file(tmp_path, capsys):
    schema(Namespace(output=None))
    assert json.loads(capsys.readouterr().out) == plan_schema()
    schema(Namespace(output=str(tmp_path / "plan.schema.json")))
    assert capsys.readouterr().out == f"wrote {tmp_path}/plan.schema.json\n"
    assert (tmp_path / "plan.schema.json").read_text("utf-8") == COMMITTED.read_text("utf-8")


def test_file_that_cannot_be_written_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        schema(Namespace(output=str(tmp_path / "nowhere" / "x.json")))
    assert stopped.value.code == 2
    assert "airflow vibe schema: cannot write" in capsys.readouterr().err
