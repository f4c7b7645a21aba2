from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.problems import ProblemCode
from tests.plan.plans import (
    NOTATIONS,
    at_most,
    codes,
    compact,
    good,
    place_of,
    plan,
    problem,
    problems,
    read,
    written,
)

in_both_notations = pytest.mark.parametrize("notation", NOTATIONS)

DAILY = {"cron": "@daily"}


def nested(schema, levels):
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


@in_both_notations
@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "string", "default": "AI", "description": "What about"},
        {"type": ["string", "null"], "default": None, "title": "Topic"},
        {"enum": ["a", "b"], "default": "a"},
        {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        {"type": "object", "properties": {"a": {"$comment": "x"}}, "default": {"a": 1}},
        {"type": "string", "format": "date", "default": "2026-01-05"},
        {"type": "string", "description": "may hold a $ref, a $dynamicRef or a $schema"},
        {"default": {"$ref": "data", "$schema": "data"}, "enum": [{"$ref": "data", "$schema": "data"}]},
        {"properties": {"$ref": {"type": "string"}}},
        {"enum": list(range(800)), "default": 5},
    ],
    ids=lambda schema: str(schema)[:40],
)
def test_a_parameter_is_any_json_schema_its_default_fits(schema, notation):
    assert good(plan(params={"topic": schema}), notation=notation).params == {"topic": schema}


@in_both_notations
@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "strnig"}, "no JSON Schema: 'strnig'"),
        ({"type": 7}, "no JSON Schema"),
        ({"minimum": "low"}, "no JSON Schema: 'low' is not of type 'number'"),
        ({"pattern": "("}, "no JSON Schema: '(' is not a 'regex'"),
        ({"patternProperties": {"[": {}}}, "no JSON Schema"),
        ({"properties": {"a": {"type": "strnig"}}}, "no JSON Schema"),
        (
            {"type": "string", "default": 5},
            "its default does not fit its own schema: 5 is not of type 'string'",
        ),
        ({"type": "string", "default": None}, "its default does not fit its own schema"),
        ({"enum": ["a"], "default": "b"}, "its default does not fit its own schema"),
        ({"minimum": 3, "default": 1}, "its default does not fit its own schema"),
        ({"format": "date", "default": "tomorrow"}, "its default does not fit its own schema"),
        ({"pattern": "^[a-z]+$", "default": "A"}, "its default does not fit its own schema"),
        ({"$ref": "#/params/other"}, "it may hold no '$ref': a parameter's schema stands by itself"),
        ({"$ref": "https://example.org/schema.json"}, "it may hold no '$ref'"),
        ({"$ref": "#", "default": 1}, "it may hold no '$ref'"),
        ({"properties": {"a": {"items": {"$ref": "#"}}}}, "it may hold no '$ref'"),
        ({"anyOf": [{"type": "null"}, {"$dynamicRef": "#x"}]}, "it may hold no '$dynamicRef'"),
        ({"$defs": {"a": {"$ref": "#"}}}, "it may hold no '$ref'"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "it may hold no '$schema'"),
        ({"properties": {"a": {"unevaluatedProperties": False}}}, "it may hold no 'unevaluatedProperties'"),
    ],
)
def test_a_schema_that_is_none_or_does_not_stand_by_itself_is_refused(schema, says, notation):
    data = plan(params={"other": {}, "topic": schema})
    found = problem(data, notation=notation)
    assert found.code is ProblemCode.BAD_PARAM
    assert found.where.json_pointer == "/params/topic"
    assert found.message.startswith("parameter 'topic': ")
    assert says in found.message
    line, _ = place_of(written(data, notation), "topic")
    assert found.where.line == line + (notation == "yaml")


@in_both_notations
def test_every_bad_parameter_is_told(notation):
    params = {"a": {"type": 1}, "b": {"type": "string"}, "c": {"$ref": "#"}}
    found = problems(plan(params=params), notation=notation)
    assert [each.where.json_pointer for each in found] == ["/params/a", "/params/c"]


@in_both_notations
def test_a_scheduled_plan_needs_a_default_for_each_parameter(notation):
    params = {"topic": {"type": "string"}, "tone": {"default": "warm"}, "none": {"default": None}}
    found = problem(plan(schedule=DAILY, params=params), notation=notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.BAD_PARAM, "/params/topic")
    assert "the schedule cannot start the plan" in found.message
    assert found.hint
    good(plan(params=params), notation=notation)


# what could take for ever


HARMLESS = [
    r"^[A-Z]{2}$",
    r"^\d{4}-\d{2}-\d{2}$",
    r"^v?\d+\.\d+(\.\d+)?$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^(draft|review|final)$",
    r"^(?:a|b)$",
    r"\)+",
    r"[(*+)]+",
    r"[]a)]+",
    r"[^])]*",
    r"^\S",
    r"\.(png|jpg)$",
]

DANGEROUS = [
    r"^(a+)+$",
    r"(a|a)*$",
    r"(a|aa)+$",
    r"(?:a*)*b",
    r"((a?){9}){9}$",
    r"(x+x+)+y",
    r"(.*)\1\1",
    r"(?=a*a*a*b)",
    r"(?P<x>a+)(?P=x)",
    r"(?x) (a+) + $",
    r"(?:){999999999}",
    r"(a){2,}",
    r"([a-z]+){2}",
    r"([)]+)+",
    "a" * 201,
]


