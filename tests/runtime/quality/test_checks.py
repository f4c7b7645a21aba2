"""Each kind of check, at its limits."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.plan.models import CHECK_KINDS, Readability
from airflow_provider_vibe.runtime.quality.checks import check
from airflow_provider_vibe.runtime.quality.subject import Subject

WANTED = {
    "not_placeholder": True,
    "min_words": 1,
    "max_words": 9,
    "must_contain": ["a"],
    "must_not_contain": ["zz"],
    "matches": "",
    "json_schema": {},
    "language": "en",
    "readability": Readability(min=-999.0),
}


def score(kind, wanted, output):
    return check(kind, wanted, Subject(output)).score


def reason(kind, wanted, output):
    return check(kind, wanted, Subject(output)).reason


@pytest.mark.parametrize("kind", sorted(set(CHECK_KINDS) - {"judge", "json_schema"}))
@pytest.mark.parametrize("output", ["", " \n", None, 5, {"path": "a.png"}, {"text": None}, {"text": "  "}])
def test_no_text_passes_no_check_of_the_text(kind, output):
    assert check(kind, WANTED[kind], Subject(output)) == (0.0, "the output has no text")


@pytest.mark.parametrize("output", ["one two three", {"text": "one two three", "more": 1}])
def test_words_are_counted_in_the_text(output):
    assert score("min_words", 3, output) == 1
    assert reason("min_words", 4, output) == "3 words, at least 4 are asked for"
    assert score("max_words", 3, output) == 1
    assert reason("max_words", 2, output) == "3 words, at most 2 are allowed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("新しい緑茶です。", 7),
        ("这盏台灯", 4),
        ("ラーメン3杯", 6),
        ("한국어 문장", 2),
        ("हिन्दी में", 2),
        ("cafe\u0301 noir", 2),
        ("it's well-known: 3.14", 3),
    ],
)
def test_words_of_many_scripts(text, words):
    assert (score("min_words", words, text), score("max_words", words, text)) == (1, 1)


def test_score_of_phrases_is_the_share_that_is_kept():
    text = "Tea from Alishan"
    assert score("must_contain", ["TEA", "alishan"], text) == 1
    assert check("must_contain", ["tea", "coffee"], Subject(text)) == (0.5, "'coffee' does not occur")
    assert score("must_not_contain", ["coffee"], text) == 1
    assert check("must_not_contain", ["tea", "coffee"], Subject(text)) == (0.5, "'tea' occurs")


@pytest.mark.parametrize(
    ("phrase", "text", "occurs"),
    [
        ("緑茶", "この緑茶は", True),
        ("紅茶", "この緑茶は", False),
        ("cafe\u0301", "Im CAFÉ", True),
        ("STRASSE", "eine Straße", True),
        ("art", "the party", False),
        ("two words", "TWO\n  words", True),
    ],
)
def test_phrases_in_any_script_case_and_composition(phrase, text, occurs):
    assert score("must_contain", [phrase], text) == occurs
    assert score("must_not_contain", [phrase], text) != occurs


def test_pattern_may_match_anywhere():
    assert score("matches", "^# ", "a\n# b") == 0
    assert score("matches", "(?m)^# ", "a\n# b") == 1
    assert reason("matches", "x+", "abc") == "nothing in it matches 'x+'"


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(a*)*(a*)*b", "(?:a+,?)+x", r"(\w+\s?)+$"])
def test_pattern_that_would_take_for_ever_is_given_up(pattern):
    begun = time.process_time()
    assert score("matches", pattern, "a" * 5_000 + "!") == 0
    assert time.process_time() - begun < 10


SCHEMA = {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}


@pytest.mark.parametrize(
    "output",
    [
        '{"title": "a"}',
        {"text": '{"title": "a"}'},
        'Here:\n```json\n{"title": "a"}\n```\nDone.',
        'Here it is:\n\n{"title": "a"}\n\nDone.',
        {"title": "a"},
        {"title": "a", "text": "see [1] and {2}"},
        {"title": 5, "text": '{"title": "a"}'},
        {"title": 5, "text": 'Here:\n```json\n{"title": "a"}\n```'},
    ],
)
def test_json_is_found_in_the_text_or_is_the_output(output):
    assert score("json_schema", SCHEMA, output) == 1


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("prose [1]", "no JSON"),
        ("", "no JSON"),
        ('{"title": "a"', "no JSON"),
        ({"text": "prose"}, "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"title": 5}', "$.title: 5 is not of type 'string'"),
        ("[1]", "not of type 'object'"),
        (None, "not of type 'object'"),
    ],
)
def test_what_does_not_fit_the_schema_is_told(output, told):
    assert score("json_schema", SCHEMA, output) == 0
    assert told in reason("json_schema", SCHEMA, output)


def test_json_that_is_too_long_for_a_pattern_is_refused_and_not_waited_for():
    told = reason("json_schema", {"pattern": "a*b*c"}, f'["{"a" * 5000}"]')
    assert told is None or "too long" in told
    assert "too long" in reason("json_schema", {"items": {"pattern": "a*b*c"}}, f'["{"a" * 5000}"]')


@pytest.mark.parametrize(
    ("language", "text", "passes"),
    [
        ("de", "Frisches Brot, jeden Morgen um sieben.", True),
        ("en", "Frisches Brot, jeden Morgen um sieben.", False),
        ("ja", "毎朝七時に焼きたてのパン。", True),
        ("zh", "毎朝七時に焼きたてのパンをお届けします。", False),
        ("no", "Dette er en god dag for oss alle, og vi gleder oss.", True),
        ("da", "Dette er en god dag for oss alle.", True),  # more likely Norwegian, its nearest relative
        ("en", "ok", True),
        ("de", "ok 12", True),
        ("en", "The word of the week:\n\nGemütlichkeit", True),
        (
            "en",
            "Hello and welcome to the shop.\n\n```\nDer Hund schläft und die Katze auch, sagt er.\n```",
            True,
        ),
        ("en", "We open at seven, as every day.\n\nWir öffnen um sieben, wie an jedem Tag.", False),
    ],
)
def test_language(language, text, passes):
    assert (score("language", language, text) == 1) is passes


def test_language_that_a_reference_led_to_is_checked_late():
    assert "no language is called 'german'" in reason("language", "german", "Guten Morgen")


def test_readability_has_two_ends():
    easy, hard = "The cat sat on the mat.", "Interdependencies necessitate methodological reconsideration."
    assert score("readability", Readability(min=60.0), easy) == 1
    assert "at least 60.0" in reason("readability", Readability(min=60.0), hard)
    assert "at most 60.0" in reason("readability", Readability(max=60.0), easy)
    assert score("readability", Readability(min=0.0, max=60.0), "Der Hund schläft.") == 0


@given(st.text() | st.dictionaries(st.text(), st.text()) | st.none())
def test_any_output_can_be_checked(output):
    for kind, wanted in WANTED.items():
        found = check(kind, wanted, Subject(output))
        assert 0 <= found.score <= 1
        assert (found.reason is None) == (found.score == 1)
