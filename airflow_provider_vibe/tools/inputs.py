"""Whether the inputs of a call fit the tool's schema: one check, when a plan is read and when a node runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.problems import Pointer, did_you_mean, one_line, quoted
from airflow_provider_vibe.tools.base import Tool

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Unresolved = Callable[[str], bool]
"""Tells whether a string still holds a reference, so that nothing can be said about its final value."""

_NOUNS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SAYINGS = {
    "minimum": "is less than {}, the smallest allowed",
    "maximum": "is more than {}, the largest allowed",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "is too short: at least {} characters",
    "maxLength": "is too long: at most {} characters",
    "minItems": "has too few items: at least {}",
    "maxItems": "has too many items: at most {}",
    "uniqueItems": "holds the same item more than once",
    "pattern": "does not match the pattern {}",
    "const": "must be {}",
}
# A verdict of these on a list or an object depends on everything inside it; of the others only on its shape.
_WHOLE_VALUE = frozenset(
    {"anyOf", "oneOf", "not", "const", "enum", "contains", "uniqueItems"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)


@dataclass(frozen=True)
class InputIssue:
    """One thing that is wrong with the inputs of a call.

    :param path: the keys and list indexes that lead to it inside the inputs.
    :param message: what is wrong, for a person.
    :param hint: what to do about it ("did you mean 'top'?").
    """

    path: Pointer
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = ".".join(one_line(str(part)) for part in self.path)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} ({self.hint})" if self.hint else text


class InputChecker:
    """An input schema, ready to check inputs against.

    Formats are not checked, and a ``$ref`` that leads outside the schema is never fetched.

    :param schema: a JSON Schema (2020-12).
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema import Draft202012Validator
        from referencing import Registry

        self._validator = Draft202012Validator(dict(schema), registry=Registry())

    def issues(self, inputs: object, unresolved: Unresolved | None = None) -> list[InputIssue]:
        """Everything that is wrong with *inputs*; empty when they fit (see :func:`check_inputs`)."""

        def is_certain(error: ValidationError) -> bool:
            return unresolved is None or not _cannot_judge(error, inputs, unresolved)

        found: dict[InputIssue, None] = {}
        for error in filter(is_certain, self._validator.iter_errors(inputs)):
            found.update(dict.fromkeys(_issues_of(error, is_certain)))
        return list(found)


def check_inputs(
    tool: Tool, inputs: Mapping[str, Any], unresolved: Unresolved | None = None
) -> list[InputIssue]:
    """Everything that is wrong with *inputs* for *tool*; empty when they fit.

    For many calls of registered tools use :meth:`ToolRegistry.check_inputs`, which prepares each schema once.

    :param tool: whose ``input_schema`` decides.
    :param inputs: what the plan gives the tool.
    :param unresolved: says of a string that it still holds a reference; what depends on such a string is not
        judged. Left out: everything is judged.
    """
    return InputChecker(tool.input_schema).issues(inputs, unresolved)


def _cannot_judge(error: ValidationError, inputs: object, unresolved: Unresolved) -> bool:
    if isinstance(error.instance, str):
        return unresolved(error.instance)
    if error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(inner.relative_schema_path[0], []).append(inner)
        return any(
            all(_cannot_judge(inner, inputs, unresolved) for inner in branch) for branch in branches.values()
        )
    if not {"then", "else"}.isdisjoint(error.absolute_schema_path):  # the "if" may have seen a reference
        return _holds_unresolved(inputs, unresolved)
    return error.validator in _WHOLE_VALUE and _holds_unresolved(error.instance, unresolved)


def _holds_unresolved(value: object, unresolved: Unresolved) -> bool:
    if isinstance(value, str):
        return unresolved(value)
    if isinstance(value, Mapping):
        return any(_holds_unresolved(item, unresolved) for item in value.values())
    return isinstance(value, list) and any(_holds_unresolved(item, unresolved) for item in value)


def _issues_of(error: ValidationError, is_certain: Callable[[ValidationError], bool]) -> Iterator[InputIssue]:
    path: Pointer = tuple(error.absolute_path)
    if error.validator == "required":
        wanted: Any = error.validator_value
        instance: Any = error.instance
        for name in wanted:
            if name not in instance:
                yield InputIssue(path, f"{quoted(name)} is missing")
    elif error.validator == "additionalProperties":
        yield from _unknown_keys(error, path)
    elif error.validator == "enum":
        yield InputIssue(path, f"{quoted(error.instance)} is not allowed", _choices(error))
    elif error.context:
        yield from _no_alternative(error, path, is_certain)
    else:
        yield InputIssue(path, _message(error))


def _message(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    if error.validator == "type":
        names = [wanted] if isinstance(wanted, str) else wanted
        return _wrong_type(names, error.instance)
    if (saying := _SAYINGS.get(str(error.validator))) is not None:
        return f"{quoted(error.instance)} {saying.format(quoted(wanted, 80))}"
    return one_line(error.message[:200])


def _wrong_type(names: Sequence[str], instance: object) -> str:
    wanted = " or ".join(dict.fromkeys(_NOUNS.get(name, name) for name in names))
    return f"must be {wanted}, not {_noun_of(instance)}"


def _noun_of(value: object) -> str:
    kinds = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (dict, "object"))
    if value is None or isinstance(value, list):
        return _NOUNS["null" if value is None else "array"]
    return next((_NOUNS[name] for kind, name in kinds if isinstance(value, kind)), type(value).__name__)


def _choices(error: ValidationError) -> str:
    allowed: Any = error.validator_value
    close = did_you_mean(error.instance, [item for item in allowed if isinstance(item, str)])
    return close or "allowed: " + ", ".join(quoted(item) for item in allowed[:20])


def _unknown_keys(error: ValidationError, path: Pointer) -> Iterator[InputIssue]:
    schema: Any = error.schema
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    listed = ", ".join(quoted(name) for name in list(known)[:20])
    instance: Any = error.instance
    for key in instance:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            hint = did_you_mean(key, known) or (f"known: {listed}" if known else "none is known here")
            yield InputIssue((*path, key), f"{quoted(key)} is not a known key", hint)


def _no_alternative(
    error: ValidationError, path: Pointer, is_certain: Callable[[ValidationError], bool]
) -> Iterator[InputIssue]:
    """What to say when none of several alternatives fits: their types, or what is wrong with the closest."""
    inner = [item for item in error.context or () if is_certain(item)]
    if all(item.validator == "type" and not item.relative_path for item in inner):
        names = [name for item in inner for name in _as_list(item.validator_value)]
        yield InputIssue(path, _wrong_type(names, error.instance))
    else:
        # the alternative whose first fault lies deepest inside the value is the one that was meant
        yield from _issues_of(max(inner, key=lambda item: len(item.relative_path)), is_certain)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
