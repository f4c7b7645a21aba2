from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin import readability
from airflow_provider_vibe.tools.builtin.rules import text_rules
from tests.tools.helpers import call, output

EASY = "The cat sat on the mat. It was red."
HARD = "Organisational interdependencies necessitate comprehensive methodological reconsideration."


def test_a_text_that_keeps_the_rules_is_passed_on():
    result = output(text_rules, {"text": EASY, "min_words": 5, "max_words": 10, "required": ["CAT"]})
    assert result == {"text": EASY, "passed": True, "score": 1.0, "issues": []}


def test_every_broken_rule_is_listed_and_lowers_the_score():
    rules = {"min_words": 100, "required": ["dog", "cat"], "banned": ["mat"], "max_reading_ease": 10}
    result = output(text_rules, {"text": EASY, **rules})
    assert result["text"] == EASY
    assert (result["passed"], result["score"]) == (False, 0.2)
    assert result["issues"] == [
        "9 words, at least 100 are asked for",
        "'dog' does not occur",
        "'mat' occurs",
        f"the reading ease is {readability.reading_ease(EASY, 'en')}, at most 10.0 is asked for",
    ]


def test_strict_makes_a_broken_rule_a_failure_that_lists_all():
    result = call(text_rules, {"text": EASY, "max_words": 1, "banned": ["cat"], "strict": True})
    assert not result.success
    assert result.error == "2 of 2 rules are broken: 9 words, at most 1 are allowed; 'cat' occurs"
    assert call(text_rules, {"text": EASY, "max_words": 10, "strict": True}).success


@pytest.mark.parametrize(
    ("phrase", "occurs"),
    [
        ("cat", True),
        ("CAT", True),
        ("the  mat", True),
        ("ca", False),
        ("at", False),
        ("c.t", False),
        ("C++", True),
        ("(red)", True),
        ("straße", True),
        (".*", False),
    ],
)
def test_phrases_are_whole_words_in_any_case(phrase: str, occurs: bool):
    text = "The Cat sat on the\nmat, with C++ (red) in the Straße."
    assert output(text_rules, {"text": text, "required": [phrase]})["passed"] is occurs
    assert output(text_rules, {"text": text, "banned": [phrase]})["passed"] is not occurs


def test_reading_ease_limits():
    inputs = {"min_reading_ease": 30, "max_reading_ease": 120}
    assert output(text_rules, {"text": EASY, **inputs})["passed"]
    assert not output(text_rules, {"text": HARD, **inputs})["passed"]
    assert output(text_rules, {"text": "", **inputs})["score"] == 0


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({}, "no rule"),
        ({"required": [], "banned": []}, "no rule"),
        ({"min_words": 5, "max_words": 4}, "min_words 5 and max_words 4"),
        ({"min_reading_ease": 60, "max_reading_ease": 50}, "reading_ease"),
        ({"min_reading_ease": 60, "language": "xx"}, "known: en, de"),
        ({"required": [""]}, "required"),
        ({"required": [" "]}, "required"),
        ({"required": [5]}, "required"),
        ({"required": "cat"}, "required"),
        ({"min_words": -1}, "min_words"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any], reason: str):
    with pytest.raises(ToolInputError, match=reason):
        call(text_rules, {"text": EASY, **rules})


def test_an_empty_text_is_a_text():
    assert output(text_rules, {"text": "", "max_words": 3})["passed"]
