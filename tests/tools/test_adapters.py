"""vibe-aigc's tools as they are: look-alikes of the shapes in vibe-aigc 0.7.1 `tools`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_vibe.tools import Tool, ToolError, ToolResult, build_registry
from tests.tools.helpers import call


@dataclass
class Spec:
    name: str = "theirs"
    description: str = "A tool of theirs"
    input_schema: Any = field(default_factory=lambda: {"type": "object", "required": ["prompt"]})


@dataclass
class TheirResult:
    success: bool = True
    output: Any = None
    metadata: Any = field(default_factory=dict)
    error: str | None = None


class Theirs:
    def __init__(self, result: Any = None, **spec: Any) -> None:
        self.result = result
        self.spec = Spec(**spec)
        self.seen: Any = None

    async def execute(self, inputs: Any, context: Any = None) -> Any:
        self.seen = (inputs, context)
        return self.result


class TheirRegistry:
    def __init__(self, *tools: Theirs) -> None:
        self.tools = {tool.spec.name: tool for tool in tools}

    def list_tools(self, category: Any = None) -> list[Spec]:
        return [tool.spec for tool in self.tools.values()]

    def get(self, name: str) -> Theirs | None:
        return self.tools.get(name)


def adapted(tool: Theirs) -> Tool:
    return build_registry([("theirs", tool)])[tool.spec.name]


def test_a_tool_of_theirs_is_a_tool():
    tool = adapted(Theirs())
    assert isinstance(tool, Tool)
    assert (tool.name, tool.description) == ("theirs", "A tool of theirs")
    assert tool.input_schema == {"type": "object", "required": ["prompt"]}


def test_a_whole_registry_of_theirs_is_taken():
    theirs = TheirRegistry(Theirs(name="a"), Theirs(name="b"))
    assert build_registry([("r", theirs)]).names == ("a", "b")
    assert build_registry([("r", lambda: theirs)]).names == ("a", "b")
    assert build_registry([("r", [Theirs(name="a"), Theirs(name="b")])]).names == ("a", "b")


@pytest.mark.parametrize("output", [None, "text", 0, [1, {"a": None}], {"text": "x"}])
def test_its_result_is_translated_with_any_output(output: Any):
    theirs = Theirs(TheirResult(output=output, metadata={"model": "m"}))
    assert call(adapted(theirs), {"prompt": "p"}) == ToolResult(True, output, {"model": "m"}, None)
    assert theirs.seen[0] == {"prompt": "p"}
    assert theirs.seen[1]["node_id"] == "here"


def test_its_failure_stays_a_failure():
    result = call(adapted(Theirs(TheirResult(False, None, None, "no GPU"))), {})
    assert result == ToolResult(False, None, {}, "no GPU")


def test_something_else_than_a_result_is_an_error_that_says_so():
    with pytest.raises(ToolError, match="'theirs' returned dict, expected an object with success"):
        call(adapted(Theirs({"success": True})), {})


@pytest.mark.parametrize(
    "loose",
    [
        {"properties": {"prompt": "string"}, "required": ["prompt"]},
        {"prompt": "string", "required": ["prompt"], "type": "wrong"},
        {"properties": {"prompt": {"type": "str"}}, "required": ["prompt", 5]},
    ],
)
def test_of_a_schema_that_is_none_only_the_required_inputs_are_checked_and_that_is_said(
    loose: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        tools = build_registry([("theirs", Theirs(input_schema=loose))])
    assert "only its required inputs ['prompt'] are checked" in caplog.text
    assert [str(issue) for issue in tools.check_inputs("theirs", {})] == ["'prompt' is missing"]
    assert tools.check_inputs("theirs", {"prompt": 5, "other": 1}) == []


def test_a_table_of_names_that_is_no_schema_is_said_to_be_none(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        adapted(Theirs(input_schema={"prompt": "string"}))
    assert "none of prompt is a keyword of JSON Schema" in caplog.text


def test_a_schema_that_is_one_is_used_without_a_word(caplog: pytest.LogCaptureFixture):
    for schema in ({}, {"type": "object"}, {"required": ["a"]}, {"anyOf": [{}]}):
        adapted(Theirs(input_schema=schema))
    assert caplog.text == ""


def test_a_tool_of_theirs_without_a_name_is_refused():
    with pytest.raises(ToolError, match="expected a text"):
        build_registry([("theirs", Theirs(name=""))])
