"""What a plan states about the outputs of its nodes: `checks` that can be made, and `on_fail`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_vibe.plan.models import CHECK_KINDS
from airflow_provider_vibe.plan.outline import NodeOutline, PlanOutline
from airflow_provider_vibe.plan.param_checks import SchemaChecker
from airflow_provider_vibe.plan.problems import Place, Pointer, Problem, ProblemCode, did_you_mean, quoted
from airflow_provider_vibe.plan.references import has_reference
from airflow_provider_vibe.plan.rules import PlanRules

JUDGE_TOOL = "llm_validate"
"""The tool that reads an output for a `judge` check."""

_CODES = (
    "af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd gl"
    " gu ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo lt lv mg mk ml mn"
    " mr ms mt my ne nl nn no oc om or pa pl ps pt qu ro ru rw sa se si sk sl sn so sq sr st sv sw ta"
    " te tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu"
)
LANGUAGES = tuple(_CODES.split())
"""The languages that py3langid 0.4 tells apart, as far as ISO 639-1 has a code for them."""

Found = tuple[str, str | None] | None


def check_quality(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Each check says exactly one thing, and that in a way that can be checked; together they can be kept."""
    schemas = SchemaChecker()
    for node in outline.nodes:
        checks = node.raw.get("checks")
        if "on_fail" in node.raw and not checks:
            message = f"{node.name} says what to do when a check fails, but has no checks"
            hint = "add 'checks', or remove 'on_fail'"
            yield Problem(ProblemCode.BAD_CHECK, message, Place((*node.at, "on_fail")), hint)
        for index, check in enumerate(checks if isinstance(checks, list) else ()):
            if isinstance(check, dict):
                yield from _check_one(check, (*node.at, "checks", index), rules, schemas)
        yield from _check_together(node)


def _check_one(
    check: dict[str, Any], at: Pointer, rules: PlanRules, schemas: SchemaChecker
) -> Iterator[Problem]:
    said = [kind for kind in CHECK_KINDS if check.get(kind) is not None]
    if len(said) != 1 and not (not said and check.keys() - {*CHECK_KINDS, "weight"}):  # told as unknown keys
        message = (
            f"a check says one of {', '.join(CHECK_KINDS)}; this one says {' and '.join(said) or 'none'}"
        )
        hint = "begin a new item of the list for each" if said else None
        yield Problem(ProblemCode.BAD_CHECK, message, Place(at), hint)
    for kind, issue_of in _ISSUES.items():
        if kind in said and (found := issue_of(check[kind])):
            yield Problem(ProblemCode.BAD_CHECK, found[0], Place((*at, kind)), found[1])
    if isinstance(check.get("json_schema"), dict) and (issue := schemas.issue(check["json_schema"])):
        yield Problem(ProblemCode.BAD_CHECK, f"'json_schema': {issue}", Place((*at, "json_schema")))
    if "judge" in said and rules.tools is not None and JUDGE_TOOL not in set(rules.tools.names):
        message = f"a judge needs the tool {quoted(JUDGE_TOOL)}, which is not there"
        yield Problem(ProblemCode.UNKNOWN_TOOL, message, Place((*at, "judge")))


def _pattern_issue(pattern: Any) -> Found:
    import regex

    if not isinstance(pattern, str):
        return None
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        return f"{quoted(pattern)} is no regular expression: {error}", None
    return None


def _language_issue(language: Any) -> Found:
    if not isinstance(language, str) or language in LANGUAGES or has_reference(language):
        return None
    hint = did_you_mean(language.lower()[:2], LANGUAGES) or "write an ISO 639-1 code, such as 'en' or 'de'"
    return f"no language is called {quoted(language)} here", hint


def _readability_issue(asked: Any) -> Found:
    if not isinstance(asked, dict):
        return None
    low, high = asked.get("min"), asked.get("max")
    if low is None and high is None:
        return "it asks for nothing", "state 'min', 'max' or both; 60 is plain English"
    return _contradiction("readability", low, high)


def _contradiction(what: str, low: Any, high: Any) -> Found:
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        return f"no text can keep both: {what} of at least {low} and at most {high}", None
    return None


_ISSUES: dict[str, Callable[[Any], Found]] = {
    "matches": _pattern_issue,
    "language": _language_issue,
    "readability": _readability_issue,
}


def _check_together(node: NodeOutline) -> Iterator[Problem]:
    """The limits of one node leave room for a text."""
    checks = node.raw.get("checks")
    written = [check for check in checks if isinstance(check, dict)] if isinstance(checks, list) else []
    lows = [check["min_words"] for check in written if type(check.get("min_words")) is int]
    highs = [check["max_words"] for check in written if type(check.get("max_words")) is int]
    if lows and highs and (found := _contradiction("words", max(lows), min(highs))):
        yield Problem(ProblemCode.BAD_CHECK, found[0], Place((*node.at, "checks")), found[1])
