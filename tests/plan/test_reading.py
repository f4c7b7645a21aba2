from __future__ import annotations

import copy
import json
import string
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.problems import PlanError, ProblemCode
from airflow_provider_vibe.plan.reading import examine, examine_file
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from airflow_provider_vibe.tools.registry import load_tools
from tests.plan.plans import (
    CHECKED,
    NOTATIONS,
    TOOLS,
    UNCHECKED,
    at_most,
    codes,
    compact,
    composite,
    good,
    node,
    place_of,
    plan,
    problem,
    problems,
    read,
    warnings,
    written,
)

in_both_notations = pytest.mark.parametrize("notation", NOTATIONS)

SAMPLES = Path(__file__).parent.parent / "data/oracle/samples"

SAMPLES_REFUSED = {
    "test_visualization_test_empty_workflow_handling": {ProblemCode.EMPTY_PLAN},
    "test_checkpoint_serialization_test_checkpoint_serialization_roundtrip": {ProblemCode.UNKNOWN_DEPENDENCY},
}

EVERYTHING: dict[str, Any] = {
    "$schema": "https://example.org/plan.schema.json",
    "id": "weekly newsletter é",
    "source_vibe": {
        "description": "A newsletter on ${params.topic}, ${run.date}",
        "style": "warm, factual",
        "constraints": ["under 600 words", "no"],
        "domain": "text",
        "metadata": {"deep": [{"er": None}], "12:30": 1.5},
        "x-note": "mine",
    },
    "estimated_total_duration": 120,
    "created_at": "2026-11-01T09:00:00Z",
    "revision": 3,
    "schedule": {
        "cron": "0 7 * * 1",
        "timezone": "Europe/Berlin",
        "start_date": "2026-01-05",
        "catchup": False,
        "x-note": None,
    },
    "params": {"topic": {"type": "string", "default": "AI", "description": "What to write about"}},
    "defaults": {"retries": 2, "retry_delay": 30, "timeout": 600.5, "pool": "default_pool"},
    "max_active_runs": 1,
    "tags": ["newsletter", "weekly"],
    "x-owner": {"team": "letters"},
    "root_nodes": [
        {
            "id": "research",
            "type": "analyze",
            "description": "Facts on ${params.topic}",
            "parameters": {
                "tool": "keywords",
                "tool_inputs": {"text": "On ${params.topic} and $${this}"},
                "anything": {"goes": [True, 0.25, "", "null", "~", "12:30"]},
            },
            "estimated_duration": 30,
            "run": {"retries": 0, "retry_delay": 0.5, "timeout": 60, "pool": "llm"},
            "x-why": [1],
        },
        {
            "id": "the letter",
            "type": "composite",
            "description": "All parts",
            "dependencies": ["research"],
            "children": [
                {
                    "id": "draft.v1",
                    "type": "generate",
                    "description": "Write it\nfrom ${nodes.research.keywords.0}",
                    "parameters": {},
                    "dependencies": ["the letter"],
                    "children": [
                        {"id": "日本", "type": "transform", "description": "", "parameters": {"tool": None}}
                    ],
                },
                {
                    "id": "check",
                    "type": "validate",
                    "description": "Is it ${vibe.style}?",
                    "parameters": {"tool": "keywords", "tool_inputs": {"text": "${nodes.draft.v1.text}"}},
                    "dependencies": ["draft.v1", "research"],
                    "estimated_duration": None,
                },
            ],
        },
        {
            "id": "send",
            "type": "transform",
            "description": "${nodes.the letter}",
            "dependencies": ["the letter"],
        },
    ],
}

LENIENT = PlanRules(tools=TOOLS, default_tools={"generate": "llm_generate"}, simulate_missing=True)


# a good plan


@in_both_notations
def test_a_plan_with_every_feature_is_read_as_it_stands(notation):
    read_plan = good(EVERYTHING, LENIENT, notation)
    assert read_plan.id == "weekly newsletter é"
    assert read_plan.root_nodes[0].run.timeout == 60
    assert read_plan.root_nodes[1].children[0].children[0].id == "日本"
    dumped = read_plan.model_dump(mode="json", by_alias=True)
    assert {key: dumped[key] for key in ("$schema", "created_at", "defaults", "params", "tags")} == {
        key: EVERYTHING[key] for key in ("$schema", "created_at", "defaults", "params", "tags")
    }
    assert dumped["root_nodes"][0]["parameters"] == EVERYTHING["root_nodes"][0]["parameters"]


