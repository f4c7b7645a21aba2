"""What is refused about `checks` and `on_fail`, each at its place."""

from __future__ import annotations

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from airflow_provider_vibe.plan.models import CHECK_KINDS, OnFail, Readability
from airflow_provider_vibe.plan.problems import ProblemCode
from airflow_provider_vibe.plan.quality_checks import LANGUAGES
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.tools.builtin.readability import READING_EASE_LANGUAGES
from airflow_provider_vibe.tools.registry import build_registry
from tests.plan.plans import NOTATIONS, good, node, place_of, plan, problem, problems, read, written
from tests.runtime.helpers import Working

in_both_notations = pytest.mark.parametrize("notation", NOTATIONS)


def checked(*checks, **fields):
    return plan(node("a", checks=list(checks), **fields), params={"topic": {"default": "tea"}})


EVERY_KIND = [
    {"not_placeholder": True},
    {"min_words": 80, "weight": 2},
    {"max_words": 600, "x-why": "the page is small"},
    {"must_contain": ["${params.topic}"]},
    {"must_not_contain": ["cheap"]},
    {"matches": "(?m)^(- .+\n?){3,}"},
    {"json_schema": {"type": "object"}},
    {"language": "de"},
    {"readability": {"min": 40, "language": "de"}},
    {"judge": "Every claim has a source"},
    {"judge": {"rubric": "On ${params.topic}", "connection": "c", "model": "m", "pass_score": 0.8}},
]


@in_both_notations
def test_every_kind_of_check_is_read(notation):
    a_node = good(checked(*EVERY_KIND, on_fail="retry"), notation=notation).root_nodes[0]
    assert {check.kind for check in a_node.checks} == set(CHECK_KINDS)
    assert a_node.checks[1].weight == 2
    assert a_node.checks[-2].judge.rubric == "Every claim has a source"
    assert a_node.on_fail is OnFail.RETRY


def test_node_without_checks_only_suggests():
    a_node = good(plan(node("a"))).root_nodes[0]
    assert (a_node.checks, a_node.on_fail) == ((), OnFail.SUGGEST)


@pytest.mark.parametrize(
    ("check", "code", "pointer", "told"),
    [
        ({"min_word": 5}, ProblemCode.UNKNOWN_KEY, "/min_word", "did you mean 'min_words'?"),
        ({"min_words": 1, "max_words": 5}, ProblemCode.BAD_CHECK, "", "min_words and max_words"),
        ({}, ProblemCode.BAD_CHECK, "", "this one says none"),
        ({"weight": 2}, ProblemCode.BAD_CHECK, "", "this one says none"),
        ({"min_words": 0}, ProblemCode.BAD_VALUE, "/min_words", "greater than or equal to 1"),
        ({"must_contain": []}, ProblemCode.BAD_VALUE, "/must_contain", "empty"),
        ({"must_contain": "tea"}, ProblemCode.WRONG_TYPE, "/must_contain", "a list"),
        ({"must_not_contain": ["a", " "]}, ProblemCode.BAD_VALUE, "/must_not_contain/1", "item 1"),
        ({"must_contain": ["${params.topik}"]}, ProblemCode.UNKNOWN_PARAM, "/must_contain/0", "'topic'"),
        ({"judge": "${nodes.b}"}, ProblemCode.UNKNOWN_NODE, "/judge", "no node is called 'b'"),
        ({"matches": "(a"}, ProblemCode.BAD_CHECK, "/matches", "missing )"),
        ({"matches": "(" * 200}, ProblemCode.BAD_CHECK, "/matches", "no regular expression"),
        ({"matches": "a" * 201}, ProblemCode.BAD_VALUE, "/matches", "200"),
        ({"language": "english"}, ProblemCode.BAD_CHECK, "/language", "did you mean 'en'?"),
        ({"language": "EN"}, ProblemCode.BAD_CHECK, "/language", "did you mean 'en'?"),
        ({"readability": {}}, ProblemCode.BAD_CHECK, "/readability", "60 is plain English"),
        ({"readability": {"min": 70, "max": 60}}, ProblemCode.BAD_CHECK, "/readability", "no text can keep"),
        (
            {"readability": {"min": 1, "language": "pl"}},
            ProblemCode.BAD_VALUE,
            "/readability/language",
            "'nl'",
        ),
        ({"json_schema": {"type": "text"}}, ProblemCode.BAD_CHECK, "/json_schema", "no JSON Schema"),
        ({"json_schema": {"pattern": "(a+)+$"}}, ProblemCode.BAD_CHECK, "/json_schema", "for ever"),
        ({"json_schema": {"$ref": "https://a.b"}}, ProblemCode.BAD_CHECK, "/json_schema", "$ref"),
        ({"judge": {"rubrik": "x"}}, ProblemCode.MISSING_KEY, "/judge", "'rubric'"),
        ({"judge": {"rubric": "x", "pass_score": 2}}, ProblemCode.BAD_VALUE, "/judge/pass_score", "1"),
        ({"not_placeholder": False}, ProblemCode.BAD_VALUE, "/not_placeholder", "not false"),
        ({"min_words": 1, "weight": 0}, ProblemCode.BAD_VALUE, "/weight", "greater than 0"),
    ],
    ids=str,
)
def test_bad_check_is_told_with_its_place(check, code, pointer, told):
    found = [each for each in problems(checked(check)) if each.code is code]
    assert [each.where.json_pointer for each in found] == [f"/root_nodes/0/checks/0{pointer}"]
    assert told in f"{found[0].message} {found[0].hint}"


