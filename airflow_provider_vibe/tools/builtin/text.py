"""`text_profile` and `keywords`: what a text is like and what it is about."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin import readability
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool

LanguageInput = Annotated[str, Field(description="The language of the text, e.g. 'en' or 'de-AT'.")]


@tool("text_profile")
def text_profile(
    text: TextInput = None, language: LanguageInput = "en", *, context: dict[str, Any]
) -> dict[str, Any]:
    """Measure a text: words, sentences, paragraphs, reading time, readability.

    Reading time assumes 238 words a minute (:data:`readability.WORDS_PER_MINUTE`). Readability is null where
    it means nothing: for a text without words, the reading ease for a language without a formula
    (:data:`readability.READING_EASE_LANGUAGES`), the school grade for any language but English.

    :returns: ``{"text": the profile in a sentence, "words", "sentences", "characters", "paragraphs",
        "reading_time_seconds", "language", "readability": {"flesch_reading_ease", "flesch_kincaid_grade"}}``.
    """
    text = text_or_previous(text, context)
    root = readability.language_root(language)
    words = len(readability.words_in(text))
    sentences, paragraphs = readability.sentence_count(text), readability.paragraph_count(text)
    seconds = round(words * 60 / readability.WORDS_PER_MINUTE)
    ease = readability.reading_ease(text, root) if root in readability.READING_EASE_LANGUAGES else None
    scores = {
        "flesch_reading_ease": ease,
        "flesch_kincaid_grade": readability.school_grade(text) if root == "en" else None,
    }
    summary = (
        f"{_counted(words, 'word')} in {_counted(sentences, 'sentence')}"
        f" and {_counted(paragraphs, 'paragraph')}, about {_counted(seconds, 'second')} to read"
    )
    return {
        "text": summary + ("." if ease is None else f"; Flesch reading ease {ease}."),
        "words": words,
        "sentences": sentences,
        "characters": len(text),
        "paragraphs": paragraphs,
        "reading_time_seconds": seconds,
        "language": language,
        "readability": scores,
    }


@tool("keywords")
def keywords(
    text: TextInput = None,
    top: Annotated[int, Field(ge=1, le=100, description="How many keywords at most.")] = 10,
    max_words: Annotated[int, Field(ge=1, le=3, description="How many words a keyword may have.")] = 3,
    language: LanguageInput = "en",
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Find the keywords of a text by its own statistics (YAKE): no model, no network.

    The **lower** a score, the more relevant the keyword; scores of different texts do not compare. The time
    it takes grows with the text: about 7 seconds for 50,000 words.

    :returns: ``{"text": "first, second, ...", "keywords": [{"keyword": ..., "score": ...}]}``, most relevant
        first.
    :raises ToolInputError: there is no list of stop words for *language*.
    """
    from yake import KeywordExtractor

    text = text_or_previous(text, context)
    root = readability.language_root(language)
    if root not in (known := _stop_word_languages()):
        raise ToolInputError(f"no keywords for the language {quoted(language)}; known: {', '.join(known)}")
    found = KeywordExtractor(lan=root, n=max_words, top=top).extract_keywords(text)
    return {
        "text": ", ".join(keyword for keyword, _ in found),
        "keywords": [{"keyword": keyword, "score": round(float(score), 6)} for keyword, score in found],
    }


def _stop_word_languages() -> list[str]:
    """The languages yake has stop words for. For any other it would silently go on without them."""
    from importlib.resources import files

    names = (path.name for path in (files("yake") / "core" / "StopwordsList").iterdir())
    codes = (name.removeprefix("stopwords_").removesuffix(".txt") for name in names)
    return sorted(code for code in codes if len(code) == 2)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