def test_both_notations_mean_the_same_plan():
    plans = [good(EVERYTHING, LENIENT, notation) for notation in NOTATIONS]
    assert plans[0] == plans[1]
    assert plan_digest(plans[0]) == plan_digest(plans[1])


def test_the_plan_of_the_design_document_is_read():
    text = """
        $schema: https://example.org
        id: weekly-newsletter            # required; the DAG id
        source_vibe:
          description: A weekly newsletter on ${params.topic}
          style: warm, factual
          constraints: [under 600 words]
          domain: text
          metadata: {}
        estimated_total_duration: 120
        created_at: 2026-11-01T09:00:00Z # data only
        revision: 1
        schedule: {cron: "0 7 * * 1", timezone: Europe/Berlin, start_date: 2026-01-05, catchup: false}
        params:
          topic: {type: string, default: AI, description: What to write about}
        defaults: {retries: 2, retry_delay: 30, timeout: 600, pool: default_pool}
        max_active_runs: 1
        tags: [newsletter]
        root_nodes:
          - id: research
            type: analyze
            description: Collect facts on ${params.topic}
            parameters:
              tool: keywords
              tool_inputs: {text: "..."}
            dependencies: []
            children: []
            estimated_duration: 30
            run: {retries: 3, retry_delay: 10, timeout: 60, pool: llm}
    """
    read_plan = good(text, CHECKED, "yaml")
    assert read_plan.created_at == "2026-11-01T09:00:00Z"
    assert read_plan.schedule is not None
    assert read_plan.schedule.start_date == "2026-01-05"


@in_both_notations
def test_the_originals_own_shape_is_read(notation):
    data = {
        "id": "plan-1",
        "source_vibe": {"description": "d", "style": None, "constraints": [], "domain": None, "metadata": {}},
        "root_nodes": [
            {
                "id": "n",
                "type": "generate",
                "description": "",
                "parameters": {},
                "dependencies": [],
                "children": [],
                "estimated_duration": None,
            }
        ],
        "estimated_total_duration": None,
        "created_at": None,
    }
    good(data, notation=notation)


@pytest.mark.parametrize(
    "path",
    sorted([*SAMPLES.glob("test_plans/*.json"), *SAMPLES.glob("docs_examples/*.json")]),
    ids=lambda path: path.stem,
)
def test_plans_that_the_original_wrote_are_read(path):
    reading = examine_file(path, UNCHECKED)
    assert set(codes(reading.problems)) == SAMPLES_REFUSED.get(path.stem, set())
    assert (reading.plan is None) == (path.stem in SAMPLES_REFUSED)


# a bad one


@in_both_notations
def test_all_that_is_wrong_is_told_together_in_the_order_of_the_file(notation):
    data = copy.deepcopy(EVERYTHING)
    data["source_vibe"]["description"] = "On ${params.topik}"
    data["revision"] = 0
    data["schedule"]["cron"] = "weekly"
    data["params"]["tone"] = {"type": "string"}
    data["defaults"]["poool"] = "x"
    data["root_nodes"][0]["parameters"]["tool"] = "keyword"
    data["root_nodes"][0]["estimated_duration"] = "30"
    letter = data["root_nodes"][1]
    letter["dependencies"] = ["reserch", "send"]
    letter["children"][0]["id"] = "research"
    letter["children"][1]["type"] = "check it"
    letter["children"][1]["parameters"]["tool_inputs"] = "text"
    found = problems(data, LENIENT, notation)
    assert [(each.code, each.where.json_pointer) for each in found] == [
        (ProblemCode.UNKNOWN_PARAM, "/source_vibe/description"),
        (ProblemCode.BAD_VALUE, "/revision"),
        (ProblemCode.BAD_SCHEDULE, "/schedule/cron"),
        (ProblemCode.BAD_PARAM, "/params/tone"),
        (ProblemCode.UNKNOWN_KEY, "/defaults/poool"),
        (ProblemCode.UNKNOWN_TOOL, "/root_nodes/0/parameters/tool"),
        (ProblemCode.COERCED, "/root_nodes/0/estimated_duration"),
        (ProblemCode.UNKNOWN_DEPENDENCY, "/root_nodes/1/dependencies/0"),
        (ProblemCode.CYCLE, "/root_nodes/1/dependencies/1"),
        (ProblemCode.DUPLICATE_ID, "/root_nodes/1/children/0/id"),
        (ProblemCode.BAD_VALUE, "/root_nodes/1/children/1/type"),
        (ProblemCode.WRONG_TYPE, "/root_nodes/1/children/1/parameters/tool_inputs"),
        (ProblemCode.UNKNOWN_DEPENDENCY, "/root_nodes/1/children/1/dependencies/0"),
    ]
    assert {each.where.file for each in found} == {f"p.vibe.{notation}"}
    text = written(data, notation)
    for index, token in [(0, "On ${params.topik}"), (4, "poool"), (7, "reserch"), (10, "check it")]:
        assert (found[index].where.line, found[index].where.column) == place_of(text, token)


