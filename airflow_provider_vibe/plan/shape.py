"""The models' own complaints about a document, in words for the person who wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from airflow_provider_vibe.plan.models import (
    Budget,
    Judge,
    NodeType,
    OnFail,
    QualityCheck,
    Readability,
    Replan,
    RunSettings,
    Schedule,
    Vibe,
    WorkflowNode,
    WorkflowPlan,
)
from airflow_provider_vibe.plan.problems import (
    Place,
    Pointer,
    Problem,
    ProblemCode,
    did_you_mean,
    quoted,
)

_MODEL_AT: dict[str, type[BaseModel]] = {
    "root_nodes": WorkflowNode,
    "children": WorkflowNode,
    "source_vibe": Vibe,
    "schedule": Schedule,
    "defaults": RunSettings,
    "run": RunSettings,
    "budget": Budget,
    "replan": Replan,
    "checks": QualityCheck,
    "readability": Readability,
    "judge": Judge,
}

_MOST_KEYS = 100
"""So many keys of an object are looked at for one that may be misspelt."""

_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "tuple_type": "a list",
}


def read_shape(data: dict[str, Any]) -> tuple[WorkflowPlan | None, Iterator[Problem]]:
    """The plan *data* holds, or everything that keeps it from having the shape of one."""
    try:
        return WorkflowPlan.model_validate(data), iter(())
    except ValidationError as error:
        errors = [
            details for details in error.errors(include_url=False) if not _counts_only_good_items(details)
        ]
    return None, map(_problem, errors)


def _counts_only_good_items(error: ErrorDetails) -> bool:
    """Whether pydantic says that a list is too short because what is in it was refused."""
    return error["type"] == "too_short" and bool(error["input"])


def _problem(error: ErrorDetails) -> Problem:
    at = error["loc"]
    if error["type"].startswith("recursion"):
        return Problem(ProblemCode.TOO_DEEP, "the nodes are nested too deep to be read", Place(at))
    for kind, tell in _TELL.items():
        if error["type"] == kind:
            return tell(error, at)
    if wanted := _WANTED.get(error["type"]):
        return _wrong_type(error, at, wanted)
    message = f"{_name(at)}: {error['msg'][0].lower()}{error['msg'][1:]}, not {_kind(error['input'])}"
    return Problem(ProblemCode.BAD_VALUE, message, Place(at))


def _missing(error: ErrorDetails, at: Pointer) -> Problem:
    key = str(at[-1])
    written = error["input"] if isinstance(error["input"], dict) else {}
    keys = _keys_at(at[:-1])
    hint = did_you_mean(key, [name for name in islice(written, _MOST_KEYS) if name not in keys])
    if hint:
        close = hint.removeprefix("did you mean ").removesuffix("?")
        hint = f"{close} is written there: rename it to {quoted(key)}"
    what = _thing(at[:-1])
    return Problem(ProblemCode.MISSING_KEY, f"{what} needs {quoted(key)}", Place(at[:-1]), hint)


def _unknown(error: ErrorDetails, at: Pointer) -> Problem:
    keys = _keys_at(at[:-1])
    hint = did_you_mean(at[-1], keys) or f"known are {', '.join(keys)}; a note of your own begins with 'x-'"
    message = f"{_thing(at[:-1])} has no {quoted(str(at[-1]))}"
    return Problem(ProblemCode.UNKNOWN_KEY, message, Place(at), hint)


def _not_a_choice(error: ErrorDetails, at: Pointer) -> Problem:
    what, choices = ("type of node", NodeType) if at[-1] == "type" else ("way to fail", OnFail)
    known = [str(choice) for choice in choices]
    hint = did_you_mean(str(error["input"]).lower(), known) or f"one of {', '.join(known)}"
    return Problem(ProblemCode.BAD_VALUE, f"no {what} is called {quoted(error['input'])}", Place(at), hint)


def _empty_plan(error: ErrorDetails, at: Pointer) -> Problem:
    if at != ("root_nodes",):
        return Problem(ProblemCode.BAD_VALUE, f"{_name(at)} is empty", Place(at))
    return Problem(
        ProblemCode.EMPTY_PLAN, "the plan has no nodes", Place(at), "it needs at least one root node"
    )


def _wrong_type(error: ErrorDetails, at: Pointer, wanted: str) -> Problem:
    hint = None
    if error["input"] is None:
        hint = f"leave {_name(at)} out where there is none"
    elif isinstance(error["input"], int | float) and wanted == "a text":
        hint = "put it in quotes"
    message = f"{_name(at)} should be {wanted}, not {_kind(error['input'])}"
    return Problem(ProblemCode.WRONG_TYPE, message, Place(at), hint)


_TELL: dict[str, Callable[[ErrorDetails, Pointer], Problem]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "enum": _not_a_choice,
    "too_short": _empty_plan,
}


def _model_at(at: Pointer) -> type[BaseModel]:
    names = [part for part in at if isinstance(part, str)]
    return _MODEL_AT.get(names[-1], WorkflowPlan) if names else WorkflowPlan


def _keys_at(at: Pointer) -> list[str]:
    return [field.alias or name for name, field in _model_at(at).model_fields.items()]


def _thing(at: Pointer) -> str:
    things = {WorkflowPlan: "a plan", WorkflowNode: "a node", Vibe: "a vibe", QualityCheck: "a check"}
    return things.get(
        _model_at(at),
        quoted(str(at[-1])) if at else "a plan",
    )


def _name(at: Pointer) -> str:
    names = [str(part) for part in at if isinstance(part, str)]
    item = f"item {at[-1]} of " if at and isinstance(at[-1], int) else ""
    return item + quoted(names[-1]) if names else "the document"


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "a list", type(None): "null"}
    return kinds.get(type(value)) or quoted(value, 40) if not isinstance(value, bool) else str(value).lower()
