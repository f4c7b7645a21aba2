"""The JSON Schema of a plan file: the models' own, with examples, and with the tools and their inputs.

Editors read it, and most of them know JSON Schema as of draft 7: no keyword here means something else, or
nothing, to these (``$defs`` is only a place for references to lead to).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import BeforeValidatorFunctionSchema

from airflow_provider_vibe.cli.plan_schema_examples import EXAMPLES, PARAM
from airflow_provider_vibe.plan.launch_checks import KINDS
from airflow_provider_vibe.plan.models import (
    CHECK_KINDS,
    WorkflowPlan,
    rubric_alone,
    whole_seconds,
)
from airflow_provider_vibe.plan.rules import Limits
from airflow_provider_vibe.tools.base import Tool
from airflow_provider_vibe.tools.builtin import builtin_tools

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:airflow-provider-vibe:plan:1"
"""Of the format itself; a schema that knows further tools goes without it."""

_NUMBER_AS_TEXT: Schema = {
    "type": "string",
    "pattern": r"^\s*-?[0-9]+\s*$",
    "maxLength": 19,
    "deprecated": True,
    "description": "Is read as the number, with a warning.",
}
_TRUTH_AS_NUMBER: Schema = {
    "type": "boolean",
    "deprecated": True,
    "description": "Is read as 1 or 0, with a warning.",
}
_REFERENCE: Schema = {
    "title": "Reference",
    "description": "Holds a reference, such as ${params.topic}: its value is checked when the node runs.",
    "type": "string",
    "pattern": r"\$\{",
}


def plan_schema(tools: Iterable[Tool] | None = None, max_id_length: int = Limits.max_id_length) -> Schema:
    """The JSON Schema (2020-12) of a plan file.

    It takes every file that the reader takes, and refuses what a schema can refuse: whether ids are unique,
    or dependencies lead anywhere, is for `airflow vibe lint` to say.

    :param tools: the tools whose names and inputs it knows; the built-in ones when left out. Others are
        allowed by name, with any inputs.
    :param max_id_length: characters of an id.
    """
    known = sorted(builtin_tools() if tools is None else tools, key=lambda tool: tool.name)
    schema = WorkflowPlan.model_json_schema(by_alias=True, schema_generator=_Generator)
    defs: dict[str, Schema] = schema.pop("$defs")
    for name, model in [*defs.items(), (WorkflowPlan.__name__, schema)]:
        _polish(name, model)
    defs["Reference"] = _REFERENCE
    defs["Schedule"] |= _SCHEDULE_RULES
    defs["QualityCheck"]["oneOf"] = [_said(kind) for kind in CHECK_KINDS]
    _narrow(defs["Schedule"]["properties"], {"at": {"minItems": 1}, "assets": {"minItems": 1}})
    defs["Budget"]["minProperties"] = 1
    an_id = {"minLength": 1, "maxLength": max_id_length}
    _narrow(defs["WorkflowNode"]["properties"], {"id": an_id})
    _narrow(schema["properties"], {"id": an_id})
    schema["properties"]["params"]["additionalProperties"] = PARAM
    defs["WorkflowNode"]["properties"]["parameters"] |= _parameters(known)
    is_plain = {tool.name for tool in known} == {tool.name for tool in builtin_tools()}
    identity = {"$schema": DIALECT, **({"$id": ID} if is_plain else {})}
    return {**identity, **schema, "title": "Vibe plan", "$defs": dict(sorted(defs.items()))}


def as_file(schema: Schema) -> str:
    """A schema as the text of a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Says of the durations what the reader takes, and not only what it makes of it."""

    def function_before_schema(self, schema: BeforeValidatorFunctionSchema) -> Schema:
        """The schema of a value that something is done to before it is checked."""
        inner = super().function_before_schema(schema)
        if schema["function"].get("function") is rubric_alone:
            return {"anyOf": [{"type": "string", "pattern": r"\S"}, inner]}
        if schema["function"].get("function") is not whole_seconds:
            return inner
        return {"anyOf": [inner, _NUMBER_AS_TEXT, _TRUTH_AS_NUMBER]}


def _polish(name: str, model: Schema) -> None:
    """Titles for people, examples, and no default that an editor would only write out."""
    model["title"] = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
    for key, value in model.get("properties", {}).items():
        value["title"] = key.lstrip("$").replace("_", " ").capitalize()
        if not value.get("default") or isinstance(value["default"], dict):
            value.pop("default", None)
        if examples := EXAMPLES.get(name, {}).get(key):
            value["examples"] = examples


def _said(kind: str) -> Schema:
    """That an object says this of its kinds."""
    return {"title": kind, "required": [kind], "properties": {kind: {"not": {"type": "null"}}}}


_SCHEDULE_RULES: Schema = {
    "oneOf": [_said(kind) for kind in KINDS],
    "if": {"required": ["catchup"], "properties": {"catchup": {"const": True}}},
    "then": {"required": ["start_date"], "properties": {"start_date": {"type": "string"}}},
}


def _narrow(properties: Schema, rules: Mapping[str, Schema]) -> None:
    """Add keywords to what a property may be besides null."""
    for key, keywords in rules.items():
        choices: list[Schema] = properties[key].get("anyOf", [properties[key]])
        for choice in choices:
            if choice.get("type") != "null":
                choice |= keywords


def _parameters(tools: list[Tool]) -> Schema:
    """The parameters of a node: which tool, with which inputs."""
    named = [{"const": tool.name, "description": tool.description} for tool in tools]
    another = {"type": ["string", "null"], "description": "A tool of your own."}
    return {
        "properties": {
            "tool": {
                "title": "Tool",
                "description": "Who does the work. Left out: the default tool of the node's type.",
                "anyOf": [*named, another],
                "examples": [tool.name for tool in tools],
            },
            "tool_inputs": {
                "title": "Tool inputs",
                "description": "With what; texts in it may hold references.",
                "type": ["object", "null"],
            },
        },
        "allOf": [_inputs_rule(tool) for tool in tools if not _leads_elsewhere(tool.input_schema)],
    }


def _inputs_rule(tool: Tool) -> Schema:
    """When it is this tool, then these are its inputs."""
    inputs = _relaxed(tool.input_schema)
    # A default tool is given the description of its node as its prompt.
    required = [key for key in inputs.pop("required", ()) if key != "prompt"]
    if required:
        inputs["required"] = required
    inputs["type"] = "object" if required else ["object", "null"]
    then: Schema = {"properties": {"tool_inputs": inputs}}
    return {
        "if": {"required": ["tool"], "properties": {"tool": {"const": tool.name}}},
        "then": then | ({"required": ["tool_inputs"]} if required else {}),
    }


def _leads_elsewhere(schema: Any) -> bool:
    """Whether a schema cannot stand inside another one: its references would lead astray."""
    if isinstance(schema, Mapping):
        return not {"$ref", "$dynamicRef", "$id"}.isdisjoint(schema) or any(
            map(_leads_elsewhere, schema.values())
        )
    return isinstance(schema, list) and any(map(_leads_elsewhere, schema))


def _relaxed(schema: Mapping[str, Any]) -> Schema:
    """A schema that takes a reference wherever it asks for anything."""
    relaxed = {key: value for key, value in schema.items() if key != "default" or value}
    if "properties" in schema:
        relaxed["properties"] = {key: _or_reference(each) for key, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            relaxed[key] = _or_reference(schema[key])
    if "anyOf" in schema:
        relaxed["anyOf"] = [_relaxed(choice) for choice in schema["anyOf"]]
    return relaxed


def _or_reference(schema: Mapping[str, Any]) -> Schema:
    relaxed = _relaxed(schema)
    if any(_is_any_text(choice) for choice in relaxed.get("anyOf", [relaxed])):
        return relaxed
    about: Schema = {key: relaxed.pop(key) for key in ("title", "description", "default") if key in relaxed}
    choices = relaxed["anyOf"] if relaxed.keys() == {"anyOf"} else [relaxed]
    return {**about, "anyOf": [*choices, {"$ref": "#/$defs/Reference"}]}


def _is_any_text(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "string" and schema.keys() <= {"type", "title", "description", "default"}
