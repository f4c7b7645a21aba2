from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.problems import (
    Place,
    PlanError,
    Problem,
    ProblemCode,
    did_you_mean,
    one_line,
    quoted,
)

HERE = Place(("root_nodes", 0, "id"), 3, 7, "p.vibe.json")


def test_a_problem_is_one_line_an_editor_can_jump_to():
    problem = Problem(ProblemCode.EMPTY_ID, "the id is empty", HERE, "name it")
    assert str(problem) == "p.vibe.json:3:7: empty-id /root_nodes/0/id: the id is empty (name it)"


def test_a_problem_without_a_place_or_a_hint_is_told_all_the_same():
    assert str(Problem(ProblemCode.TOO_LARGE, "too large")) == "plan: too-large too large"


def test_a_warning_says_so():
    problem = Problem(ProblemCode.COERCED, "'5' is read as 5", HERE)
    assert problem.is_warning
    assert "coerced warning: " in str(problem)
    assert problem.as_json()["severity"] == "warning"


@settings(deadline=None)
@given(st.text(), st.text(), st.text(), st.text())
def test_a_problem_stays_on_one_line_and_sends_nothing_to_a_terminal(message, hint, key, file):
    text = str(Problem(ProblemCode.SYNTAX, message, Place((key,), 1, 1, file), hint))
    assert text.isprintable()


def test_a_pointer_is_written_as_rfc_6901_says():
    assert Place(("a/b", "m~n", 0, "")).json_pointer == "/a~1b/m~0n/0/"
    assert Place().json_pointer == ""


def test_a_problem_as_json_has_every_part():
    assert json.loads(json.dumps(Problem(ProblemCode.EMPTY_ID, "m", HERE, "h").as_json())) == {
        "code": "empty-id",
        "severity": "error",
        "message": "m",
        "hint": "h",
        "file": "p.vibe.json",
        "line": 3,
        "column": 7,
        "pointer": "/root_nodes/0/id",
    }


def test_the_error_of_a_plan_holds_and_prints_all_its_problems():
    error = PlanError([Problem(ProblemCode.EMPTY_ID, "one", HERE), Problem(ProblemCode.CYCLE, "two", HERE)])
    assert [problem.message for problem in error.problems] == ["one", "two"]
    assert len(str(error).splitlines()) == 2


def test_a_quoted_value_is_short_and_on_one_line():
    assert quoted("a\nb\x1b[0m") == "'a\\nb\\x1b[0m'"
    assert quoted("x" * 100, 10) == "'" + "x" * 9 + "…'"
    assert quoted({"a": [1, None]}) == "'{\"a\": [1, null]}'"
    assert one_line("é 日本") == "é 日本"


def test_a_likely_word_is_named_and_an_unlikely_one_is_not():
    assert did_you_mean("reserch", ["research", "write"]) == "did you mean 'research'?"
    assert did_you_mean("zzz", ["research"]) is None
    assert did_you_mean(7, ["7"]) is None
