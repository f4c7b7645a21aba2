from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_vibe.tools.inputs import InputChecker, InputIssue, check_inputs
from tests.tools.helpers import PlainTool


def unresolved(text: str) -> bool:
    return "${" in text


def issues(
    properties: dict[str, Any], inputs: Any, judge_all: bool = True, **schema: Any
) -> list[InputIssue]:
    whole = {"type": "object", "properties": properties, "additionalProperties": False, **schema}
    return InputChecker(whole).issues(inputs, None if judge_all else unresolved)


def test_inputs_that_fit_have_no_issue():
    assert issues({"top": {"type": "integer"}}, {"top": 3}) == []


def test_a_missing_input_is_named():
    found = issues({"a": {}, "b": {}}, {}, required=["a", "b"])
    assert [str(issue) for issue in found] == ["'a' is missing", "'b' is missing"]


def test_an_unknown_input_is_named_with_what_was_meant():
    (issue,) = issues({"max_words": {}}, {"max_word": 3})
    assert issue.path == ("max_word",)
    assert issue.hint == "did you mean 'max_words'?"


def test_an_unknown_input_without_a_likeness_lists_what_is_known():
    (issue,) = issues({"top": {}, "text": {}}, {"zzz": 3})
    assert issue.hint == "known: 'top', 'text'"


def test_every_unknown_input_is_an_issue_of_its_own():
    assert [issue.path for issue in issues({}, {"a": 1, "b": 2})] == [("a",), ("b",)]


def test_keys_that_a_pattern_allows_are_known():
    assert issues({}, {"x-note": 1}, patternProperties={"^x-": {}}) == []
    (issue,) = issues({}, {"x-note": 1, "y": 1}, patternProperties={"^x-": {}})
    assert issue.path == ("y",)


def test_a_wrong_type_is_said_in_words_with_its_place():
    (issue,) = issues({"rows": {"items": {"type": "integer"}}}, {"rows": [1, "2"]})
    assert issue == InputIssue(("rows", 1), "must be a whole number, not a string")
    assert str(issue) == "rows.1: must be a whole number, not a string"


def test_true_is_no_number():
    (issue,) = issues({"top": {"type": "integer"}}, {"top": True})
    assert "not true or false" in issue.message


def test_an_optional_value_names_both_types():
    (issue,) = issues({"top": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, {"top": "x"})
    assert issue.message == "must be a whole number or null, not a string"


def test_of_several_alternatives_the_closest_is_explained():
    anything = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}
    (issue,) = issues({"pieces": anything}, {"pieces": ["a", 5]})
    assert issue == InputIssue(("pieces", 1), "must be a string, not a whole number")


def test_a_value_outside_an_enum_has_a_hint():
    (close,) = issues({"tone": {"enum": ["warm", "dry"]}}, {"tone": "wram"})
    assert close.hint == "did you mean 'warm'?"
    (far,) = issues({"tone": {"enum": ["warm", 1]}}, {"tone": "xyz"})
    assert far.hint == "allowed: 'warm', '1'"


@pytest.mark.parametrize(
    ("schema", "value", "part"),
    [
        ({"minimum": 1}, 0, "smallest allowed"),
        ({"maximum": 1}, 2, "largest allowed"),
        ({"minLength": 1}, "", "too short"),
        ({"maxItems": 1}, [1, 2], "too many items"),
        ({"pattern": "^a"}, "b", "pattern"),
        ({"const": 1}, 2, "must be '1'"),
        ({"not": {"type": "string"}}, "x", "should not be valid"),
    ],
)
def test_other_rules_are_explained(schema: dict[str, Any], value: Any, part: str):
    (issue,) = issues({"x": schema}, {"x": value})
    assert part in issue.message


def test_a_huge_or_strange_value_does_not_flood_the_message():
    for schema in ({"pattern": "^b"}, {"not": {}}, {"enum": ["b"]}, {"oneOf": [{}, {}]}):
        (issue,) = issues({"x": schema}, {"x": "\x1b[31ma\n" * 50_000})
        assert len(str(issue)) < 400
        assert str(issue).isprintable()


def test_a_string_with_a_reference_is_not_judged():
    properties = {"top": {"type": "integer"}, "tone": {"enum": ["warm"]}, "id": {"maxLength": 3}}
    given = {"top": "${params.top}", "tone": "${params.tone}", "id": "about ${x}"}
    assert issues(properties, given, judge_all=False) == []
    assert len(issues(properties, given)) == 3


def test_a_reference_in_place_of_a_list_or_object_is_not_judged():
    assert issues({"rows": {"type": "array"}}, {"rows": "${nodes.a.rows}"}, judge_all=False) == []


def test_what_no_reference_can_mend_is_reported_all_the_same():
    found = issues(
        {"a": {"type": "integer"}}, {"a": "${x}", "b": "${y}"}, judge_all=False, required=["a", "c"]
    )
    assert {str(issue) for issue in found} == {"'c' is missing", "b: 'b' is not a known key (known: 'a')"}


def test_an_alternative_that_fits_once_its_reference_is_resolved_counts():
    either = {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}
    assert issues({"x": either}, {"x": ["${a}"]}, judge_all=False) == []
    (issue,) = issues({"x": either}, {"x": ["${a}", "b"]}, judge_all=False)
    assert issue.path == ("x", 1)


@pytest.mark.parametrize(
    "schema",
    [
        {"contains": {"type": "integer"}},
        {"const": [1]},
        {"enum": [[1]]},
        {"not": {"items": {"type": "string"}}},
        {"oneOf": [{"type": "array"}, {"items": {"type": "string"}}]},
        {"if": {"items": {"type": "string"}}, "then": {"minItems": 2}},
    ],
)
def test_a_verdict_that_hangs_on_a_reference_inside_is_not_given(schema: dict[str, Any]):
    assert issues({"x": schema}, {"x": ["${a}"]}, judge_all=False) == []
    assert issues({"x": schema}, {"x": ["a"]}, judge_all=False) != []


def test_formats_are_not_checked():
    assert issues({"when": {"type": "string", "format": "date-time"}}, {"when": "soon"}) == []


def test_check_inputs_takes_any_tool():
    plain = PlainTool(schema={"type": "object", "required": ["a"]})
    assert [str(issue) for issue in check_inputs(plain, {})] == ["'a' is missing"]