@in_both_notations
@pytest.mark.parametrize("pattern", HARMLESS)
def test_a_pattern_that_repeats_characters_is_taken(pattern, notation):
    good(plan(params={"a": {"pattern": pattern}}), notation=notation)


@in_both_notations
@pytest.mark.parametrize("pattern", DANGEROUS)
def test_a_pattern_that_could_be_tried_for_ever_is_refused(pattern, notation):
    for schema in (
        {"pattern": pattern, "default": "a" * 100 + "!"},
        {"pattern": pattern},
        {"patternProperties": {pattern: {}}, "default": {"a" * 100 + "!": 1}},
        {"type": "array", "items": {"anyOf": [{"pattern": pattern}]}, "default": ["a" * 100 + "!"]},
    ):
        with at_most(2):
            found = problem(plan(params={"p": schema}), notation=notation)
        assert found.code is ProblemCode.BAD_PARAM
        assert "could take for ever" in found.message


def test_a_long_default_is_not_held_against_a_pattern_with_many_choices():
    good(plan(params={"a": {"pattern": "^a*$", "default": "a" * 1_000}}))
    good(plan(params={"a": {"pattern": r"^\S", "default": "a" * 20_000}}))
    good(plan(params={"a": {"pattern": "^(a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p)$", "default": "a"}}))
    for pattern in ("a*a*a*b", "a*" * 90 + "b", "a?" * 30 + "a" * 30, "(a|a)" * 30 + "b"):
        with at_most(2):
            found = problem(plan(params={"a": {"pattern": pattern, "default": "a" * 100}}))
        assert "its default is too long to be held against the pattern" in found.message


def test_many_patterns_and_texts_together_end_soon():
    part = {"pattern": "a*a*b|c"}
    schema = {"items": {"anyOf": [part] * 100}, "default": ["a" * 100] * 100}
    with at_most(3):
        assert codes(problems(plan(params={"a": schema}))) == [ProblemCode.BAD_PARAM]


@pytest.mark.parametrize("pattern", [pattern for pattern in HARMLESS if "*" in pattern or "+" in pattern])
@pytest.mark.parametrize("text", ["a" * 60 + "!", "1.1" * 20 + "x", "a@" * 30, ")" * 60])
def test_what_is_held_against_a_default_is_soon_done(pattern, text):
    with at_most(2):
        read(plan(params={"a": {"pattern": pattern, "default": text}}))


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"allOf": [{"minimum": 0}] * 3_000}, "default": [1] * 3_000},
        {"uniqueItems": True, "default": [{"a": index} for index in range(10_000)]},
        {"type": [{"a": index} for index in range(10_000)]},
        {"required": [{"a": index} for index in range(10_000)]},
        nested({}, 15),
        {"default": nested({}, 40)},
    ],
    ids=["product", "unique", "types", "required", "deep", "deep default"],
)
def test_a_schema_that_is_very_large_or_deep_is_refused_unchecked(schema):
    text = compact(plan(params={"a": schema}))
    with at_most(3):
        assert problem(text).code is ProblemCode.BAD_PARAM


def test_very_many_parameters_are_refused_once():
    text = compact(plan(params={f"p{index}": {"type": "string"} for index in range(20_000)}))
    with at_most(5):
        assert "the schemas of the parameters are too large" in problem(text).message


def test_hundreds_of_parameters_are_fine():
    good(plan(params={f"p{index}": {"type": "string", "default": "x"} for index in range(500)}))


keywords = st.sampled_from(
    [
        "type",
        "items",
        "properties",
        "pattern",
        "patternProperties",
        "anyOf",
        "not",
        "if",
        "then",
        "enum",
        "const",
        "default",
        "minimum",
        "multipleOf",
        "required",
        "format",
        "$id",
        "$anchor",
        "$defs",
        "contains",
        "maxLength",
        "uniqueItems",
        "prefixItems",
        "dependentSchemas",
        "propertyNames",
        "contentSchema",
        "a",
    ]
)
values = st.recursive(
    st.sampled_from(
        ["string", "object", "array", "date", "regex", "uuid", "#x", "http://[", "(", "a*", "", "\u00e9"]
    )
    | st.booleans()
    | st.none()
    | st.sampled_from([0, -1, 1, 1e308, 1e-308, 10**300, 0.1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keywords, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(keywords, values, max_size=4))
def test_any_schema_is_taken_or_refused(schema):
    reading = read(plan(params={"a": schema}))
    assert (reading.plan is None) == bool(reading.problems)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python's, of patterns that are only odd
@settings(deadline=None)
@given(st.text("ab()|*+?.[]{}1,^$\\-:=!", max_size=14))
def test_a_pattern_that_is_taken_is_soon_matched(pattern):
    try:
        re.compile(pattern)
    except (re.error, OverflowError):
        return
    with at_most(2):
        read(plan(params={"a": {"pattern": pattern, "default": "ab" * 15 + "!"}}))
