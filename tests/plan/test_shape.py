from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_vibe.plan.models import RunSettings, Schedule, Vibe, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import ProblemCode
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from tests.plan.plans import (
    NOTATIONS,
    at_most,
    codes,
    compact,
    good,
    node,
    place_of,
    plan,
    problem,
    problems,
    read,
    written,
)

pytestmark = pytest.mark.parametrize("notation", NOTATIONS)

CLOSED_MODELS = (WorkflowPlan, WorkflowNode, Vibe, Schedule, RunSettings)


def without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}


# keys that nobody knows


@pytest.mark.parametrize(
    ("data", "pointer", "key", "hint"),
    [
        (plan(shedule={}), "/shedule", "shedule", "did you mean 'schedule'?"),
        (plan(node("a", tipe=1)), "/root_nodes/0/tipe", "tipe", "did you mean 'type'?"),
        (
            plan(node("a", children=[node("b", dependancies=[])])),
            "/root_nodes/0/children/0/dependancies",
            "dependancies",
            "did you mean 'dependencies'?",
        ),
        (
            plan(source_vibe={"description": "d", "stile": 1}),
            "/source_vibe/stile",
            "stile",
            "did you mean 'style'?",
        ),
        (plan(node("a", run={"retry": 1})), "/root_nodes/0/run/retry", "retry", "did you mean 'retries'?"),
        (plan(defaults={"pooll": "x"}), "/defaults/pooll", "pooll", "did you mean 'pool'?"),
        (plan(schedule={"corn": "x"}), "/schedule/corn", "corn", "did you mean 'cron'?"),
        (plan(quux=1), "/quux", "quux", "begins with 'x-'"),
        (
            plan(node("a", executor_config={})),
            "/root_nodes/0/executor_config",
            "executor_config",
            "known are",
        ),
        (
            plan(node("a", python_callable="os.system")),
            "/root_nodes/0/python_callable",
            "python_callable",
            "known",
        ),
        (plan(**{"[key]": 1}), "/[key]", "[key]", "known are"),
        (plan(**{"__type__": "x"}), "/__type__", "__type__", "known are"),
        (plan(**{"a/b~": 1}), "/a~1b~0", "a/b~", "known are"),
        (plan(schema_uri="x"), "/schema_uri", "schema_uri", "did you mean '$schema'?"),
    ],
)
def test_an_unknown_key_is_refused_at_the_key(data, pointer, key, hint, notation):
    found = [each for each in problems(data, notation=notation) if each.code is ProblemCode.UNKNOWN_KEY]
    (only,) = found
    assert only.where.json_pointer == pointer
    assert (only.where.line, only.where.column) == place_of(written(data, notation), key)
    assert hint in (only.hint or "")


@pytest.mark.parametrize("model", CLOSED_MODELS)
def test_every_part_of_a_plan_is_closed(model, notation):
    assert model.model_config["extra"] == "forbid"


def test_what_is_free_takes_any_key(notation):
    free = {"anything": {"goes": [1, None]}, "id": 5, "children": "x"}
    read_plan = good(
        plan(
            node("a", parameters=free),
            source_vibe={"description": "d", "metadata": free},
            params={"any name": {"type": "integer", "x-own": free}},
        ),
        notation=notation,
    )
    assert read_plan.root_nodes[0].parameters == free
    assert read_plan.source_vibe.metadata == free
    assert read_plan.params["any name"]["x-own"] == free


def test_notes_are_allowed_wherever_keys_are_closed(notation):
    note = {"x-": None, "x-note": {"deep": [1]}}
    noted = plan(
        node("a", run={"retries": 1, **note}, **note),
        source_vibe={"description": "d", **note},
        schedule={"cron": "@daily", **note},
        defaults=note,
        **note,
    )
    bare = plan(
        node("a", run={"retries": 1}),
        source_vibe={"description": "d"},
        schedule={"cron": "@daily"},
    )
    assert good(noted, notation=notation) == good(bare, notation=notation)


# keys that are missing


@pytest.mark.parametrize("key", ["id", "source_vibe", "root_nodes"])
def test_a_plan_that_lacks_a_key_is_refused_at_its_beginning(key, notation):
    found = problem(without(plan(), key), notation=notation)
    assert found.code is ProblemCode.MISSING_KEY
    assert found.message == f"a plan needs '{key}'"
    assert (found.where.json_pointer, found.where.line, found.where.column) == ("", 1, 1)