@in_both_notations
def test_problems_of_the_document_are_told_with_those_of_the_plan(notation):
    text = {
        "json": '{"id": "p", "id": "q", "revision": NaN, "sourcevibe": {}, "root_nodes": []}',
        "yaml": "id: p\nid: q\nrevision: &a 0\nsourcevibe: {}\nroot_nodes: []\n",
    }[notation]
    found = codes(problems(text, notation=notation))
    assert found.count(ProblemCode.DUPLICATE_KEY) == 1
    assert {ProblemCode.UNKNOWN_KEY, ProblemCode.MISSING_KEY, ProblemCode.EMPTY_PLAN} < set(found)
    assert {ProblemCode.NOT_FINITE, ProblemCode.FORBIDDEN_YAML} & set(found)


def test_warnings_keep_no_plan_back():
    assert len(warnings(plan(node("a", estimated_duration="5"), node("b", dependencies=["a", "a"])))) == 2


def test_an_error_behind_very_many_warnings_is_told_and_keeps_the_plan_back():
    nodes = [node(f"n{index}", estimated_duration="5") for index in range(600)]
    nodes.append(composite("last", node("x", description="${params.nope}"), parameters={"tool": "x"}))
    found = problems(compact(plan(*nodes)))
    (error,) = (each for each in found if not each.is_warning)
    assert (error.code, error.where.json_pointer) == (
        ProblemCode.UNKNOWN_PARAM,
        "/root_nodes/600/children/0/description",
    )
    assert found[-1].message == "and more problems than are told here"


def test_very_many_warnings_alone_keep_no_plan_back():
    found = warnings(compact(plan(*(node(f"n{index}", estimated_duration="5") for index in range(600)))))
    assert len(found) == 501
    assert all(each.is_warning for each in found)


def test_a_reading_without_a_plan_raises_all_its_problems():
    reading = read(plan(node("a", type="x"), id=""))
    with pytest.raises(PlanError) as raised:
        reading.plan_or_raise()
    assert raised.value.problems == reading.problems
    assert len(raised.value.problems) == 2


# files


def test_a_file_is_read_and_named_in_its_problems(tmp_path):
    path = tmp_path / "p.vibe.yaml"
    path.write_text(written(plan(), "yaml"))
    assert examine_file(path, UNCHECKED).plan is not None
    path.write_text(written(plan(id=""), "yaml"))
    (found,) = examine_file(path, UNCHECKED).problems
    assert str(found).startswith(f"{path}:1:5: empty-id /id: ")


@pytest.mark.parametrize("name", ["missing.vibe.json", ".", "a\0b", "x" * 300])
def test_what_is_no_file_is_a_problem_too(tmp_path, name):
    reading = examine_file(tmp_path / name, UNCHECKED)
    assert reading.plan is None
    assert codes(reading.problems) == [ProblemCode.UNREADABLE]


# limits


def padded(size: int) -> bytes:
    return compact(plan()).encode().ljust(size)


def chain_of(depth: int) -> str:
    nested = node("leaf")
    for level in range(depth - 1):
        nested = node(f"n{level}", children=[nested])
    return compact(plan(nested))


def with_nodes(count: int) -> str:
    return compact(plan(*(node(f"n{index}") for index in range(count))))


