from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin import readability
from airflow_provider_vibe.tools.builtin.markdown import markdown_to_html
from airflow_provider_vibe.tools.builtin.text import keywords, text_profile
from tests.tools.helpers import call, output

EASY = "The cat sat on the mat. It was red."
HARD = "Organisational interdependencies necessitate comprehensive methodological reconsideration."


@pytest.mark.parametrize("tool", [text_profile, keywords, markdown_to_html])
def test_without_a_text_the_texts_of_the_dependencies_are_used(tool: Any):
    previous = {"a": {"text": "alpha planet"}, "b": {"n": 1}, "c": "beta comet"}
    assert output(tool, previous_outputs=previous) == output(tool, {"text": "alpha planet\n\nbeta comet"})


@pytest.mark.parametrize("tool", [text_profile, keywords, markdown_to_html])
@pytest.mark.parametrize("previous", [{}, {"fetch": {"n": 1}}, {"fetch": None}, {"fetch": {"text": 5}}])
def test_without_any_text_the_error_says_what_to_do(tool: Any, previous: dict[str, Any]):
    with pytest.raises(ToolInputError, match="give 'text', or list a node") as caught:
        call(tool, previous_outputs=previous)
    assert ("'fetch' left none" in str(caught.value)) is bool(previous)


# text_profile


def test_profile_counts_what_there_is():
    text = "One two three. Is 3.14 well-known? Don't!\n\nA heading\n\nLast one."
    profile = output(text_profile, {"text": text})
    assert (profile["words"], profile["sentences"], profile["paragraphs"]) == (11, 5, 3)
    assert profile["characters"] == len(text)
    assert profile["text"].startswith("11 words in 5 sentences and 3 paragraphs, about 3 seconds to read")


def test_reading_time_is_words_at_238_a_minute():
    assert output(text_profile, {"text": "word " * 238})["reading_time_seconds"] == 60


def test_readability_follows_the_formulas():
    scores = output(text_profile, {"text": "The cat sat on the mat."})["readability"]
    assert scores["flesch_reading_ease"] == round(206.835 - 1.015 * 6 - 84.6 * 1, 1)
    assert scores["flesch_kincaid_grade"] == round(0.39 * 6 + 11.8 * 1 - 15.59, 1)


@pytest.mark.parametrize("text", ["", "   \n\n ", "?!", "\x00", "—"])
def test_a_text_without_words_has_a_profile_without_readability(text: str):
    profile = output(text_profile, {"text": text})
    assert (profile["words"], profile["sentences"], profile["reading_time_seconds"]) == (0, 0, 0)
    assert profile["readability"] == {"flesch_reading_ease": None, "flesch_kincaid_grade": None}


@pytest.mark.parametrize(
    "text",
    [
        "日本語のテキストです。",
        "مرحبا بالعالم",
        "🎉 party",
        "a" * 100_000,
        "a. " * 9_000,
        "." * 100_000 + "x",
    ],
)
def test_any_text_has_a_profile_that_is_json(text: str):
    json.dumps(output(text_profile, {"text": text}), allow_nan=False)


def test_other_languages_have_their_own_formula_and_no_school_grade():
    german = output(text_profile, {"text": "Der Hund schläft im Garten.", "language": "de-AT"})["readability"]
    assert german["flesch_reading_ease"] is not None
    assert german["flesch_kincaid_grade"] is None
    polish = output(text_profile, {"text": "Kot śpi.", "language": "pl"})
    assert polish["readability"]["flesch_reading_ease"] is None
    assert polish["words"] == 2


def test_a_hard_text_scores_lower_than_an_easy_one_in_every_language():
    for language in readability.READING_EASE_LANGUAGES:
        easy = readability.reading_ease(EASY, language)
        hard = readability.reading_ease(HARD, language)
        assert easy is not None and hard is not None and easy > hard + 50


SYLLABLES = {
    1: ("cat", "the", "make", "makes", "baked", "Don't", "x", "3.14"),
    2: ("wanted", "table", "boxes", "content", "churches", "apples"),
    3: ("beautiful", "banana"),
}


@pytest.mark.parametrize(
    ("word", "syllables"), [(word, number) for number, words in SYLLABLES.items() for word in words]
)
def test_english_syllables(word: str, syllables: int):
    assert readability.syllable_count(word, "en") == syllables


def test_german_syllables_are_counted_by_hyphenation():
    assert readability.syllable_count("Donaudampfschiff", "de") == 4


# keywords


def test_keywords_are_found_most_relevant_first():
    text = "Airflow runs plans. A plan is a file. Airflow retries what failed in a plan. Airflow is open."
    found = output(keywords, {"text": text, "max_words": 1, "top": 2})
    assert found["keywords"][0]["keyword"] == "Airflow"
    assert found["text"].startswith("Airflow, ")
    scores = [entry["score"] for entry in found["keywords"]]
    assert len(scores) == 2 and scores == sorted(scores)
    assert {type(score) for score in scores} == {float}  # none of numpy's
    json.dumps(found, allow_nan=False)


def test_keywords_have_at_most_so_many_words():
    text = "Deep learning models write long newsletters. Deep learning models are large."
    for limit in (1, 2, 3):
        found = output(keywords, {"text": text, "max_words": limit})["keywords"]
        assert max(len(entry["keyword"].split()) for entry in found) == limit


@pytest.mark.parametrize("text", ["", "   ", "?!", "the the", "1 2 3", "\x00\x01"])
def test_a_text_without_content_has_no_keywords(text: str):
    assert output(keywords, {"text": text}) == {"text": "", "keywords": []}


@pytest.mark.parametrize("language", ["xx", "", "../../en", "klingon"])
def test_a_language_without_stop_words_is_refused(language: str):
    with pytest.raises(ToolInputError, match=r"known: ar, bg, .*en, "):
        call(keywords, {"text": "a b c", "language": language})


def test_a_country_does_not_change_the_language():
    inputs = {"text": "Der Hund jagt die Katze durch den Garten.", "language": "de-AT"}
    assert "Hund" in output(keywords, inputs)["text"]