@pytest.mark.parametrize("key", ["id", "type", "description"])
def test_a_node_that_lacks_a_key_is_refused_at_the_node(key, notation):
    data = plan(node("first"), {**without(node("second"), key), "estimated_duration": 17})
    found = problem(data, notation=notation)
    assert (found.code, found.message) == (ProblemCode.MISSING_KEY, f"a node needs '{key}'")
    assert found.where.json_pointer == "/root_nodes/1"
    start = place_of(written(data, notation), "17")[0] - 2  # the other two keys come before it
    if notation == "json":
        start -= 1  # a line with the brace
    assert found.where.line == start


def test_a_missing_key_that_is_there_misspelt_says_which(notation):
    data = plan({**without(node("a"), "description"), "descripton": "x"})
    missing = problems(data, notation=notation)[0]
    assert missing.code is ProblemCode.MISSING_KEY
    assert missing.hint == "'descripton' is written there: rename it to 'description'"


def test_a_vibe_needs_a_description(notation):
    found = problem(plan(source_vibe={}), notation=notation)
    assert (found.message, found.where.json_pointer) == ("a vibe needs 'description'", "/source_vibe")


# values of the wrong type


@pytest.mark.parametrize(
    ("data", "pointer", "token", "message", "hint"),
    [
        (plan(node("a", id=4711)), "/root_nodes/0/id", "4711", "'id' should be a text, not '4711'", "quotes"),
        (
            plan(node("a", description=None)),
            "/root_nodes/0/description",
            "null",
            "'description' should be",
            "leave",
        ),
        (plan(id=True), "/id", "true", "'id' should be a text, not true", "quotes"),
        (
            plan(node("a", dependencies="bee")),
            "/root_nodes/0/dependencies",
            "bee",
            "'dependencies' should be a list, not 'bee'",
            "",
        ),
        (
            plan(node("a", dependencies=[4711])),
            "/root_nodes/0/dependencies/0",
            "4711",
            "item 0 of 'dependencies' should be a text, not '4711'",
            "quotes",
        ),
        (
            plan(node("a", dependencies=None)),
            "/root_nodes/0/dependencies",
            "null",
            "'dependencies' should be a list, not null",
            "leave 'dependencies' out",
        ),
        (
            plan(node("a", parameters=["para"])),
            "/root_nodes/0/parameters",
            None,
            "'parameters' should be an object, not a list",
            "",
        ),
        (plan(node("a", children={})), "/root_nodes/0/children", "{}", "'children' should be a list", ""),
        (plan("nope"), "/root_nodes/0", "nope", "item 0 of 'root_nodes' should be an object, not 'nope'", ""),
        (
            plan(source_vibe="warm"),
            "/source_vibe",
            "warm",
            "'source_vibe' should be an object, not 'warm'",
            "",
        ),
        (plan(revision="two"), "/revision", "two", "'revision' should be a whole number, not 'two'", ""),
        (plan(revision="2"), "/revision", None, "'revision' should be a whole number", ""),
        (plan(revision=2.0), "/revision", "2.0", "'revision' should be a whole number", ""),
        (
            plan(defaults={"retries": True}),
            "/defaults/retries",
            "true",
            "should be a whole number, not true",
            "",
        ),
        (plan(defaults={"timeout": "9m"}), "/defaults/timeout", "9m", "'timeout' should be a number", ""),
        (
            plan(node("a", estimated_duration=1.5)),
            "/root_nodes/0/estimated_duration",
            "1.5",
            "'estimated_duration' should be a whole number, not '1.5'",
            "",
        ),
        (
            plan(schedule={"cron": "@daily", "catchup": "yes"}),
            "/schedule/catchup",
            "yes",
            "true or false",
            "",
        ),
        (plan(schedule="daily"), "/schedule", "daily", "'schedule' should be an object", ""),
        (plan(params={"topic": "AI"}), "/params/topic", "AI", "'topic' should be an object, not 'AI'", ""),
        (plan(tags="news"), "/tags", "news", "'tags' should be a list, not 'news'", ""),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_at_the_value(data, pointer, token, message, hint, notation):
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.WRONG_TYPE
    assert found.where.json_pointer == pointer
    assert message in found.message
    assert hint in (found.hint or "")
    if token is not None:
        assert (found.where.line, found.where.column) == place_of(written(data, notation), token)


@pytest.mark.parametrize(
    ("data", "pointer", "token", "message"),
    [
        (
            plan(revision=0),
            "/revision",
            "0",
            "'revision': input should be greater than or equal to 1, not '0'",
        ),
        (
            plan(node("a", run={"retries": -7})),
            "/root_nodes/0/run/retries",
            "-7",
            "greater than or equal to 0",
        ),
        (
            plan(node("a", run={"retries": 1001})),
            "/root_nodes/0/run/retries",
            "1001",
            "less than or equal to 1000",
        ),
        (plan(defaults={"timeout": 0}), "/defaults/timeout", None, "greater than 0"),
        (plan(defaults={"timeout": 1e300}), "/defaults/timeout", None, "less than or equal to"),
        (plan(defaults={"pool": ""}), "/defaults/pool", None, "at least 1 character"),
        (plan(tags=["ok", "x" * 101]), "/tags/1", "xxx" * 33, "at most 100 characters"),
        (plan(max_active_runs=0), "/max_active_runs", None, "greater than or equal to 1"),
    ],
)
def test_a_value_out_of_bounds_is_refused_at_the_value(data, pointer, token, message, notation):
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.BAD_VALUE
    assert found.where.json_pointer == pointer
    assert message in found.message
    if token and written(data, notation).count(token) == 1:
        assert (found.where.line, found.where.column) == place_of(written(data, notation), token)


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("GENERATE", "did you mean 'generate'?"),
        ("analyse", "did you mean 'analyze'?"),
        ("python", "one of analyze, generate, transform, validate, composite"),
        (7, "one of"),
        (["generate"], "did you mean 'generate'?"),
    ],
)
def test_an_unknown_type_of_node_is_refused_with_those_there_are(kind, hint, notation):
    found = problem(plan(node("a", type=kind)), notation=notation)
    assert found.code is ProblemCode.BAD_VALUE
    assert found.where.json_pointer == "/root_nodes/0/type"
    assert hint in (found.hint or "")