@in_both_notations
def test_place_is_the_line_in_the_file(notation):
    data = checked({"min_words": 5}, {"matches": "(oops"})
    where = problem(data, notation=notation).where
    assert (where.line, where.column) == place_of(written(data, notation), "(oops")


def test_limits_that_no_text_can_keep_are_refused_across_checks():
    found = problem(checked({"min_words": 50}, {"not_placeholder": True}, {"max_words": 40}))
    assert (found.code, found.where.json_pointer) == (ProblemCode.BAD_CHECK, "/root_nodes/0/checks")
    assert good(checked({"min_words": 50}, {"max_words": 50}))


def test_on_fail_without_checks_is_refused():
    assert problem(plan(node("a", on_fail="retry"))).code is ProblemCode.BAD_CHECK
    assert problem(checked(on_fail="retry")).code is ProblemCode.BAD_CHECK


def test_misspelt_on_fail_is_told():
    found = problem(checked({"min_words": 5}, on_fail="retri"))
    assert "no way to fail is called 'retri'" in found.message
    assert found.hint == "did you mean 'retry'?"


def test_judge_needs_its_tool():
    data = checked({"judge": "Good"}, parameters={"tool": "work"})
    without = PlanRules(tools=build_registry([("a test", [Working()])]))
    having = PlanRules(tools=build_registry([("a test", [Working(), Working(name="llm_validate")])]))
    found = problem(data, without)
    assert found.code is ProblemCode.UNKNOWN_TOOL
    assert found.where.json_pointer == "/root_nodes/0/checks/0/judge"
    assert read(data, having).plan is not None


def test_reference_to_a_later_node_is_refused_in_a_check():
    data = plan(node("a", checks=[{"must_contain": ["${nodes.b.text}"]}]), node("b", dependencies=["a"]))
    assert problem(data).code is ProblemCode.NOT_UPSTREAM


@pytest.mark.parametrize("checks", [None, 5, "x", {}, [5], [None], [[]]])
def test_checks_of_the_wrong_type_are_only_told(checks):
    assert {each.code for each in problems(plan(node("a", checks=checks)))} == {ProblemCode.WRONG_TYPE}


def test_languages_are_those_of_the_libraries():
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    assert {label for label in identifier.labels if len(label) == 2} == set(LANGUAGES)
    assert Readability.model_fields["language"].annotation.__args__ == READING_EASE_LANGUAGES