def with_edges(count: int) -> str:
    """A plan whose later nodes depend on many of its first five hundred."""
    ids = ["".join(letters) for letters in product(string.ascii_letters, repeat=2)][: 500 + count // 500 + 1]
    nodes = [node(each) for each in ids]
    for each in nodes[500:]:
        each["dependencies"] = ids[: min(500, count)]
        count -= len(each["dependencies"])
    return json.dumps(plan(*nodes), separators=(",", ":"))


def with_string(length: int) -> str:
    return compact(plan(node("a", description="x" * length)))


BOUNDS = [
    (padded, "max_plan_bytes", 2**20, ProblemCode.TOO_LARGE),
    (with_nodes, "max_nodes", 2_000, ProblemCode.TOO_MANY_NODES),
    (chain_of, "max_depth", 32, ProblemCode.TOO_DEEP),
    (with_edges, "max_edges", 100_000, ProblemCode.TOO_MANY_EDGES),
    (with_string, "max_string_length", 20_000, ProblemCode.TOO_LONG),
]


@pytest.mark.parametrize(
    ("make", "option", "limit", "code"), BOUNDS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_plan_just_within_a_limit_is_read_and_one_past_it_is_refused(make, option, limit, code):
    good(make(limit))
    assert set(codes(problems(make(limit + 1)))) == {code}


@pytest.mark.parametrize(
    ("make", "option", "limit", "code"),
    [(make, option, 5 if option == "max_depth" else 500, code) for make, option, _, code in BOUNDS],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_every_limit_can_be_set(make, option, limit, code):
    rules = PlanRules(Limits(**{option: limit}))
    good(make(limit), rules)
    assert set(codes(problems(make(limit + 1), rules))) == {code}
    good(make(limit + 1), PlanRules(Limits(**{option: limit + 1})))


@pytest.mark.parametrize("make", [with_nodes, chain_of, with_edges])
def test_a_plan_past_a_limit_is_told_how_to_get_below_it(make):
    limits = Limits(max_nodes=9, max_depth=4, max_edges=9)
    hints = [each.hint for each in problems(make(2_000 if make is not chain_of else 20), PlanRules(limits))]
    assert any("split it into several plans, or raise [vibe] max_" in (hint or "") for hint in hints)


def test_what_is_wrong_with_the_shape_is_told_of_a_plan_past_a_limit_too():
    rules = PlanRules(Limits(max_nodes=1))
    found = problems(plan(node("a", dependencies=["c"]), node("b", tipe=1), node("c")), rules)
    assert codes(found) == [ProblemCode.TOO_MANY_NODES, ProblemCode.UNKNOWN_KEY]


def test_ten_thousand_nodes_and_a_hundred_thousand_unknown_dependencies_end_with_a_bounded_list():
    nodes = [node(f"n{index}", dependencies=[f"x{dep}" for dep in range(10)]) for index in range(10_000)]
    text = compact(plan(*nodes))
    with at_most(5):
        assert ProblemCode.TOO_MANY_NODES in codes(problems(text, PlanRules(Limits(max_plan_bytes=2**23))))
    with at_most(5):
        found = problems(text, PlanRules(Limits(max_plan_bytes=2**23, max_nodes=10_000)))
    assert len(found) == 501
    assert set(codes(found)) == {ProblemCode.UNKNOWN_DEPENDENCY}


def test_two_thousand_nodes_with_tools_references_and_dependencies_are_read_soon():
    nodes = [
        node(
            f"n{index}",
            type="analyze",
            parameters={"tool": "keywords", "tool_inputs": {"text": f"${{nodes.n{index - 1}.text}}"}},
            dependencies=[f"n{dep}" for dep in range(max(0, index - 3), index)],
        )
        for index in range(1, 2_000)
    ]
    text = compact(plan(node("n0", type="validate", parameters={"tool": "text_rules"}), *nodes))
    rules = PlanRules(tools=load_tools())
    with at_most(2):  # about 0.2 on the machine this was written on
        good(text, rules)


# hostile


@in_both_notations
@pytest.mark.parametrize(
    "text",
    ["", " ", "null", "[]", "[1]", '"plan"', "7", "true", "{}", "{", "\0", "[" * 100_000, '{"a":' * 100_000],
)
def test_what_is_no_plan_at_all_is_refused_with_a_reason(text, notation):
    found = problems(text, notation=notation)
    assert found
    assert all(str(each).isprintable() for each in found)


@in_both_notations
@pytest.mark.parametrize("text", ["null", "[]", '"plan"', "7", "[NaN]", "[1]"])
def test_a_plan_that_is_no_object_is_told_so(text, notation):
    assert problems(text, notation=notation)[-1].message == "a plan is an object"


@in_both_notations
@pytest.mark.parametrize(
    "extra",
    [
        {"python_callable": "os.system"},
        {"executor_config": {"pod_override": {}}},
        {"__type__": "dag"},
        {"__class__": {}},
        {"template_fields": ["description"]},
        {"trigger_rule": "always"},
    ],
)
def test_keys_that_mean_something_to_airflow_are_refused_everywhere(extra, notation):
    for data in (
        plan(**extra),
        plan(node("a", **extra)),
        plan(node("a", run=extra)),
        plan(defaults=extra),
        plan(schedule={"cron": "@daily", **extra}),
        plan(source_vibe={"description": "d", **extra}),
    ):
        assert problem(data, notation=notation).code is ProblemCode.UNKNOWN_KEY


@in_both_notations
def test_deep_nesting_inside_parameters_is_read_up_to_the_limit(notation):
    def nested(levels):
        value: Any = "x"
        for _ in range(levels):
            value = [value]
        return compact(
            plan(node("a", parameters={"tool_inputs": value if levels > 200 else {"deep": value}}))
        )

    good(nested(155), notation=notation)
    assert codes(problems(nested(300), notation=notation)) == [ProblemCode.TOO_DEEP]


def test_jinja_and_code_in_texts_are_only_text():
    text = "{{ ti.xcom_pull() }} {% raw %} __import__('os') `rm -rf` $(x) <script>"
    assert good(plan(node("a", description=text))).root_nodes[0].description == text


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(NOTATIONS))
def test_any_bytes_are_read_or_refused(raw, notation):
    check_reading(examine(raw, f"p.vibe.{notation}", UNCHECKED))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "research", "${nodes.research", "${params.x}", "generate", "x__open", "\0", "5", "a\nb"]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "children", "x-", "[key]", "tool"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=8,
)


