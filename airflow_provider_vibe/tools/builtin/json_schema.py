"""`json_schema`: whether a value, or the JSON in a text, fits a JSON Schema."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.param_checks import SchemaChecker
from airflow_provider_vibe.tools.base import ToolInputError, ToolResult
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.threads import run_in_thread

MOST_ERRORS = 50
TIME_LIMIT = 30.0
"""Seconds; a list of many thousand items that must differ takes longer."""

_FENCED = re.compile(r"\s*```[A-Za-z]*[ \t]*\n(?P<json>.*)\n[ \t]*```\s*", re.DOTALL)


@tool("json_schema")
async def json_schema(
    schema: Annotated[dict[str, Any], Field(description="The JSON Schema (2020-12), without $ref.")],
    value: Annotated[Any, Field(description="What is checked, e.g. '${nodes.fetch.json}'.")] = None,
    text: TextInput = None,
    strict: Annotated[bool, Field(description="Fail the node when it does not fit.")] = False,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Check a value, or the JSON in a text, against a JSON Schema.

    Without *value* the text is read as JSON, with or without a code fence around it. A schema that refers to
    another place, and a pattern that could take for ever, are refused.

    :returns: ``{"text": the value as JSON, or the text that is none, "value": the value, or null, "valid":
        bool, "errors": [what is wrong, ...]}``; with *strict*, a result without success when it is not valid.
    :raises ToolInputError: the schema is none, or there is nothing to check.
    :raises TimeoutError: the check took more than :data:`TIME_LIMIT` seconds.
    """
    if value is None:
        text = text_or_previous(text, context)
    try:
        async with asyncio.timeout(TIME_LIMIT):
            output = await run_in_thread(_checked, schema, value, text)
    except TimeoutError:
        raise TimeoutError(f"the check against the schema took more than {TIME_LIMIT:g} seconds") from None
    if strict and output["errors"]:
        return ToolResult(success=False, output=output, error="; ".join(output["errors"]))
    return ToolResult(success=True, output=output)


def _checked(schema: dict[str, Any], value: Any, text: str | None) -> dict[str, Any]:
    if issue := next(SchemaChecker().issues(schema), None):
        raise ToolInputError(f"the schema cannot be used: {issue}")
    if value is None:
        try:
            value = _value_in(text or "")
        except (ValueError, RecursionError) as error:
            return {"text": text, "value": None, "valid": False, "errors": [f"the text is no JSON: {error}"]}
    errors = list(islice(SchemaChecker("the value").issues(schema, value), MOST_ERRORS))
    written = json.dumps(value, ensure_ascii=False)
    return {"text": written, "value": value, "valid": not errors, "errors": errors}


def _value_in(text: str) -> Any:
    fenced = _FENCED.fullmatch(text)
    return strict_json(fenced["json"] if fenced else text)


def strict_json(text: str) -> Any:
    """The value that *text* is the JSON of; NaN and Infinity are none.

    :raises ValueError: it is no JSON.
    :raises RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
