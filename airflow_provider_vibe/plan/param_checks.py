"""With what a plan runs: its parameters, a JSON Schema each.

Airflow holds their values against the schemas with jsonschema and Python's regular expressions, both while
it parses the DAG and in its web server when a run is triggered. So a schema that could keep these busy for
ever is refused, and what a check would cost is looked at before it is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.outline import PlanOutline
from airflow_provider_vibe.plan.problems import Place, Problem, ProblemCode, quoted
from airflow_provider_vibe.plan.rules import PlanRules

if TYPE_CHECKING:
    from referencing import Resource

MOST_WORK = 1_000_000
"""What the schemas of a plan may cost together; one of n values costs n (n + 200), so n may be about 900."""

MOST_STEPS = 1_000_000
"""How often all patterns of a plan together may be tried on the texts of the defaults."""

MOST_LEVELS = 30
"""Levels of objects and lists in one schema."""

LONGEST_PATTERN = 200

_REFUSED = {
    "$ref": "a parameter's schema stands by itself",
    "$dynamicRef": "a parameter's schema stands by itself",
    "$recursiveRef": "a parameter's schema stands by itself",
    "$schema": "the schema of a parameter is always one of JSON Schema 2020-12",
    "unevaluatedItems": "checking it can take for ever",  # it doubles with each level
    "unevaluatedProperties": "checking it can take for ever",
}
_ONE_CHARACTER = re.compile(r"\\[^1-9]|\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_UNBOUNDED = re.compile(r"\)[*+{]|\(\?|\\")
_REPEAT = re.compile(r"[*+?]|\{[0-9]*,")


def check_params(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Each parameter is a JSON Schema that its default satisfies; a scheduled plan has all defaults."""
    params = outline.data.get("params")
    if not isinstance(params, dict):
        return
    is_scheduled = isinstance(outline.data.get("schedule"), dict)
    checker = SchemaChecker()
    for name, schema in params.items():
        if not isinstance(schema, dict):
            continue
        place = Place(("params", name))
        if issue := checker.issue(schema):
            yield Problem(ProblemCode.BAD_PARAM, f"parameter {quoted(name)}: {issue}", place)
            if checker.is_exhausted:
                return
        elif "default" not in schema and is_scheduled:
            message = f"parameter {quoted(name)} has no default, so the schedule cannot start the plan"
            yield Problem(ProblemCode.BAD_PARAM, message, place, "add a default, or take the schedule out")


class SchemaChecker:
    """Checks schemas and the values for them, as long as they are not too much work together.

    :param value_name: what a value is called in messages.
    :param schema_name: what a schema is called there, as one that a value should fit.
    """

    def __init__(self, value_name: str = "its default", schema_name: str = "its own schema") -> None:
        self._value_name, self._schema_name = value_name, schema_name
        self._work_left = MOST_WORK
        self._steps_left = MOST_STEPS

    @property
    def is_exhausted(self) -> bool:
        """True when no further schema can be checked."""
        return self._work_left < 0 or self._steps_left < 0

    def issue(self, schema: dict[str, Any]) -> str | None:
        """What is wrong with a schema or its default."""
        return next(self.issues(schema, *([schema["default"]] if "default" in schema else [])), None)

    def issues(self, schema: dict[str, Any], *values: Any) -> Iterator[str]:
        """What is wrong with a schema; if nothing is, what each value has that does not fit it."""
        try:
            issue = self._excess(schema) or self._schema_issue(schema, values)
            yield from [issue] if issue else self._misfits(schema, values)
        except RecursionError:
            yield "its schema is too involved to be checked"

    def _excess(self, schema: dict[str, Any]) -> str | None:
        size, levels = _extent(schema)
        self._work_left -= size * (size + 200)
        if self._work_left < 0:
            return "the schemas of the parameters are too large (a list of choices has up to about 900)"
        if levels > MOST_LEVELS:
            return f"its schema is nested more than {MOST_LEVELS} levels deep"
        return None

    def _schema_issue(self, schema: dict[str, Any], values: tuple[Any, ...]) -> str | None:
        from jsonschema import Draft202012Validator, SchemaError
        from referencing.jsonschema import DRAFT202012

        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            return f"no JSON Schema: {error.message[:200]}"
        texts = [text for value in values for text in _texts(value)]
        parts = _parts(DRAFT202012.create_resource(schema))
        return next(filter(None, (self._part_issue(part, texts) for part in parts)), None)

    def _misfits(self, schema: dict[str, Any], values: tuple[Any, ...]) -> Iterator[str]:
        from jsonschema import Draft202012Validator, FormatChecker
        from jsonschema.exceptions import relevance

        # as `airflow.sdk.Param.resolve` does it
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        for value in values:
            for error in sorted(validator.iter_errors(value), key=relevance):
                place = f" at {error.json_path}" if error.path else ""
                yield f"{self._value_name} does not fit {self._schema_name}{place}: {error.message[:200]}"

    def _part_issue(self, part: dict[str, Any], texts: list[str]) -> str | None:
        for keyword, why in _REFUSED.items():
            if keyword in part:
                return f"it may hold no {quoted(keyword)}: {why}"
        patterns = [*part.get("patternProperties", ()), *([part["pattern"]] if "pattern" in part else ())]
        for pattern in patterns:
            repeats, alternatives = _choices(pattern)
            if alternatives == 0:
                return (
                    f"matching the pattern {quoted(pattern)} could take for ever: it may have up to"
                    f" {LONGEST_PATTERN} characters, repeat characters but no groups, refer to no group,"
                    " and open a group with '(' or '(?:' only"
                )
            for text in texts:
                self._steps_left -= alternatives * math.comb(len(text) + repeats + 1, repeats + 1)
            if self._steps_left < 0:
                return f"{self._value_name} is too long to be held against the pattern {quoted(pattern)}"
        return None


def _choices(pattern: str) -> tuple[int, int]:
    """How many repeats of undecided length a pattern has, and how many ways through its alternatives.

    Python's regular expressions go back and try again: ``(a+)+$`` takes a second on 24 letters, an hour on
    36. Where no group is repeated there are as many tries as ways to place the ends of the repeats in the
    text. No ways at all stand for a pattern of which that cannot be said.
    """
    bare = _ONE_CHARACTER.sub("x", pattern).replace("(?:", "(")
    if len(pattern) > LONGEST_PATTERN or _UNBOUNDED.search(bare):
        return 0, 0
    alternatives, open_groups = 1, [1]
    for char in bare:
        if char == "(":
            open_groups.append(1)
        elif char == ")":
            alternatives *= open_groups.pop()
        elif char == "|":
            open_groups[-1] += 1
    return len(_REPEAT.findall(bare)), alternatives * open_groups[0]


def _extent(value: Any) -> tuple[int, int]:
    """How many values there are in *value*, itself included, and on how many levels."""
    size, levels, level = 0, 0, [value]
    while level:
        size, levels = size + len(level), levels + 1
        level = [child for item in level for child in _children(item)]
    return size, levels


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _texts(value: Any) -> Iterator[str]:
    """All texts in *value*, keys too."""
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        yield from value
    for child in _children(value):
        yield from _texts(child)


def _parts(schema: Resource[Any]) -> Iterator[dict[str, Any]]:
    """A schema and all schemas inside it."""
    if isinstance(schema.contents, dict):
        yield schema.contents
    for part in schema.subresources():
        yield from _parts(part)