def test_a_plan_without_nodes_is_refused(notation):
    found = problem({**plan(), "root_nodes": []}, notation=notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.EMPTY_PLAN, "/root_nodes")


# much that is wrong


def test_everything_that_is_wrong_with_the_shape_is_told_at_once(notation):
    data = plan(
        node("a", tipe=1, description=5),
        {"id": "b", "type": "bogus"},
        id=7,
        shedule={},
    )
    found = problems(data, notation=notation)
    assert [(each.code, each.where.json_pointer) for each in found] == [
        (ProblemCode.WRONG_TYPE, "/id"),
        (ProblemCode.UNKNOWN_KEY, "/shedule"),
        (ProblemCode.WRONG_TYPE, "/root_nodes/0/description"),
        (ProblemCode.UNKNOWN_KEY, "/root_nodes/0/tipe"),
        (ProblemCode.MISSING_KEY, "/root_nodes/1"),
        (ProblemCode.BAD_VALUE, "/root_nodes/1/type"),
    ]
    lines = [each.where.line for each in found]
    assert lines == sorted(lines)


def test_a_hundred_thousand_unknown_keys_end_soon(notation):
    text = compact(plan(**{f"k{index}": 1 for index in range(70_000)}))
    with at_most(10):
        found = problems(text, notation=notation)
    assert len(found) == 501
    assert found[-1].message == "and more problems than are told here"


def test_nodes_nested_deeper_than_can_be_read_are_refused_as_that(notation):
    nested = node("leaf")
    for level in range(299):
        nested = node(f"n{level}", children=[nested])
    text = compact(plan(nested))
    assert codes(problems(text, PlanRules(Limits(max_depth=400)), notation)) == [ProblemCode.TOO_DEEP]


def test_an_unknown_shape_never_raises(notation):
    for value in (None, 1, "x", [], {}, [[]], {"root_nodes": {"a": [None]}}, {"root_nodes": [[], {}, None]}):
        assert read(value, notation=notation).plan is None
