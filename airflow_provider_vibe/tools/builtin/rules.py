"""`text_rules`: whether a text keeps the rules it was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError, ToolResult
from airflow_provider_vibe.tools.builtin import readability
from airflow_provider_vibe.tools.builtin.phrases import occurs
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.builtin.text import LanguageInput
from airflow_provider_vibe.tools.decorator import tool

Phrase = Annotated[str, Field(min_length=1, pattern=r"\S")]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class _Rules:
    min_words: int | None
    max_words: int | None
    required: list[str]
    banned: list[str]
    min_reading_ease: float | None
    max_reading_ease: float | None
    language: str


@tool("text_rules")
def text_rules(
    text: TextInput = None,
    min_words: Annotated[Count | None, Field(description="The fewest words.")] = None,
    max_words: Annotated[Count | None, Field(description="The most words.")] = None,
    required: Annotated[list[Phrase] | None, Field(description="Phrases that must occur.")] = None,
    banned: Annotated[list[Phrase] | None, Field(description="Phrases that must not occur.")] = None,
    min_reading_ease: Annotated[
        float | None, Field(description="The lowest Flesch reading ease (100: very easy, 30: hard).")
    ] = None,
    max_reading_ease: Annotated[float | None, Field(description="The highest Flesch reading ease.")] = None,
    language: LanguageInput = "en",
    strict: Annotated[bool, Field(description="Fail the node when a rule is broken.")] = False,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Check a text against rules and pass it on unchanged.

    Phrases are found whatever their case, as whole words, and across line breaks. Each phrase is a rule of
    its own; the score is the share of the rules that are kept. Reading ease exists for the languages of
    :data:`readability.READING_EASE_LANGUAGES`.

    :returns: ``{"text": the same text, "passed": bool, "score": 0 to 1, "issues": [what is wrong, ...]}``;
        with *strict*, a broken rule is a result without success whose error lists all of them.
    :raises ToolInputError: there is no rule, the rules contradict each other, or the language has no formula.
    """
    rules = _Rules(
        min_words, max_words, required or [], banned or [], min_reading_ease, max_reading_ease, language
    )
    _check_rules(rules)
    text = text_or_previous(text, context)
    verdicts = list(_verdicts(text, rules))
    if not verdicts:
        raise ToolInputError("there is no rule to check: give min_words, max_words, required, banned, ...")
    issues = [issue for issue in verdicts if issue is not None]
    score = round((len(verdicts) - len(issues)) / len(verdicts), 3)
    output = {"text": text, "passed": not issues, "score": score, "issues": issues}
    if strict and issues:
        broken = f"{len(issues)} of {len(verdicts)} rules are broken: {'; '.join(issues)}"
        return ToolResult(success=False, output=output, error=broken)
    return ToolResult(success=True, output=output)


def _check_rules(rules: _Rules) -> None:
    pairs = (
        ("words", rules.min_words, rules.max_words),
        ("reading_ease", rules.min_reading_ease, rules.max_reading_ease),
    )
    for what, low, high in pairs:
        if low is not None and high is not None and low > high:
            raise ToolInputError(f"no text can keep min_{what} {low} and max_{what} {high}")
    wants_ease = rules.min_reading_ease is not None or rules.max_reading_ease is not None
    known = readability.READING_EASE_LANGUAGES
    if wants_ease and readability.language_root(rules.language) not in known:
        raise ToolInputError(
            f"there is no reading ease for the language {quoted(rules.language)}; known: {', '.join(known)}"
        )


def _verdicts(text: str, rules: _Rules) -> Iterator[str | None]:
    """For each rule: None when it is kept, otherwise what is wrong."""
    if rules.min_words is not None:
        yield too_short(text, rules.min_words)
    if rules.max_words is not None:
        yield too_long(text, rules.max_words)
    for phrase in rules.required:
        yield missing(phrase, text)
    for phrase in rules.banned:
        yield banned(phrase, text)
    if rules.min_reading_ease is not None:
        yield too_hard(text, rules.min_reading_ease, rules.language)
    if rules.max_reading_ease is not None:
        yield too_easy(text, rules.max_reading_ease, rules.language)


def too_short(text: str, least: int) -> str | None:
    """What is wrong with a text of fewer than *least* words."""
    words = len(readability.words_in(text))
    return None if words >= least else f"{words} words, at least {least} are asked for"


def too_long(text: str, most: int) -> str | None:
    """What is wrong with a text of more than *most* words."""
    words = len(readability.words_in(text))
    return None if words <= most else f"{words} words, at most {most} are allowed"


def missing(phrase: str, text: str) -> str | None:
    """What is wrong with a text without *phrase*."""
    return None if occurs(phrase, text) else f"{quoted(phrase)} does not occur"


def banned(phrase: str, text: str) -> str | None:
    """What is wrong with a text that holds *phrase*."""
    return f"{quoted(phrase)} occurs" if occurs(phrase, text) else None


def too_hard(text: str, lowest: float, language: str) -> str | None:
    """What is wrong with a text whose reading ease is below *lowest*."""
    ease = readability.reading_ease(text, language)
    is_kept = ease is not None and ease >= lowest
    return None if is_kept else f"the reading ease is {ease}, at least {lowest} is asked for"


def too_easy(text: str, highest: float, language: str) -> str | None:
    """What is wrong with a text whose reading ease is above *highest*."""
    ease = readability.reading_ease(text, language)
    is_kept = ease is not None and ease <= highest
    return None if is_kept else f"the reading ease is {ease}, at most {highest} is asked for"
