"""The checks themselves: each gives a score from 0 to 1, and says what keeps it from 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

from airflow_provider_vibe.plan.models import Readability
from airflow_provider_vibe.plan.param_checks import SchemaChecker
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.quality_checks import LANGUAGES
from airflow_provider_vibe.runtime.quality.language import foreign_to
from airflow_provider_vibe.runtime.quality.placeholder import placeholder_issue
from airflow_provider_vibe.runtime.quality.subject import NO_JSON, Subject
from airflow_provider_vibe.tools.builtin import rules

LONGEST_MATCH = 2.0
"""Seconds that a regular expression may take on one text."""

_MOST_MISFITS = 5


class Finding(NamedTuple):
    """What a check found.

    :param score: 0 to 1; the check is passed at 1 alone.
    :param reason: why it is less.
    """

    score: float
    reason: str | None


def check(kind: str, wanted: Any, subject: Subject) -> Finding:
    """Hold *subject* against one check; a check of the text is not passed when there is none.

    :param kind: which check it is; any but ``judge``.
    :param wanted: what it asks for, references filled in.
    :param subject: the output.
    """
    if kind != "json_schema" and not subject.text.strip():
        return Finding(0.0, NO_TEXT)
    return _CHECKS[kind](wanted, subject)


NO_TEXT = "the output has no text"


def _share(issues: Iterable[str | None]) -> Finding:
    each = list(issues)
    found = [issue for issue in each if issue is not None]
    return Finding(1 - len(found) / max(1, len(each)), "; ".join(found) or None)


def _matches(pattern: str, subject: Subject) -> Finding:
    import regex

    try:
        is_match = regex.search(pattern, subject.text, timeout=LONGEST_MATCH) is not None
    except TimeoutError:
        reason = f"{quoted(pattern)} takes more than {LONGEST_MATCH:g} s to be looked for: write it simpler"
        return Finding(0.0, reason)
    return _share([None if is_match else f"nothing in it matches {quoted(pattern)}"])


def _json_schema(schema: dict[str, Any], subject: Subject) -> Finding:
    if subject.document is NO_JSON:
        return Finding(0.0, "there is no JSON in the text, or it is broken")
    found = SchemaChecker("the output", "the schema").issues(schema, subject.document)
    issues = list(islice(found, _MOST_MISFITS))
    return Finding(0.0, "; ".join(issues)) if issues else Finding(1.0, None)


def _language(language: str, subject: Subject) -> Finding:
    if language not in LANGUAGES:  # told by a reference
        return Finding(0.0, f"no language is called {quoted(language)} here; write a code such as 'en'")
    return _share([foreign_to(subject.prose, language)])


def _readability(asked: Readability, subject: Subject) -> Finding:
    text, language = subject.prose, asked.language
    low = rules.too_hard(text, asked.min, language) if asked.min is not None else None
    high = rules.too_easy(text, asked.max, language) if asked.max is not None else None
    return _share([low or high])


_CHECKS: dict[str, Callable[[Any, Subject], Finding]] = {
    "not_placeholder": lambda wanted, subject: _share([placeholder_issue(subject)]),
    "min_words": lambda least, subject: _share([rules.too_short(subject.text, least)]),
    "max_words": lambda most, subject: _share([rules.too_long(subject.text, most)]),
    "must_contain": lambda phrases, subject: _share(rules.missing(each, subject.text) for each in phrases),
    "must_not_contain": lambda phrases, subject: _share(rules.banned(each, subject.text) for each in phrases),
    "matches": _matches,
    "json_schema": _json_schema,
    "language": _language,
    "readability": _readability,
}