def pointers(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [at, *(pointer for key in keys for pointer in pointers(value[key], (*at, key)))]


POINTERS = pointers(EVERYTHING)
DELETED = object()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(POINTERS), st.just(DELETED) | json_values), min_size=1, max_size=3),
    st.sampled_from(NOTATIONS),
)
def test_a_good_plan_with_anything_changed_is_read_or_refused(changes, notation):
    data = {"plan": copy.deepcopy(EVERYTHING)}
    for pointer, value in changes:
        change(data, ("plan", *pointer), value)
    check_reading(read(compact(data.get("plan")), LENIENT, notation))


@settings(deadline=None)
@given(
    st.sampled_from(POINTERS),
    st.text("{}[]:,\"'&*!|>-#%@ \n\tab1", max_size=3),
    st.sampled_from(NOTATIONS),
    st.data(),
)
def test_a_good_file_with_anything_typed_into_it_is_read_or_refused(_, typed, notation, data):
    text = written(EVERYTHING, notation)
    offset = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 5))
    check_reading(read(text[:offset] + typed + text[offset + length :], LENIENT, notation))


def change(data: Any, pointer: tuple[Any, ...], value: Any) -> None:
    for key in pointer[:-1]:
        try:
            data = data[key]
        except (LookupError, TypeError):
            return  # an earlier change took it away
    if isinstance(data, dict) and isinstance(pointer[-1], str) and value is not DELETED:
        data[pointer[-1]] = value
    elif isinstance(data, dict):
        data.pop(pointer[-1], None)
    elif isinstance(data, list) and pointer[-1] in range(len(data)):
        data[pointer[-1] : pointer[-1] + 1] = [] if value is DELETED else [value]


def check_reading(reading) -> None:
    """It holds a plan or an error, never both; every problem can be told."""
    has_error = any(not each.is_warning for each in reading.problems)
    assert (reading.plan is None) == has_error
    for each in reading.problems:
        assert str(each).isprintable()
        assert each.where.line is not None or "more problems" in each.message
        assert json.dumps(each.as_json())
    if reading.plan is not None:
        assert plan_digest(reading.plan)
